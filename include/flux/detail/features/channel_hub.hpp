// The channels of a server.
#pragma once

#include <flux/channel_types.hpp>
#include <flux/detail/features/backend.hpp>
#include <flux/detail/features/channel_listener.hpp>
#include <flux/detail/features/channel_log.hpp>
#include <flux/detail/features/channel_name.hpp>
#include <flux/detail/features/channel_settings.hpp>
#include <flux/detail/features/channel_table.hpp>
#include <flux/detail/features/channel_values.hpp>
#include <flux/detail/features/participant.hpp>
#include <flux/detail/features/service.hpp>
#include <flux/detail/mode.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux::features {

/// Threading: any thread; of a seat on its client's loop.
class ChannelHub final : public Service, public ChannelLog::Channels, public std::enable_shared_from_this<ChannelHub> {
 public:
  /// Errors: throws `Error` (bad_config).
  ChannelHub(Backend& backend, ChannelsOptions options);

  // Set before the start.
  std::function<void(ChannelSubscribe&)> subscribe_handler;
  std::function<void(ChannelPublish&)> publish_handler;
  std::function<void(ChannelStateWrite&)> state_handler;

  const ChannelsOptions& options() const noexcept { return options_; }
  Backend& backend() const noexcept { return backend_; }
  FLUX_DECL void prepare() override;
  FLUX_DECL void start(core::Loop& loop) override;
  FLUX_DECL void stop() override;
  FLUX_DECL void add_metrics(core::MetricSet& metrics) const override;

  /// As `Channel::hash`.
  std::uint32_t hash_of(std::string_view name) const { return static_cast<std::uint32_t>(hash_(name)); }

  // --- What clients may do ---

  Result<void> check_name(std::string_view channel) const {
    return check_channel_name(channel, options_.name_bytes_max);
  }
  ChannelSettings& settings_of(std::string_view channel) { return namespaces_.of(channel); }
  /// Whether the grant (null: none) allows the operation (`ChannelDemands`) on a channel, or on all that a pattern can
  /// match. Errors: forbidden, unauthorized.
  Result<void> may(const Grant* grant, std::string_view operation, std::string_view name) const;
  /// Errors: those of `check_channel_or_pattern` and `may`.
  Result<void> may_subscribe(const Grant* grant, std::string_view name);

  // --- Publications ---

  /// Publishes at once and returns the result. If the publication is to be stored first, returns none: what `make_later()`
  /// returns is called with the result, on a worker thread or, if the store does not block, before this returns. Errors: as
  /// for `Channels::publish`.
  template <class MakeLater>
  std::optional<Result<Published>> publish(const ChannelPost& post, const MakeLater& make_later) {
    if (!log_ || !settings_of(post.channel).stored) return publish_now(post);
    auto repeat = begin_storing(post);
    if (!repeat) return Result<Published>(repeat.error());
    if (*repeat) return Result<Published>(**repeat);
    log_->append(std::make_unique<UnstoredPublication>(post, make_later()));
    return std::nullopt;
  }
  /// Whether publications may wait for the store.
  bool store_blocks() const noexcept { return log_ && log_->blocks(); }
  /// The publications after `since` or, if there is none, the newest ones: at most `limit`, and `bytes_max` bytes of JSON.
  /// Errors: invalid_argument, if the publications after `since` are not all kept.
  Result<ChannelPart> history(std::string_view name, const std::optional<Position>& since, std::size_t limit,
                              std::size_t bytes_max) const;

  // --- Subscriptions ---

  /// Where the loop's subscribers get their messages.
  ChannelFlusher* flusher_of(const std::shared_ptr<core::Loop>& loop);
  /// The seat, whose receiver is set, subscribes to the channel or pattern. Errors: limit_exceeded.
  Result<ChannelEntry> enter(ChannelSeat& seat, std::string_view name, const ChannelSought& sought, bool may_recover);
  void leave(ChannelSeat& seat);
  /// The epoch of a channel; empty if it does not exist.
  std::string epoch_of(std::string_view name) const;
  /// The same for a seat that has subscribed before.
  ChannelEntry enter_again(const ChannelSeat& seat, bool with_state);
  /// As `ChannelLanes::move`.
  std::string move(ChannelSeat& seat, ChannelReceiver& next, char separator);
  /// The newest publication, encoded for a seat from which it was held back; null: it is not for this client.
  core::SharedBytes catch_up(ChannelSeat& seat);
  /// Errors: those of the name; limit_exceeded.
  Result<void> add(const std::shared_ptr<ChannelListener>& listener);
  void remove(const ChannelListener& listener);

  // --- Presence ---

  /// The client is present from now on, or has new data. Errors: limit_exceeded.
  Result<void> be_present(std::string_view name, PresentClient client);
  /// A client that is present is this user now.
  void become(std::string_view name, const SessionId& id, const std::string& user);
  bool is_present(std::string_view name, std::string_view client_id) const;
  /// Returns false if it was not present.
  bool be_absent(std::string_view name, std::string_view client_id);
  /// At most `limit` clients and `bytes_max` bytes of JSON; `after`: where the previous part ended, 0: from the first.
  ChannelPresent present(std::string_view name, std::size_t limit, std::uint64_t after, std::size_t bytes_max) const;

  // --- Shared state ---

  /// Errors: forbidden, if the channel has no state, or the entry belongs to another client's connection; limit_exceeded.
  Result<ChannelStateChange> change_state(std::string_view name, const StateWish& wish);
  /// Removes what is bound to the client's connection.
  void unbind_state(std::string_view name, const SessionId& client);
  /// At most `limit` entries and `bytes_max` bytes of JSON; `after`: the key where the previous part ended.
  StatePart state(std::string_view name, std::size_t limit, std::string_view after, std::size_t bytes_max) const;

  // --- For the application ---

  std::optional<ChannelStats> stats(std::string_view name) const;
  std::vector<ChannelStats> stats() const;

 private:
  static constexpr std::size_t shards_count = 64;
  using Scheduled = std::vector<std::shared_ptr<ChannelListener>>;

  /// Where a channel is, or would be. Holds its lock.
  template <class Shard>
  struct Place {
    Place(Shard& in, std::string_view name, std::uint32_t hashed)
        : shard(in), hash(hashed), lock(in.mutex), channel(in.find(name, hashed)) {}
    Shard& shard;
    const std::uint32_t hash;
    const std::lock_guard<std::mutex> lock;
    Channel* const channel;  // null: there is none
  };
  Place<ChannelShard> place_of(std::string_view name) {
    const std::uint32_t hash = hash_of(name);
    return {shard_of(hash), name, hash};
  }
  Place<const ChannelShard> place_of(std::string_view name) const {
    const std::uint32_t hash = hash_of(name);
    return {shard_of(hash), name, hash};
  }
  ChannelShard& shard_of(std::uint32_t hash) { return shards_[hash % shards_count]; }
  const ChannelShard& shard_of(std::uint32_t hash) const { return shards_[hash % shards_count]; }
  std::mutex& mutex_of(const Channel& channel) {
    return channel.is_pattern() ? patterns_mutex_ : shard_of(channel.hash).mutex;
  }
  std::int64_t now() const { return backend_.config.clock->unix_ms(); }
  Position position_of(const Channel& channel) const { return {core::key_text(channel.epoch), channel.offset}; }

  Result<std::unique_ptr<Channel>> make(std::string_view name, std::uint32_t hash, ChannelSettings* settings);
  Result<Channel*> get(const Place<ChannelShard>& place, std::string_view name);
  Result<Channel*> get_pattern(std::string_view name);
  Result<Channel*> channel_for(const Place<ChannelShard>& place, const ChannelPost& post);
  Result<void> takes_messages(const Channel& channel) const;
  Result<void> check_post(const ChannelPost& post) const;
  Result<Published> publish_now(const ChannelPost& post);
  Result<std::optional<Published>> begin_storing(const ChannelPost& post);
  FLUX_DECL ChannelAppend next_append(const ChannelLog::Batch& pending, ChannelLog::Batch& taken,
                                      ChannelLog::Batch& repeats) override;
  FLUX_DECL Published send_stored(UnstoredPublication& stored) override;
  FLUX_DECL void settle(const UnstoredPublication& pending) override;
  void restore(StoredChannel stored);
  Published send_to_all(ChannelShard& shard, Channel* channel, const std::vector<Channel*>& patterns,
                        const ChannelPost& post, std::int64_t time, Scheduled& scheduled);
  void schedule(const Scheduled& scheduled);
  Result<std::optional<Published>> repeat_of(Channel& channel, const ChannelPost& post, const std::string& key);
  Result<void> takes_messages(const std::vector<Channel*>& patterns, std::string_view channel) const;
  std::vector<Channel*> patterns_matching(std::string_view channel, std::unique_lock<std::mutex>& patterns_lock) const;
  std::size_t send(Channel& channel, const Publication& publication, const Position& position, const ChannelPost& post,
                   const ChannelListener::Message& message, Scheduled& scheduled);
  std::size_t send_to_pattern(Channel& pattern, const Publication& publication, const ChannelPost& post,
                              const ChannelListener::Message& message, Scheduled& scheduled);
  void keep(ChannelShard& shard, Channel& channel, const ChannelPost& post, Publication publication);
  void recover(const Channel& channel, const Position& since, bool may_recover, ChannelEntry& entry) const;
  void tell_presence(Channel& channel, std::string_view notice, const PresentClient& client, std::string_view flag);
  void tell_left(Channel& channel, const ChannelPresence::Left& left);
  void tell_state(Channel& channel, std::string_view key, const SessionId& by);
  void remove_from_state(Channel& channel, const std::function<bool(const StateEntry&)>& is_over);
  StatePart state_of(const Channel& channel, std::size_t limit, std::string_view after, std::size_t bytes_max) const;
  void remove_if_unused(ChannelShard& shard, Channel& channel);
  void remove_if_unused(Channel& pattern);
  void sweep_later(core::Loop& loop);
  void sweep(core::Loop& loop, std::size_t shard);
  void sweep(ChannelShard& shard);
  static ChannelStats stats_of(const Channel& channel);
  std::shared_ptr<core::Loop> loop() const;

  Backend& backend_;
  const ChannelsOptions options_;
  ChannelNamespaces namespaces_;
  const core::SeededHash hash_;
  core::KeySequence epochs_;
  bool is_restored_ = false;
  std::array<ChannelShard, shards_count> shards_;
  mutable std::mutex patterns_mutex_;  // guards the patterns and their channels; locked after a shard's
  ChannelPatterns patterns_;
  std::atomic<std::size_t> patterns_count_{0};
  std::atomic<std::size_t> channels_{0};  // patterns included
  std::atomic<std::size_t> subscriptions_{0};
  std::atomic<std::uint64_t> publications_{0};

  mutable std::mutex life_mutex_;     // guards everything below
  std::shared_ptr<core::Loop> loop_;  // null: the server does not run
  std::vector<std::pair<std::shared_ptr<core::Loop>, std::shared_ptr<ChannelFlusher>>> flushers_;

  const std::unique_ptr<ChannelLog>
      log_;  // null: histories end with the process. The last member: its calls need the others
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/channel_contents.ipp>
#include <flux/detail/features/channel_hub.ipp>
#include <flux/detail/features/channel_stored.ipp>
#endif
