#include "chat.hpp"

#include <algorithm>
#include <limits>
#include <thread>
#include <utility>

namespace flux::storage::sql {

using namespace std::chrono_literals;

namespace {

/// One statement holds so much text, and one message more: servers limit a statement's size.
constexpr std::size_t statement_bytes = 512 * 1024;
constexpr std::chrono::milliseconds drop_interval = 1min;
/// Between two tries of a transaction that somebody else was in the way of.
constexpr std::chrono::milliseconds conflict_pause = 10ms;

std::int64_t to_int(const std::optional<std::string>& column) { return std::stoll(column.value()); }

Value text_or_null(const std::string& text) { return text.empty() ? Value() : Value(text); }

std::size_t bytes_of(const ChatMessage& message) {
  return message.room.size() + message.id.size() + message.connection_id.size() + message.user_id.size() +
         message.message.size() + message.metadata.size();
}

}  // namespace

void check_options(const SqlChatOptions& options) {
  const auto require = [](bool good, const std::string& text) {
    if (!good) throw Error(Errc::bad_config, "chat store: " + text);
  };
  const std::string& table = options.table;
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto allowed = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  require(
      !table.empty() && table.size() <= 40 && letter(table.front()) && std::all_of(table.begin(), table.end(), allowed),
      "a table's name has 1 to 40 letters, digits and \"_\", and no digit first; \"" + table + "\" has not");
  require(options.batch_max >= 1 && options.batch_max <= 1000,
          "batch_max must be 1 to 1000, not " + std::to_string(options.batch_max));
  require(options.connections >= 1 && options.connections <= 256,
          "connections must be 1 to 256, not " + std::to_string(options.connections));
  require(options.age_max >= 0ms, "age_max must not be negative");
  require(options.messages_per_room_max <= static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max()),
          "messages_per_room_max is too large");
  require(options.call_timeout >= 100ms,
          "call_timeout must be at least 100 ms, not " + std::to_string(options.call_timeout.count()));
  require(options.connect_timeout >= 100ms,
          "connect_timeout must be at least 100 ms, not " + std::to_string(options.connect_timeout.count()));
}

Chat::Chat(std::string database, std::unique_ptr<Dialect> dialect, std::shared_ptr<ConnectionPool> writers,
           std::shared_ptr<ConnectionPool> readers, const SqlChatOptions& options)
    : database_(std::move(database)),
      options_([&] {
        SqlChatOptions own = options;
        if (!own.clock) own.clock = std::make_shared<SystemClock>();
        return own;
      }()),
      dialect_(std::move(dialect)),
      writers_(std::move(writers)),
      readers_(std::move(readers)),
      tables_(*dialect_, options.table) {
  try {
    // Copying a large table may take long: connecting has its bound, and the rest has none.
    const auto lease = writers_->lease(std::chrono::steady_clock::now());
    (*lease).set_deadline(TimePoint::max());
    prepare_chat_schema(*lease, *dialect_, tables_);
    check_rights(*lease, tables_, options_.messages_per_room_max != 0 || options_.age_max != 0ms);
    if (options_.messages_per_room_max != 0) drop_all_by_count(*lease);
    drop_by_age(*lease);
  } catch (const Failure& failure) {
    throw failed(failure);
  }
}

// --- Calls, tried again ---

/// What `work` gives with a connection of the pool. A lost connection and a conflict are tried again until the
/// deadline; `work` is told how often it was tried. Errors: throws `Failure`.
template <class Work>
auto Chat::with_connection(ConnectionPool& pool, TimePoint deadline, const Work& work) {
  for (int tries = 0;; ++tries) {
    try {
      auto lease = pool.lease(deadline);
      try {
        return work(*lease, tries);
      } catch (const Failure& failure) {
        if (failure.kind() == Failure::Kind::lost) lease.drop();
        throw;
      }
    } catch (const Failure& failure) {
      const bool again = failure.kind() == Failure::Kind::lost || failure.kind() == Failure::Kind::conflict;
      if (!again) throw;
      if (std::chrono::steady_clock::now() + conflict_pause >= deadline) {
        if (failure.kind() == Failure::Kind::lost) pool.found_away();
        throw;
      }
      if (pool.is_away()) throw;
      if (failure.kind() == Failure::Kind::conflict) std::this_thread::sleep_for(conflict_pause);
    }
  }
}

Error Chat::failed(const std::exception& failure) const {
  return {Errc::store_failed, "chat in " + database_ + ": " + failure.what()};
}

// --- Appending ---

std::vector<Result<Offset>> Chat::append_all(std::span<const ChatMessage> messages) {
  const TimePoint until = deadline();
  std::vector<Result<Offset>> results(messages.size(), Result<Offset>(Offset{0}));
  Batch batch;
  batch.reserve(messages.size());
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (const auto storable = check_storable(messages[i]); !storable) {
      results[i] = storable.error();
    } else {
      batch.push_back({&messages[i], &results[i]});
    }
  }
  if (!batch.empty()) store(batch, until);
  drop_by_age_sometimes(until);
  return results;
}

void Chat::store(const Batch& batch, TimePoint until) {
  const auto attempt = [&](Connection& connection, int tries) {
    if (tries == 0) {
      try {
        return append_new(connection, batch);
      } catch (const Failure& failure) {
        if (failure.kind() != Failure::Kind::duplicate) throw;
      }
    }
    append_unknown(connection, batch);  // the answer to an earlier try may have been lost
  };
  try {
    with_connection(*writers_, until, attempt);
  } catch (const Failure& failure) {
    if (failure.kind() == Failure::Kind::bad_value && batch.size() > 1) {
      for (const Pending& pending : batch) store({pending}, until);  // what is wrong with one must not lose another
      return;
    }
    for (const Pending& pending : batch) *pending.result = failed(failure);
  }
}

/// Takes it that no id is there yet, as it mostly is. Errors: throws `Failure`, a duplicate where one is.
void Chat::append_new(Connection& connection, const Batch& batch) const {
  std::map<std::string, std::int64_t> last;
  for (const Pending& pending : batch) ++last[pending.message->room];
  auto next = last;
  Transaction transaction(connection, dialect_->begin());
  last = dialect_->add_to_counters(connection, tables_.rooms, last);
  for (auto& [room, offset] : next) offset = last.at(room) - offset;
  std::vector<Offset> offsets;
  offsets.reserve(batch.size());
  for (const Pending& pending : batch) offsets.push_back(static_cast<Offset>(++next[pending.message->room]));
  insert(connection, batch, offsets);
  for (const auto& [room, offset] : last) drop_by_count(connection, room, offset);
  transaction.commit();
  for (std::size_t i = 0; i < batch.size(); ++i) *batch[i].result = offsets[i];
}

/// Stores what is not there yet: some ids may be, and some may be twice in the batch.
void Chat::append_unknown(Connection& connection, const Batch& batch) const {
  std::map<std::string, std::map<std::string, Offset>> known;  // by room and id; 0: not there
  std::map<std::string, std::int64_t> last;
  for (const Pending& pending : batch) {
    known[pending.message->room][pending.message->id] = 0;
    last[pending.message->room] = 0;
  }
  Transaction transaction(connection, dialect_->begin());
  last = dialect_->add_to_counters(connection, tables_.rooms, last);
  for (auto& [room, ids] : known) {
    Statement find("SELECT id, room_offset FROM " + tables_.messages + " WHERE room_id = ");
    find.bind(room);
    const char* separator = " AND id IN (";
    for (const auto& [id, unused] : ids) {
      find.sql(std::exchange(separator, ", ")).bind(id);
    }
    for (const Row& row : connection.run(find.sql(")"), 2))
      ids[row.at(0).value()] = static_cast<Offset>(to_int(row.at(1)));
  }
  Batch fresh;
  std::vector<Offset> offsets, fresh_offsets;
  std::map<std::string, std::int64_t> added;
  for (const Pending& pending : batch) {
    Offset& offset = known[pending.message->room][pending.message->id];
    if (offset == 0) {
      offset = static_cast<Offset>(last[pending.message->room] + ++added[pending.message->room]);
      fresh.push_back(pending);
      fresh_offsets.push_back(offset);
    }
    offsets.push_back(offset);
  }
  if (!fresh.empty()) {
    last = dialect_->add_to_counters(connection, tables_.rooms, added);
    insert(connection, fresh, fresh_offsets);
    for (const auto& [room, offset] : last) drop_by_count(connection, room, offset);
  }
  transaction.commit();
  for (std::size_t i = 0; i < batch.size(); ++i) *batch[i].result = offsets[i];
}

void Chat::insert(Connection& connection, std::span<const Pending> batch, std::span<const Offset> offsets) const {
  for (std::size_t i = 0; i < batch.size();) {
    Statement insert("INSERT INTO " + tables_.messages +
                     " (room_id, room_offset, id, connection_id, user_id, message, metadata, created_at) VALUES ");
    const std::size_t end = std::min(batch.size(), i + dialect_->insert_rows_max());
    std::size_t bytes = 0;
    for (const char* separator = "("; i < end && bytes < statement_bytes; ++i, separator = "), (") {
      const ChatMessage& message = *batch[i].message;
      bytes += bytes_of(message);
      insert.sql(separator).bind(message.room).sql(", ").bind(static_cast<std::int64_t>(offsets[i]));
      insert.sql(", ").bind(message.id).sql(", ").bind(message.connection_id);
      insert.sql(", ").bind(text_or_null(message.user_id)).sql(", ").bind(message.message);
      insert.sql(", ").bind(text_or_null(message.metadata)).sql(", ").bind(message.created_at);
    }
    connection.run(insert.sql(")"));
  }
}

// --- Reading ---

Result<std::vector<ChatMessage>> Chat::history(const RoomId& room, std::size_t limit, Offset before) {
  std::vector<ChatMessage> messages;
  if (room.find('\0') != std::string::npos) return messages;  // such a room holds nothing
  try {
    const Statement statement = page(room, limit, before);
    const Rows rows = with_connection(*readers_, deadline(),
                                      [&](Connection& connection, int) { return connection.run(statement, 7); });
    messages.reserve(rows.size());
    for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
      ChatMessage& message = messages.emplace_back();
      message.room = room;
      message.offset = static_cast<Offset>(to_int(row->at(0)));
      message.id = row->at(1).value_or("");
      message.connection_id = row->at(2).value_or("");
      message.user_id = row->at(3).value_or("");
      message.message = row->at(4).value_or("");
      message.metadata = row->at(5).value_or("");
      message.created_at = to_int(row->at(6));
    }
    return messages;
  } catch (const Failure& failure) {
    return failed(failure);
  }
}

Statement Chat::page(const RoomId& room, std::size_t limit, Offset before) const {
  constexpr auto most = static_cast<Offset>(std::numeric_limits<std::int64_t>::max());
  Statement page("SELECT room_offset, id, connection_id, user_id, message, metadata, created_at FROM " +
                 tables_.messages + " WHERE room_id = ");
  page.bind(room);
  if (before != 0) page.sql(" AND room_offset < ").bind(static_cast<std::int64_t>(std::min(before, most)));
  if (options_.messages_per_room_max != 0) {
    page.sql(" AND room_offset > (SELECT last_offset FROM " + tables_.rooms + " WHERE room_id = ").bind(room);
    page.sql(") - " + std::to_string(options_.messages_per_room_max));
  }
  if (options_.age_max != 0ms) page.sql(" AND created_at >= ").bind(oldest_kept());
  page.sql(" ORDER BY room_offset DESC LIMIT " + std::to_string(limit));
  return page;
}

// --- Dropping ---

std::int64_t Chat::oldest_kept() const { return options_.clock->unix_ms() - options_.age_max.count(); }

void Chat::drop_by_count(Connection& connection, const std::string& room, std::int64_t last) const {
  const auto kept = static_cast<std::int64_t>(options_.messages_per_room_max);
  if (kept == 0 || last <= kept) return;
  Statement drop("DELETE FROM " + tables_.messages + " WHERE room_id = ");
  connection.run(drop.bind(room).sql(" AND room_offset <= ").bind(last - kept));
}

/// Of rooms that nobody may write to again, and after the limit was lowered.
void Chat::drop_all_by_count(Connection& connection) const {
  connection.run("DELETE FROM " + tables_.messages + " WHERE room_offset <= (SELECT last_offset FROM " + tables_.rooms +
                 " WHERE " + tables_.rooms + ".room_id = " + tables_.messages + ".room_id) - " +
                 std::to_string(options_.messages_per_room_max));
}

void Chat::drop_by_age(Connection& connection) const {
  if (options_.age_max == 0ms) return;
  connection.run(Statement("DELETE FROM " + tables_.messages + " WHERE created_at < ").bind(oldest_kept()));
}

Result<void> Chat::drop_expired() {
  try {
    with_connection(*writers_, deadline(), [&](Connection& connection, int) { drop_by_age(connection); });
    return {};
  } catch (const Failure& failure) {
    return failed(failure);
  }
}

/// Once a minute. What fails is done the next time: nobody asked for it now, and no history shows what is too old.
void Chat::drop_by_age_sometimes(TimePoint until) {
  if (options_.age_max == 0ms) return;
  {
    const std::lock_guard lock(mutex_);
    const TimePoint now = options_.clock->now();
    if (now < next_drop_) return;
    next_drop_ = now + drop_interval;
  }
  try {
    with_connection(*writers_, until, [&](Connection& connection, int) { drop_by_age(connection); });
  } catch (const Failure&) {
  }
}

}  // namespace flux::storage::sql
