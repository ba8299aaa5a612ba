// An in-memory channel store for tests. It outlives the servers that use it, and can be made slow or failing.
#pragma once

#include <flux/storage/channel_store.hpp>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace flux_test {

class MemoryChannelStore final : public flux::ChannelStore {
 public:
  struct Behaviour {
    bool blocks = true;
    std::size_t batch_max = 1;
  };
  MemoryChannelStore() = default;
  explicit MemoryChannelStore(Behaviour behaviour) : behaviour_(behaviour) {}

  // --- Instructions ---

  /// Holds every call from now on.
  void hold() {
    const std::lock_guard lock(mutex_);
    holds_ = true;
  }
  void let_through() {
    const std::lock_guard lock(mutex_);
    holds_ = false;
    changed_.notify_all();
  }
  /// Waits until a call is held. Returns false if none is in time.
  bool somebody_waits() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [this] { return waiting_ > 0; });
  }
  /// Makes the next `count` calls fail. `kept`: appends do what they report as failed.
  void fail(std::size_t count, bool kept = false) {
    const std::lock_guard lock(mutex_);
    failures_ = count;
    keeps_failed_ = kept;
  }
  /// Refuses publications with this data with invalid_argument.
  void refuse(std::string data) {
    const std::lock_guard lock(mutex_);
    refused_ = std::move(data);
  }
  /// What the next `load` returns, as if it had been stored.
  void put(flux::StoredChannel channel) {
    const std::lock_guard lock(mutex_);
    channels_[channel.name] = std::move(channel);
  }

  // --- Observations ---

  /// "append a 1 2", "remove a", in the order in which they were carried out.
  std::vector<std::string> done() const {
    const std::lock_guard lock(mutex_);
    return done_;
  }
  /// "1:data 2:data "; "none" if the channel is not stored.
  std::string publications_of(const std::string& channel) const {
    const std::lock_guard lock(mutex_);
    const auto found = channels_.find(channel);
    if (found == channels_.end()) return "none";
    std::string all;
    for (const auto& one : found->second.publications) all += std::to_string(one.offset) + ":" + one.data + " ";
    return all;
  }

  // --- ChannelStore ---

  flux::Result<std::vector<flux::StoredChannel>> load() override {
    const std::lock_guard lock(mutex_);
    if (failures_ != 0) return fails();
    std::vector<flux::StoredChannel> all;
    for (const auto& [name, channel] : channels_) all.push_back(channel);
    return all;
  }
  flux::Result<void> append(const flux::ChannelAppend& append) override {
    std::unique_lock lock(mutex_);
    wait(lock);
    return keep(append);
  }
  flux::Result<void> remove(const std::string& channel, const std::string& epoch) override {
    std::unique_lock lock(mutex_);
    wait(lock);
    if (failures_ != 0) return fails();
    const auto found = channels_.find(channel);
    if (found != channels_.end() && found->second.epoch == epoch) channels_.erase(found);
    done_.push_back("remove " + channel);
    return {};
  }
  bool may_block() const override { return behaviour_.blocks; }
  std::size_t batch_max() const override { return behaviour_.batch_max; }
  std::vector<flux::Result<void>> append_all(std::span<const flux::ChannelAppend> appends) override {
    std::unique_lock lock(mutex_);
    wait(lock);
    std::vector<flux::Result<void>> results;
    for (const auto& append : appends) results.push_back(keep(append));
    return results;
  }

 private:
  static constexpr std::chrono::seconds patience{20};

  void wait(std::unique_lock<std::mutex>& lock) {
    if (!holds_) return;
    ++waiting_;
    changed_.notify_all();
    changed_.wait_for(lock, patience, [this] { return !holds_; });
    --waiting_;
  }
  flux::Error fails() {
    --failures_;
    return {flux::Errc::store_failed, "the disk is full"};
  }
  flux::Result<void> keep(const flux::ChannelAppend& append) {
    const bool failed = failures_ != 0;
    if (failed && !keeps_failed_) return fails();
    std::string line = "append " + append.channel;
    for (const auto& one : append.publications) {
      if (!refused_.empty() && one.data == refused_) return flux::Error(flux::Errc::invalid_argument, "not this");
      line += " " + std::to_string(one.offset);
    }
    done_.push_back(line);
    auto& channel = channels_[append.channel];
    if (channel.epoch != append.epoch) channel = {append.channel, append.epoch, 0, {}};
    const flux::Offset first = append.publications.front().offset;
    std::erase_if(channel.publications, [&](const auto& one) { return one.offset >= first; });
    channel.publications.insert(channel.publications.end(), append.publications.begin(), append.publications.end());
    std::erase_if(channel.publications, [&](const auto& one) { return one.offset < append.first_kept; });
    channel.offset = append.publications.back().offset;
    if (failed) return fails();
    return {};
  }

  const Behaviour behaviour_{};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, flux::StoredChannel> channels_;
  std::vector<std::string> done_;
  std::string refused_;
  std::size_t failures_ = 0;
  int waiting_ = 0;
  bool holds_ = false;
  bool keeps_failed_ = false;
};

}  // namespace flux_test
