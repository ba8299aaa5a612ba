#pragma once

#include <flux/detail/features/chat_log.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace flux::detail {
inline Error chat_store_overloaded() { return {Errc::overloaded, "too many chat calls wait for the store; try again"}; }
}  // namespace flux::detail

namespace flux::features {

namespace chat_detail {

/// The largest integer that every JSON reader keeps exactly (RFC 8259, 6).
constexpr Offset offset_max = (Offset{1} << 53) - 1;

/// The most messages to request at once. Bounded, because a store that does not block copies them in one turn of an
/// event loop.
FLUX_DECL std::size_t portion_of(const Limits& limits) {
  constexpr std::size_t bytes_max = 8'388'608;
  const std::size_t message = std::max<std::size_t>(limits.chat_bytes_max + limits.metadata_bytes_max, 1);
  return std::clamp<std::size_t>(bytes_max / message, 1, 1000);
}

}  // namespace chat_detail

/// A message waiting for its batch.
struct ChatLog::Pending final : storage::StoreQueue::Part {
  ChatMessage message;
  Retry retry = Retry::no;
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

FLUX_DECL void ChatLog::append(ChatMessage message, Retry retry, Stored stored) {
  if (batches_) return append_with_others(std::move(message), retry, stored);
  const RoomId room = message.room;
  call<StoredChat>(
      room,
      [this, message = std::move(message), retry](ChatStore& store) -> Result<StoredChat> {
        Newest newest;
        if (retry == Retry::possible) {
          if (const auto read = read_newest(store, message.room, newest); !read) return read.error();
        }
        const Result<Offset> offset = store.append(message.room, message);
        if (!offset) return offset.error();
        return outcome(store, message, retry, *offset, newest);
      },
      std::move(stored));
}

FLUX_DECL Result<void> ChatLog::read_newest(ChatStore& store, const RoomId& room, Newest& newest) {
  if (newest.count(room) != 0) return {};
  const auto last = store.history(room, 1, 0);
  if (!last) return last.error();
  newest[room] = last->empty() ? 0 : last->back().offset;
  return {};
}

/// `newest`: before this message was stored; raised to its offset.
FLUX_DECL Result<StoredChat> ChatLog::outcome(ChatStore& store, ChatMessage message, Retry retry, Offset offset,
                                              Newest& newest) const {
  if (offset == 0 || offset > chat_detail::offset_max) {
    return Error(Errc::store_failed, "it gave a message of room \"" + message.room + "\" the offset " +
                                         std::to_string(offset) + "; offsets are 1 to " +
                                         std::to_string(chat_detail::offset_max));
  }
  message.offset = offset;
  const auto before = newest.find(message.room);
  if (before == newest.end()) return StoredChat{std::move(message)};
  const bool is_newer = offset > before->second;
  if (is_newer) before->second = offset;
  if (is_newer || retry == Retry::no) return StoredChat{std::move(message)};
  auto first = read_one(store, message.room, offset);
  if (!first) return first.error();
  return StoredChat{*first ? std::move(**first) : std::move(message), true};
}

FLUX_DECL void ChatLog::append_with_others(ChatMessage message, Retry retry, const Stored& stored) {
  auto pending = std::make_unique<Pending>();
  const RoomId room = message.room;
  pending->message = std::move(message);
  pending->retry = retry;
  pending->stored = stored;  // a copy, because it is called below if the queue is full
  std::unique_ptr<storage::StoreQueue::Part> part = std::move(pending);
  if (!queue_->add(room, part)) stored(flux::detail::chat_store_overloaded(), Turn());
}

FLUX_DECL void ChatLog::append_batch(std::vector<storage::StoreQueue::PartInTurn> batch) {
  std::vector<ChatMessage> messages;
  messages.reserve(batch.size());
  for (const auto& item : batch) messages.push_back(std::move(static_cast<Pending&>(*item.part).message));
  const auto retry_of = [&](std::size_t i) { return static_cast<Pending&>(*batch[i].part).retry; };
  Newest newest;
  using Offsets = Result<std::vector<Result<Offset>>>;
  const Offsets offsets = faults_->guarded([&]() -> Offsets {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (retry_of(i) == Retry::no) continue;
      if (const auto read = read_newest(*store_, messages[i].room, newest); !read) return read.error();
    }
    return store_->append_all(messages);
  });
  std::optional<Error> failure;
  if (!offsets) failure = offsets.error();
  if (offsets && offsets->size() != messages.size()) {
    failure = faults_->misbehaved("gave " + std::to_string(offsets->size()) + " results for " +
                                  std::to_string(messages.size()) + " messages");
  }
  for (std::size_t i = 0; i < batch.size(); ++i) {
    Result<Offset> offset = failure ? Result<Offset>(*failure) : (*offsets)[i];
    if (!failure && !offset) offset = faults_->failed(offset.error());
    Result<StoredChat> result =
        offset
            ? faults_->guarded([&] { return outcome(*store_, std::move(messages[i]), retry_of(i), *offset, newest); })
            : Result<StoredChat>(offset.error());
    static_cast<Pending&>(*batch[i].part).stored(std::move(result), batch[i].turn);
    batch[i] = {};  // releases the turn: the room continues after its last message
  }
}

FLUX_DECL void ChatLog::find(const RoomId& room, Offset offset,
                             std::function<void(Result<std::optional<ChatMessage>>)> found) {
  using Message = std::optional<ChatMessage>;
  const auto read = [this, room, offset](ChatStore& store) { return read_undeleted(store, room, offset); };
  if (queue_) {
    return call<Message>(
        room, read, [found = std::move(found)](Result<Message> message, const Turn&) { found(std::move(message)); });
  }
  Result<Message> message{Message()};
  call<Message>(room, read, [&](Result<Message> result, const Turn&) { message = std::move(result); });
  found(std::move(message));  // without the lock
}

FLUX_DECL void ChatLog::change(const RoomId& room, Offset offset, Change change,
                               std::function<void(Result<std::optional<ChatMessage>>, const Turn&)> changed) {
  call<std::optional<ChatMessage>>(
      room,
      [this, room, offset, change = std::move(change)](ChatStore& store) -> Result<std::optional<ChatMessage>> {
        auto message = read_undeleted(store, room, offset);
        if (!message || !*message) return message;
        change(**message);
        const auto replaced = store.replace(room, **message);
        if (!replaced) return replaced.error();
        return *replaced ? std::move(message) : Result<std::optional<ChatMessage>>(std::nullopt);
      },
      std::move(changed));
}

FLUX_DECL Result<std::optional<ChatMessage>> ChatLog::read_one(ChatStore& store, const RoomId& room,
                                                               Offset offset) const {
  auto page = store.history(room, 1, offset + 1);
  if (!page) return page.error();
  std::optional<ChatMessage> message;
  if (!page->empty() && page->back().offset == offset && mend(room, page->back())) message = std::move(page->back());
  return message;
}

FLUX_DECL Result<std::optional<ChatMessage>> ChatLog::read_undeleted(ChatStore& store, const RoomId& room,
                                                                     Offset offset) const {
  auto message = read_one(store, room, offset);
  if (message && *message && (*message)->deleted_at != 0) message->reset();
  return message;
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

/// Repairs a row, so that no bad row ends the connections of its readers. Returns false if it must be left out.
FLUX_DECL bool ChatLog::mend(const RoomId& room, ChatMessage& row) const {
  if (row.room != room) {
    bad_row(room, row, "which belongs to another room");
    return false;
  }
  const std::size_t bytes = row.message.size() + row.metadata.size();
  if (bytes > row_bytes_max_) {
    bad_row(room, row,
            "which has " + std::to_string(bytes) + " bytes; at most " + std::to_string(row_bytes_max_) + " are sent");
    return false;
  }
  for (std::string* text : {&row.message, &row.id, &row.connection_id, &row.user_id}) {
    if (mend_text(*text)) bad_row(room, row, "which is not UTF-8");
  }
  constexpr std::size_t any_depth = std::numeric_limits<std::size_t>::max();
  if (!row.metadata.empty() && !JsonText::parse(row.metadata, any_depth)) {
    bad_row(room, row, "whose metadata is not JSON");
    row.metadata.clear();
  }
  return true;
}

/// Reads in portions, so that memory is bounded even if every message has the maximum size. Requests one message more
/// than the page may hold, to know whether there are older ones.
FLUX_DECL Result<ChatPage> ChatLog::read_page(ChatStore& store, const RoomId& room, const PageRequest& asked) const {
  ChatPage page;  // newest first, until it is complete
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
        bad_row(room, *message,
                before == 0 ? "which is not at least 1" : "which is not below " + std::to_string(before));
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
