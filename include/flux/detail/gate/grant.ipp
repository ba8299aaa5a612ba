#pragma once

#include <flux/detail/mode.hpp>
#include <flux/grant.hpp>

#include <algorithm>

namespace flux {

namespace permission_detail {

/// Whether `name` is `scope`, or begins with it and a colon.
inline bool is_scope_of(std::string_view scope, std::string_view name) noexcept {
  return name.substr(0, scope.size()) == scope && (name.size() == scope.size() || name[scope.size()] == ':');
}

}  // namespace permission_detail

FLUX_DECL bool permission_matches(std::string_view permission, std::string_view operation,
                                  std::string_view name) noexcept {
  using permission_detail::is_scope_of;
  if (operation.empty() || name.empty()) return false;
  if (is_scope_of("system", name)) return permission == "admin";
  const std::size_t colon = permission.find(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view what = permission.substr(0, colon);
  const std::string_view scope = permission.substr(colon + 1);
  if (what != operation && what != "*") return false;
  if (scope == "*") return true;
  if (scope.ends_with(":*")) {
    const std::string_view before = scope.substr(0, scope.size() - 1);  // including the colon
    return name.size() > before.size() && name.substr(0, before.size()) == before;
  }
  return !scope.empty() && is_scope_of(scope, name);
}

FLUX_DECL bool operator==(const Grant& a, const Grant& b) {
  return a.identity == b.identity && a.permissions == b.permissions && a.expires_at == b.expires_at &&
         a.claims == b.claims && a.credential == b.credential;
}

FLUX_DECL bool Grant::allows(std::string_view operation, std::string_view name) const noexcept {
  return std::any_of(permissions.begin(), permissions.end(),
                     [&](const std::string& permission) { return permission_matches(permission, operation, name); });
}

}  // namespace flux
