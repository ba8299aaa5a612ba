#include "revocation_table.hpp"

#include <array>
#include <string_view>
#include <utility>

namespace flux::storage::sql {

namespace {

constexpr std::array<Field, 4> revocation_fields = {
    {{"kind", Content::key}, {"name", Content::key}, {"ends_at", Content::number}, {"reason", Content::text}}};

// Not `to_string`, which the library's part without databases has.
std::string_view text_of(RevocationKind kind) { return kind == RevocationKind::user ? "user" : "credential"; }

/// Errors: throws `Failure` if another program has written something else.
RevocationKind kind_of(const std::string& text) {
  for (const RevocationKind kind : {RevocationKind::user, RevocationKind::credential}) {
    if (text == text_of(kind)) return kind;
  }
  throw Failure(Failure::Kind::other, "\"" + text + "\" is not a kind of revocation: \"user\" or \"credential\"");
}

/// The rest of what `Revocation` demands is the caller's.
Result<void> check_text(const Revocation& revocation) {
  for (const std::string* text : {&revocation.name, &revocation.reason}) {
    if (text->find('\0') == std::string::npos) continue;
    return Error(Errc::invalid_argument, "a revocation must not contain a NUL character (U+0000)");
  }
  return {};
}

Revocation revocation_of(const Row& row) {
  return {kind_of(to_text(row.at(0))), to_text(row.at(1)), to_int(row.at(2)), row.at(3).value_or("")};
}

}  // namespace

RevocationTable::RevocationTable(std::unique_ptr<Database> database, const SqlRevocationOptions& options)
    : rows_(std::move(database), options.table, {name, "revocations", revocation_fields, 1, 2}) {}

Result<std::vector<Revocation>> RevocationTable::load() {
  return rows_.load(rows_.database().late_deadline(), revocation_of);
}

Result<void> RevocationTable::save(const Revocation& revocation) {
  if (auto good = check_text(revocation); !good) return good;
  Statement row = rows_.row();
  row.bind(std::string(text_of(revocation.kind))).sql(", ").bind(revocation.name);
  row.sql(", ").bind(revocation.until).sql(", ").bind(revocation.reason);
  return rows_.put(std::move(row));
}

Result<void> RevocationTable::remove(RevocationKind kind, const std::string& subject) {
  return rows_.erase({text_of(kind), subject});
}

}  // namespace flux::storage::sql
