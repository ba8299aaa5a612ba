#pragma once

#include <flux/detail/core/secret.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/features/room_restore.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <exception>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace flux::features {

namespace restore_detail {

using Warn = std::function<void(std::string_view)>;

inline std::string named(const RoomId& id) { return id.empty() ? "the public space" : "room \"" + id + "\""; }

FLUX_DECL Result<std::vector<StoredContents>> load(RoomStore& store) {
  std::string why = "it threw something that is not a std::exception";
  try {
    auto rooms = store.load();
    if (rooms) return rooms;
    why = rooms.error().cause();
  } catch (const std::exception& e) {
    why = std::string("it threw: ") + e.what();
  } catch (...) {  // `why` already says this
  }
  return Error(Errc::store_failed, "Config::rooms.store can't be loaded: " + why);
}

/// Why no server can have stored this room; empty if it is valid.
FLUX_DECL std::string_view flaw(const StoredRoom& room) {
  const auto plain = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
  if (room.life.empty() || room.life.size() > 32 || !std::all_of(room.life.begin(), room.life.end(), plain)) {
    return "its life is not 1 to 32 letters and digits";
  }
  if (room.mode == RoomMode::live) return "a room of mode live keeps nothing";
  if (room.id.empty() && room.mode != RoomMode::history) return "its mode is not history";
  return {};
}

/// Drops items whose numbers do not ascend or leave none for new items, and items larger than any message.
FLUX_DECL void drop_unfit(StoredContents& contents, const Limits& limits, const Warn& warn) {
  constexpr std::uint64_t number_max = std::uint64_t{1} << 62;  // larger numbers must still fit into signed columns
  std::uint64_t newest = 0;
  std::erase_if(contents.items, [&](const StoredItem& item) {
    if (item.number > newest && item.number <= number_max) {
      newest = item.number;
      if (item.data.size() <= limits.message_bytes_max) return false;
      warn("item " + std::to_string(item.number) + " of " + named(contents.room.id) + " is left out: it has " +
           std::to_string(item.data.size()) + " bytes; Limits::message_bytes_max allows " +
           std::to_string(limits.message_bytes_max));
      return true;
    }
    warn("item " + std::to_string(item.number) + " of " + named(contents.room.id) +
         " is left out: numbers must ascend and be 1 to 2^62; it follows " + std::to_string(newest));
    return true;
  });
}

/// The number of oldest items that exceed the limits.
FLUX_DECL std::size_t past_limits(const StoredContents& contents, const Limits& limits) {
  const ItemBounds bounds =
      contents.room.id.empty()
          ? ItemBounds::of_public_space(limits)
          : ItemBounds::of_room(contents.room.mode, limits.room_history_items_max, limits.room_history_bytes_max);
  std::size_t bytes = 0;
  std::size_t kept = 0;
  for (auto item = contents.items.rbegin(); item != contents.items.rend(); ++item, ++kept) {
    bytes += item->data.size();
    if (!bounds.allow(kept + 1, bytes)) break;
  }
  return contents.items.size() - kept;
}

/// Returns none if the item is left out. Errors: the file store's.
FLUX_DECL Result<std::optional<SharedItem>> restore_item(StoredItem item, const RoomId& room, FileFeature* files,
                                                         const Warn& warn) {
  const auto left_out = [&](const std::string& why) {
    warn("item " + std::to_string(item.number) + " of " + named(room) + " is left out: " + why);
    return std::optional<SharedItem>();
  };
  if (!core::valid_utf8(item.connection_id)) return left_out("its connection_id is not UTF-8");
  // Any depth: the limit that applied when it was shared is unknown.
  auto data = JsonText::parse(std::move(item.data), std::numeric_limits<std::size_t>::max());
  if (!data) return left_out("its data is not JSON: " + data.error().message());
  SharedItem restored{std::move(item.connection_id), std::move(*data), 0};
  restored.number = item.number;
  if (item.file.empty()) return std::optional(std::move(restored));
  if (files == nullptr) return left_out("it stands for a file, and this server has no file store");
  auto hold = files->hold_again(item.file);
  if (hold) {
    restored.file = std::move(*hold);
    return std::optional(std::move(restored));
  }
  if (hold.error().code() == Errc::file_not_found) return left_out("file " + item.file + " is gone");
  return Error(Errc::store_failed, "Config::files.store can't say whether it has file " + item.file + " of " +
                                       named(room) + ": " + hold.error().cause());
}

}  // namespace restore_detail

FLUX_DECL Result<std::vector<RestoredRoom>> restore_rooms(RoomStore& store, FileFeature* files, const Limits& limits,
                                                          const std::function<void(std::string_view)>& warn) {
  auto loaded = restore_detail::load(store);
  if (!loaded) return loaded.error();
  std::vector<RestoredRoom> rooms;
  rooms.reserve(loaded->size());
  std::unordered_set<std::string_view, core::SeededHash> ids;
  for (StoredContents& contents : *loaded) {
    std::string_view flaw = restore_detail::flaw(contents.room);
    if (flaw.empty() && !ids.insert(contents.room.id).second) flaw = "the store has another one with this id";
    if (!flaw.empty()) {
      warn(restore_detail::named(contents.room.id).append(" is left out: ").append(flaw));
      continue;
    }
    restore_detail::drop_unfit(contents, limits, warn);
    RestoredRoom room{contents.room, {}, {}};
    for (const StoredItem& item : contents.items) room.numbers.push_back(item.number);
    for (std::size_t i = restore_detail::past_limits(contents, limits); i < contents.items.size(); ++i) {
      auto item = restore_detail::restore_item(std::move(contents.items[i]), room.room.id, files, warn);
      if (!item) return item.error();
      if (!*item) continue;
      room.items.push_back(std::move(**item));
      room.items.back().offset = room.items.size();
    }
    rooms.push_back(std::move(room));
  }
  return rooms;
}

}  // namespace flux::features
