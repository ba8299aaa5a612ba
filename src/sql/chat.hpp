// Chat over SQL: what the three stores do.
#pragma once

#include "chat_schema.hpp"
#include "connection_pool.hpp"
#include "dialect.hpp"

#include <flux/storage/sql_chat_store.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace flux::storage::sql {

/// Throws `Error` (bad_config) where an option is out of its range.
void check_options(const SqlChatOptions& options);

/// Threading: any thread.
class Chat {
 public:
  /// Makes or checks the tables. `readers` may be `writers`. Errors: throws `Error` (store_failed).
  Chat(std::string database, std::unique_ptr<Dialect> dialect, std::shared_ptr<ConnectionPool> writers,
       std::shared_ptr<ConnectionPool> readers, const SqlChatOptions& options);

  std::vector<Result<Offset>> append_all(std::span<const ChatMessage> messages);
  Result<std::vector<ChatMessage>> history(const RoomId& room, std::size_t limit, Offset before);
  Result<void> drop_expired();
  std::size_t batch_max() const { return options_.batch_max; }

 private:
  /// Messages of one call that are to be stored, and where their results go.
  struct Pending {
    const ChatMessage* message;
    Result<Offset>* result;
  };
  using Batch = std::vector<Pending>;

  template <class Work>
  auto with_connection(ConnectionPool& pool, TimePoint deadline, const Work& work);
  void store(const Batch& batch, TimePoint until);
  void append_new(Connection& connection, const Batch& batch) const;
  void append_unknown(Connection& connection, const Batch& batch) const;
  void insert(Connection& connection, std::span<const Pending> batch, std::span<const Offset> offsets) const;
  void drop_by_count(Connection& connection, const std::string& room, std::int64_t last) const;
  void drop_all_by_count(Connection& connection) const;
  void drop_by_age(Connection& connection) const;
  void drop_by_age_sometimes(TimePoint until);
  Statement page(const RoomId& room, std::size_t limit, Offset before) const;
  std::int64_t oldest_kept() const;
  Error failed(const std::exception& failure) const;
  TimePoint deadline() const { return std::chrono::steady_clock::now() + options_.call_timeout; }

  const std::string database_;  // as errors name it
  const SqlChatOptions options_;
  const std::unique_ptr<Dialect> dialect_;
  const std::shared_ptr<ConnectionPool> writers_, readers_;
  const ChatTables tables_;
  std::mutex mutex_;
  TimePoint next_drop_{};  // guarded by mutex_
};

}  // namespace flux::storage::sql
