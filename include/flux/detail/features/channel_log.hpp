// The publications of channels whose history a store keeps: one is stored before it is sent, and they are sent in the order
// in which they were stored.
#pragma once

#include <flux/channel_types.hpp>
#include <flux/detail/core/secret.hpp>
#include <flux/detail/core/session_key.hpp>
#include <flux/detail/features/channel_values.hpp>
#include <flux/detail/features/store_faults.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/storage/store_queue.hpp>
#include <flux/storage/channel_store.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace flux::features {

class ChannelListener;

/// A publication on its way through the store.
struct UnstoredPublication final : storage::StoreQueue::Part {
  using Done = std::function<void(Result<Published>)>;

  /// Copies what `wanted` refers to.
  UnstoredPublication(const ChannelPost& wanted, Done then)
      : channel(wanted.channel),
        publication{0,
                    0,
                    std::string(wanted.key),
                    std::string(wanted.client_id),
                    std::string(wanted.user_id),
                    std::string(wanted.data)},
        except(wanted.except),
        done(std::move(then)) {}

  ChannelPost post() const {
    return {channel, publication.data, publication.key, publication.client_id, publication.user_id, except};
  }
  std::size_t bytes() const { return publication.data.size(); }

  const std::string channel;
  StoredPublication publication;  // its place and time are set in its turn
  const std::vector<core::SessionKey> except;
  const Done done;
  std::optional<Result<Published>> result;                    // none: not known yet
  std::vector<std::shared_ptr<ChannelListener>> scheduled{};  // that it was sent to, and that must be run
};

/// Calls for one channel are made one at a time, in order: its turns. A store that does not block is called at once, under a
/// lock for the channel; a store that may block, on the log's own workers, with publications in batches if it accepts them.
/// Threading: any thread.
class ChannelLog {
 public:
  using Batch = std::vector<UnstoredPublication*>;

  /// The channels, as the log sees them.
  class Channels {
   public:
    Channels() = default;
    Channels(const Channels&) = delete;
    Channels& operator=(const Channels&) = delete;
    virtual ~Channels() = default;
    /// In a turn of the channel, to which all of `pending` belong: gives them their places, and returns what is to be
    /// stored. Sets the results of those that the history has already, or that must fail. Moves those that repeat another
    /// one of `pending` to `repeats`, and the others to `taken`.
    virtual ChannelAppend next_append(const Batch& pending, Batch& taken, Batch& repeats) = 0;
    /// In the same turn: sends what has been stored, and adds it to the history in memory.
    virtual Published send_stored(UnstoredPublication& stored) = 0;
    /// Afterwards, with or without success, and without a lock: nothing of it is pending any more.
    virtual void settle(const UnstoredPublication& pending) = 0;
  };

  /// `options.store` must not be null. `channels` outlives it. `per_channel_max`, `total_max`: pending calls.
  ChannelLog(const ChannelsOptions& options, Channels& channels, std::size_t per_channel_max, std::size_t total_max,
             std::shared_ptr<StoreFaults> faults);
  ~ChannelLog();
  ChannelLog(const ChannelLog&) = delete;
  ChannelLog& operator=(const ChannelLog&) = delete;

  bool blocks() const noexcept { return blocks_; }
  const StoreFaults& faults() const noexcept { return *faults_; }
  /// All that the store has. Errors: throws `Error` (store_failed).
  std::vector<StoredChannel> load();
  void start();
  /// Returns when every call has finished. Later calls fail with `stopped`. Removals that were not made are made after the
  /// next start.
  void stop();

  /// Stores and sends the publication, then passes the result to its `done`. Errors: the store's; overloaded; stopped.
  void append(std::unique_ptr<UnstoredPublication> publication);
  /// Counts bytes that are pending in a channel, where `in_channel` are already. Errors: overloaded; stopped.
  Result<void> reserve(std::size_t bytes, std::size_t in_channel);
  void release(std::size_t bytes) { waiting_bytes_ -= bytes; }
  /// The channel no longer exists: `make_removals` removes it from the store. At most `ChannelsOptions::channels_max` are
  /// remembered; the others stay in the store until the next process finds that they are not used.
  void remove(std::string channel, std::string epoch);
  /// Removes one after the other from the store, until one fails: the next call tries again.
  void make_removals();

 private:
  struct Removed {
    std::string channel;
    std::string epoch;
  };

  Error overloaded() const;
  std::shared_ptr<storage::StoreQueue> running_queue() const;
  std::mutex& lock_of(const std::string& channel) { return locks_[hash_(channel) % locks_.size()]; }
  void append_batch(std::vector<storage::StoreQueue::PartInTurn> batch);
  void store(const Batch& batch);
  void store_channel(const Batch& taken, const Result<void>& stored);
  Result<std::vector<Result<void>>> append_all(const std::vector<ChannelAppend>& appends);
  void finish(UnstoredPublication& publication);
  std::optional<Removed> next_removal();
  bool make(const Removed& removal);
  void remove_next(const std::shared_ptr<storage::StoreQueue>& queue);

  const std::shared_ptr<ChannelStore> store_;
  Channels& channels_;
  const std::size_t worker_threads_, waiting_bytes_max_, removals_max_;
  const std::size_t per_channel_max_, total_max_;
  const bool blocks_;
  const std::shared_ptr<StoreFaults> faults_;
  const core::SeededHash hash_;
  std::array<std::mutex, 64> locks_;  // if the store does not block: one call at a time per channel
  std::atomic<bool> running_{false};
  std::atomic<std::size_t> waiting_bytes_{0};

  mutable std::mutex mutex_;  // guards everything below
  std::shared_ptr<storage::StoreQueue> queue_;
  std::deque<Removed> removals_;  // one that failed is the last again
  bool removes_ = false;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/channel_log.ipp>
#endif
