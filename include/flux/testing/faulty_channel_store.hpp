// A channel store that fails on demand, for tests of code that uses a store.
#pragma once

#include <flux/storage/channel_store.hpp>
#include <flux/testing/fault.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace flux::testing {

/// Passes every call on to another store, except the one that `fail` selected.
/// Threading: that of the other store.
class FaultyChannelStore final : public ChannelStore, public FaultPlan {
 public:
  /// In front of `store`.
  explicit FaultyChannelStore(std::shared_ptr<ChannelStore> store) : store_(std::move(store)) {}

  Result<std::vector<StoredChannel>> load() override {
    if (!is_due()) return store_->load();
    return failure();
  }
  Result<void> append(const ChannelAppend& append) override {
    return perhaps([&] { return store_->append(append); });
  }
  Result<void> remove(const std::string& channel, const std::string& epoch) override {
    return perhaps([&] { return store_->remove(channel, epoch); });
  }
  bool may_block() const override { return store_->may_block(); }
  std::size_t batch_max() const override { return store_->batch_max(); }
  std::vector<Result<void>> append_all(std::span<const ChannelAppend> appends) override {
    if (!is_due()) return store_->append_all(appends);
    if (is_done()) static_cast<void>(store_->append_all(appends));
    return std::vector<Result<void>>(appends.size(), failure());
  }

 private:
  template <class Call>
  Result<void> perhaps(const Call& call) {
    if (!is_due()) return call();
    if (is_done()) static_cast<void>(call());
    return failure();
  }

  const std::shared_ptr<ChannelStore> store_;
};

}  // namespace flux::testing
