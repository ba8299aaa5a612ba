// A room store that fails on demand, for tests of code that uses a store.
#pragma once

#include <flux/storage/room_store.hpp>
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
class FaultyRoomStore final : public RoomStore, public FaultPlan {
 public:
  /// In front of `store`.
  explicit FaultyRoomStore(std::shared_ptr<RoomStore> store) : store_(std::move(store)) {}

  Result<std::vector<StoredContents>> load() override {
    if (!is_due()) return store_->load();
    return failure();
  }
  Result<void> open(const StoredRoom& room) override {
    return perhaps([&] { return store_->open(room); });
  }
  Result<void> append(const RoomAppend& append) override {
    return perhaps([&] { return store_->append(append); });
  }
  Result<void> remove_item(const RoomId& room, const std::string& life, std::uint64_t number) override {
    return perhaps([&] { return store_->remove_item(room, life, number); });
  }
  Result<void> close(const RoomId& room, const std::string& life) override {
    return perhaps([&] { return store_->close(room, life); });
  }
  bool may_block() const override { return store_->may_block(); }
  std::size_t batch_max() const override { return store_->batch_max(); }
  std::vector<Result<void>> append_all(std::span<const RoomAppend> appends) override {
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

  const std::shared_ptr<RoomStore> store_;
};

}  // namespace flux::testing
