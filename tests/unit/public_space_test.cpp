#include "catch.hpp"
#include "loop_fixture.hpp"

#include <flux/features/detail/public_space.hpp>

#include <algorithm>

using namespace flux;
using namespace flux::features;
using namespace flux::testing;

namespace {

struct Scene {
  explicit Scene(std::size_t items_max = 3, std::size_t bytes_max = 100) {
    Limits limits;
    limits.public_history_items_max = items_max;
    limits.public_history_bytes_max = bytes_max;
    space = std::make_shared<PublicSpace>(limits, "epoch");
  }
  Position share(const std::string& text) { return space->share({"A", JsonText::trusted(text), 0}); }
  std::size_t watch(Inbox& inbox, PublicSeat& seat, core::SessionKey key, std::size_t loop = 0) {
    const PublicView* as_public = &view;
    return space->watch(loops[loop], as_public, key, inbox, seat).entries.size();
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

TEST_CASE("public space: the newest is deleted, its bytes are free and its offset is not given again", "[public]") {
  Scene s(10, 10);
  CHECK_FALSE(s.space->delete_last());
  s.share("12345");
  s.share("12345");
  CHECK(s.space->delete_last());
  CHECK(s.kept() == "1 ");
  CHECK(s.share("1234").offset == 3);
  CHECK(s.kept() == "1 3 ");
}

TEST_CASE("public space: who watches is told of every change from then on, until it stops", "[public]") {
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
  s.space->delete_last();
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

TEST_CASE("public space: a turn that changes a long list often sends it a few times, and at last as it is",
          "[public]") {
  constexpr std::size_t items = 1000;
  constexpr std::size_t changes = 3000;
  Scene s(items, 1'000'000);
  Inbox a, b;
  PublicSeat seat_a, seat_b;
  s.watch(a, seat_a, 1);
  s.watch(b, seat_b, 2, 1);
  s.loops.turn(0, [&] {
    for (std::size_t n = 1; n <= changes; ++n) s.share(std::to_string(n));
  });
  for (Inbox* inbox : {&a, &b}) {
    const Lines lists = inbox->take();
    REQUIRE(lists.size() < changes);
    CHECK(lists.front() == "public 1");
    std::size_t bytes = 0;
    for (const auto& list : lists) bytes += list.size();
    CHECK(bytes < 8'100'000);
    CHECK(lists.back().substr(lists.back().size() - 5) == " 3000");
    CHECK(std::count(lists.back().begin(), lists.back().end(), ' ') == items);
  }
  s.share("1");  // from here on every change is told again
  s.space->delete_last();
  s.loops.settle();
  CHECK(a.take().size() == 2);
  CHECK(b.take().size() == 2);
  s.space->unwatch(seat_a);
  s.space->unwatch(seat_b);
}

TEST_CASE("public space: who comes while a long list waits to be told hears it, too", "[public]") {
  Scene s(1000, 1'000'000);
  Inbox a, b;
  PublicSeat seat_a, seat_b;
  s.watch(a, seat_a, 1);
  s.loops.turn(0, [&] {
    for (std::size_t n = 0; n < 2000; ++n) s.share("1234567");
    CHECK(s.watch(b, seat_b, 2) == 1000);
    s.share("2");
  });
  CHECK(b.take().back() == a.take().back());
  s.space->unwatch(seat_a);
  s.space->unwatch(seat_b);
}

TEST_CASE("public space: who asks twice watches once", "[public]") {
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

TEST_CASE("public space: a delete that finds nothing tells nobody", "[public]") {
  Scene s;
  Inbox a;
  PublicSeat seat;
  s.watch(a, seat, 1);
  CHECK_FALSE(s.space->delete_last());
  s.loops.settle();
  CHECK(a.take().empty());
  s.space->unwatch(seat);
}
