#pragma once

#include <flux/detail/mode.hpp>
#include <flux/features/detail/chat_log.hpp>

#include <utility>

namespace flux::detail {
inline Error chat_store_failed() { return {Errc::store_failed, "the chat store failed"}; }
inline Error chat_store_overloaded() { return {Errc::overloaded, "too many chat calls wait for the store; try again"}; }
}  // namespace flux::detail

namespace flux::features {

/// A message that waits for its batch.
struct ChatLog::Pending final : storage::StoreQueue::Part {
  ChatMessage message;
  Stored stored;
};

FLUX_DECL ChatLog::ChatLog(std::shared_ptr<ChatStore> store, std::shared_ptr<storage::StoreQueue> queue,
                           std::function<void(std::string_view)> failed)
    : store_(std::move(store)),
      queue_(std::move(queue)),
      batches_(queue_ && store_->batch_max() > 1),
      failed_(std::move(failed)) {
  if (!batches_) return;
  queue_->collect(store_->batch_max(),
                  [this](std::vector<storage::StoreQueue::PartInTurn> batch) { append_batch(std::move(batch)); });
}

/// What the store gives. `T` is made of an error where the store throws.
template <class T, class Call>
T ChatLog::guarded(const Call& store_call) {
  try {
    return store_call(*store_);
  } catch (const std::exception& e) {
    failed_(e.what());
  } catch (...) {
    failed_("an exception that is no std::exception");
  }
  return flux::detail::chat_store_failed();
}

template <class T, class Call, class Done>
void ChatLog::call(const RoomId& room, Call store_call, Done done) {
  if (!queue_) {
    const std::lock_guard lock(lock_of(room));
    done(guarded<Result<T>>(store_call), Turn());
    return;
  }
  const bool taken = queue_->run(room, [this, store_call = std::move(store_call), done](const Turn& turn) {
    done(guarded<Result<T>>(store_call), turn);
  });
  if (!taken) done(flux::detail::chat_store_overloaded(), Turn());
}

FLUX_DECL void ChatLog::append(ChatMessage message, Stored stored) {
  if (batches_) return append_with_others(std::move(message), stored);
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

FLUX_DECL void ChatLog::append_with_others(ChatMessage message, const Stored& stored) {
  auto pending = std::make_unique<Pending>();
  const RoomId room = message.room;
  pending->message = std::move(message);
  pending->stored = stored;  // a copy: it is told here, too, where the queue takes nothing
  std::unique_ptr<storage::StoreQueue::Part> part = std::move(pending);
  if (!queue_->add(room, part)) stored(flux::detail::chat_store_overloaded(), Turn());
}

FLUX_DECL void ChatLog::append_batch(std::vector<storage::StoreQueue::PartInTurn> batch) {
  std::vector<ChatMessage> messages;
  messages.reserve(batch.size());
  for (const auto& item : batch) messages.push_back(std::move(static_cast<Pending&>(*item.part).message));
  using Offsets = Result<std::vector<Result<Offset>>>;
  const Offsets offsets = guarded<Offsets>([&](ChatStore& store) -> Offsets {
    auto results = store.append_all(messages);
    if (results.size() == messages.size()) return results;
    failed_("append_all gave " + std::to_string(results.size()) + " results for " + std::to_string(messages.size()) +
            " messages");
    return flux::detail::chat_store_failed();
  });
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const Result<Offset> offset = offsets ? (*offsets)[i] : Result<Offset>(offsets.error());
    if (offset) messages[i].offset = *offset;
    const auto& stored = static_cast<Pending&>(*batch[i].part).stored;
    stored(offset ? Result<ChatMessage>(std::move(messages[i])) : Result<ChatMessage>(offset.error()), batch[i].turn);
    batch[i] = {};  // the room goes on when its last message is through
  }
}

FLUX_DECL void ChatLog::history(const RoomId& room, std::size_t limit, Offset before,
                                std::function<void(Result<Page>, const Turn&)> read) {
  call<Page>(
      room, [room, limit, before](ChatStore& store) { return store.history(room, limit, before); }, std::move(read));
}

}  // namespace flux::features
