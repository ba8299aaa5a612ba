#pragma once

#include <flux/detail/features/chat_log.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

namespace flux::detail {
inline Error chat_store_overloaded() { return {Errc::overloaded, "too many chat calls wait for the store; try again"}; }
}  // namespace flux::detail

namespace flux::features {

namespace chat_detail {

/// What a store that does not block is asked for at once is copied in a turn of an event loop.
FLUX_DECL std::size_t portion_of(const Limits& limits) {
  constexpr std::size_t bytes_max = 8'388'608;
  const std::size_t message = std::max<std::size_t>(limits.chat_bytes_max + limits.metadata_bytes_max, 1);
  return std::clamp<std::size_t>(bytes_max / message, 1, 1000);
}

}  // namespace chat_detail

/// A message that waits for its batch.
struct ChatLog::Pending final : storage::StoreQueue::Part {
  ChatMessage message;
  Stored stored;
};

FLUX_DECL ChatLog::ChatLog(std::shared_ptr<ChatStore> store, std::shared_ptr<storage::StoreQueue> queue,
                           const Limits& limits, std::shared_ptr<StoreFaults> faults)
    : store_(std::move(store)),
      queue_(std::move(queue)),
      batches_(queue_ && store_->batch_max() > 1),
      row_bytes_max_(std::max(limits.message_bytes_max, limits.chat_bytes_max + limits.metadata_bytes_max)),
      portion_max_(chat_detail::portion_of(limits)),
      faults_(std::move(faults)) {
  if (!batches_) return;
  queue_->collect(store_->batch_max(),
                  [this](std::vector<storage::StoreQueue::PartInTurn> batch) { append_batch(std::move(batch)); });
}

template <class T, class Call, class Done>
void ChatLog::call(const RoomId& room, Call store_call, Done done) {
  if (!queue_) {
    const std::lock_guard lock(lock_of(room));
    done(faults_->guarded([&]() -> Result<T> { return store_call(*store_); }), Turn());
    return;
  }
  const bool taken = queue_->run(room, [this, store_call = std::move(store_call), done](const Turn& turn) {
    done(faults_->guarded([&]() -> Result<T> { return store_call(*store_); }), turn);
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
  const Offsets offsets = faults_->guarded([&]() -> Offsets { return store_->append_all(messages); });
  std::optional<Error> failure;
  if (!offsets) failure = offsets.error();
  if (offsets && offsets->size() != messages.size()) {
    failure = faults_->misbehaved("gave " + std::to_string(offsets->size()) + " results for " +
                                  std::to_string(messages.size()) + " messages");
  }
  for (std::size_t i = 0; i < batch.size(); ++i) {
    Result<Offset> offset = failure ? Result<Offset>(*failure) : (*offsets)[i];
    if (!failure && !offset) offset = faults_->failed(offset.error());
    if (offset) messages[i].offset = *offset;
    const auto& stored = static_cast<Pending&>(*batch[i].part).stored;
    stored(offset ? Result<ChatMessage>(std::move(messages[i])) : Result<ChatMessage>(offset.error()), batch[i].turn);
    batch[i] = {};  // the room goes on when its last message is through
  }
}

FLUX_DECL void ChatLog::history(const RoomId& room, const PageRequest& asked,
                                std::function<void(Result<ChatPage>, const Turn&)> read) {
  call<ChatPage>(
      room, [this, room, asked](ChatStore& store) { return read_page(store, room, asked); }, std::move(read));
}

FLUX_DECL void ChatLog::bad_row(const RoomId& room, const ChatMessage& row, const std::string& what) const {
  (void)faults_->misbehaved("gave a bad message of room \"" + room + "\", offset " + std::to_string(row.offset) + ", " +
                            what);
}

/// What a store gives must not end the connections of those who read it. False where it must be left out.
FLUX_DECL bool ChatLog::mend(const RoomId& room, ChatMessage& row) const {
  if (row.room != room) {
    bad_row(room, row, "which is of another room");
    return false;
  }
  const std::size_t bytes = row.message.size() + row.metadata.size();
  if (bytes > row_bytes_max_) {
    bad_row(room, row,
            "which has " + std::to_string(bytes) + " bytes; at most " + std::to_string(row_bytes_max_) + " are sent");
    return false;
  }
  for (std::string* text : {&row.message, &row.id, &row.connection_id, &row.user_id}) {
    if (mend_text(*text)) bad_row(room, row, "which is no UTF-8");
  }
  constexpr std::size_t any_depth = std::numeric_limits<std::size_t>::max();
  if (!row.metadata.empty() && !JsonText::parse(row.metadata, any_depth)) {
    bad_row(room, row, "whose metadata is no JSON");
    row.metadata.clear();
  }
  return true;
}

/// In portions, which are bounded though all of their messages are as long as they may be. One message more than the
/// page may have tells whether there are older ones.
FLUX_DECL Result<ChatPage> ChatLog::read_page(ChatStore& store, const RoomId& room, const PageRequest& asked) const {
  ChatPage page;  // from the newest back, until it is complete
  PageSize size(asked.bytes_max);
  Offset before = asked.before;
  for (bool goes_on = true; goes_on;) {
    const std::size_t missing = asked.limit - page.entries.size();
    const std::size_t wanted = missing < portion_max_ ? missing + 1 : portion_max_;
    auto portion = store.history(room, wanted, before);
    if (!portion) return portion.error();
    const Offset begin = before;
    for (auto message = portion->rbegin(); message != portion->rend(); ++message) {
      if (message->offset == 0 || (before != 0 && message->offset >= before)) {
        bad_row(room, *message, "which is not below " + std::to_string(before));
        continue;
      }
      if (!mend(room, *message)) {
        before = message->offset;
        continue;
      }
      if (page.entries.size() == asked.limit || !size.takes(json_bytes(*message))) {
        page.before = page.entries.back().offset;
        goes_on = false;
        break;
      }
      before = message->offset;
      page.entries.push_back(std::move(*message));
    }
    if (portion->size() < wanted || before == begin) goes_on = false;
  }
  std::reverse(page.entries.begin(), page.entries.end());
  return page;
}

}  // namespace flux::features
