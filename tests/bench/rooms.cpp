#include "rooms.hpp"

#include <stdexcept>
#include <vector>

#include "channel_messages.hpp"
#include "live_messages.hpp"
#include "sharing_messages.hpp"

namespace flux::bench {
namespace {

bool is_live(const Options& options) { return options.protocol == Protocol::live; }
bool is_channels(const Options& options) { return options.protocol == Protocol::channels; }

/// Each of `clients` sends `request_of(client)`; returns when all have been answered.
void ask(Load& load, const std::vector<std::size_t>& clients, const RoomOf& request_of) {
  Swarm& swarm = load.swarm();
  const bool live = is_live(load.options());
  const bool channels = is_channels(load.options());
  std::size_t answered = 0;
  swarm.on_message([&](std::size_t, std::string_view message) {
    if (Tally::is_error(message)) throw std::runtime_error("could not enter a room: " + std::string(message));
    const bool is_answer = live       ? type_of(message) == "room_joined"
                           : channels ? type_of(message) == "ack"
                                      : is_acknowledgment(message);
    if (is_answer) ++answered;
  });
  const auto deadline = after(Clock::now(), load.options().timeout);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    swarm.send(clients[i], request_of(clients[i]));
    swarm.flush(clients[i]);
    if (i % 32 == 31) swarm.turn(std::chrono::milliseconds(0));
  }
  while (answered < clients.size()) {
    swarm.turn(longest_turn);
    if (Clock::now() > deadline || swarm.closed() > 0) {
      throw std::runtime_error("only " + std::to_string(answered) + " of " + std::to_string(clients.size()) +
                               " clients were let into a room. " + swarm.close_reason());
    }
  }
  swarm.on_message({});
}

}  // namespace

void enter_rooms(Load& load, const RoomOf& room_of, std::size_t presence_bytes) {
  std::vector<std::size_t> all;
  std::vector<std::size_t> creators;
  for (std::size_t i = 0; i < load.size(); ++i) {
    all.push_back(i);
    if (i == 0 || room_of(i) != room_of(i - 1)) creators.push_back(i);
  }
  if (is_channels(load.options())) {
    ask(load, all, [&](std::size_t i) { return subscribe_channel(room_of(i), 1); });
  } else if (is_live(load.options())) {
    ask(load, all, [&](std::size_t i) {
      return join_room(room_of(i), presence_bytes > 0 ? stamped_object(presence_bytes, i) : std::string());
    });
  } else {
    ask(load, creators, [&](std::size_t i) { return create_sharing_room(room_of(i), load.size(), 1); });
    ask(load, all, [&](std::size_t i) { return join_sharing_room(room_of(i), 2); });
  }
  load.swarm().settle();
}

void subscribe_each(Load& load, std::size_t count) {
  std::vector<std::size_t> all(load.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  for (std::size_t n = 0; n < count; ++n) {
    ask(load, all, [&](std::size_t i) { return subscribe_channel(std::to_string(i) + ":" + std::to_string(n), 1); });
  }
  load.swarm().settle();
}

std::string event_message(const Options& options, const std::string& room, std::size_t sender, std::uint64_t id) {
  switch (options.protocol) {
    case Protocol::raw: return stamped_object(options.payload_bytes, sender);
    case Protocol::channels:
    case Protocol::events: return broadcast_channel(room, stamped_object(options.payload_bytes, sender));
    case Protocol::live: return broadcast_event(stamped_object(options.payload_bytes, sender));
    case Protocol::socketio:
    case Protocol::polling: return upload_string(room, stamped_text(options.payload_bytes, sender), id);
  }
  throw std::logic_error("a protocol without events");
}

}  // namespace flux::bench
