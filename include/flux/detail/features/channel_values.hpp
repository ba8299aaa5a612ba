// What is passed between channels and those who use them.
#pragma once

#include <flux/channel_types.hpp>
#include <flux/detail/core/lane_output.hpp>
#include <flux/detail/features/channel_history.hpp>
#include <flux/detail/features/channel_presence.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace flux::features {

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

/// What a client finds when it subscribes.
struct ChannelEntry {
  Position position{};              ///< an empty epoch: a pattern
  std::optional<bool> recovered{};  ///< none: it did not say where it was
  std::string_view reason{};        ///< why not
  std::vector<MissedPublication> missed{};
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
