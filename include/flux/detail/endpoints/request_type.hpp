// What the requests of protocol live and of data sharing have in common: the type of their tables' entries, and
// members.
#pragma once

#include <flux/detail/core/members.hpp>
#include <flux/detail/features/membership.hpp>
#include <flux/detail/features/page.hpp>
#include <flux/types.hpp>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

namespace flux::protocol {

/// A request: its name, its members and the function that carries it out. `Given`: the arguments of that function.
template <class Shape, class... Given>
struct RequestType : Shape {
  using Act = void (*)(Given...);
  /// Also gets the client's place in the room that the request refers to.
  using RoomAct = void (*)(Given..., features::Membership&);

  constexpr RequestType(const Shape& shape, Act does) : Shape(shape), act(does) {}
  constexpr RequestType(const Shape& shape, RoomAct does) : Shape(shape), act_in_room(does) {}

  Act act = nullptr;  // exactly one of the two is set
  RoomAct act_in_room = nullptr;
};

/// Null: there is no request with this name.
template <class Type>
const Type* find_request(std::span<const Type> types, std::string_view name) noexcept {
  const auto found = std::find_if(types.begin(), types.end(), [&](const Type& type) { return type.name == name; });
  return found == types.end() ? nullptr : &*found;
}

/// Tables derive from this.
struct CommonMembers {
  using Member = core::Member;
  using Kind = Member::Kind;

  static std::string empty(const core::MemberValue& value);
  static std::string nul(const core::MemberValue& value);
  static std::string no_own_id(const core::MemberValue& value);
  static std::string no_mode(const core::MemberValue& value);

  /// Whether it is a valid room id is checked by `Rooms`.
  static constexpr Member room{"roomId", Kind::name};
  static constexpr Member capacity{"capacity", Kind::number, &Limits::room_members_max, nullptr, 1};
  static constexpr Member mode = Member{"mode", Kind::name, nullptr, no_mode}.required();
  static constexpr Member event = Member{"event", Kind::name, &Limits::event_name_bytes_max, empty}.required();
  static constexpr Member method = Member{"method", Kind::name, &Limits::event_name_bytes_max, empty}.required();
  static constexpr Member payload{"payload", Kind::any, &Limits::message_bytes_max};
  static constexpr Member message = Member{"message", Kind::text, &Limits::chat_bytes_max, nul}.required();
  static constexpr Member own_id{"messageId", Kind::name, nullptr, no_own_id, 0, 128};
  static constexpr Member offset = Member{"offset", Kind::number, nullptr, nullptr, 1}.required();
  static constexpr Member metadata{"metadata", Kind::json, &Limits::metadata_bytes_max};
  static constexpr Member presence{"presence", Kind::object, &Limits::presence_bytes_max};
  static constexpr Member token{"accessToken", Kind::name, &Limits::head_bytes_max};
  static constexpr Member limit{"limit", Kind::number, nullptr, nullptr, 1, 1000};
  static constexpr Member before{"before", Kind::number};
  static constexpr Member after{"after", Kind::number};
};

/// How many messages or rooms are listed if a request has no limit.
inline constexpr std::uint64_t hundred = 100;

/// The value of the member `limit`, which must have been read.
inline std::size_t limit_of(const core::Members& members, std::uint64_t otherwise = features::no_limit) {
  return static_cast<std::size_t>(members.number("limit", otherwise));
}
/// From the members `mode` and `capacity`, which must have been read.
RoomOptions room_options(const core::Members& members);

}  // namespace flux::protocol

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/request_type.ipp>
#endif
