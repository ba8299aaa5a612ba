/// Modes whose clients send at a given rate.
#include "live_messages.hpp"
#include "modes.hpp"
#include "rooms.hpp"

namespace flux::bench {
namespace {

struct Pace {
  std::uint64_t sent = 0;
  Seconds gap{0};  ///< between one and the next
};

/// Measures while each of `senders` sends `rate_hz` times a second, evenly spread over time: `send(k)` is called for
/// sender k when it is due. Then waits until traffic stops, so that everything sent can arrive.
template <class Send>
Pace send_evenly(Load& load, std::size_t senders, Send send) {
  Pace pace;
  pace.gap = Seconds(1 / (load.options().rate_hz * static_cast<double>(senders)));
  load.start();
  while (load.running()) {
    while (after(load.started(), pace.gap * static_cast<double>(pace.sent)) <= Clock::now() && load.running()) {
      send(pace.sent++ % senders);
    }
    load.swarm().turn(std::chrono::milliseconds(1));
  }
  load.stop();
  load.swarm().settle();
  return pace;
}

void report_pace(Load& load, const Pace& pace) {
  load.report().add("sent", pace.sent);
  load.report().add("sent_percent", 100 * static_cast<double>(pace.sent) * pace.gap.count() / load.elapsed().count());
}

}  // namespace

/// Every member updates its presence at the same rate, evenly spread over time. `delivered_percent` is the share of
/// updates that reached each other member; updates that the server merged are missing from it.
void run_presence(Load& load) {
  const Options& options = load.options();
  Swarm& swarm = load.swarm();
  load.open();
  enter_rooms(
      load, [](std::size_t) { return "bench"; }, options.presence_bytes);
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
  const Pace pace = send_evenly(load, load.size(), [&](std::size_t member) {
    swarm.send(member, update_presence(stamped_object(options.presence_bytes, member)));
    swarm.flush(member);
  });
  const double wanted = static_cast<double>(pace.sent) * static_cast<double>(load.size() - 1);
  report_pace(load, pace);
  load.report().add("entries", entries);
  load.report().add("delivered_percent", wanted > 0 ? 100 * static_cast<double>(entries) / wanted : 100.0);
  load.report_cost(load.received().frames);
  load.report_latency();
}

/// Rooms of `room_size`, in each of which the first `senders` members send an event `rate_hz` times a second, evenly
/// spread over time. `frames` are the events that arrived.
void run_paced(Load& load) {
  const Options& options = load.options();
  Swarm& swarm = load.swarm();
  const auto room_of = [&](std::size_t i) { return std::to_string(i / options.room_size); };
  load.open();
  enter_rooms(load, room_of, 0);
  swarm.on_message([&](std::size_t, std::string_view message) { load.tally().add(message); });
  const std::size_t rooms = load.size() / options.room_size;
  std::uint64_t id = 0;
  const Pace pace = send_evenly(load, rooms * options.senders, [&](std::size_t k) {
    const std::size_t sender = k % rooms * options.room_size + k / rooms;
    swarm.send(sender, event_message(options, room_of(sender), sender, ++id));
    swarm.flush(sender);
  });
  const double wanted = static_cast<double>(pace.sent) * static_cast<double>(options.room_size - 1);
  load.report().add("room_size", options.room_size);
  load.report().add("senders", options.senders);
  report_pace(load, pace);
  load.report().add("delivered_percent", 100 * static_cast<double>(load.tally().stamped) / wanted);
  load.report_cost(load.tally().stamped);
  load.report_tally();
}

}  // namespace flux::bench
