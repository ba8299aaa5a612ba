#include "channel_tables.hpp"

#include "numbered_rows.hpp"
#include "schema.hpp"

#include <array>
#include <utility>

namespace flux::storage::sql {

namespace {

constexpr int channels_version = 1;
constexpr std::array<Field, 3> channel_fields = {
    {{"channel", Content::key}, {"epoch", Content::key}, {"last_offset", Content::number}}};
constexpr TableShape channel_shape{channel_fields, {"channel", nullptr}};
constexpr std::array<Field, 7> publication_fields = {{{"channel", Content::key},
                                                      {"channel_offset", Content::number},
                                                      {"published_at", Content::number},
                                                      {"publication_key", Content::text},
                                                      {"client_id", Content::text},
                                                      {"user_id", Content::text},
                                                      {"data", Content::text}}};
constexpr TableShape publication_shape{publication_fields, {"channel, channel_offset", nullptr}};

Result<void> check_storable(const ChannelAppend& append) {
  const Error nul(Errc::invalid_argument,
                  "text of a channel or a publication must not contain a NUL character (U+0000); remove it");
  if (has_nul({&append.channel, &append.epoch})) return nul;
  for (const StoredPublication& one : append.publications) {
    if (one.offset > number_max) {
      return Error(Errc::invalid_argument,
                   "the offset of a publication must be below 2^63, not " + std::to_string(one.offset));
    }
    if (has_nul({&one.key, &one.client_id, &one.user_id, &one.data})) return nul;
  }
  return {};
}

std::size_t bytes_of(const ChannelAppend& append, const StoredPublication& one) {
  return append.channel.size() + one.key.size() + one.client_id.size() + one.user_id.size() + one.data.size();
}

StoredPublication publication_of(const Row& row, std::size_t first) {
  StoredPublication one;
  one.offset = static_cast<Offset>(to_int(row.at(first)));
  one.timestamp = to_int(row.at(first + 1));
  one.key = row.at(first + 2).value_or("");
  one.client_id = row.at(first + 3).value_or("");
  one.user_id = row.at(first + 4).value_or("");
  one.data = row.at(first + 5).value_or("");
  return one;
}

}  // namespace

// --- The tables ---

ChannelTables::ChannelTables(std::unique_ptr<Database> database, const SqlChannelOptions& options)
    : database_((check_table(name, options.table), std::move(database))),
      batch_max_(options.batch_max),
      channels_name_(options.table),
      publications_name_(options.table + "_publications"),
      channels_(database_->dialect().quoted(channels_name_)),
      publications_(database_->dialect().quoted(publications_name_)) {
  require(batch_max_ >= 1 && batch_max_ <= 1000, name,
          "batch_max must be 1 to 1000, not " + std::to_string(batch_max_));
  database_->prepare([this](Connection& connection) { prepare(connection); });
}

void ChannelTables::prepare(Connection& connection) const {
  const Dialect& dialect = database_->dialect();
  const auto has = [&](const std::string& table, const TableShape& shape, const char* content) {
    const auto found = dialect.columns_of(connection, table);
    if (!found.empty()) check_shape(connection, dialect, table, found, shape, content);
    return !found.empty();
  };
  const auto there = [&] {
    const bool is_current = version_of(connection, dialect, channels_name_, channels_version) == channels_version;
    const bool channels = has(channels_name_, channel_shape, "channels");
    const bool publications = has(publications_name_, publication_shape, "publications");
    return channels && publications && is_current;
  };
  make_once(connection, dialect, channels_name_, there, [&] { make(connection); });
  check_rights(connection, channels_, list_of(channel_fields), "channel");
  check_rights(connection, publications_, list_of(publication_fields), "channel");
}

void ChannelTables::make(Connection& connection) const {
  const Dialect& dialect = database_->dialect();
  const auto make_missing = [&](const std::string& table, const std::string& quoted, const TableShape& shape) {
    if (dialect.columns_of(connection, table).empty()) make_table(connection, dialect, quoted, shape);
  };
  make_missing(channels_name_, channels_, channel_shape);
  make_missing(publications_name_, publications_, publication_shape);
  write_version(connection, dialect, channels_name_, channels_version);
}

// --- Reading ---

/// Reads in one statement, so that channels and publications are consistent.
Result<std::vector<StoredChannel>> ChannelTables::load() {
  Statement all("SELECT c.channel, c.epoch, c.last_offset");
  for (const Field& field : std::span(publication_fields).subspan(1)) all.sql(std::string(", p.") + field.name);
  all.sql(" FROM " + channels_ + " AS c LEFT JOIN " + publications_ +
          " AS p ON p.channel = c.channel ORDER BY c.channel, p.channel_offset");
  constexpr std::size_t first = channel_fields.size();
  constexpr std::size_t columns = first + publication_fields.size() - 1;
  try {
    const Rows rows = database_->read(database_->late_deadline(),
                                      [&](Connection& connection, int) { return connection.run(all, columns); });
    std::vector<StoredChannel> channels;
    for (const Row& row : rows) {
      if (channels.empty() || channels.back().name != row.at(0)) {
        channels.push_back({to_text(row.at(0)), to_text(row.at(1)), static_cast<Offset>(to_int(row.at(2))), {}});
      }
      if (row.at(first)) channels.back().publications.push_back(publication_of(row, first));
    }
    return channels;
  } catch (const Failure& failure) {
    return database_->failed(failure);
  }
}

/// What is stored of these channels, by name. The rows stay locked until the transaction ends.
std::map<std::string, ChannelTables::Known> ChannelTables::known(Connection& connection,
                                                                 const std::vector<std::string>& channels) const {
  std::map<std::string, Known> known;
  for (auto channel = channels.begin(); channel != channels.end();) {
    Statement find("SELECT channel, epoch, last_offset FROM " + channels_ + " WHERE channel IN (");
    for (std::size_t i = 0; channel != channels.end() && i < database_->dialect().insert_rows_max(); ++i, ++channel) {
      find.sql(i == 0 ? "" : ", ").bind(*channel);
    }
    find.sql(") ORDER BY channel" + database_->dialect().for_update());
    for (const Row& row : connection.run(find, 3)) {
      known.emplace(to_text(row.at(0)), Known{to_text(row.at(1)), static_cast<Offset>(to_int(row.at(2)))});
    }
  }
  return known;
}

// --- Removing ---

Result<void> ChannelTables::remove(const std::string& channel, const std::string& epoch) {
  if (has_nul({&channel, &epoch})) return {};  // there is no such channel
  return database_->transact([&](Connection& connection) {
    const auto stored = known(connection, {channel});
    if (stored.empty() || stored.begin()->second.epoch != epoch) return;
    connection.run(Statement("DELETE FROM " + publications_ + " WHERE channel = ").bind(channel));
    connection.run(Statement("DELETE FROM " + channels_ + " WHERE channel = ").bind(channel));
  });
}

// --- Appending ---

std::vector<Result<void>> ChannelTables::append_all(std::span<const ChannelAppend> appends) {
  std::vector<Result<void>> results(appends.size());
  std::vector<Pending> batch;
  batch.reserve(appends.size());
  for (std::size_t i = 0; i < appends.size(); ++i) {
    results[i] = check_storable(appends[i]);
    if (results[i] && !appends[i].publications.empty()) batch.push_back({&appends[i], &results[i]});
  }
  if (batch.empty()) return results;
  database_->transact_all(Batch(batch), database_->deadline(),
                          [this](Connection& connection, Batch part) { append(connection, part); });
  return results;
}

void ChannelTables::append(Connection& connection, Batch batch) const {
  Appends appends;
  std::vector<std::string> channels;
  std::map<std::string_view, Offset> first_kept;
  for (const Pending& pending : batch) {
    const ChannelAppend& one = *pending.append;
    appends.emplace(one.channel, &one);
    channels.push_back(one.channel);
    first_kept.emplace(one.channel, one.first_kept);
  }
  const auto before = known(connection, channels);
  keep_channels(connection, appends);
  delete_replaced(connection, appends, before);
  insert(connection, appends);
  delete_before(connection, database_->dialect(), {publications_, "channel", "channel_offset"}, first_kept);
}

void ChannelTables::keep_channels(Connection& connection, const Appends& appends) const {
  const std::string end = ")" + database_->dialect().or_replace("channel", std::span(channel_fields).subspan(1));
  for (auto at = appends.begin(); at != appends.end();) {
    Statement upsert("INSERT INTO " + channels_ + " (" + list_of(channel_fields) + ") VALUES ");
    for (std::size_t i = 0; at != appends.end() && i < database_->dialect().insert_rows_max(); ++i, ++at) {
      const ChannelAppend& append = *at->second;
      upsert.sql(i == 0 ? "(" : "), (").bind(append.channel).sql(", ").bind(append.epoch).sql(", ");
      upsert.bind(to_column(append.publications.back().offset));
    }
    connection.run(upsert.sql(end));
  }
}

/// Publications of another epoch, and those that an append replaces. Of a channel that `known` has not found, all: an earlier
/// transaction, whose connection was lost, may have been committed since.
void ChannelTables::delete_replaced(Connection& connection, const Appends& appends,
                                    const std::map<std::string, Known>& known) const {
  for (const auto& [channel, append] : appends) {
    const auto found = known.find(append->channel);
    const Offset first = append->publications.front().offset;
    const bool is_same = found != known.end() && found->second.epoch == append->epoch;
    if (is_same && found->second.offset < first) continue;
    Statement drop("DELETE FROM " + publications_ + " WHERE channel = ");
    drop.bind(append->channel);
    if (is_same) drop.sql(" AND channel_offset >= ").bind(to_column(first));
    connection.run(drop);
  }
}

/// Skips publications that `delete_before` would delete at once.
void ChannelTables::insert(Connection& connection, const Appends& appends) const {
  struct Kept {
    const ChannelAppend* append;
    const StoredPublication* publication;
  };
  std::vector<Kept> kept;
  for (const auto& [channel, append] : appends) {
    for (const StoredPublication& one : append->publications) {
      if (one.offset >= append->first_kept) kept.push_back({append, &one});
    }
  }
  for (auto at = kept.begin(); at != kept.end();) {
    Statement insert("INSERT INTO " + publications_ + " (" + list_of(publication_fields) + ") VALUES ");
    std::size_t bytes = 0;
    for (std::size_t i = 0; at != kept.end() && i < database_->dialect().insert_rows_max() && bytes < statement_bytes;
         ++i, ++at) {
      const StoredPublication& one = *at->publication;
      bytes += bytes_of(*at->append, one);
      insert.sql(i == 0 ? "(" : "), (").bind(at->append->channel).sql(", ").bind(to_column(one.offset));
      insert.sql(", ").bind(one.timestamp).sql(", ").bind(one.key).sql(", ").bind(one.client_id);
      insert.sql(", ").bind(one.user_id).sql(", ").bind(one.data);
    }
    connection.run(insert.sql(")"));
  }
}

}  // namespace flux::storage::sql
