#pragma once

#include <flux/detail/features/channel_log.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace flux::features {

FLUX_DECL ChannelLog::ChannelLog(const ChannelsOptions& options, Channels& channels, std::size_t per_channel_max,
                                 std::size_t total_max, std::shared_ptr<StoreFaults> faults)
    : store_(options.store),
      channels_(channels),
      worker_threads_(options.worker_threads),
      waiting_bytes_max_(options.waiting_bytes_max),
      removals_max_(options.channels_max),
      per_channel_max_(per_channel_max),
      total_max_(total_max),
      blocks_(store_->may_block()),
      faults_(std::move(faults)) {}

FLUX_DECL ChannelLog::~ChannelLog() { stop(); }

// --- Life ---

FLUX_DECL std::vector<StoredChannel> ChannelLog::load() {
  return faults_->guarded([this] { return store_->load(); }).value();
}

FLUX_DECL void ChannelLog::start() {
  if (blocks_) {
    auto queue = std::make_shared<storage::StoreQueue>(worker_threads_, per_channel_max_, total_max_);
    queue->collect(std::max<std::size_t>(store_->batch_max(), 1),
                   [this](std::vector<storage::StoreQueue::PartInTurn> batch) { append_batch(std::move(batch)); });
    const std::lock_guard lock(mutex_);
    queue_ = std::move(queue);
  }
  running_.store(true);
}

FLUX_DECL void ChannelLog::stop() {
  if (!running_.exchange(false)) return;
  for (std::mutex& calls : locks_) const std::lock_guard through(calls);
  if (const auto queue = running_queue()) {
    queue->stop();
    const std::lock_guard lock(mutex_);
    queue_.reset();
  }
}

FLUX_DECL std::shared_ptr<storage::StoreQueue> ChannelLog::running_queue() const {
  const std::lock_guard lock(mutex_);
  return queue_;
}

// --- Publications ---

FLUX_DECL Error ChannelLog::overloaded() const {
  if (!running_.load()) return {Errc::stopped, "the server is not running"};
  return {Errc::overloaded, "too many publications wait for the channel store; try again"};
}

FLUX_DECL Result<void> ChannelLog::reserve(std::size_t bytes, std::size_t in_channel) {
  if (!running_.load()) return overloaded();
  const std::size_t in_all = waiting_bytes_.fetch_add(bytes);
  const std::size_t most = waiting_bytes_max_;
  const bool fits = in_all + bytes <= most && (in_channel == 0 || in_channel + bytes <= most / 4);
  if (!blocks_ || in_all == 0 || fits) return {};
  release(bytes);
  return overloaded();
}

FLUX_DECL void ChannelLog::append(std::unique_ptr<UnstoredPublication> publication) {
  if (!blocks_) {
    {
      const std::lock_guard lock(lock_of(publication->channel));
      if (running_.load()) store({publication.get()});
    }
    return finish(*publication);
  }
  const auto queue = running_queue();
  const std::string channel = publication->channel;
  std::unique_ptr<storage::StoreQueue::Part> part = std::move(publication);
  if (!queue || !queue->add(channel, part)) finish(static_cast<UnstoredPublication&>(*part));
}

FLUX_DECL void ChannelLog::finish(UnstoredPublication& publication) {
  channels_.settle(publication);
  publication.done(publication.result ? std::move(*publication.result) : overloaded());
}

FLUX_DECL void ChannelLog::append_batch(std::vector<storage::StoreQueue::PartInTurn> batch) {
  Batch publications;
  publications.reserve(batch.size());
  for (const auto& item : batch) publications.push_back(&static_cast<UnstoredPublication&>(*item.part));
  store(publications);
  for (auto& item : batch) {
    finish(static_cast<UnstoredPublication&>(*item.part));
    item = {};  // releases the turn: the channel continues after its last publication
  }
}

/// Sets the result of each.
FLUX_DECL void ChannelLog::store(const Batch& batch) {
  std::map<std::string_view, Batch> by_channel;
  for (UnstoredPublication* const one : batch) by_channel[one->channel].push_back(one);
  std::vector<ChannelAppend> appends;
  std::vector<Batch> taken_by_append;
  Batch repeats;
  for (const auto& [channel, pending] : by_channel) {
    Batch taken;
    ChannelAppend append = channels_.next_append(pending, taken, repeats);
    if (taken.empty()) continue;
    appends.push_back(std::move(append));
    taken_by_append.push_back(std::move(taken));
  }
  const auto results = append_all(appends);
  for (std::size_t i = 0; i < appends.size(); ++i) {
    store_channel(taken_by_append[i], results ? (*results)[i] : results.error());
  }
  if (!repeats.empty()) store(repeats);  // now that the history has what they repeat
}

/// One that the store can't take must not lose the others.
FLUX_DECL void ChannelLog::store_channel(const Batch& taken, const Result<void>& stored) {
  if (!stored && stored.error().code() == Errc::invalid_argument && taken.size() > 1) {
    for (UnstoredPublication* const one : taken) store({one});
    return;
  }
  for (UnstoredPublication* const one : taken) {
    one->result = stored ? Result<Published>(channels_.send_stored(*one)) : stored.error();
  }
}

FLUX_DECL Result<std::vector<Result<void>>> ChannelLog::append_all(const std::vector<ChannelAppend>& appends) {
  using Results = Result<std::vector<Result<void>>>;
  if (appends.empty()) return std::vector<Result<void>>();
  if (appends.size() == 1) {
    return std::vector{faults_->guarded([&] { return store_->append(appends.front()); })};
  }
  Results results = faults_->guarded([&]() -> Results { return store_->append_all(appends); });
  if (!results) return results;
  if (results->size() != appends.size()) {
    return faults_->misbehaved("gave " + std::to_string(results->size()) + " results for the publications of " +
                               std::to_string(appends.size()) + " channels");
  }
  for (Result<void>& one : *results) {
    if (!one) one = faults_->failed(one.error());
  }
  return results;
}

// --- Removals ---

FLUX_DECL void ChannelLog::remove(std::string channel, std::string epoch) {
  const std::lock_guard lock(mutex_);
  if (removals_.size() < removals_max_) removals_.push_back({std::move(channel), std::move(epoch)});
}

FLUX_DECL std::optional<ChannelLog::Removed> ChannelLog::next_removal() {
  const std::lock_guard lock(mutex_);
  if (removals_.empty()) return std::nullopt;
  Removed next = std::move(removals_.front());
  removals_.pop_front();
  return next;
}

/// In a turn of the channel. Returns false if it failed; then it is remembered.
FLUX_DECL bool ChannelLog::make(const Removed& removal) {
  const auto made = faults_->guarded([&] { return store_->remove(removal.channel, removal.epoch); });
  if (!made) remove(removal.channel, removal.epoch);
  return made.ok();
}

FLUX_DECL void ChannelLog::make_removals() {
  if (!running_.load()) return;
  if (blocks_) {
    const auto queue = running_queue();
    {
      const std::lock_guard lock(mutex_);
      if (removals_.empty() || std::exchange(removes_, true)) return;
    }
    if (queue) remove_next(queue);
    return;
  }
  while (const auto removal = next_removal()) {
    const std::lock_guard lock(lock_of(removal->channel));
    if (!make(*removal)) return;
  }
}

FLUX_DECL void ChannelLog::remove_next(const std::shared_ptr<storage::StoreQueue>& queue) {
  const auto removal = next_removal();
  const auto pause = [this] {
    const std::lock_guard lock(mutex_);
    removes_ = false;
  };
  if (!removal) return pause();
  const auto in_turn = [this, removal, weak = std::weak_ptr(queue), pause](const auto& /*turn*/) {
    const auto still = weak.lock();
    if (!make(*removal) || !still) return pause();
    remove_next(still);
  };
  if (queue->run(removal->channel, in_turn)) return;
  remove(removal->channel, removal->epoch);
  pause();
}

}  // namespace flux::features
