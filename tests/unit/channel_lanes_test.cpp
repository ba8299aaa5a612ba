#include "catch.hpp"
#include "loop_fixture.hpp"

#include <flux/detail/features/channel_lanes.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace channel_lanes_test {

using namespace flux;
using namespace flux::features;
using namespace flux::testing;

namespace {

/// Counts how often it encodes.
class CountingView final : public NoticeView {
 public:
  void notice(std::string& out, const Notice& notice) const override {
    ++encoded;
    out.append(notice.payload);
  }
  mutable int encoded = 0;
};

/// A few channels with their lock, and the flushers of the loops.
struct Station {
  explicit Station(std::size_t count = 1, std::size_t loops_count = 1) : loops(loops_count), channels(count) {
    for (std::size_t i = 0; i < loops_count; ++i) flushers.push_back(std::make_shared<ChannelFlusher>(loops[i]));
  }
  void say(const std::string& text, std::size_t channel = 0, const std::vector<core::SessionKey>& except = {},
           core::SegmentPolicy policy = core::SegmentPolicy::all) {
    const std::lock_guard lock(mutex);
    channels[channel].append({"publish", text}, policy, 7, except, mutex);
  }

  SteppedLoops loops;
  std::mutex mutex;
  std::vector<ChannelLanes> channels;
  std::vector<std::shared_ptr<ChannelFlusher>> flushers;
  CountingView view, other_view;
};

struct Client {
  Client(Station& of, core::SessionKey key, const NoticeView& view, std::size_t loop = 0) : station(of) {
    receiver = {key, &inbox, inbox.hot_memory(), of.flushers[loop].get(), &view};
  }
  ~Client() {
    while (!seats.empty()) leave();
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  void enter(std::size_t channel = 0) {
    seats.push_back(std::make_unique<ChannelSeat>(ChannelSeat{&receiver}));
    in.push_back(channel);
    const std::lock_guard lock(station.mutex);
    station.channels[channel].enter(*seats.back());
  }
  void leave() {
    {
      const std::lock_guard lock(station.mutex);
      station.channels[in.back()].leave(*seats.back());
    }
    seats.pop_back();
    in.pop_back();
  }

  Station& station;
  Inbox inbox;
  ChannelReceiver receiver;
  std::vector<std::unique_ptr<ChannelSeat>> seats;
  std::vector<std::size_t> in;
};

}  // namespace

TEST_CASE("channel lanes: subscribers get what is said while they are there, in order, in one batch", "[channels]") {
  Station station;
  Client a(station, 1, station.view), b(station, 2, station.view);
  a.enter();
  station.say("one");
  b.enter();
  station.say("two");
  station.say("three", 0, {1});
  station.loops.settle();
  CHECK(a.inbox.take() == Lines{"one", "two"});
  CHECK(b.inbox.take() == Lines{"two", "three"});
  CHECK(a.inbox.batches == 1);
  b.leave();
  station.say("four");
  station.loops.settle();
  CHECK(a.inbox.take() == Lines{"four"});
  CHECK(b.inbox.take().empty());
}

TEST_CASE("channel lanes: one encoding for each view, however many loops and subscribers", "[channels]") {
  Station station(1, 3);
  std::vector<std::unique_ptr<Client>> clients;
  for (core::SessionKey key = 1; key <= 30; ++key) {
    const NoticeView& view = key % 2 == 0 ? station.view : station.other_view;
    clients.push_back(std::make_unique<Client>(station, key, view, key % 3));
    clients.back()->enter();
  }
  CHECK(station.channels[0].subscribers() == 30);
  station.say("news");
  station.loops.settle();
  for (const auto& client : clients) CHECK(client->inbox.take() == Lines{"news"});
  CHECK(station.view.encoded == 1);
  CHECK(station.other_view.encoded == 1);
  clients.erase(clients.begin(), clients.begin() + 29);
  station.say("more");
  station.loops.settle();
  CHECK(clients.front()->inbox.take() == Lines{"more"});
  CHECK(station.channels[0].subscribers() == 1);
  clients.clear();
  CHECK(station.channels[0].subscribers() == 0);
}

TEST_CASE("channel lanes: who leaves with something pending gets nothing, and nothing is left of it", "[channels]") {
  Station station(2);
  Client a(station, 1, station.view), b(station, 2, station.view);
  a.enter(0);
  b.enter(1);
  station.say("lost", 0);
  station.say("kept", 1);
  a.leave();
  a.enter(0);
  station.say("new", 0);
  station.loops.settle();
  CHECK(a.inbox.take() == Lines{"new"});
  CHECK(b.inbox.take() == Lines{"kept"});
  CHECK(station.channels[0].pending_size() == 0);
}

TEST_CASE("channel lanes: any order of entering and leaving keeps the list right", "[channels]") {
  Station station;
  std::vector<std::unique_ptr<Client>> clients;
  for (core::SessionKey key = 1; key <= 9; ++key) {
    clients.push_back(std::make_unique<Client>(station, key, station.view));
    clients.back()->enter();
  }
  for (const std::ptrdiff_t goes : {8, 0, 6, 3, 1}) clients.erase(clients.begin() + goes);
  station.say("x");
  station.loops.settle();
  for (const auto& client : clients) CHECK(client->inbox.take() == Lines{"x"});
  CHECK(station.channels[0].subscribers() == clients.size());
}

TEST_CASE("channel lanes: a congested reader is held back by the policy, and its seat says since when", "[channels]") {
  Station station;
  Client a(station, 1, station.view), b(station, 2, station.view);
  a.enter();
  b.enter();
  a.inbox.congested = true;
  station.say("state", 0, {}, core::SegmentPolicy::newest);
  station.say("all");
  station.loops.settle();
  CHECK(a.inbox.take() == Lines{"all"});
  CHECK(a.seats[0]->seat.state_known == 7);
  CHECK(b.inbox.take() == Lines{"state", "all"});
}

TEST_CASE("channel lanes: what is flushed at once comes before what follows, and is not sent again", "[channels]") {
  Station station(2);
  Client a(station, 1, station.view);
  a.enter(0);
  a.enter(1);
  station.say("one", 0);
  station.say("two", 1);
  station.flushers[0]->flush_now();
  CHECK(a.inbox.take() == Lines{"one", "two"});
  station.say("three", 0);
  station.loops.settle();
  CHECK(a.inbox.take() == Lines{"three"});
}

TEST_CASE("channel lanes: more than a batch is sent in turns, complete and in order", "[channels]") {
  Station station;
  Client a(station, 1, station.view);
  a.enter();
  const std::string large(core::LaneOutput::batch_bytes_max, 'x');
  station.say(large);
  station.say("between");
  station.say(large);
  station.say("last");
  CHECK(station.channels[0].pending_size() > 2 * large.size());
  station.loops.settle();
  const Lines lines = a.inbox.take();
  REQUIRE(lines.size() == 4);
  CHECK(lines[0] == large);
  CHECK(lines[1] == "between");
  CHECK(lines[3] == "last");
  CHECK(a.inbox.batches > 1);
}

TEST_CASE("channel lanes: publishing from another thread while the loop sends and clients come and go", "[channels]") {
  Station station(4);
  constexpr int count = 2000;
  // Beside a thread that posts, `SteppedLoops::turn` may return before its task has run.
  const auto in_turn = [&](const std::function<void()>& task) {
    bool done = false;
    station.loops[0]->post([&] {
      task();
      done = true;
    });
    while (!done) station.loops.settle();
  };
  Client stays(station, 1, station.view);
  in_turn([&] { stays.enter(0); });
  std::thread publisher([&] {
    for (int i = 0; i < count; ++i) station.say(std::to_string(i), static_cast<std::size_t>(i % 4));
  });
  for (int i = 0; i < 200; ++i) {
    Client comes(station, 2, station.view);
    in_turn([&] { comes.enter(static_cast<std::size_t>(i % 4)); });
    in_turn([&] { comes.leave(); });
  }
  publisher.join();
  station.loops.settle();
  Lines expected;
  for (int i = 0; i < count; i += 4) expected.push_back(std::to_string(i));
  CHECK(stays.inbox.take() == expected);
}

}  // namespace channel_lanes_test
