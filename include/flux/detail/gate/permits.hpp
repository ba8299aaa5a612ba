// What rooms, files and methods demand of a client's grant.
#pragma once

#include <flux/detail/mode.hpp>
#include <flux/error.hpp>
#include <flux/grant.hpp>
#include <flux/types.hpp>

#include <cstdint>
#include <string_view>

namespace flux::gate {

/// What a room may demand a permission for: the members of `Demands`.
enum class RoomAct : std::uint8_t { join = 1, events = 2, presence = 4, chat = 8, share = 16, history = 32 };

/// What a client may do in one room, found out once for each membership and grant, so that an act costs one test.
class RoomPermits {
 public:
  /// Everything: the room demands nothing.
  RoomPermits() = default;
  /// `demands`: null demands nothing; `grant`: null has no permissions.
  RoomPermits(const Demands* demands, const Grant* grant, std::string_view room);

  /// A client that may not be in the room may do nothing there.
  bool allow(RoomAct act) const noexcept {
    const auto needed = static_cast<std::uint8_t>(static_cast<std::uint8_t>(act) | join_bit);
    return (bits_ & needed) == needed;
  }

 private:
  static constexpr auto join_bit = static_cast<std::uint8_t>(RoomAct::join);
  std::uint8_t bits_ = 0xff;
};

/// Whether the grant (null: none) allows the operation on `name`. An empty operation is allowed to every client.
bool meets(const Grant* grant, std::string_view operation, std::string_view name) noexcept;

/// The error for a client without the permission. `kind`: of what `name` names: "room", "method". Codes: forbidden;
/// unauthorized for one that is not logged in.
Error insufficient(const Grant* grant, std::string_view kind, std::string_view name);
/// The same for files that belong to no room.
Error insufficient_for_files(const Grant* grant);

}  // namespace flux::gate

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/permits.ipp>
#endif
