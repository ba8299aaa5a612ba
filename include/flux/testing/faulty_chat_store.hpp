// A chat store that fails on demand, for tests of code that uses a store.
#pragma once

#include <flux/storage/chat_store.hpp>
#include <flux/testing/fault.hpp>

#include <memory>
#include <utility>

namespace flux::testing {

/// Passes every call on to another store, except the one that `fail` selected.
/// Threading: that of the other store.
class FaultyChatStore final : public ChatStore, public FaultPlan {
 public:
  /// In front of `store`.
  explicit FaultyChatStore(std::shared_ptr<ChatStore> store) : store_(std::move(store)) {}

  Result<Offset> append(const RoomId& room, const ChatMessage& message) override {
    if (!is_due()) return store_->append(room, message);
    if (is_done()) static_cast<void>(store_->append(room, message));
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
    if (is_done()) static_cast<void>(store_->append_all(messages));
    return std::vector<Result<Offset>>(messages.size(), failure());
  }
  bool can_edit() const override { return store_->can_edit(); }
  Result<bool> replace(const RoomId& room, const ChatMessage& message) override {
    if (!is_due()) return store_->replace(room, message);
    if (is_done()) static_cast<void>(store_->replace(room, message));
    return failure();
  }

 private:
  const std::shared_ptr<ChatStore> store_;
};

}  // namespace flux::testing
