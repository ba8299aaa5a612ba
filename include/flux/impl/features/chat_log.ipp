#pragma once

#include <flux/detail/mode.hpp>
#include <flux/features/detail/chat_log.hpp>

namespace flux::features {

FLUX_DECL ChatLog::ChatLog(std::shared_ptr<ChatStore> store, std::shared_ptr<storage::StoreQueue> queue,
                           std::function<void(std::string_view)> failed)
    : store_(std::move(store)), queue_(std::move(queue)), failed_(std::move(failed)) {}

template <class T, class Call, class Done>
void ChatLog::call(const RoomId& room, Call store_call, Done done) {
  auto guarded = [this, store_call = std::move(store_call)]() -> Result<T> {
    try {
      return store_call(*store_);
    } catch (const std::exception& e) {
      failed_(e.what());
      return Error(Errc::store_failed, "the chat store failed");
    } catch (...) {
      failed_("an exception that is no std::exception");
      return Error(Errc::store_failed, "the chat store failed");
    }
  };
  if (!queue_) {
    const std::lock_guard lock(lock_of(room));
    done(guarded(), Turn());
    return;
  }
  if (!queue_->run(room, [guarded, done](const Turn& turn) { done(guarded(), turn); })) {
    done(Error(Errc::overloaded, "too many chat calls wait for the store; try again"), Turn());
  }
}

FLUX_DECL void ChatLog::append(ChatMessage message, std::function<void(Result<ChatMessage>, const Turn&)> stored) {
  const RoomId room = message.room;
  call<ChatMessage>(
      room,
      [message = std::move(message)](ChatStore& store) -> Result<ChatMessage> {
        const Result<Offset> offset = store.append(message.room, message);
        if (!offset) return offset.error();
        ChatMessage kept = message;
        kept.offset = *offset;
        return kept;
      },
      std::move(stored));
}

FLUX_DECL void ChatLog::history(const RoomId& room, std::size_t limit, Offset before,
                                std::function<void(Result<Page>, const Turn&)> read) {
  call<Page>(
      room, [room, limit, before](ChatStore& store) { return store.history(room, limit, before); }, std::move(read));
}

}  // namespace flux::features
