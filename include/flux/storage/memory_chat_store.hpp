// Chat in memory: the default store.
#pragma once

#include <flux/storage/chat_store.hpp>

#include <algorithm>
#include <deque>
#include <list>
#include <mutex>
#include <unordered_map>

namespace flux {

/// Keeps the newest `messages_per_room` messages (0: none) of each of the `rooms_max` rooms (0: any number) that were
/// written to last. Of a room that made way for another, nothing is left, and its offsets begin at 1 again.
/// Threading: any thread. Never blocks.
class MemoryChatStore final : public ChatStore {
 public:
  explicit MemoryChatStore(std::size_t messages_per_room = 1000, std::size_t rooms_max = 10'000)
      : messages_per_room_(messages_per_room), rooms_max_(rooms_max) {}

  Result<Offset> append(const RoomId& room, const ChatMessage& message) override {
    if (const auto storable = check_storable(message); !storable) return storable.error();
    const std::lock_guard lock(mutex_);
    Log& log = touch(room);
    if (const auto kept = log.by_id.find(message.id); kept != log.by_id.end()) return kept->second;
    const Offset offset = ++log.last;
    if (messages_per_room_ == 0) return offset;
    if (log.messages.size() == messages_per_room_) {
      log.by_id.erase(log.messages.front().id);
      log.messages.pop_front();
    }
    log.messages.push_back(message);
    log.messages.back().offset = offset;
    log.by_id.emplace(log.messages.back().id, offset);
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

 private:
  struct Log {
    RoomId room;
    std::deque<ChatMessage> messages;
    std::unordered_map<std::string_view, Offset> by_id;  // views into `messages`, whose elements never move
    Offset last = 0;
  };

  /// The room's log, moved to the front; the one unused for longest makes way for a new one.
  Log& touch(const RoomId& room) {
    const auto found = logs_.find(room);
    if (found != logs_.end()) {
      recent_.splice(recent_.begin(), recent_, found->second);
      return recent_.front();
    }
    if (rooms_max_ != 0 && logs_.size() >= rooms_max_) {
      logs_.erase(recent_.back().room);
      recent_.pop_back();
    }
    recent_.emplace_front();
    recent_.front().room = room;
    logs_[room] = recent_.begin();
    return recent_.front();
  }

  const std::size_t messages_per_room_;
  const std::size_t rooms_max_;
  std::mutex mutex_;
  std::list<Log> recent_;
  std::unordered_map<RoomId, std::list<Log>::iterator> logs_;
};

}  // namespace flux
