#include "chat.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace flux::storage::sql {

using namespace std::chrono_literals;

namespace {

constexpr std::chrono::milliseconds drop_interval = 1min;
constexpr std::size_t columns_read = 9;  // by `Chat::page`

Value time_or_null(std::int64_t ms) { return ms == 0 ? Value() : Value(ms); }
std::int64_t time_of(const std::optional<std::string>& column) { return column ? to_int(column) : 0; }
Value text_or_null(const std::string& text) { return text.empty() ? Value() : Value(text); }

std::size_t bytes_of(const ChatMessage& message) {
  return message.room.size() + message.id.size() + message.connection_id.size() + message.user_id.size() +
         message.message.size() + message.metadata.size();
}

}  // namespace

/// Checks the ranges of `options`, and adds a clock if there is none. Errors: throws `Error` (bad_config).
static SqlChatOptions checked(SqlChatOptions options) {
  check_table(Chat::name, options.table);
  require(options.batch_max >= 1 && options.batch_max <= 1000, Chat::name,
          "batch_max must be 1 to 1000, not " + std::to_string(options.batch_max));
  check_timeout(Chat::name, "take_over_timeout", options.take_over_timeout);
  require(options.age_max >= 0ms, Chat::name, "age_max must not be negative");
  require(options.messages_per_room_max <= static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max()),
          Chat::name, "messages_per_room_max is too large");
  if (!options.clock) options.clock = std::make_shared<SystemClock>();
  return options;
}

Chat::Chat(std::unique_ptr<Database> database, const SqlChatOptions& options)
    : options_(checked(options)), database_(std::move(database)), tables_(database_->dialect(), options.table) {
  database_->prepare([this](Connection& connection) {
    prepare_chat_schema(connection, *database_, tables_, options_.take_over_timeout);
    check_rights(connection, tables_, options_.messages_per_room_max != 0 || options_.age_max != 0ms);
    if (options_.messages_per_room_max != 0) drop_all_by_count(connection);
    drop_by_age(connection);
  });
}

// --- Appending ---

std::vector<Result<Offset>> Chat::append_all(std::span<const ChatMessage> messages) {
  const TimePoint until = database_->deadline();
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
    append_unknown(connection, batch);  // the reply to an earlier attempt may have been lost
  };
  try {
    database_->write(until, attempt);
  } catch (const Failure& failure) {
    if (failure.kind() == Failure::Kind::bad_value && batch.size() > 1) {
      for (const Pending& pending : batch) store({pending}, until);  // one bad message must not lose the others
      return;
    }
    for (const Pending& pending : batch) *pending.result = database_->failed(failure);
  }
}

/// Assumes that no id is stored yet, which is the usual case. Errors: throws `Failure`, a duplicate if one is.
void Chat::append_new(Connection& connection, const Batch& batch) const {
  std::map<std::string, std::int64_t> last;
  for (const Pending& pending : batch) ++last[pending.message->room];
  auto next = last;
  Transaction transaction(connection, database_->dialect().begin());
  last = database_->dialect().add_to_counters(connection, tables_.rooms, last);
  for (auto& [room, offset] : next) offset = last.at(room) - offset;
  std::vector<Offset> offsets;
  offsets.reserve(batch.size());
  for (const Pending& pending : batch) offsets.push_back(static_cast<Offset>(++next[pending.message->room]));
  insert(connection, batch, offsets);
  for (const auto& [room, offset] : last) drop_by_count(connection, room, offset);
  transaction.commit();
  for (std::size_t i = 0; i < batch.size(); ++i) *batch[i].result = offsets[i];
}

/// Stores the messages that are not stored yet. The batch may contain an id twice.
void Chat::append_unknown(Connection& connection, const Batch& batch) const {
  std::map<std::string, std::map<std::string, Offset>> known;  // by room and id; 0: not stored
  std::map<std::string, std::int64_t> last;
  for (const Pending& pending : batch) {
    known[pending.message->room][pending.message->id] = 0;
    last[pending.message->room] = 0;
  }
  Transaction transaction(connection, database_->dialect().begin());
  last = database_->dialect().add_to_counters(connection, tables_.rooms, last);
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
    last = database_->dialect().add_to_counters(connection, tables_.rooms, added);
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
    const std::size_t end = std::min(batch.size(), i + database_->dialect().insert_rows_max());
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

// --- Editing ---

/// The message is read afterwards, because the databases count updated rows differently. Another process may delete it at
/// the same time; a deletion that is repeated after a lost reply finds its own time.
Result<bool> Chat::replace(const RoomId& room, const ChatMessage& message) {
  if (const auto storable = check_storable(message); !storable) return storable.error();
  if (room.find('\0') != std::string::npos) return false;  // no room with such an id is stored
  if (message.offset > static_cast<Offset>(std::numeric_limits<std::int64_t>::max() - 1)) return false;
  try {
    bool found = false;
    database_->write(database_->deadline(), [&](Connection& connection, int) {
      connection.run(update(room, message));
      const Rows newest = connection.run(page(room, 1, message.offset + 1), columns_read);
      found = !newest.empty() && static_cast<Offset>(to_int(newest.front().at(0))) == message.offset &&
              time_of(newest.front().at(8)) == message.deleted_at;
    });
    return found;
  } catch (const Failure& failure) {
    return database_->failed(failure);
  }
}

Statement Chat::update(const RoomId& room, const ChatMessage& message) const {
  Statement update("UPDATE " + tables_.messages + " SET message = ");
  update.bind(message.message).sql(", metadata = ").bind(text_or_null(message.metadata));
  update.sql(", edited_at = ").bind(time_or_null(message.edited_at));
  update.sql(", deleted_at = ").bind(time_or_null(message.deleted_at));
  update.sql(" WHERE room_id = ").bind(room);
  update.sql(" AND room_offset = ").bind(static_cast<std::int64_t>(message.offset)).sql(" AND deleted_at IS NULL");
  return update;
}

// --- Reading ---

Result<std::vector<ChatMessage>> Chat::history(const RoomId& room, std::size_t limit, Offset before) {
  std::vector<ChatMessage> messages;
  if (room.find('\0') != std::string::npos) return messages;  // no room with such an id is stored
  try {
    const Statement statement = page(room, limit, before);
    const Rows rows = database_->read(
        database_->deadline(), [&](Connection& connection, int) { return connection.run(statement, columns_read); });
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
      message.edited_at = time_of(row->at(7));
      message.deleted_at = time_of(row->at(8));
    }
    return messages;
  } catch (const Failure& failure) {
    return database_->failed(failure);
  }
}

Statement Chat::page(const RoomId& room, std::size_t limit, Offset before) const {
  constexpr auto most = static_cast<Offset>(std::numeric_limits<std::int64_t>::max());
  Statement page(
      "SELECT room_offset, id, connection_id, user_id, message, metadata, created_at, edited_at, deleted_at FROM " +
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

/// The limit may have been lowered, and some rooms may never be written to again.
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
    database_->write(database_->deadline(), [&](Connection& connection, int) { drop_by_age(connection); });
    return {};
  } catch (const Failure& failure) {
    return database_->failed(failure);
  }
}

/// At most once a minute. A failure is not reported, because no caller asked for this, and no history contains expired
/// messages. The next call retries.
void Chat::drop_by_age_sometimes(TimePoint until) {
  if (options_.age_max == 0ms) return;
  {
    const std::lock_guard lock(mutex_);
    const TimePoint now = options_.clock->now();
    if (now < next_drop_) return;
    next_drop_ = now + drop_interval;
  }
  try {
    database_->write(until, [&](Connection& connection, int) { drop_by_age(connection); });
  } catch (const Failure&) {
  }
}

}  // namespace flux::storage::sql
