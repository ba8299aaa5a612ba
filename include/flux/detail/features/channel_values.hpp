// What is passed between channels and those who use them.
#pragma once

#include <flux/channel_types.hpp>
#include <flux/detail/core/lane_output.hpp>
#include <flux/detail/features/channel_history.hpp>
#include <flux/detail/features/channel_presence.hpp>
#include <flux/detail/features/channel_state.hpp>
#include <flux/grant.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux::features {

/// Of the keys of publications and of entries of the shared state.
inline constexpr std::size_t channel_key_bytes_max = 128;

/// A publication that somebody wants to make. `data`: valid JSON. Both ids empty: the application.
struct ChannelPost {
  std::string_view channel;
  std::string_view data;
  std::string_view key{};
  std::string_view client_id{};
  std::string_view user_id{};
  std::vector<core::SessionKey> except{};
};

/// A publication that a client has missed.
struct MissedPublication {
  core::SharedBytes payload;
  Offset offset;
};

/// A part of a channel's state, in the order of the keys.
struct StatePart {
  std::string epoch{};  ///< empty: there is no such channel
  std::uint64_t version = 0;
  std::vector<std::pair<std::string, StateEntry>> entries{};
  bool more = false;  ///< there are more after these
};

/// What a client asks for when it subscribes.
struct ChannelSought {
  std::optional<Position> since{};  ///< what it knows; none: it does not say
  bool state = false;               ///< whether it wants the shared state
  /// Of a token for this channel, which counts instead of the client's own grant, and with which the subscription ends; null:
  /// it shows none.
  std::shared_ptr<const Grant> token{};
};

/// What a client finds when it subscribes.
struct ChannelEntry {
  Position position{};              ///< an empty epoch: a pattern
  std::optional<bool> recovered{};  ///< none: it did not say where it was
  std::string_view reason{};        ///< why not
  std::vector<MissedPublication> missed{};
  std::optional<StatePart> state{};  ///< if it was asked for; later changes follow as notices
};

/// A part of a channel's history.
struct ChannelPart {
  std::vector<Publication> publications{};  ///< oldest first
  Position position{};                      ///< of the newest publication; an empty epoch: there is no such channel
  bool more = false;                        ///< there are more after these
};

/// The clients present in a channel, or a part of them.
struct ChannelPresent {
  std::vector<PresentClient> members{};
  std::optional<std::uint64_t> after{};  ///< where the next part begins; none: there is none
  std::size_t clients = 0;
  std::size_t users = 0;
};

}  // namespace flux::features
