#include "catch.hpp"
#include "loop_fixture.hpp"

#include <flux/detail/features/public_space.hpp>

namespace public_space_test {

using namespace flux;
using namespace flux::features;
using namespace flux::testing;
using namespace std::chrono_literals;

namespace {

struct Scene {
  explicit Scene(std::size_t items_max = 3, std::size_t bytes_max = 100) {
    Limits limits;
    limits.public_history_items_max = items_max;
    limits.public_history_bytes_max = bytes_max;
    make(limits);
  }
  explicit Scene(const Limits& limits) { make(limits); }
  void make(const Limits& limits) { space = std::make_shared<PublicSpace>(limits, "epoch"); }
  Position share(const std::string& text) { return space->share({"A", JsonText::trusted(text), 0}).value(); }
  std::size_t watch(Inbox& inbox, PublicSeat& seat, core::SessionKey key, std::size_t loop = 0) {
    return space->watch({key, &inbox, loops[loop]}, &view, seat).entries.size();
  }
  std::size_t watch_changes(Inbox& inbox, PublicSeat& seat, core::SessionKey key, const PageRequest& asked = {}) {
    return space->watch_changes({key, &inbox, loops[0]}, &view, seat, asked).entries.size();
  }
  std::string kept() const {
    std::string list;
    for (const SharedItem& item : space->items()) list += std::to_string(item.offset) + ' ';
    return list;
  }
  TextView view;
  SteppedLoops loops{2};
  std::shared_ptr<PublicSpace> space;
};

}  // namespace

TEST_CASE("public space: keeps the newest items within its counts of items and bytes", "[public]") {
  SECTION("items") {
    Scene s;
    for (int i = 1; i <= 5; ++i) CHECK(s.share("1") == Position{"epoch", static_cast<Offset>(i)});
    CHECK(s.kept() == "3 4 5 ");
  }
  SECTION("bytes, and at least one item") {
    Scene s(10, 10);
    s.share("12345");
    s.share("12345");
    CHECK(s.kept() == "1 2 ");
    s.share("1");
    CHECK(s.kept() == "2 3 ");
    s.share(std::string(50, '7'));
    CHECK(s.kept() == "4 ");
    s.share("1");
    CHECK(s.kept() == "5 ");
  }
  SECTION("0 items: none") {
    Scene s(0);
    CHECK(s.share("1").offset == 1);
    CHECK(s.kept().empty());
  }
}

TEST_CASE("public space: the newest item is deleted, its bytes are free again and its offset is not reused",
          "[public]") {
  Scene s(10, 10);
  CHECK_FALSE(s.space->delete_newest());
  s.share("12345");
  s.share("12345");
  CHECK(s.space->delete_newest());
  CHECK(s.kept() == "1 ");
  CHECK(s.share("1234").offset == 3);
  CHECK(s.kept() == "1 3 ");
}

TEST_CASE("public space: a watcher is sent every change until it stops watching", "[public]") {
  Scene s;
  Inbox a, b;
  PublicSeat seat_a, seat_b;
  s.share("1");
  CHECK(s.watch(a, seat_a, 1) == 1);
  s.loops.settle();
  CHECK(a.take().empty());
  s.share("2");
  CHECK(s.watch(b, seat_b, 2, 1) == 2);
  s.share("3");
  s.space->delete_newest();
  s.loops.settle();
  CHECK(a.take() == Lines{"public 1 2", "public 1 2 3", "public 1 2"});
  CHECK(b.take() == Lines{"public 1 2 3", "public 1 2"});
  s.space->unwatch(seat_a);
  s.space->unwatch(seat_a);
  s.share("4");
  s.loops.settle();
  CHECK(a.take().empty());
  CHECK(b.take() == Lines{"public 1 2 4"});
  s.space->unwatch(seat_b);
}

namespace {

/// Limits lists to 1,000 bytes a second.
Scene spaced_scene() {
  Limits limits;
  limits.public_history_items_max = 10;
  limits.public_list_bytes_per_second = 1'000;
  return Scene(limits);
}

}  // namespace

TEST_CASE("public space: lists are spaced by their size, and a delayed one is the newest", "[public]") {
  Scene s = spaced_scene();
  Inbox a, b;
  PublicSeat seat_a, seat_b;
  s.watch(a, seat_a, 1);
  s.watch(b, seat_b, 2, 1);
  s.share('"' + std::string(991, 'x') + '"');  // with "public " 1,000 bytes: one second's worth
  s.loops.settle();
  CHECK(a.take().size() == 1);
  s.share("1");
  s.loops.settle();
  CHECK(a.take().size() == 1);  // as much at once
  for (int n = 2; n <= 5; ++n) s.share(std::to_string(n));
  s.space->delete_newest();
  s.loops.advance(900ms);
  CHECK(a.take().empty());
  s.loops.advance(150ms);
  for (Inbox* inbox : {&a, &b}) {
    const Lines lists = inbox->take();
    REQUIRE(lists.size() == (inbox == &a ? 1 : 3));
    CHECK(lists.back().substr(lists.back().size() - 9) == "\" 1 2 3 4");
  }
  // Nothing has changed since.
  s.loops.advance(10s);
  CHECK(a.take().empty());
  s.share("6");
  s.loops.settle();
  CHECK(a.take().size() == 1);
  s.space->unwatch(seat_a);
  s.space->unwatch(seat_b);
}

TEST_CASE("public space: however often it changes, a watcher is sent no more than the rate allows", "[public]") {
  Scene s = spaced_scene();
  Inbox a;
  PublicSeat seat;
  s.watch(a, seat, 1);
  s.share('"' + std::string(500, 'x') + '"');
  constexpr int seconds = 60;
  std::size_t bytes = 0;
  for (int i = 0; i < seconds * 20; ++i) {
    s.share("1");
    s.space->delete_newest();
    s.loops.advance(50ms);
    for (const std::string& list : a.take()) bytes += list.size();
  }
  CHECK(bytes <= (seconds + 1) * 1'000 + 600);
  CHECK(bytes >= (seconds - 2) * 1'000);
  s.space->unwatch(seat);
}

TEST_CASE("public space: a watcher that arrives while a list is pending is sent it, too", "[public]") {
  Scene s = spaced_scene();
  Inbox a, b;
  PublicSeat seat_a, seat_b;
  s.watch(a, seat_a, 1);
  s.share('"' + std::string(1'500, 'x') + '"');
  s.share("1");
  CHECK(s.watch(b, seat_b, 2) == 2);
  s.share("2");
  s.loops.advance(5s);
  CHECK(b.take().back() == a.take().back());
  // The timer is also removed along with the watcher.
  s.share("3");
  s.share("4");
  s.space->unwatch(seat_a);
  s.space->unwatch(seat_b);
  s.loops.advance(10s);
  CHECK(s.watch(a, seat_a, 1) == 5);
  s.share("5");
  s.loops.settle();
  CHECK(a.take().size() == 1);
  s.space->unwatch(seat_a);
}

TEST_CASE("public space: a watcher that arrives while a list is pending is not sent what it was given", "[public]") {
  Scene s = spaced_scene();
  Inbox a, b, c;
  PublicSeat seat_a, seat_b, seat_c;
  s.watch(a, seat_a, 1);
  s.share('"' + std::string(1'500, 'x') + '"');
  s.loops.settle();
  CHECK(a.take().size() == 1);
  s.share("1");
  CHECK(s.watch(b, seat_b, 2) == 2);
  // This one has only a page of older items.
  CHECK(s.space->watch({3, &c, s.loops[1]}, &s.view, seat_c, {no_limit, 2}).entries.size() == 1);
  SECTION("nothing changes meanwhile") {
    s.loops.advance(5s);
    CHECK(a.take().size() == 1);
    CHECK(b.take().empty());
    CHECK(c.take().size() == 1);
    s.share("2");
    s.loops.advance(5s);
    CHECK(b.take().size() == 1);
  }
  SECTION("something does") {
    s.share("2");
    s.loops.advance(5s);
    CHECK(b.take() == a.take());
  }
  SECTION("it changes its view") {
    TextView other;
    CHECK(s.space->change_view(seat_b, &other, {2, &b, s.loops[0]}, '\n').empty());
    s.loops.advance(5s);
    CHECK(b.take().empty());
    s.space->unwatch(seat_b);
  }
  SECTION("it leaves, and others of its lane stay") {
    s.space->unwatch(seat_b);
    s.loops.advance(5s);
    CHECK(a.take().size() == 1);
    CHECK(b.take().empty());
  }
  SECTION("it leaves, and asks for a page of older items: it is sent the list") {
    s.space->unwatch(seat_b);
    s.space->watch({2, &b, s.loops[0]}, &s.view, seat_b, {no_limit, 2});
    s.loops.advance(5s);
    CHECK(b.take().size() == 1);
  }
  for (PublicSeat* seat : {&seat_a, &seat_b, &seat_c}) s.space->unwatch(*seat);
}

TEST_CASE("public space: with 0 bytes a second every change is sent at once", "[public]") {
  Limits limits;
  limits.public_list_bytes_per_second = 0;
  Scene s(limits);
  Inbox a;
  PublicSeat seat;
  s.watch(a, seat, 1);
  for (int i = 0; i < 10; ++i) s.share('"' + std::string(500'000, 'x') + '"');
  s.loops.settle();
  CHECK(a.take().size() == 10);
  s.space->unwatch(seat);
}

TEST_CASE("public space: a congested watcher is sent no lists, and the newest one once it has caught up", "[public]") {
  Scene s;
  Inbox slow, quick;
  PublicSeat seat_slow, seat_quick;
  s.watch(slow, seat_slow, 1);
  s.watch(quick, seat_quick, 2, 1);
  slow.congested = true;
  for (int n = 1; n <= 3; ++n) {
    s.share(std::to_string(n));
    s.loops.settle();
  }
  CHECK(slow.take().empty());
  CHECK(slow.held_back == 3);
  CHECK(quick.take().size() == 3);
  CHECK(s.space->catch_up(seat_quick) == nullptr);
  const auto list = s.space->catch_up(seat_slow);
  REQUIRE(list != nullptr);
  CHECK(*list == "public 1 2 3");
  CHECK(s.space->catch_up(seat_slow) == nullptr);
  slow.congested = false;
  s.space->delete_newest();
  s.loops.settle();
  CHECK(slow.take() == Lines{"public 1 2"});
  s.space->unwatch(seat_slow);
  s.space->unwatch(seat_quick);
  CHECK(s.space->catch_up(seat_slow) == nullptr);
}

TEST_CASE("public space: a long list, its bytes are shared by all its receivers", "[public]") {
  Scene s(3, 100'000);
  struct Keeper final : core::Outlet {
    std::vector<core::SharedBytes> lists;
    bool congested = false;
    void deliver(const core::Batch& batch, std::span<const core::Listed>, core::LaneSeat& seat) override {
      if (congested) {
        seat.state_known = 1;
        return;
      }
      for (const core::Insert& insert : batch.inserts) lists.push_back(insert.bytes);
    }
  } a, b, slow;
  slow.congested = true;
  PublicSeat seat_a, seat_b, seat_slow;
  s.space->watch({1, &a, s.loops[0]}, &s.view, seat_a);
  s.space->watch({2, &b, s.loops[1]}, &s.view, seat_b);
  s.space->watch({3, &slow, s.loops[1]}, &s.view, seat_slow);
  s.share('"' + std::string(20'000, 'x') + '"');
  s.loops.settle();
  REQUIRE(a.lists.size() == 1);
  REQUIRE(b.lists.size() == 1);
  CHECK(a.lists[0] == b.lists[0]);
  CHECK(s.space->catch_up(seat_slow) == a.lists[0]);
  for (PublicSeat* seat : {&seat_a, &seat_b, &seat_slow}) s.space->unwatch(*seat);
}

TEST_CASE("public space: a list has the newest items that fit one answer, and says if there are more", "[public]") {
  Limits limits;
  limits.answer_bytes_max = 4'096;
  Scene s(limits);
  Inbox a;
  PublicSeat seat;
  s.watch(a, seat, 1);
  const std::string long_item = '"' + std::string(1'500, 'x') + '"';
  for (int i = 0; i < 3; ++i) s.share(long_item);
  s.loops.settle();
  CHECK(a.take().back() == "public " + long_item + " " + long_item + ", before 2");
  s.space->unwatch(seat);
}

TEST_CASE("public space: a watcher of changes is sent every item and every removal", "[public]") {
  Scene s(3, 1'000);
  Inbox a, lists;
  PublicSeat seat, seat_lists;
  s.share("1");
  CHECK(s.watch_changes(a, seat, 1) == 1);
  s.watch(lists, seat_lists, 2);
  s.share("2");
  s.share("3");
  s.share("4");  // drops the oldest
  s.space->delete_newest();
  s.loops.settle();
  CHECK(a.take() == Lines{"item 2 at 2", "item 3 at 3", "item 4 at 4", "removed 1", "removed 4"});
  CHECK(lists.take().size() == 4);
  SECTION("even when it is congested: changes are messages") {
    a.congested = true;
    s.share("5");
    s.loops.settle();
    CHECK(a.take() == Lines{"item 5 at 5"});
  }
  SECTION("a page of older items changes nothing") {
    s.share("5");
    CHECK(s.watch_changes(a, seat, 1, {no_limit, 3}) == 1);
    s.loops.settle();
    CHECK(a.take() == Lines{"item 5 at 5"});
  }
  SECTION("asking again returns the current page and the changes after it") {
    s.share("5");
    CHECK(s.watch_changes(a, seat, 1) == 3);
    s.share("6");
    s.loops.settle();
    CHECK(a.take() == Lines{"item 6 at 6", "removed 2"});
  }
  SECTION("asking for lists switches to them") {
    s.watch(a, seat, 1);
    s.share("5");
    s.loops.settle();
    CHECK(a.take() == Lines{"public 2 3 5"});
  }
  s.space->unwatch(seat);
  s.space->unwatch(seat_lists);
  s.share("7");
  s.loops.settle();
  CHECK(a.take().empty());
}

TEST_CASE("public space: an item is deleted only while it is the newest", "[public]") {
  Scene s;
  s.share("1");
  REQUIRE(s.space->newest()->offset == 1);
  s.share("2");
  CHECK_FALSE(s.space->delete_newest(1));
  CHECK(s.space->delete_newest(2));
  CHECK(s.kept() == "1 ");
  CHECK(s.space->delete_newest());
  CHECK_FALSE(s.space->newest());
}

TEST_CASE("public space: asking twice makes one watcher", "[public]") {
  Scene s;
  Inbox a;
  PublicSeat seat;
  s.watch(a, seat, 1);
  s.watch(a, seat, 1);
  s.share("1");
  s.loops.settle();
  CHECK(a.take() == Lines{"public 1"});
  s.space->unwatch(seat);
}

TEST_CASE("public space: a delete that finds nothing is not announced", "[public]") {
  Scene s;
  Inbox a;
  PublicSeat seat;
  s.watch(a, seat, 1);
  CHECK_FALSE(s.space->delete_newest());
  s.loops.settle();
  CHECK(a.take().empty());
  s.space->unwatch(seat);
}

TEST_CASE("public space: items are accepted no faster than watchers of changes are sent them", "[public]") {
  Limits limits;
  limits.fanout_bytes_max = 100;
  Scene s(limits);
  Inbox a;
  PublicSeat seat;
  s.watch_changes(a, seat, 1);
  std::size_t taken = 0;
  while (taken < 100 && s.space->share({"A", JsonText::trusted("1"), 0})) ++taken;
  CHECK(taken < 20);
  CHECK(s.space->takes_items().error().code() == Errc::overloaded);
  s.loops.settle();
  CHECK(a.take().size() == taken);
  CHECK(s.space->takes_items().ok());
  s.space->unwatch(seat);
}

}  // namespace public_space_test
