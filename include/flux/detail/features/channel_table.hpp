// The channels that exist, by their names; and the patterns, by their segments.
#pragma once

#include <flux/detail/features/channel_history.hpp>
#include <flux/detail/features/channel_lanes.hpp>
#include <flux/detail/features/channel_presence.hpp>
#include <flux/detail/features/channel_settings.hpp>
#include <flux/detail/features/channel_state.hpp>
#include <flux/detail/mode.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace flux::features {

class ChannelListener;

/// What few channels have.
struct ChannelExtras {
  explicit ChannelExtras(const HistoryBounds& bounds) : history(bounds) {}
  ChannelHistory history;
  ChannelPresence presence;
  std::unique_ptr<ChannelState> state;  // null: there was none yet
  std::vector<std::shared_ptr<ChannelListener>> listeners;
  core::SharedBytes newest;                     // the newest publication, for slow readers; null: none is kept
  std::vector<core::SessionKey> newest_except;  // who do not get it
  std::int64_t active_at = 0;     // when the last subscriber left, or something was published; milliseconds since 1970
  std::size_t storing_bytes = 0;  // of publications that the store does not have yet
  std::size_t place = 0;          // in `ChannelShard::with_extras`
};

/// A channel, or a pattern. It exists while it has subscribers, a history or somebody present. Threading: its lock.
struct Channel {
  /// `with`: null for a pattern; must outlive it. `now`: milliseconds since 1970.
  Channel(std::string_view called, std::uint32_t hashed, ChannelSettings* with, std::uint64_t life, std::int64_t now)
      : hash(hashed), settings(with), epoch(life), created_at(now), name(called) {}

  Channel* next = nullptr;  // in its bucket
  const std::uint32_t hash;
  ChannelSettings* const settings;  // null: a pattern
  std::uint64_t epoch;              // changes only before the server starts
  Offset offset = 0;                // of the newest publication
  const std::int64_t created_at;
  std::int64_t published_at = 0;  // the newest publication; 0: there is none
  std::unique_ptr<ChannelExtras> extras;
  ChannelLanes lanes;
  const std::string name;

  bool is_pattern() const noexcept { return settings == nullptr; }
  /// Those of a pattern, which keeps no history.
  ChannelExtras& pattern_extras();
};

/// A part of the channels, under one lock.
class ChannelShard {
 public:
  ChannelShard() = default;
  ~ChannelShard();
  ChannelShard(const ChannelShard&) = delete;
  ChannelShard& operator=(const ChannelShard&) = delete;

  mutable std::mutex mutex;  // guards everything below, and the channels

  Channel* find(std::string_view name, std::uint32_t hash) const noexcept;
  Channel& add(std::unique_ptr<Channel> channel);
  void remove(Channel& channel);
  ChannelExtras& extras_of(Channel& channel);
  const std::vector<Channel*>& with_extras() const noexcept { return with_extras_; }
  template <class Visit>
  void each(const Visit& visit) const {
    for (Channel* first : buckets_) {
      for (Channel* at = first; at != nullptr; at = at->next) visit(*at);
    }
  }

 private:
  Channel*& bucket_of(std::uint32_t hash) noexcept { return buckets_[(hash >> shard_bits) & (buckets_.size() - 1)]; }
  void grow();

  static constexpr int shard_bits = 6;  // those that chose the shard
  std::vector<Channel*> buckets_;
  std::size_t count_ = 0;
  std::vector<Channel*> with_extras_;
};

/// The patterns: a tree by segments, so that a publication visits only those that match its beginning. Threading: its
/// owner's lock.
class ChannelPatterns {
 public:
  /// Null: there is none.
  Channel* find(std::string_view pattern) const;
  /// One that is not there yet.
  Channel& add(std::unique_ptr<Channel> pattern);
  void remove(std::string_view pattern);
  /// Calls `visit` with each pattern that matches the channel. Patterns that begin with `*` match no system channel.
  void match(std::string_view channel, const std::function<void(Channel&)>& visit) const;
  void each(const std::function<void(const Channel&)>& visit) const { each(root_, visit); }

 private:
  struct Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> children;  // `*` among them: one segment
    std::unique_ptr<Channel> ends;                                       // the pattern that ends here
    std::unique_ptr<Channel> rest;                                       // the one that ends with a `*` after this
    bool empty() const noexcept { return children.empty() && !ends && !rest; }
  };
  using Segments = std::vector<std::string_view>;

  static void match(const Node& node, const Segments& segments, std::size_t at,
                    const std::function<void(Channel&)>& visit);
  static void each(const Node& node, const std::function<void(const Channel&)>& visit);
  static void remove(Node& node, const Segments& segments, std::size_t at);
  std::unique_ptr<Channel>& slot(const Segments& segments);

  Node root_;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/channel_table.ipp>
#endif
