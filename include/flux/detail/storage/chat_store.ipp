#pragma once

#include <flux/detail/mode.hpp>
#include <flux/storage/chat_store.hpp>

namespace flux {

FLUX_DECL Result<void> check_storable(const ChatMessage& message) {
  for (const std::string* text :
       {&message.message, &message.metadata, &message.user_id, &message.id, &message.room, &message.connection_id}) {
    if (text->find('\0') == std::string::npos) continue;
    return Error(Errc::invalid_argument, "a chat message must not hold a NUL character (U+0000); leave it out");
  }
  return {};
}

FLUX_DECL std::vector<Result<Offset>> ChatStore::append_all(std::span<const ChatMessage> messages) {
  std::vector<Result<Offset>> results;
  results.reserve(messages.size());
  for (const ChatMessage& message : messages) results.push_back(append(message.room, message));
  return results;
}

FLUX_DECL Result<bool> ChatStore::replace(const RoomId& /*room*/, const ChatMessage& /*message*/) {
  return Error(Errc::forbidden, "this chat store can't edit messages");
}

}  // namespace flux
