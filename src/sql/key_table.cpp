#include "key_table.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace flux::storage::sql {

namespace {

constexpr std::array<Field, 7> key_fields = {{{"id", Content::key},
                                              {"hash", Content::text},
                                              {"name", Content::text},
                                              {"user_id", Content::text},
                                              {"permissions", Content::text},
                                              {"created_at", Content::number},
                                              {"expires_at", Content::number, true}}};

/// One a line.
std::string text_of(const std::vector<std::string>& permissions) {
  std::string text;
  for (const std::string& permission : permissions) text.append(text.empty() ? "" : "\n").append(permission);
  return text;
}

std::vector<std::string> permissions_of(std::string_view text) {
  std::vector<std::string> permissions;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end != 0) permissions.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return permissions;
}

/// The rest of what `flux::check_storable` demands is the caller's.
Result<void> check_text(const ApiKeyRecord& record) {
  for (const std::string* text : {&record.id, &record.hash, &record.name, &record.user_id}) {
    if (text->find('\0') == std::string::npos) continue;
    return Error(Errc::invalid_argument, "an API key must not contain a NUL character (U+0000)");
  }
  for (const std::string& permission : record.permissions) {
    if (!permission.empty() && permission.find_first_of(std::string_view("\0\n", 2)) == std::string::npos) continue;
    return Error(Errc::invalid_argument, "a permission must not be empty or contain a line break or a NUL character");
  }
  return {};
}

ApiKeyRecord record_of(const Row& row) {
  ApiKeyRecord record;
  record.id = to_text(row.at(0));
  record.hash = to_text(row.at(1));
  record.name = row.at(2).value_or("");
  record.user_id = row.at(3).value_or("");
  record.permissions = permissions_of(row.at(4).value_or(""));
  record.created_at = to_int(row.at(5));
  if (row.at(6)) record.expires_at = to_int(row.at(6));
  return record;
}

}  // namespace

KeyTable::KeyTable(std::unique_ptr<Database> database, const SqlKeyOptions& options)
    : rows_(std::move(database), options.table, {name, "API keys", key_fields, 1}) {}

Result<std::vector<ApiKeyRecord>> KeyTable::load() { return rows_.load(rows_.database().deadline(), record_of); }

Result<void> KeyTable::put(const ApiKeyRecord& record) {
  if (auto good = check_text(record); !good) return good;
  Statement row = rows_.row();
  row.bind(record.id).sql(", ").bind(record.hash).sql(", ").bind(record.name).sql(", ").bind(record.user_id);
  row.sql(", ").bind(text_of(record.permissions)).sql(", ").bind(record.created_at).sql(", ");
  row.bind(record.expires_at ? Value(*record.expires_at) : Value());
  return rows_.put(std::move(row));
}

Result<void> KeyTable::remove(const std::string& id) { return rows_.erase({id}); }

}  // namespace flux::storage::sql
