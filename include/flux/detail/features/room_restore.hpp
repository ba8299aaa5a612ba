// Restores rooms from the room store when the server starts.
#pragma once

#include <flux/detail/features/file_feature.hpp>
#include <flux/detail/features/room_log.hpp>

#include <functional>
#include <string_view>
#include <vector>

namespace flux::features {

struct RestoredRoom {
  StoredRoom room;
  std::vector<SharedItem> items;       // offsets begin at 1
  std::vector<std::uint64_t> numbers;  // in the store: more than `items` if limits are lower now or files are missing
};

/// Returns every stored room with the newest of its items, as many as `limits` allow. Takes holds on their files;
/// `files`, which has not been started yet, may be null. An item whose file is missing or whose data is not JSON is
/// left out with a call of `warn`, as is anything that no server can have stored, such as a second room with the same
/// id. It stays in the store.
/// Errors: store_failed, naming the store that failed; also for an exception.
Result<std::vector<RestoredRoom>> restore_rooms(RoomStore& store, FileFeature* files, const Limits& limits,
                                                const std::function<void(std::string_view)>& warn);

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/room_restore.ipp>
#endif
