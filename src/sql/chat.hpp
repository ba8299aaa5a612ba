// Chat in SQL: the algorithm of all three databases.
#pragma once

#include "chat_schema.hpp"
#include "database.hpp"

#include <flux/storage/sql.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace flux::storage::sql {

/// Threading: any thread.
class Chat {
 public:
  static constexpr StoreName name{"chat store", "chat"};

  /// Creates or checks the tables. Errors: throws `Error` (store_failed, or bad_config if an option is out of its range).
  Chat(std::unique_ptr<Database> database, const SqlChatOptions& options);

  std::vector<Result<Offset>> append_all(std::span<const ChatMessage> messages);
  Result<std::vector<ChatMessage>> history(const RoomId& room, std::size_t limit, Offset before);
  Result<bool> replace(const RoomId& room, const ChatMessage& message);
  Result<void> drop_expired();
  std::size_t batch_max() const { return options_.batch_max; }

 private:
  /// A message of one call that is to be stored, and its result.
  struct Pending {
    const ChatMessage* message;
    Result<Offset>* result;
  };
  using Batch = std::vector<Pending>;

  void store(const Batch& batch, TimePoint until);
  void append_new(Connection& connection, const Batch& batch) const;
  void append_unknown(Connection& connection, const Batch& batch) const;
  void insert(Connection& connection, std::span<const Pending> batch, std::span<const Offset> offsets) const;
  void drop_by_count(Connection& connection, const std::string& room, std::int64_t last) const;
  void drop_all_by_count(Connection& connection) const;
  void drop_by_age(Connection& connection) const;
  void drop_by_age_sometimes(TimePoint until);
  Statement update(const RoomId& room, const ChatMessage& message) const;
  Statement page(const RoomId& room, std::size_t limit, Offset before) const;
  std::int64_t oldest_kept() const;

  const SqlChatOptions options_;
  const std::unique_ptr<Database> database_;
  const ChatTables tables_;
  std::mutex mutex_;
  TimePoint next_drop_{};  // guarded by mutex_
};

}  // namespace flux::storage::sql
