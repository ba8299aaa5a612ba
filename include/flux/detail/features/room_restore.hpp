// What rooms had when the server ended, as they are to have it again.
#pragma once

#include <flux/detail/features/files.hpp>
#include <flux/detail/features/room_log.hpp>

#include <functional>
#include <string_view>
#include <vector>

namespace flux::features {

struct RestoredRoom {
  StoredRoom room;
  std::vector<SharedItem> items;       // offsets count from 1
  std::vector<std::uint64_t> numbers;  // in the store: more than `items` if limits are smaller now, or files are gone
};

/// All that the store keeps and that `limits` allow, the newest of each room. Files are held again: `files`, which has
/// not been started yet, may be null. An item whose file is gone, or whose data is no JSON, is left out, and `warn`
/// told; so is what no server can have stored: a second room of an id, say. It stays in the store.
/// Errors: store_failed, saying which of the two stores; for an exception, too.
Result<std::vector<RestoredRoom>> restore_rooms(RoomStore& store, Files* files, const Limits& limits,
                                                const std::function<void(std::string_view)>& warn);

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/room_restore.ipp>
#endif
