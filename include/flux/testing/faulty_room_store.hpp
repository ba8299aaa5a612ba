// A room store that fails when it is told to: for tests of what stands on a store.
#pragma once

#include <flux/storage/room_store.hpp>
#include <flux/testing/faulty_chat_store.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace flux::testing {

/// Hands every call on to another store, but for the `nth` from now on, which fails as `Fault` says.
/// Threading: as the other store's.
class FaultyRoomStore final : public RoomStore {
 public:
  explicit FaultyRoomStore(std::shared_ptr<RoomStore> store) : store_(std::move(store)) {}

  /// Counts from 1. The calls before and behind it succeed.
  void fail(std::size_t nth, Fault fault) {
    fault_ = fault;
    until_ = nth;
  }
  std::size_t calls() const { return calls_; }

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
    if (fault_ == Fault::after) static_cast<void>(store_->append_all(appends));
    return std::vector<Result<void>>(appends.size(), failure());
  }

 private:
  template <class Call>
  Result<void> perhaps(const Call& call) {
    if (!is_due()) return call();
    if (fault_ == Fault::after) static_cast<void>(call());
    return failure();
  }
  bool is_due() {
    ++calls_;
    std::size_t left = until_;
    while (left != 0 && !until_.compare_exchange_weak(left, left - 1)) {
    }
    return left == 1;
  }
  Error failure() const {
    if (fault_ == Fault::exception) throw std::runtime_error("the store was told to throw");
    return {Errc::store_failed, "the store was told to fail"};
  }

  const std::shared_ptr<RoomStore> store_;
  std::atomic<std::size_t> calls_{0};
  std::atomic<std::size_t> until_{0};  // calls until the fault, itself included; 0: none is to come
  std::atomic<Fault> fault_{Fault::before};
};

}  // namespace flux::testing
