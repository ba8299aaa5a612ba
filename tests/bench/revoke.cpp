// flux-bench-revoke: what it costs to revoke a user with many connections of protocol live, and how long it holds up other
// clients. The clients are in another process. The call is made on the event loop, in the turn of a timer.
#include <poll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <flux/asio.hpp>
#include <flux/flux.hpp>

#include "descriptor.hpp"
#include "live_messages.hpp"
#include "websocket_swarm.hpp"

namespace flux::bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::string_view usage =
    "usage: flux-bench-revoke [--clients N] [--rounds N] [--check]\n"
    "Prints a table of medians of N rounds (5) with N clients (10000), which need as many open files in each of two\n"
    "processes. --check exits with 1 if a bound is missed.\n";

constexpr double call_ms_max = 50;
constexpr double turn_ms_max = 5;  // of CPU time, so that other programs of the machine don't count
constexpr milliseconds patience{120'000};

struct Options {
  std::size_t clients = 10'000;
  std::size_t rounds = 5;
  bool check = false;
};

/// Where the clients are; `room_size`: how many share a room, 0: none is in a room.
struct Place {
  const char* name;
  std::size_t room_size;
};

double since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double cpu_ms() {
  timespec time{};
  if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) != 0) throw std::runtime_error("clock_gettime failed");
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// The clients, in a process of their own. It is forked before the server starts its threads.
class Clients {
 public:
  Clients(std::size_t count, std::size_t room_size) {
    auto to_child = pipe_of_two();
    auto to_parent = pipe_of_two();
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ == 0) {
      to_child[1].reset();
      to_parent[0].reset();
      ::_exit(run(count, room_size, to_child[0].get(), to_parent[1].get()));
    }
    out_ = std::move(to_child[1]);
    in_ = std::move(to_parent[0]);
  }
  ~Clients() {
    out_.reset();
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  /// Begins to connect all.
  void connect(std::uint16_t port) {
    if (::write(out_.get(), &port, sizeof port) != sizeof port) throw std::runtime_error("the clients have ended");
  }
  /// Whether all have joined their rooms, and nothing more arrives.
  bool connected() {
    pollfd ready{in_.get(), POLLIN, 0};
    if (::poll(&ready, 1, 0) == 0) return false;
    char step = 0;
    if (::read(in_.get(), &step, 1) != 1) throw std::runtime_error("the clients have failed");
    return true;
  }

 private:
  static std::array<Descriptor, 2> pipe_of_two() {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("pipe failed");
    return {Descriptor(ends[0]), Descriptor(ends[1])};
  }

  static int run(std::size_t count, std::size_t room_size, int in, int out) {
    try {
      std::uint16_t port = 0;
      if (::read(in, &port, sizeof port) != sizeof port) return 1;
      WebSocketSwarm swarm({"127.0.0.1", port, "/live?access_token=ann"}, count, Dialect::plain);
      std::size_t joined = 0;
      swarm.on_message([&](std::size_t, std::string_view message) {
        if (type_of(message) == "room_joined") ++joined;
      });
      swarm.open();
      for (std::size_t i = 0; room_size != 0 && i < count; ++i) {
        swarm.send(i, join_room("room " + std::to_string(i / room_size), {}));
        swarm.flush(i);
        swarm.turn(milliseconds(0));
      }
      const auto until = Clock::now() + patience;
      const auto turn_until = [&](const std::function<bool()>& done) {
        while (!done() && Clock::now() < until) swarm.turn(milliseconds(20));
        if (!done()) throw std::runtime_error("too slow");
      };
      turn_until([&] { return room_size == 0 || joined == count; });
      swarm.settle();
      if (swarm.closed() != 0) throw std::runtime_error(swarm.close_reason());
      if (::write(out, "c", 1) != 1) return 1;
      turn_until([&] { return swarm.closed() == count; });
      return 0;
    } catch (const std::exception& error) {
      std::cerr << "flux-bench-revoke: clients: " << error.what() << "\n";
      return 1;
    }
  }

  pid_t pid_ = -1;
  Descriptor out_, in_;
};

/// What one round measures, in milliseconds.
struct Round {
  double call = 0;  ///< CPU time of the call
  double turn = 0;  ///< CPU time of the longest turn of the event loop, that of the call or a later one
  double gap = 0;   ///< the longest between two calls of a timer of 1 ms: it waits for all sockets that are ready
  double left = 0;  ///< until the last client has left its room
  double disconnected = 0;  ///< until the last is disconnected
};

/// A server whose event loop is run here, turn by turn.
class Scene {
 public:
  explicit Scene(std::size_t clients) : to_leave_(clients), to_disconnect_(clients), server_(config()) {
    use_context(server_, context_);
    server_.on_connect([](ConnectRequest& request) { request.accept(Identity{.user_id = request.token()}); });
    server_.on_leave([this](const Session&, const RoomId&) {
      if (--to_leave_ == 0) round_.left = since(start_);
    });
    server_.on_disconnect([this](const Session&, const Disconnect&) {
      if (--to_disconnect_ == 0) round_.disconnected = since(start_);
    });
    server_.start();
  }

  std::uint16_t port() const { return server_.port(); }
  void run_until(const std::function<bool()>& done) {
    const auto until = Clock::now() + patience;
    while (!done()) {
      if (Clock::now() > until) throw std::runtime_error("not everything happened in time");
      context_.run_one_for(milliseconds(20));
    }
  }

  Round revoke() {
    const std::size_t count = to_disconnect_;
    const Timer timer = server_.call_every(milliseconds(1), [this] { tick(); });
    bool called = false;
    server_.call_after(milliseconds(20), [&] {
      called = true;
      start_ = last_tick_ = Clock::now();
      const double before = cpu_ms();
      const auto until = std::chrono::system_clock::now() + std::chrono::hours(1);
      const auto revoked = server_.revoke_user("ann", std::chrono::time_point_cast<milliseconds>(until));
      round_.call = cpu_ms() - before;
      if (!revoked || *revoked != count) throw std::runtime_error("not all clients were found");
    });
    double longest = 0;
    run_until([&, before = cpu_ms()]() mutable {
      const double now = cpu_ms();
      if (called) longest = std::max(longest, now - before);
      before = now;
      return to_disconnect_ == 0;
    });
    round_.turn = longest;
    return round_;
  }

 private:
  static Config config() {
    Config config;
    config.listen = {{"127.0.0.1", 0}};
    config.limits.answer_bytes_max = 4'096;  // welcomes of a large room would take longer than all else
    config.limits.ping_interval = milliseconds(0);
    config.log = {};
    return config;
  }
  void tick() {
    if (start_ == Clock::time_point()) return;
    round_.gap = std::max(round_.gap, since(last_tick_));
    last_tick_ = Clock::now();
  }

  std::size_t to_leave_, to_disconnect_;
  Clock::time_point start_, last_tick_;
  Round round_;
  asio::io_context context_;
  Server server_;
};

Round measure_round(const Place& place, std::size_t count) {
  Clients clients(count, place.room_size);
  Scene scene(count);
  clients.connect(scene.port());
  scene.run_until([&] { return clients.connected(); });
  return scene.revoke();
}

/// Returns whether it holds its bounds.
bool measure(const Place& place, const Options& options) {
  std::vector<Round> rounds;
  for (std::size_t i = 0; i < options.rounds; ++i) rounds.push_back(measure_round(place, options.clients));
  const auto median_of = [&](double Round::*member) {
    std::vector<double> values;
    for (const Round& round : rounds) values.push_back(round.*member);
    return median(std::move(values));
  };
  const double call = median_of(&Round::call), turn = median_of(&Round::turn);
  const bool holds = call <= call_ms_max && turn <= turn_ms_max;
  std::printf("| %s | %.2f | %.2f | %.1f | %.0f | %.0f | %s |\n", place.name, call, turn, median_of(&Round::gap),
              median_of(&Round::left), median_of(&Round::disconnected), holds ? "yes" : "no");
  std::fflush(stdout);
  return holds;
}

bool read_number(std::string_view text, std::size_t most, std::size_t& number) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  return ec == std::errc() && end == text.data() + text.size() && number >= 1 && number <= most;
}

int run(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    const std::string_view value = i + 1 < argc ? argv[i + 1] : "";
    if (option == "--check") {
      options.check = true;
    } else if (option == "--clients" && read_number(value, 20'000, options.clients)) {
      ++i;
    } else if (option == "--rounds" && read_number(value, 1'000, options.rounds)) {
      ++i;
    } else {
      std::cerr << usage;
      return 2;
    }
  }
  std::printf(
      "| %zu clients | call, CPU ms (50) | longest turn, CPU ms (5) | longest gap of a 1 ms timer, ms | all have left, "
      "ms "
      "| all are disconnected, ms | holds |\n| --- | --- | --- | --- | --- | --- | --- |\n",
      options.clients);
  bool all = true;
  for (const Place& place : {Place{"alone", 0}, Place{"in rooms of 10", 10}, Place{"in one room", options.clients}}) {
    all = measure(place, options) && all;
  }
  return all || !options.check ? 0 : 1;
}

}  // namespace
}  // namespace flux::bench

int main(int argc, char** argv) {
  try {
    return flux::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "flux-bench-revoke: " << error.what() << "\n";
    return 2;
  }
}
