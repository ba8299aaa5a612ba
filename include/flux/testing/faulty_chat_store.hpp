// A chat store that fails when it is told to: for tests of what stands on a store.
#pragma once

#include <flux/storage/chat_store.hpp>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <utility>

namespace flux::testing {

/// Where a call fails.
enum class Fault : std::uint8_t {
  before,     ///< nothing is done
  after,      ///< all is done, and the answer is lost
  exception,  ///< nothing is done, and it throws
};

/// Hands every call on to another store, but for the `nth` from now on, which fails.
/// Threading: as the other store's.
class FaultyChatStore final : public ChatStore {
 public:
  explicit FaultyChatStore(std::shared_ptr<ChatStore> store) : store_(std::move(store)) {}

  /// Counts from 1. The calls before and behind it succeed.
  void fail(std::size_t nth, Fault fault) {
    fault_ = fault;
    until_ = nth;
  }
  std::size_t calls() const { return calls_; }

  Result<Offset> append(const RoomId& room, const ChatMessage& message) override {
    if (!is_due()) return store_->append(room, message);
    if (fault_ == Fault::after) static_cast<void>(store_->append(room, message));
    return failure();
  }
  Result<std::vector<ChatMessage>> history(const RoomId& room, std::size_t limit, Offset before) override {
    if (!is_due()) return store_->history(room, limit, before);
    return failure();
  }
  bool may_block() const override { return store_->may_block(); }
  std::size_t batch_max() const override { return store_->batch_max(); }
  std::vector<Result<Offset>> append_all(std::span<const ChatMessage> messages) override {
    if (!is_due()) return store_->append_all(messages);
    if (fault_ == Fault::after) static_cast<void>(store_->append_all(messages));
    return std::vector<Result<Offset>>(messages.size(), failure());
  }

 private:
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

  const std::shared_ptr<ChatStore> store_;
  std::atomic<std::size_t> calls_{0};
  std::atomic<std::size_t> until_{0};  // calls until the fault, itself included; 0: none is to come
  std::atomic<Fault> fault_{Fault::before};
};

}  // namespace flux::testing
