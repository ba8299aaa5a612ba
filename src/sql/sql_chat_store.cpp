#include "chat.hpp"

#include <utility>

namespace flux {

SqlChatStore::SqlChatStore(std::unique_ptr<storage::sql::Chat> chat) : chat_(std::move(chat)) {}
SqlChatStore::~SqlChatStore() = default;

Result<Offset> SqlChatStore::append(const RoomId& room, const ChatMessage& message) {
  if (message.room == room) return std::move(chat_->append_all({&message, 1}).front());
  ChatMessage moved = message;
  moved.room = room;
  return std::move(chat_->append_all({&moved, 1}).front());
}

std::vector<Result<Offset>> SqlChatStore::append_all(std::span<const ChatMessage> messages) {
  return chat_->append_all(messages);
}

Result<std::vector<ChatMessage>> SqlChatStore::history(const RoomId& room, std::size_t limit, Offset before) {
  return chat_->history(room, limit, before);
}

std::size_t SqlChatStore::batch_max() const { return chat_->batch_max(); }

Result<void> SqlChatStore::drop_expired() { return chat_->drop_expired(); }

}  // namespace flux
