/// flux-bench-load: loads a WebSocket server in one of six ways and reports what that cost the server. See --help.
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "latency.hpp"
#include "messages.hpp"
#include "options.hpp"
#include "process_probe.hpp"
#include "report.hpp"
#include "roster.hpp"
#include "swarm.hpp"

namespace flux::bench {
namespace {

using Clock = Swarm::Clock;
using Seconds = std::chrono::duration<double>;
using std::chrono::milliseconds;

constexpr milliseconds longest_turn{20};

Clock::time_point after(Clock::time_point start, Seconds duration) {
  return start + std::chrono::duration_cast<Clock::duration>(duration);
}

/// What arrived that the mode counts.
struct Tally {
  std::uint64_t stamped = 0;  ///< messages with a stamp
  std::uint64_t stamped_bytes = 0;
  std::uint64_t errors = 0;
  std::string first_error;
  LatencyHistogram latency;

  /// Counts `message` if it is stamped, and as an error if it is one. Returns whether it was stamped.
  bool add(std::string_view message) {
    std::string_view rest = message;
    if (const auto stamp = Stamp::take(rest)) {
      ++stamped;
      stamped_bytes += message.size();
      latency.add(Stamp::now_ns() - stamp->sent_ns);
      return true;
    }
    if (type_of(message) == "error") add_error(message);
    return false;
  }

  void add_error(std::string_view message) {
    if (errors++ == 0) first_error = message;
  }
};

/// A run: the connections, the server's process, and what is measured between start() and stop().
class Load {
 public:
  explicit Load(const Options& options)
      : options_(options), swarm_({options.host, options.port, options.path}, options.connections) {
    if (options.server_pid != 0) probe_.emplace(options.server_pid);
    report_.add("mode", name_of(options.mode));
    report_.add("protocol", options.protocol == Protocol::live ? "live" : "raw");
    report_.add("conns", options.connections);
  }

  const Options& options() const { return options_; }
  Swarm& swarm() { return swarm_; }
  const ProcessProbe& probe() const { return probe_.value(); }
  Tally& tally() { return tally_; }
  Report& report() { return report_; }
  std::size_t size() const { return options_.connections; }

  void open() {
    swarm_.open();
    swarm_.settle();
  }

  /// Each connection joins the room `room_of(connection)`; returns when all have been told so and it is quiet.
  template <class RoomOf>
  void join(RoomOf room_of, std::size_t presence_bytes) {
    std::size_t joined = 0;
    swarm_.on_message([&](std::size_t, std::string_view message) {
      const std::string_view type = type_of(message);
      if (type == "room_joined") ++joined;
      if (type == "error") throw std::runtime_error("could not join: " + std::string(message));
    });
    const auto deadline = after(Clock::now(), options_.timeout);
    for (std::size_t i = 0; i < size(); ++i) {
      const std::string presence = presence_bytes > 0 ? stamped_object(presence_bytes, i) : std::string();
      swarm_.send(i, join_room(room_of(i), presence));
      swarm_.flush(i);
      if (i % 32 == 31) swarm_.turn(milliseconds(0));
    }
    while (joined < size()) {
      swarm_.turn(longest_turn);
      if (Clock::now() > deadline || swarm_.closed() > 0) {
        throw std::runtime_error("only " + std::to_string(joined) + " connections could join. " +
                                 swarm_.close_reason());
      }
    }
    swarm_.settle();
  }

  void start() {
    tally_ = Tally();
    counters_at_start_ = swarm_.counters();
    if (probe_) {
      cpu_at_start_ = probe_->cpu_seconds();
      kernel_cpu_at_start_ = probe_->kernel_cpu_seconds();
    }
    started_ = Clock::now();
  }

  bool running() const { return Clock::now() < after(started_, options_.duration); }
  Clock::time_point started() const { return started_; }

  void stop() {
    elapsed_ = Clock::now() - started_;
    if (probe_) {
      cpu_ = probe_->cpu_seconds() - cpu_at_start_;
      kernel_cpu_ = probe_->kernel_cpu_seconds() - kernel_cpu_at_start_;
    }
    const Swarm::Counters now = swarm_.counters();
    received_ = {now.frames - counters_at_start_.frames, now.payload_bytes - counters_at_start_.payload_bytes};
  }

  /// All that came between start() and stop(), counted by the mode or not.
  const Swarm::Counters& received() const { return received_; }
  Seconds elapsed() const { return elapsed_; }

  /// Reports the measured time and its cost per frame, of which there were `frames`.
  void report_cost(std::uint64_t frames) {
    report_.add("secs", elapsed_.count());
    report_.add("frames", frames);
    report_.add("frames_per_s", static_cast<double>(frames) / elapsed_.count());
    report_.add("mb_per_s", static_cast<double>(received_.payload_bytes) / elapsed_.count() / 1e6);
    if (!probe_) return;
    report_.add("server_cpu_s", cpu_);
    report_.add("server_cpu_percent", 100 * cpu_ / elapsed_.count());
    report_.add("server_kernel_percent", 100 * kernel_cpu_ / elapsed_.count());
    if (frames > 0) report_.add("server_us_per_frame", cpu_ * 1e6 / static_cast<double>(frames));
  }

  void report_tally() {
    const auto mean =
        tally_.stamped == 0 ? 0.0 : static_cast<double>(tally_.stamped_bytes) / static_cast<double>(tally_.stamped);
    report_.add("payload_bytes", mean);
    report_latency();
  }

  void report_latency() {
    report_.add("p50_us", tally_.latency.percentile_us(0.5));
    report_.add("p99_us", tally_.latency.percentile_us(0.99));
    report_.add("p999_us", tally_.latency.percentile_us(0.999));
  }

  void report_faults() {
    report_.add("closed", swarm_.closed());
    if (swarm_.closed() > 0) report_.add("close_reason", swarm_.close_reason());
    report_.add("errors", tally_.errors);
    if (tally_.errors > 0) report_.add("first_error", tally_.first_error);
  }

 private:
  Options options_;
  Swarm swarm_;
  std::optional<ProcessProbe> probe_;
  Tally tally_;
  Report report_;
  Swarm::Counters counters_at_start_;
  Swarm::Counters received_;
  Clock::time_point started_;
  Seconds elapsed_{0};
  double cpu_at_start_ = 0;
  double kernel_cpu_at_start_ = 0;
  double cpu_ = 0;
  double kernel_cpu_ = 0;
};

/// Every connection keeps `window` frames in flight; each answer is followed by the next frame at once.
void run_echo(Load& load) {
  const Options& options = load.options();
  Swarm& swarm = load.swarm();
  load.open();
  std::uint64_t sent = 0;
  const auto publish = [&](std::size_t connection) {
    swarm.send(connection, stamped_object(options.payload_bytes, connection));
    ++sent;
  };
  swarm.on_message([&](std::size_t connection, std::string_view message) {
    if (load.tally().add(message) && load.running()) publish(connection);
  });
  load.start();
  for (std::size_t i = 0; i < load.size(); ++i) {
    for (std::size_t k = 0; k < options.window; ++k) publish(i);
    swarm.flush(i);
  }
  while (load.running()) swarm.turn(longest_turn);
  load.stop();
  load.report().add("window", options.window);
  load.report().add("sent", sent);
  load.report_cost(load.tally().stamped);
  load.report_tally();
}

/// Connection 0 publishes whenever fewer than `window` times the receivers' deliveries are outstanding.
void run_fanout(Load& load) {
  const Options& options = load.options();
  Swarm& swarm = load.swarm();
  const bool live = options.protocol == Protocol::live;
  const std::uint64_t receivers = live ? load.size() - 1 : load.size();  // a raw room sends to the sender too
  load.open();
  if (live) load.join([](std::size_t) { return "bench"; }, 0);
  std::uint64_t sent = 0;
  const auto publish = [&] {
    const std::string object = stamped_object(options.payload_bytes, 0);
    swarm.send(0, live ? broadcast_event(object) : object);
    ++sent;
  };
  swarm.on_message([&](std::size_t, std::string_view message) { load.tally().add(message); });
  load.start();
  while (load.running()) {
    while (sent * receivers < load.tally().stamped + options.window * receivers) publish();
    swarm.flush(0);
    swarm.turn(longest_turn);
  }
  load.stop();
  load.report().add("window", options.window);
  load.report().add("sent", sent);
  load.report_cost(load.tally().stamped);
  load.report_tally();
}

/// What the server's resident memory grows by, connection by connection, from before the first one opened.
void run_idle(Load& load) {
  const Options& options = load.options();
  const std::int64_t before = load.probe().resident_bytes();
  load.open();
  if (options.room_size > 0) {
    load.join([&](std::size_t i) { return std::to_string(i / options.room_size); }, options.presence_bytes);
  }
  const std::int64_t grown = load.probe().resident_bytes() - before;
  load.report().add("room_size", options.room_size);
  load.report().add("resident_bytes_before", before);
  load.report().add("resident_bytes_grown", grown);
  load.report().add("resident_bytes_per_conn", static_cast<double>(grown) / static_cast<double>(load.size()));
}

/// All join one room at once. The clock stops when every connection has heard of every member; frames are counted until
/// it is quiet, so that `frames` is all that the server sent.
void run_join_storm(Load& load) {
  Swarm& swarm = load.swarm();
  load.open();
  std::vector<std::string> joins;
  for (std::size_t i = 0; i < load.size(); ++i) {
    joins.push_back(join_room("bench", stamped_object(load.options().presence_bytes, i)));
  }
  Rosters rosters(load.size());
  swarm.on_message([&](std::size_t connection, std::string_view message) {
    if (type_of(message) == "error") load.tally().add_error(message);
    for_each_string(message, R"("connectionId":")", [&](std::string_view member) { rosters.add(connection, member); });
  });
  load.start();
  for (std::size_t i = 0; i < load.size(); ++i) {
    swarm.send(i, joins[i]);
    swarm.flush(i);
  }
  const auto deadline = after(load.started(), load.options().timeout);
  while (rosters.complete() < load.size() && swarm.closed() == 0 && Clock::now() < deadline) swarm.turn(longest_turn);
  const double seconds_to_full = Seconds(Clock::now() - load.started()).count();
  swarm.settle();
  load.stop();
  load.report().add("complete", rosters.complete());
  load.report().add("seconds_to_full", seconds_to_full);
  load.report_cost(load.received().frames);
}

/// Every member updates its presence at the same rate, evenly spread over time. `delivered_percent` is how many of the
/// updates reached each other member; updates that the server merged are missing from it.
void run_presence(Load& load) {
  const Options& options = load.options();
  Swarm& swarm = load.swarm();
  load.open();
  load.join([](std::size_t) { return "bench"; }, options.presence_bytes);
  std::uint64_t entries = 0;
  swarm.on_message([&](std::size_t connection, std::string_view message) {
    if (type_of(message) == "error") load.tally().add_error(message);
    const std::uint64_t now = Stamp::now_ns();
    while (const auto stamp = Stamp::take(message)) {
      if (stamp->sender == connection) continue;
      ++entries;
      load.tally().latency.add(now - stamp->sent_ns);
    }
  });
  const Seconds gap{1 / (options.rate_hz * static_cast<double>(load.size()))};
  std::uint64_t sent = 0;
  load.start();
  while (load.running()) {
    while (after(load.started(), gap * static_cast<double>(sent)) <= Clock::now() && load.running()) {
      const std::size_t member = sent++ % load.size();
      swarm.send(member, update_presence(stamped_object(options.presence_bytes, member)));
      swarm.flush(member);
    }
    swarm.turn(milliseconds(1));
  }
  load.stop();
  swarm.settle();
  const double wanted = static_cast<double>(sent) * static_cast<double>(load.size() - 1);
  load.report().add("sent", sent);
  load.report().add("sent_percent", 100 * static_cast<double>(sent) * gap.count() / load.elapsed().count());
  load.report().add("entries", entries);
  load.report().add("delivered_percent", wanted > 0 ? 100 * static_cast<double>(entries) / wanted : 100.0);
  load.report_cost(load.received().frames);
  load.report_latency();
}

/// Rooms of `room_size`; every member keeps `window` events in flight, each acknowledged one followed by the next.
void run_rooms_echo(Load& load) {
  const Options& options = load.options();
  Swarm& swarm = load.swarm();
  load.open();
  load.join([&](std::size_t i) { return std::to_string(i / options.room_size); }, 0);
  std::uint64_t sent = 0;
  std::uint64_t acks = 0;
  const auto publish = [&](std::size_t member) {
    swarm.send(member, broadcast_event(stamped_object(options.payload_bytes, member), ++sent));
  };
  swarm.on_message([&](std::size_t member, std::string_view message) {
    if (load.tally().add(message) || type_of(message) != "ack") return;
    ++acks;
    if (load.running()) publish(member);
  });
  load.start();
  for (std::size_t i = 0; i < load.size(); ++i) {
    for (std::size_t k = 0; k < options.window; ++k) publish(i);
    swarm.flush(i);
  }
  while (load.running()) swarm.turn(longest_turn);
  load.stop();
  load.report().add("room_size", options.room_size);
  load.report().add("window", options.window);
  load.report().add("sent", sent);
  load.report().add("acks", acks);
  load.report().add("deliveries", load.tally().stamped);
  load.report_cost(load.tally().stamped + acks);
  load.report_tally();
}

void run(const Options& options) {
  Load load(options);
  switch (options.mode) {
    case Mode::echo:
      run_echo(load);
      break;
    case Mode::fanout:
      run_fanout(load);
      break;
    case Mode::idle:
      run_idle(load);
      break;
    case Mode::join_storm:
      run_join_storm(load);
      break;
    case Mode::presence:
      run_presence(load);
      break;
    case Mode::rooms_echo:
      run_rooms_echo(load);
      break;
  }
  load.report_faults();
  std::cerr << load.report().line() << '\n';
  std::cout << load.report().json() << std::endl;
}

}  // namespace
}  // namespace flux::bench

int main(int argc, char** argv) {
  const std::span<char* const> arguments(argv + 1, static_cast<std::size_t>(argc - 1));
  if (!arguments.empty() && std::string_view(arguments[0]) == "--help") {
    std::cout << flux::bench::usage();
    return EXIT_SUCCESS;
  }
  try {
    flux::bench::run(flux::bench::parse_options(arguments));
  } catch (const flux::bench::UsageError& error) {
    std::cerr << "flux-bench-load: " << error.what() << "; see --help\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "flux-bench-load: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
