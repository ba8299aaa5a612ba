#include "stores_slow.hpp"

#include "live_messages.hpp"
#include "tally.hpp"
#include "websocket_swarm.hpp"

#include <flux/flux.hpp>
#include <flux/storage/memory_chat_store.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace flux::bench {
namespace {

using std::chrono::milliseconds;
using Clock = Swarm::Clock;

constexpr std::size_t rooms = 20;
constexpr std::size_t room_size = 10;
constexpr std::size_t payload_bytes = 64;
constexpr const char* slow_text = "slow";
/// Intervals between messages in the other rooms: an event per client in 200 ms, and a chat message in 500 ms.
constexpr std::size_t others = (rooms - 1) * room_size;
constexpr auto event_gap = std::chrono::nanoseconds(milliseconds(200)) / others;
constexpr auto chat_gap = std::chrono::nanoseconds(milliseconds(500)) / others;
/// The first room's chat: as fast as a store that sleeps each time can accept it.
constexpr milliseconds store_time{200};

/// An in-memory store that may block, and that sleeps on messages marked for it.
class Sleepy final : public ChatStore {
 public:
  Result<Offset> append(const RoomId& room, const ChatMessage& message) override {
    if (message.message == slow_text) std::this_thread::sleep_for(store_time);
    return kept_.append(room, message);
  }
  Result<std::vector<ChatMessage>> history(const RoomId& room, std::size_t limit, Offset before) override {
    return kept_.history(room, limit, before);
  }

 private:
  MemoryChatStore kept_;
};

/// A server in its own process, which ends with this object.
class ServerProcess {
 public:
  ServerProcess() {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
    id_ = ::fork();
    if (id_ < 0) throw std::runtime_error("no process for the server");
    if (id_ == 0) serve(ends[1]);
    ::close(ends[1]);
    const ::ssize_t size = ::read(ends[0], &port_, sizeof port_);
    ::close(ends[0]);
    if (size != static_cast<::ssize_t>(sizeof port_)) throw std::runtime_error("the server did not start");
  }
  ~ServerProcess() {
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  std::uint16_t port() const { return port_; }

 private:
  [[noreturn]] static void serve(int output) {
    Config config;
    config.listen = {{"127.0.0.1", 0}};
    config.chat.store = std::make_shared<Sleepy>();
    Server server(config);
    server.start();
    const std::uint16_t port = server.port();
    if (::write(output, &port, sizeof port) != static_cast<::ssize_t>(sizeof port)) ::_exit(1);
    for (;;) ::pause();
  }

  ::pid_t id_ = 0;
  std::uint16_t port_ = 0;
};

std::string send_chat(const std::string& text) {
  return R"({"type":"send_chat","payload":{"message":")" + text + "\"}}";
}

void send(Swarm& swarm, std::size_t client, const std::string& message) {
  swarm.send(client, message);
  swarm.flush(client);
}

void enter_rooms(Swarm& swarm) {
  std::size_t joined = 0;
  swarm.on_message([&](std::size_t, std::string_view message) { joined += type_of(message) == "room_joined" ? 1 : 0; });
  for (std::size_t client = 0; client < swarm.size(); ++client) {
    send(swarm, client, join_room("room" + std::to_string(client / room_size), ""));
    swarm.turn(milliseconds(0));
  }
  swarm.settle();
  if (joined != swarm.size()) throw std::runtime_error("only " + std::to_string(joined) + " clients are in their room");
}

/// Says which of evenly spaced calls are due.
class Metronome {
 public:
  explicit Metronome(std::chrono::nanoseconds gap) : gap_(gap), next_(Clock::now()) {}
  bool due() {
    if (Clock::now() < next_) return false;
    next_ += gap_;
    ++count_;
    return true;
  }
  std::size_t count() const { return count_; }

 private:
  const std::chrono::nanoseconds gap_;
  Clock::time_point next_;
  std::size_t count_ = 0;
};

/// The p99 latency, in microseconds, of messages to the members of all rooms but the first, while the first one chats
/// too.
/// Errors: throws std::runtime_error if something did not arrive.
double p99_of_others(Swarm& swarm, bool slow, milliseconds time) {
  Tally tally;
  std::size_t first_room_heard = 0;
  swarm.on_message([&](std::size_t client, std::string_view message) {
    if (client >= room_size) {
      tally.add(message);
    } else if (type_of(message) == "chat_message") {
      ++first_room_heard;
    }
  });
  const auto turn_of = [](std::size_t count) { return room_size + count % others; };
  Metronome events(event_gap), chats(chat_gap), first_room(store_time);
  for (const auto end = Clock::now() + time; Clock::now() < end;) {
    while (events.due()) {
      const std::size_t client = turn_of(events.count());
      send(swarm, client, broadcast_event(stamped_object(payload_bytes, client)));
    }
    while (chats.due()) {
      const std::size_t client = turn_of(chats.count());
      send(swarm, client, send_chat(stamped_text(payload_bytes, client)));
    }
    while (first_room.due()) send(swarm, first_room.count() % room_size, send_chat(slow ? slow_text : "quick"));
    swarm.turn(milliseconds(1));
  }
  // Its last message may take up to twice the time of a call.
  const std::size_t first_room_all = first_room.count() * room_size;
  for (const auto end = Clock::now() + 10 * store_time; first_room_heard < first_room_all && Clock::now() < end;) {
    swarm.turn(milliseconds(20));
  }
  swarm.settle();
  const std::size_t all = events.count() * (room_size - 1) + chats.count() * room_size;
  if (tally.stamped != all || first_room_heard != first_room_all || swarm.closed() > 0) {
    throw std::runtime_error(std::to_string(tally.stamped) + " of " + std::to_string(all) + " messages arrived, " +
                             std::to_string(first_room_heard) + " of " + std::to_string(first_room_all) +
                             " in the first room; " + tally.first_error + swarm.close_reason());
  }
  return tally.latency.percentile_us(0.99);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

void run_slow(std::size_t rounds, milliseconds time) {
  const ServerProcess server;
  WebSocketSwarm swarm({"127.0.0.1", server.port(), "/live"}, rooms * room_size, Dialect::plain);
  swarm.open();
  enter_rooms(swarm);
  p99_of_others(swarm, true, time / 5);  // warms up
  std::vector<double> without, with;
  for (std::size_t round = 0; round < rounds; ++round) {
    // The first of the two may find the machine busier or fuller, so they take turns being first.
    const bool slow_first = round % 2 != 0;
    for (const bool slow : {slow_first, !slow_first})
      (slow ? with : without).push_back(p99_of_others(swarm, slow, time));
    std::printf("p99 of %zu rooms: %.0f us, beside one whose store takes %d ms a message: %.0f us\n", rooms - 1,
                without.back(), static_cast<int>(store_time.count()), with.back());
    std::fflush(stdout);
  }
  std::printf("medians of %zu: %.0f us and %.0f us (%+.1f%%)\n", rounds, median(without), median(with),
              (median(with) / median(without) - 1) * 100);
}

}  // namespace flux::bench
