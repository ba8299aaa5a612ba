// The options of channels, by namespace.
#pragma once

#include <flux/channel_types.hpp>
#include <flux/detail/features/channel_history.hpp>
#include <flux/detail/gate/operation_limits.hpp>
#include <flux/detail/mode.hpp>

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace flux::features {

/// The options of the channels of one namespace.
struct ChannelSettings {
  /// `with_store`: there is a store of histories. `index`: of the buckets of `publish_rate`.
  ChannelSettings(const ChannelOptions& given, bool with_store, std::size_t index)
      : options(given),
        bounds{given.history_max, given.history_bytes_max, given.history_age},
        stored(with_store && given.stored && given.history_max != 0),
        publish_rate("publications", given.publish_rate, index) {}

  const ChannelOptions options;
  const HistoryBounds bounds;
  const bool stored;  // the history is kept in the store
  gate::OperationLimit publish_rate;

  bool keeps_history() const noexcept { return bounds.count_max != 0; }
};

/// Threading: any thread.
class ChannelNamespaces {
 public:
  /// Errors: throws `Error` (bad_config).
  explicit ChannelNamespaces(const ChannelsOptions& options);

  /// Of the channels with this name.
  ChannelSettings& of(std::string_view channel);
  /// Calls `visit` with the options of every channel that the pattern can match, until it returns false. Returns whether
  /// none did.
  bool each_in(std::string_view pattern, const std::function<bool(ChannelSettings&)>& visit);

 private:
  ChannelSettings defaults_;
  std::map<std::string, ChannelSettings, std::less<>> spaces_;  // by prefix
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/channel_settings.ipp>
#endif
