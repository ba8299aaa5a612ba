#include "catch.hpp"

#include <flux/detail/core/json_scanner.hpp>
#include <flux/detail/endpoints/live/live_codec.hpp>
#include <flux/detail/endpoints/payloads.hpp>
#include <flux/detail/features/client_view.hpp>

#include <string>

namespace page_test {

using namespace flux;
using namespace flux::features;

namespace {

/// Items with these offsets, 100 bytes each.
std::deque<SharedItem> items_with(std::initializer_list<Offset> offsets) {
  std::deque<SharedItem> items;
  for (const Offset offset : offsets) items.push_back({"c", JsonText::trusted(std::string(35, '1')), offset});
  REQUIRE(json_bytes(items.front()) == 100);
  return items;
}

std::string offsets_of(const ItemsView& page) {
  std::string list;
  for (const SharedItem& item : page) list += std::to_string(item.offset) + ' ';
  return list + "before " + std::to_string(page.before);
}

}  // namespace

TEST_CASE("page: the newest items that fit, and where the older ones begin", "[page]") {
  const auto items = items_with({3, 5, 6, 9});
  CHECK(offsets_of(newest_items(items, {})) == "3 5 6 9 before 0");
  CHECK(offsets_of(newest_items(items, {no_limit, 0, 400})) == "3 5 6 9 before 0");
  CHECK(offsets_of(newest_items(items, {no_limit, 0, 399})) == "5 6 9 before 5");
  CHECK(offsets_of(newest_items(items, {2, 0, 399})) == "6 9 before 6");
  CHECK(offsets_of(newest_items(items, {no_limit, 6, no_limit})) == "3 5 before 0");
  CHECK(offsets_of(newest_items(items, {1, 7, no_limit})) == "6 before 6");
  CHECK(offsets_of(newest_items(items, {1, 100, no_limit})) == "9 before 9");
  CHECK(offsets_of(newest_items(items, {1, 3, no_limit})) == "before 0");
  CHECK(offsets_of(newest_items({}, {})) == "before 0");
}

TEST_CASE("page: an item that is too long by itself is alone in its page, or left out if it may be", "[page]") {
  const auto items = items_with({3, 5, 9});
  CHECK(offsets_of(newest_items(items, {no_limit, 0, 99})) == "9 before 9");
  CHECK(offsets_of(newest_items(items, {no_limit, 9, 0})) == "5 before 5");
  CHECK(offsets_of(newest_items(items, {no_limit, 0, 99}, First::if_it_fits)) == "before 10");
  CHECK(offsets_of(newest_items(items, {no_limit, 9, 0}, First::if_it_fits)) == "before 9");
  CHECK(offsets_of(newest_items(items, {no_limit, 0, 100}, First::if_it_fits)) == "9 before 9");
}

TEST_CASE("page: no entry is longer as JSON than its estimate", "[page]") {
  std::string text;
  for (char c = 1; c > 0; ++c) text += c;
  std::string json;
  detail::append_json_string(json, text);
  CHECK(detail::json_string_size(text) == json.size());
  CHECK(detail::json_string_size("") == 2);

  const ChatMessage message{"id\n", "room\"", "c", "user\x01", text, R"({"m":1})", INT64_MIN, UINT64_MAX};
  json.clear();
  protocol::append_chat_payload(json, message);
  CHECK(json_bytes(message) >= json.size());

  const Identity identity{"u\"", text, "e", "p", true};
  const PresenceEntry entry{"c", &identity, R"({"p":1})"};
  json.clear();
  protocol::append_entry_payload(json, entry);
  CHECK(json_bytes(entry) >= json.size() + std::string("\"c\":,").size());

  const SharedItem item{"server", JsonText::trusted("1"), UINT64_MAX};
  const std::string list = protocol::live_items_payload({}, {{item}});
  CHECK(json_bytes(item) >= list.size() - std::string(R"({"items":[]})").size());
}

}  // namespace page_test
