// What the chat stores in SQLite, PostgreSQL and MySQL have in common.
#pragma once

#include <flux/clock.hpp>
#include <flux/storage/chat_store.hpp>
#include <flux/storage/sql_options.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace flux {

namespace storage::sql {
class Chat;
}

struct SqlChatOptions : SqlOptions {
  /// 1 to 40 letters, digits and `_`, no digit first. `<table>_rooms` and `<table>_version` are made beside it.
  std::string table = "flux_chat";
  /// Of a room's messages the newest so many are kept. 0: all.
  std::size_t messages_per_room_max = 0;
  /// Messages older than this (by `created_at`) are dropped. 0: none.
  std::chrono::milliseconds age_max{0};
  /// Messages stored in one transaction, 1 to 1000.
  std::size_t batch_max = 256;
  /// For the statement with which a server copies the table of another program, at the first start; 100 ms to a day.
  std::chrono::milliseconds take_over_timeout{std::chrono::minutes(10)};
  std::shared_ptr<Clock> clock{};  ///< tells the age of messages; none: the machine's
};

/// Keeps chat in a table of a database: one row for each message, with its offset in `room_offset`.
///
/// The tables are made at the first start, by one process at a time. A table that is there already is taken over where
/// it has the columns id, room_id, connection_id, user_id, message, metadata and created_at (milliseconds since 1970,
/// or a time of the database), as other servers of this kind make: its messages get their offsets in the order of
/// (created_at, id). They are copied; the table as it was stays behind as `<table>_before_flux`, until you drop it.
///
/// Durability:  what `append` has returned is on the disk.
/// Idempotence: by (room, id), as long as the message is kept; also where the answer of a commit was lost.
/// Retention:   offsets go on counting. What is past a limit is in no history from that moment on. It leaves the table:
///              by count with the room's next message, by age within a minute of somebody's next message.
/// Errors:      the constructors throw store_failed, or bad_config for an option out of its range. Calls give
///              store_failed, within `call_timeout` and one attempt to connect; while the database is known to be away,
///              at once. Text with a NUL is refused with invalid_argument.
/// Threading:   as `ChatStore` says. Several processes may share a PostgreSQL or MySQL table, or a SQLite file.
class SqlChatStore : public ChatStore {
 public:
  ~SqlChatStore() override;
  SqlChatStore(const SqlChatStore&) = delete;
  SqlChatStore& operator=(const SqlChatStore&) = delete;

  Result<Offset> append(const RoomId& room, const ChatMessage& message) final;
  std::vector<Result<Offset>> append_all(std::span<const ChatMessage> messages) final;
  Result<std::vector<ChatMessage>> history(const RoomId& room, std::size_t limit, Offset before) final;
  std::size_t batch_max() const final;

  /// Deletes what is too old, for an application that needs it gone although nobody writes.
  Result<void> drop_expired();

 protected:
  explicit SqlChatStore(std::unique_ptr<storage::sql::Chat> chat);

 private:
  std::unique_ptr<storage::sql::Chat> chat_;
};

}  // namespace flux
