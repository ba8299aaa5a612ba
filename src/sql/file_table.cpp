#include "file_table.hpp"

#include "schema.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <span>

namespace flux::storage::sql {

namespace {

constexpr int current_version = 1;
constexpr std::array<Field, 13> fields = {{{"id", Content::key},
                                           {"name", Content::text},
                                           {"media_type", Content::text},
                                           {"owner", Content::text},
                                           {"metadata", Content::text},
                                           {"length", Content::number, true},
                                           {"size", Content::number},
                                           {"wants_sha256", Content::flag},
                                           {"sha256", Content::text},
                                           {"state", Content::word},
                                           {"shared", Content::flag},
                                           {"created_at", Content::number},
                                           {"modified_at", Content::number}}};
constexpr TableShape shape{fields, {"id", nullptr}};
/// By `FileState`.
constexpr std::array<const char*, 3> states = {"uploading", "complete", "deleted"};

/// Errors: throws `Failure` where somebody else has written it.
FileState state_of(const std::optional<std::string>& column) {
  const auto found = std::find(states.begin(), states.end(), column.value_or(""));
  if (found == states.end()) {
    throw Failure(Failure::Kind::other, "\"" + column.value_or("") + "\" is no state of a file");
  }
  return static_cast<FileState>(found - states.begin());
}

/// Errors: invalid_argument.
Result<void> check_storable(const FileInfo& file) {
  for (const std::string* text : {&file.id, &file.name, &file.media_type, &file.owner, &file.metadata, &file.sha256}) {
    if (text->find('\0') == std::string::npos) continue;
    return Error(Errc::invalid_argument,
                 "what is known of a file must not hold a NUL character (U+0000); leave it out");
  }
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
  if (file.size > most || file.length.value_or(0) > most) {
    return Error(Errc::invalid_argument, "a file in a database has at most " + std::to_string(most) + " bytes");
  }
  return {};
}

/// Errors: throws `Failure` where somebody else has written it.
std::uint64_t bytes_of(const std::optional<std::string>& column) {
  const std::int64_t bytes = to_int(column);
  if (bytes < 0) throw Failure(Failure::Kind::other, std::to_string(bytes) + " is no size of a file");
  return static_cast<std::uint64_t>(bytes);
}

FileInfo file_of(const Row& row) {
  FileInfo file;
  file.id = to_text(row.at(0));
  file.name = row.at(1).value_or("");
  file.media_type = row.at(2).value_or("");
  file.owner = row.at(3).value_or("");
  file.metadata = row.at(4).value_or("");
  if (row.at(5)) file.length = bytes_of(row.at(5));
  file.size = bytes_of(row.at(6));
  file.wants_sha256 = to_int(row.at(7)) != 0;
  file.sha256 = row.at(8).value_or("");
  file.state = state_of(row.at(9));
  file.shared = to_int(row.at(10)) != 0;
  file.created_at = to_int(row.at(11));
  file.modified_at = to_int(row.at(12));
  return file;
}

}  // namespace

FileTable::FileTable(std::unique_ptr<Database> database, const SqlFileIndexOptions& options)
    : database_((check_table(name, options.table), std::move(database))),
      name_(options.table),
      table_(database_->dialect().quoted(name_)) {
  database_->prepare([this](Connection& connection) { prepare(connection); });
}

void FileTable::prepare(Connection& connection) const {
  const Dialect& dialect = database_->dialect();
  const auto there = [&] {
    const auto version = version_of(connection, dialect, name_, current_version);
    const auto found = dialect.columns_of(connection, name_);
    if (found.empty()) return false;
    check_shape(connection, dialect, name_, found, shape, "files");
    return version.has_value();
  };
  make_once(connection, dialect, name_, there, [&] {
    if (dialect.columns_of(connection, name_).empty()) make_table(connection, dialect, table_, shape);
    write_version(connection, dialect, name_, current_version);
  });
  check_rights(connection, table_, list_of(fields), "id");
}

Result<std::vector<FileInfo>> FileTable::load() {
  try {
    const Rows rows = database_->read(database_->late_deadline(), [this](Connection& connection, int) {
      return connection.run("SELECT " + list_of(fields) + " FROM " + table_, fields.size());
    });
    std::vector<FileInfo> files;
    files.reserve(rows.size());
    for (const Row& row : rows) files.push_back(file_of(row));
    return files;
  } catch (const Failure& failure) {
    return database_->failed(failure);
  }
}

Result<void> FileTable::save(const FileInfo& file) {
  if (auto storable = check_storable(file); !storable) return storable;
  Statement save("INSERT INTO " + table_ + " (" + list_of(fields) + ") VALUES (");
  save.bind(file.id).sql(", ").bind(file.name).sql(", ").bind(file.media_type).sql(", ").bind(file.owner);
  save.sql(", ").bind(file.metadata).sql(", ");
  save.bind(file.length ? Value(static_cast<std::int64_t>(*file.length)) : Value());
  save.sql(", ")
      .bind(static_cast<std::int64_t>(file.size))
      .sql(file.wants_sha256 ? ", 1, " : ", 0, ")
      .bind(file.sha256);
  save.sql(", ").bind(states.at(static_cast<std::size_t>(file.state))).sql(file.shared ? ", 1, " : ", 0, ");
  save.bind(file.created_at).sql(", ").bind(file.modified_at).sql(")");
  return run(save.sql(database_->dialect().or_replace("id", std::span(fields).subspan(1))));
}

Result<void> FileTable::erase(const FileId& id) {
  if (id.find('\0') != std::string::npos) return {};  // there is no such row
  return run(Statement("DELETE FROM " + table_ + " WHERE id = ").bind(id));
}

/// In a transaction: of what a lost connection leaves on its way, only a commit can be done later.
Result<void> FileTable::run(const Statement& statement) {
  try {
    database_->write(database_->deadline(), [&](Connection& connection, int) {
      Transaction transaction(connection, database_->dialect().begin());
      connection.run(statement);
      transaction.commit();
    });
    return {};
  } catch (const Failure& failure) {
    return database_->failed(failure);
  }
}

}  // namespace flux::storage::sql
