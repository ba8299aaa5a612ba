#include "room_tables.hpp"

#include "numbered_rows.hpp"
#include "schema.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

namespace flux::storage::sql {

namespace {

constexpr int rooms_version = 2;
constexpr std::array<Field, 6> room_fields = {{{"room_id", Content::key},
                                               {"life", Content::key},
                                               {"mode", Content::word},
                                               {"capacity", Content::number},
                                               {"permanent", Content::flag},
                                               {"demands", Content::text, true}}};
/// The columns of version 1. The other was added in version 2, and is NULL in rooms without demands of their own.
constexpr auto first_room_fields = std::span<const Field>(room_fields).first(5);
constexpr TableShape room_shape{room_fields, {"room_id", nullptr}};
constexpr TableShape first_shape{first_room_fields, {"room_id", nullptr}};
constexpr std::array<Field, 5> item_fields = {{{"room_id", Content::key},
                                               {"item_number", Content::number},
                                               {"connection_id", Content::text},
                                               {"data", Content::text},
                                               {"file_id", Content::text}}};
constexpr TableShape item_shape{item_fields, {"room_id, item_number", nullptr}};
/// Indexed by `RoomMode`.
constexpr std::array<const char*, 3> modes = {"live", "singleton", "history"};

Result<void> without_nul(std::initializer_list<const std::string*> texts) {
  if (!has_nul(texts)) return {};
  return Error(Errc::invalid_argument,
               "text of a room or an item must not contain a NUL character (U+0000); remove it");
}

Result<void> check_storable(const StoredRoom& room) {
  if (!room.demands) return without_nul({&room.id, &room.life});
  const Demands& demands = *room.demands;
  for (const std::string* operation :
       {&demands.join, &demands.events, &demands.presence, &demands.chat, &demands.share, &demands.history}) {
    if (operation->find('\n') == std::string::npos) continue;
    return Error(Errc::invalid_argument, "an operation that a room demands must not contain a line break");
  }
  return without_nul({&room.id, &room.life, &demands.join, &demands.events, &demands.presence, &demands.chat,
                      &demands.share, &demands.history});
}

Result<void> check_storable(const RoomAppend& append) {
  if (auto storable = check_storable(append.room); !storable) return storable;
  const StoredItem& item = append.item;
  if (item.number > number_max) {
    return Error(Errc::invalid_argument, "an item's number must be below 2^63, not " + std::to_string(item.number));
  }
  return without_nul({&item.connection_id, &item.data, &item.file});
}

/// Errors: throws `Failure` if another program has written something else.
RoomMode mode_of(const std::optional<std::string>& column) {
  const auto found = std::find(modes.begin(), modes.end(), column.value_or(""));
  if (found == modes.end())
    throw Failure(Failure::Kind::other, "\"" + column.value_or("") + "\" is not a mode of a room");
  return static_cast<RoomMode>(found - modes.begin());
}

/// The members of `Demands`, and the names that they are stored under.
struct DemandName {
  const char* name;
  std::string Demands::*member;
};
constexpr std::array<DemandName, 6> demand_names = {{{"join", &Demands::join},
                                                     {"events", &Demands::events},
                                                     {"presence", &Demands::presence},
                                                     {"chat", &Demands::chat},
                                                     {"share", &Demands::share},
                                                     {"history", &Demands::history}}};

/// A line "name=value" for each member, in their order.
std::string text_of(const Demands& demands) {
  std::string text;
  for (const DemandName& one : demand_names) text.append(one.name).append("=").append(demands.*one.member).append("\n");
  return text;
}

/// Errors: throws `Failure` if another program has written something else: a room must not open to everybody by that.
Demands demands_of(const std::string& text) {
  Demands demands;
  std::string_view rest = text;
  for (const DemandName& one : demand_names) {
    const std::string begin = std::string(one.name) + "=";
    const std::size_t end = rest.find('\n');
    if (!rest.starts_with(begin) || end == std::string_view::npos) {
      throw Failure(Failure::Kind::other, "\"" + text + "\" is not what a room demands");
    }
    demands.*one.member = rest.substr(begin.size(), end - begin.size());
    rest.remove_prefix(end + 1);
  }
  return demands;
}

StoredRoom room_of(const Row& row) {
  StoredRoom room;
  room.id = to_text(row.at(0));
  room.life = row.at(1).value_or("");
  room.mode = mode_of(row.at(2));
  room.capacity = static_cast<std::size_t>(to_int(row.at(3)));
  room.permanent = to_int(row.at(4)) != 0;
  if (row.at(5)) room.demands = demands_of(*row.at(5));
  return room;
}

StoredItem item_of(const Row& row, std::size_t first) {
  StoredItem item;
  item.number = static_cast<std::uint64_t>(to_int(row.at(first)));
  item.connection_id = row.at(first + 1).value_or("");
  item.data = row.at(first + 2).value_or("");
  item.file = row.at(first + 3).value_or("");
  return item;
}

std::size_t bytes_of(const RoomAppend& append) {
  return append.room.id.size() + append.item.connection_id.size() + append.item.data.size() + append.item.file.size();
}

}  // namespace

// --- The tables ---

RoomTables::RoomTables(std::unique_ptr<Database> database, const SqlRoomOptions& options)
    : database_((check_table(name, options.table), std::move(database))),
      batch_max_(options.batch_max),
      rooms_name_(options.table),
      items_name_(options.table + "_items"),
      rooms_(database_->dialect().quoted(rooms_name_)),
      items_(database_->dialect().quoted(items_name_)) {
  require(batch_max_ >= 1 && batch_max_ <= 1000, name,
          "batch_max must be 1 to 1000, not " + std::to_string(batch_max_));
  database_->prepare([this](Connection& connection) { prepare(connection); });
}

void RoomTables::prepare(Connection& connection) const {
  const Dialect& dialect = database_->dialect();
  const auto has = [&](const std::string& table, const TableShape& shape, const char* content) {
    const auto found = dialect.columns_of(connection, table);
    if (!found.empty()) check_shape(connection, dialect, table, found, shape, content);
    return !found.empty();
  };
  const auto there = [&] {
    const bool is_current = version_of(connection, dialect, rooms_name_, rooms_version) == rooms_version;
    const bool rooms = has(rooms_name_, is_current ? room_shape : first_shape, "rooms");
    const bool items = has(items_name_, item_shape, "items");
    return rooms && items && is_current;
  };
  make_once(connection, dialect, rooms_name_, there, [&] { make(connection); });
  check_rights(connection, rooms_, list_of(room_fields), "room_id");
  check_rights(connection, items_, list_of(item_fields), "room_id");
}

void RoomTables::make(Connection& connection) const {
  const Dialect& dialect = database_->dialect();
  const auto make_missing = [&](const std::string& table, const std::string& quoted, const TableShape& shape) {
    if (dialect.columns_of(connection, table).empty()) make_table(connection, dialect, quoted, shape);
  };
  make_missing(rooms_name_, rooms_, room_shape);
  make_missing(items_name_, items_, item_shape);
  const Field& added = room_fields.back();
  if (find(dialect.columns_of(connection, rooms_name_), added.name) == nullptr) {  // a table of version 1
    connection.run("ALTER TABLE " + rooms_ + " ADD COLUMN " + added.name + " " + dialect.type_of(added.content));
  }
  write_version(connection, dialect, rooms_name_, rooms_version);
}

// --- Reading ---

/// Reads in one statement, so that rooms and items are consistent.
Result<std::vector<StoredContents>> RoomTables::load() {
  Statement all("SELECT ");
  for (const Field& field : room_fields) all.sql(std::string("r.") + field.name + ", ");
  all.sql("i.item_number, i.connection_id, i.data, i.file_id FROM " + rooms_ + " AS r LEFT JOIN " + items_ +
          " AS i ON i.room_id = r.room_id ORDER BY r.room_id, i.item_number");
  constexpr std::size_t item = room_fields.size();
  try {
    const Rows rows = database_->read(database_->late_deadline(),
                                      [&](Connection& connection, int) { return connection.run(all, item + 4); });
    std::vector<StoredContents> contents;
    for (const Row& row : rows) {
      if (contents.empty() || contents.back().room.id != row.at(0)) contents.push_back({room_of(row), {}});
      if (row.at(item)) contents.back().items.push_back(item_of(row, item));
    }
    return contents;
  } catch (const Failure& failure) {
    return database_->failed(failure);
  }
}

// --- Writing ---

Result<void> RoomTables::open(const StoredRoom& room) {
  if (auto storable = check_storable(room); !storable) return storable;
  return database_->transact([&](Connection& connection) { keep_rooms(connection, {{room.id, &room}}, true); });
}

Result<void> RoomTables::remove_item(const RoomId& room, const std::string& life, std::uint64_t number) {
  if (has_nul({&room, &life}) || number > number_max) return {};  // there is no such item
  return database_->transact([&](Connection& connection) {
    Statement remove("DELETE FROM " + items_ + " WHERE room_id = ");
    remove.bind(room).sql(" AND item_number = ").bind(to_column(number));
    remove.sql(" AND EXISTS (SELECT 1 FROM " + rooms_ + " WHERE room_id = ").bind(room);
    connection.run(remove.sql(" AND life = ").bind(life).sql(")"));
  });
}

Result<void> RoomTables::close(const RoomId& room, const std::string& life) {
  if (has_nul({&room, &life})) return {};
  const StoredRoom ended{room, life};
  return database_->transact([&](Connection& connection) {
    const auto lives = lives_of(connection, {{room, &ended}});
    if (!lives.contains(room) || lives.at(room) != life) return;
    connection.run(Statement("DELETE FROM " + items_ + " WHERE room_id = ").bind(room));
    connection.run(Statement("DELETE FROM " + rooms_ + " WHERE room_id = ").bind(room));
  });
}

/// The stored lives of these rooms, by id. The rows stay locked until the transaction ends.
std::map<std::string, std::string> RoomTables::lives_of(Connection& connection, const Rooms& rooms) const {
  std::map<std::string, std::string> lives;
  for (auto room = rooms.begin(); room != rooms.end();) {
    Statement find("SELECT room_id, life FROM " + rooms_ + " WHERE room_id IN (");
    for (std::size_t i = 0; room != rooms.end() && i < database_->dialect().insert_rows_max(); ++i, ++room) {
      find.sql(i == 0 ? "" : ", ").bind(std::string(room->first));
    }
    find.sql(") ORDER BY room_id" + database_->dialect().for_update());
    for (Row& row : connection.run(find, 2)) lives.emplace(to_text(row.at(0)), row.at(1).value_or(""));
  }
  return lives;
}

/// Stores rooms. A stored room with the same id but another life is replaced and its items are deleted. With
/// `with_options`, rooms that are already stored get new options.
void RoomTables::keep_rooms(Connection& connection, const Rooms& rooms, bool with_options) const {
  const auto lives = lives_of(connection, rooms);
  Rooms written, fresh;
  for (const auto& room : rooms) {
    const auto known = lives.find(std::string(room.first));
    const bool same = known != lives.end() && known->second == room.second->life;
    if (!same) fresh.insert(room);
    if (!same || with_options) written.insert(room);
  }
  const std::string end = ")" + database_->dialect().or_replace("room_id", std::span(room_fields).subspan(1));
  for (auto room = written.begin(); room != written.end();) {
    Statement upsert("INSERT INTO " + rooms_ + " (" + list_of(room_fields) + ") VALUES ");
    for (std::size_t i = 0; room != written.end() && i < database_->dialect().insert_rows_max(); ++i, ++room) {
      const StoredRoom& kept = *room->second;
      upsert.sql(i == 0 ? "(" : "), (").bind(kept.id).sql(", ").bind(kept.life).sql(", ");
      upsert.bind(modes.at(static_cast<std::size_t>(kept.mode))).sql(", ");
      upsert.bind(static_cast<std::int64_t>(kept.capacity)).sql(kept.permanent ? ", 1, " : ", 0, ");
      if (kept.demands) {
        upsert.bind(text_of(*kept.demands));
      } else {
        upsert.sql("NULL");
      }
    }
    connection.run(upsert.sql(end));
  }
  // After the rows are locked, so that no items of another server's room remain either.
  for (const auto& [id, unused] : fresh) {
    connection.run(Statement("DELETE FROM " + items_ + " WHERE room_id = ").bind(std::string(id)));
  }
}

// --- Appending ---

std::vector<Result<void>> RoomTables::append_all(std::span<const RoomAppend> appends) {
  std::vector<Result<void>> results(appends.size());
  std::vector<Pending> batch;
  batch.reserve(appends.size());
  for (std::size_t i = 0; i < appends.size(); ++i) {
    results[i] = check_storable(appends[i]);
    if (results[i]) batch.push_back({&appends[i], &results[i]});
  }
  if (batch.empty()) return results;
  database_->transact_all(Batch(batch), database_->deadline(), [this](Connection& connection, Batch rest) {
    while (!rest.empty()) {
      Changes changes;
      const std::size_t count = gather(rest, changes);
      append(connection, rest.first(count), changes);
      rest = rest.subspan(count);
    }
  });
  return results;
}

/// How many appends, from the first, can be made together: as long as appends to one id have the same room and
/// increasing numbers, which is the usual case.
std::size_t RoomTables::gather(Batch batch, Changes& changes) const {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto& [room, item, first_kept] = *batch[i].append;
    const auto [place, is_new] = changes.try_emplace(room.id, Change{&room, item.number, first_kept});
    if (is_new) continue;
    Change& change = place->second;
    if (*change.room != room || item.number <= change.last_number || item.number < change.first_kept) return i;
    change.last_number = item.number;
    change.first_kept = std::max(change.first_kept, first_kept);
  }
  return batch.size();
}

void RoomTables::append(Connection& connection, Batch batch, const Changes& changes) const {
  Rooms rooms;
  for (const auto& [id, change] : changes) rooms.emplace(id, change.room);
  keep_rooms(connection, rooms, false);
  insert_items(connection, batch, changes);
  std::map<std::string_view, std::uint64_t> first_kept;
  for (const auto& [id, change] : changes) first_kept.emplace(id, change.first_kept);
  delete_before(connection, database_->dialect(), {items_, "room_id", "item_number"}, first_kept);
}

/// Skips items that would be deleted at once.
void RoomTables::insert_items(Connection& connection, Batch batch, const Changes& changes) const {
  const std::string end =
      ")" + database_->dialect().or_replace("room_id, item_number", std::span(item_fields).subspan(2));
  std::vector<const RoomAppend*> kept;
  for (const Pending& pending : batch) {
    if (pending.append->item.number >= changes.at(pending.append->room.id).first_kept) kept.push_back(pending.append);
  }
  for (auto append = kept.begin(); append != kept.end();) {
    Statement insert("INSERT INTO " + items_ + " (" + list_of(item_fields) + ") VALUES ");
    std::size_t bytes = 0;
    for (std::size_t i = 0;
         append != kept.end() && i < database_->dialect().insert_rows_max() && bytes < statement_bytes; ++i, ++append) {
      const StoredItem& item = (*append)->item;
      bytes += bytes_of(**append);
      insert.sql(i == 0 ? "(" : "), (").bind((*append)->room.id).sql(", ").bind(to_column(item.number));
      insert.sql(", ").bind(item.connection_id).sql(", ").bind(item.data).sql(", ").bind(item.file);
    }
    connection.run(insert.sql(end));
  }
}

}  // namespace flux::storage::sql
