#pragma once

#include <flux/detail/core/permission.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/mode.hpp>
#include <flux/storage/key_store.hpp>

#include <algorithm>

namespace flux {

namespace key_store_detail {

inline constexpr std::size_t id_bytes_max = 64;
inline constexpr std::size_t name_bytes_max = 200;
inline constexpr std::size_t user_id_bytes_max = 256;
inline constexpr std::size_t permissions_max = 100;
inline constexpr std::size_t permission_bytes_max = 256;

inline bool is_id(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
  };
  return !text.empty() && text.size() <= id_bytes_max && std::all_of(text.begin(), text.end(), allowed);
}

inline bool is_hash(std::string_view text) {
  const auto allowed = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return text.size() == 64 && std::all_of(text.begin(), text.end(), allowed);
}

inline Result<void> check_text(const char* what, const std::string& text, std::size_t bytes_max) {
  if (text.size() > bytes_max) {
    return Error(Errc::invalid_argument, std::string("the ") + what + " of an API key must have at most " +
                                             std::to_string(bytes_max) + " bytes, not " + std::to_string(text.size()));
  }
  if (!core::valid_utf8(text) || core::has_control_characters(text)) {
    return Error(Errc::invalid_argument, std::string("the ") + what +
                                             " of an API key must be UTF-8 without control characters, not \"" +
                                             core::shown(text) + "\"");
  }
  return {};
}

inline Result<void> check_permission(const std::string& permission) {
  if (auto good = check_text("permission", permission, permission_bytes_max); !good) return good;
  if (core::is_permission(permission)) return {};
  return Error(Errc::invalid_argument,
               "a permission of an API key must be \"operation:scope\", such as \"read:*\", or \"admin\", not \"" +
                   core::shown(permission) + "\"");
}

}  // namespace key_store_detail

FLUX_DECL Result<void> check_storable(const ApiKeyRecord& record) {
  using namespace key_store_detail;
  if (!is_id(record.id)) {
    return Error(Errc::invalid_argument, "the id of an API key must be 1 to " + std::to_string(id_bytes_max) +
                                             " letters, digits, \"-\" and \"_\", not \"" + core::shown(record.id) +
                                             "\"");
  }
  // The wrong text is not shown: it could be the key itself.
  if (!is_hash(record.hash)) {
    return Error(Errc::invalid_argument,
                 "the hash of an API key must be its SHA-256: 64 hexadecimal digits in lower case");
  }
  if (auto good = check_text("name", record.name, name_bytes_max); !good) return good;
  if (auto good = check_text("user_id", record.user_id, user_id_bytes_max); !good) return good;
  if (record.permissions.size() > permissions_max) {
    return Error(Errc::invalid_argument, "an API key must have at most " + std::to_string(permissions_max) +
                                             " permissions, not " + std::to_string(record.permissions.size()));
  }
  for (const std::string& permission : record.permissions) {
    if (auto good = check_permission(permission); !good) return good;
  }
  return {};
}

FLUX_DECL Result<std::vector<ApiKeyRecord>> MemoryKeyStore::load() {
  const std::lock_guard lock(mutex_);
  std::vector<ApiKeyRecord> rows;
  rows.reserve(records_.size());
  for (const auto& [id, record] : records_) rows.push_back(record);
  return rows;
}

FLUX_DECL Result<void> MemoryKeyStore::put(const ApiKeyRecord& record) {
  if (auto good = check_storable(record); !good) return good;
  const std::lock_guard lock(mutex_);
  records_.insert_or_assign(record.id, record);
  return {};
}

FLUX_DECL Result<void> MemoryKeyStore::remove(const std::string& id) {
  const std::lock_guard lock(mutex_);
  records_.erase(id);
  return {};
}

}  // namespace flux
