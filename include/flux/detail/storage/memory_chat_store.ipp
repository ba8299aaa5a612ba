#pragma once

#include <flux/detail/core/secret.hpp>
#include <flux/detail/mode.hpp>
#include <flux/storage/memory_chat_store.hpp>

#include <algorithm>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace flux {

namespace storage::detail {

/// What `MemoryChatStore` documents.
class MemoryChat final : public ChatStore {
 public:
  MemoryChat(std::size_t messages_per_room, std::size_t rooms_max, std::size_t bytes_max)
      : messages_per_room_(messages_per_room), rooms_max_(rooms_max), bytes_max_(bytes_max) {}

  Result<Offset> append(const RoomId& room, const ChatMessage& message) override {
    if (const auto storable = check_storable(message); !storable) return storable.error();
    const std::lock_guard lock(mutex_);
    Log& log = touch(room);
    if (const auto kept = log.by_id.find(message.id); kept != log.by_id.end()) return kept->second;
    const Offset offset = ++log.last;
    if (messages_per_room_ == 0) return offset;
    if (log.messages.size() == messages_per_room_) drop_oldest(log);
    log.messages.push_back(message);
    log.messages.back().offset = offset;
    log.by_id.emplace(log.messages.back().id, offset);
    bytes_ += bytes_of(log.messages.back());
    with_messages_.splice(with_messages_.begin(), log.messages.size() == 1 ? without_messages_ : with_messages_,
                          log.place);
    drop_excess();
    return offset;
  }

  Result<std::vector<ChatMessage>> history(const RoomId& room, std::size_t limit, Offset before) override {
    const std::lock_guard lock(mutex_);
    std::vector<ChatMessage> page;
    const auto found = logs_.find(room);
    if (found == logs_.end()) return page;
    const auto& messages = found->second->messages;
    // Offsets have no gaps, so the end of the page is found by subtraction.
    std::size_t end = messages.size();
    if (before != 0 && end != 0) {
      const Offset first = messages.front().offset;
      end = before <= first ? 0 : std::min<std::size_t>(end, static_cast<std::size_t>(before - first));
    }
    const std::size_t begin = end > limit ? end - limit : 0;
    page.assign(messages.begin() + static_cast<std::ptrdiff_t>(begin),
                messages.begin() + static_cast<std::ptrdiff_t>(end));
    return page;
  }

  bool may_block() const override { return false; }

  bool can_edit() const override { return true; }
  Result<bool> replace(const RoomId& room, const ChatMessage& message) override {
    if (const auto storable = check_storable(message); !storable) return storable.error();
    const std::lock_guard lock(mutex_);
    const auto found = logs_.find(room);
    if (found == logs_.end()) return false;
    auto& messages = found->second->messages;
    if (messages.empty() || message.offset < messages.front().offset || message.offset > messages.back().offset) {
      return false;
    }
    // The id must not move: `by_id` refers to it.
    ChatMessage& stored = messages[static_cast<std::size_t>(message.offset - messages.front().offset)];
    if (stored.deleted_at != 0) return false;
    bytes_ -= bytes_of(stored);
    stored.message = std::string(message.message);  // without the old one's capacity
    stored.metadata = std::string(message.metadata);
    stored.edited_at = message.edited_at;
    stored.deleted_at = message.deleted_at;
    bytes_ += bytes_of(stored);
    drop_excess();
    return true;
  }

 private:
  struct Log {
    Log(RoomId name, const core::SeededHash& hash) : room(std::move(name)), by_id(0, hash) {}
    RoomId room;
    std::deque<ChatMessage> messages;
    std::unordered_map<std::string_view, Offset, core::SeededHash>
        by_id;  // views into `messages`, whose elements never move
    Offset last = 0;
    std::list<Log*>::iterator place;  // in `with_messages_`, or `without_messages_`
  };

  static std::size_t bytes_of(const ChatMessage& message) {
    constexpr std::size_t around = sizeof(ChatMessage) + 64;  // its entry in `by_id`
    return message.message.size() + message.metadata.size() + message.id.size() + message.room.size() +
           message.connection_id.size() + message.user_id.size() + around;
  }

  void drop_excess() {
    while (bytes_max_ != 0 && bytes_ > bytes_max_) drop_oldest(*with_messages_.back());
  }

  void drop_oldest(Log& log) {
    bytes_ -= bytes_of(log.messages.front());
    log.by_id.erase(log.messages.front().id);
    log.messages.pop_front();
    if (log.messages.empty()) without_messages_.splice(without_messages_.begin(), with_messages_, log.place);
  }

  /// The room's log, moved to the front; the one unused for longest makes way for a new one.
  Log& touch(const RoomId& room) {
    const auto found = logs_.find(room);
    if (found != logs_.end()) {
      recent_.splice(recent_.begin(), recent_, found->second);
      return recent_.front();
    }
    if (rooms_max_ != 0 && logs_.size() >= rooms_max_) forget(recent_.back());
    recent_.emplace_front(room, logs_.hash_function());
    Log& log = recent_.front();
    without_messages_.push_front(&log);
    log.place = without_messages_.begin();
    logs_[room] = recent_.begin();
    return log;
  }

  /// Of the log at the end of `recent_`.
  void forget(Log& log) {
    while (!log.messages.empty()) drop_oldest(log);
    without_messages_.erase(log.place);
    logs_.erase(log.room);
    recent_.pop_back();
  }

  const std::size_t messages_per_room_;
  const std::size_t rooms_max_;
  const std::size_t bytes_max_;
  std::mutex mutex_;
  std::list<Log> recent_;
  std::list<Log*> with_messages_;  // in the order in which they were written to, the latest first
  std::list<Log*> without_messages_;
  std::unordered_map<RoomId, std::list<Log>::iterator, core::SeededHash, std::equal_to<>> logs_;
  std::size_t bytes_ = 0;
};

}  // namespace storage::detail

FLUX_DECL MemoryChatStore::MemoryChatStore(std::size_t messages_per_room, std::size_t rooms_max, std::size_t bytes_max)
    : chat_(std::make_unique<storage::detail::MemoryChat>(messages_per_room, rooms_max, bytes_max)) {}
FLUX_DECL MemoryChatStore::~MemoryChatStore() = default;

FLUX_DECL Result<Offset> MemoryChatStore::append(const RoomId& room, const ChatMessage& message) {
  return chat_->append(room, message);
}
FLUX_DECL Result<std::vector<ChatMessage>> MemoryChatStore::history(const RoomId& room, std::size_t limit,
                                                                    Offset before) {
  return chat_->history(room, limit, before);
}
FLUX_DECL Result<bool> MemoryChatStore::replace(const RoomId& room, const ChatMessage& message) {
  return chat_->replace(room, message);
}

}  // namespace flux
