#include "catch.hpp"

#include <flux/detail/features/kept_items.hpp>

#include <deque>
#include <numeric>
#include <random>
#include <string>

namespace kept_items_test {

using namespace flux;
using namespace flux::features;

namespace {

SharedItem item_of(Offset offset, std::size_t bytes = 1) {
  SharedItem item{"c", JsonText::trusted(std::string(bytes, '1')), offset};
  item.number = 100 + offset;
  return item;
}
std::string offsets_of(const KeptItems& items) {
  std::string list;
  for (const SharedItem& item : items.all()) list += std::to_string(item.offset) + ' ';
  return list;
}

}  // namespace

TEST_CASE("kept items: the bounds of a room leave at least its newest item, and in mode singleton only that",
          "[kept_items]") {
  CHECK(ItemBounds::of_room(RoomMode::history, 3, 10).items_max == 3);
  CHECK(ItemBounds::of_room(RoomMode::history, 0, 10).items_max == 1);
  CHECK(ItemBounds::of_room(RoomMode::singleton, 3, 10).items_max == 1);
  KeptItems one(ItemBounds::of_room(RoomMode::singleton, 3, 10));
  for (Offset i = 1; i <= 3; ++i) {
    one.add(item_of(i, 50));
    CHECK(offsets_of(one) == std::to_string(i) + ' ');
  }
}

TEST_CASE("kept items: if no item is allowed, each is removed as soon as it is added", "[kept_items]") {
  KeptItems none({0, 1000});
  std::string removed;
  none.add(item_of(1), [&](const SharedItem& item) { removed += std::to_string(item.offset); });
  CHECK(none.empty());
  CHECK(removed == "1");
}

TEST_CASE("kept items: the oldest are removed in order, each after its callback, and the numbers are those of the rest",
          "[kept_items]") {
  KeptItems items({10, 10});
  CHECK(items.numbers().oldest == 0);
  CHECK(items.numbers().newest == 0);
  for (Offset i = 1; i <= 5; ++i) items.add(item_of(i, 2));
  CHECK(offsets_of(items) == "1 2 3 4 5 ");
  std::string removed;
  items.add(item_of(6, 7), [&](const SharedItem& item) { removed += std::to_string(item.offset) + ' '; });
  CHECK(removed == "1 2 3 4 ");
  CHECK(offsets_of(items) == "5 6 ");
  CHECK(items.numbers().oldest == 105);
  CHECK(items.numbers().newest == 106);
  CHECK(items.newest().offset == 6);
}

TEST_CASE("kept items: the bytes of a removed item are free", "[kept_items]") {
  KeptItems items({10, 10});
  items.add(item_of(1, 5));
  items.add(item_of(2, 5));
  items.remove_newest();
  items.add(item_of(3, 5));
  CHECK(offsets_of(items) == "1 3 ");
}

TEST_CASE("kept items: a page is cut from the newest item back", "[kept_items]") {
  KeptItems items({10, 1000});
  for (Offset i = 1; i <= 4; ++i) items.add(item_of(i));
  const ItemsPage page = items.page({2, 4}).copy();
  REQUIRE(page.entries.size() == 2);
  CHECK(page.entries[0].offset == 2);
  CHECK(page.before == 2);
  CHECK(items.page({no_limit, 0, 1}, First::if_it_fits).empty());
}

TEST_CASE("kept items: in random use they are the newest that the bounds allow", "[kept_items]") {
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 50; ++round) {
    const ItemBounds bounds{random() % 6, random() % 40};
    KeptItems items(bounds);
    std::deque<std::pair<Offset, std::size_t>> model;  // offsets and bytes
    for (Offset offset = 1; offset <= 60; ++offset) {
      if (!model.empty() && random() % 4 == 0) {
        items.remove_newest();
        model.pop_back();
      } else {
        const std::size_t bytes = 1 + random() % 20;
        items.add(item_of(offset, bytes));
        model.emplace_back(offset, bytes);
        const auto sum = [&] {
          return std::accumulate(model.begin(), model.end(), std::size_t{0},
                                 [](std::size_t all, const auto& one) { return all + one.second; });
        };
        while (model.size() > bounds.items_max || (model.size() > 1 && sum() > bounds.bytes_max)) model.pop_front();
      }
      std::string expected;
      for (const auto& one : model) expected += std::to_string(one.first) + ' ';
      REQUIRE(offsets_of(items) == expected);
    }
  }
}

}  // namespace kept_items_test
