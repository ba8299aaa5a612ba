/// Modes whose clients send the next message when the previous one has arrived.
#include "live_messages.hpp"
#include "modes.hpp"
#include "rooms.hpp"

namespace flux::bench {

namespace {

/// Has every connection publish `window` messages. A connection that learns that one has arrived publishes the next.
template <class Publish>
void keep_windows(Load& load, const Publish& publish) {
  load.start();
  for (std::size_t i = 0; i < load.size(); ++i) {
    for (std::size_t k = 0; k < load.options().window; ++k) publish(i);
    load.swarm().flush(i);
  }
  while (load.running()) load.swarm().turn(longest_turn);
  load.stop();
}

}  // namespace

/// Every connection keeps `window` frames in flight; each reply is followed by the next frame at once.
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
  keep_windows(load, publish);
  load.report().add("window", options.window);
  load.report().add("sent", sent);
  load.report_cost(load.tally().stamped);
  load.report_tally();
}

/// Connection 0 publishes `window` messages in one write, whenever all earlier ones have been delivered. If it
/// published at the first delivery, a slower server would find more messages pending and send them in larger, cheaper
/// batches.
void run_fanout(Load& load) {
  const Options& options = load.options();
  Swarm& swarm = load.swarm();
  const bool raw = options.protocol == Protocol::raw;  // its one room is the path, and includes the sender
  const std::uint64_t receivers = raw ? load.size() : load.size() - 1;
  load.open();
  const bool are_in = raw || options.protocol == Protocol::events;
  if (!are_in)
    enter_rooms(
        load, [](std::size_t) { return "bench"; }, 0);
  std::uint64_t sent = 0;
  const auto publish = [&] { swarm.send(0, event_message(options, "bench", 0, ++sent)); };
  swarm.on_message([&](std::size_t, std::string_view message) { load.tally().add(message); });
  load.start();
  while (load.running()) {
    if (load.tally().stamped >= sent * receivers) {
      for (std::size_t i = 0; i < options.window; ++i) publish();
      swarm.flush(0);
    }
    swarm.turn(longest_turn);
  }
  load.stop();
  load.report().add("window", options.window);
  load.report().add("sent", sent);
  load.report_cost(load.tally().stamped);
  load.report_tally();
}

/// Rooms of `room_size`; every member keeps `window` events in flight, each acknowledged one followed by the next.
void run_rooms_echo(Load& load) {
  const Options& options = load.options();
  Swarm& swarm = load.swarm();
  load.open();
  enter_rooms(
      load, [&](std::size_t i) { return std::to_string(i / options.room_size); }, 0);
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
  keep_windows(load, publish);
  load.report().add("room_size", options.room_size);
  load.report().add("window", options.window);
  load.report().add("sent", sent);
  load.report().add("acks", acks);
  load.report().add("deliveries", load.tally().stamped);
  load.report_cost(load.tally().stamped + acks);
  load.report_tally();
}

}  // namespace flux::bench
