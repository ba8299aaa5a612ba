#pragma once

#include <flux/detail/transport/http_chars.hpp>
#include <flux/detail/transport/router.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace flux::transport {

FLUX_DECL std::string in_capitals(std::string_view method) {
  std::string capitals(method);
  for (char& c : capitals) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return capitals;
}

/// Of RFC 9110 and RFC 5789.
FLUX_DECL bool is_standard_method(std::string_view method) {
  static constexpr std::array<std::string_view, 9> names{"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                                         "CONNECT", "OPTIONS", "TRACE", "PATCH"};
  return std::find(names.begin(), names.end(), method) != names.end();
}

FLUX_DECL void Router::add(std::string_view method, std::string_view pattern, HttpHandler handler,
                           RouteOptions options) {
  if (!handler) {
    throw Error(Errc::bad_config, "route " + std::string(method) + " " + std::string(pattern) + " has no handler");
  }
  insert(pattern, Route{std::string(method), std::move(handler), options, nullptr});
}

FLUX_DECL void Router::add_yielding(std::string_view path, HttpHandler handler) {
  insert(path, Route{.method = "GET", .handler = std::move(handler), .options = {}, .files = nullptr, .yields = true});
}

FLUX_DECL void Router::add_static(std::string_view prefix, std::string_view folder, StaticOptions options) {
  if (prefix.find_first_of("{}*") != std::string_view::npos) {
    throw Error(Errc::bad_config, "static prefix \"" + std::string(prefix) + "\" holds a parameter");
  }
  std::string pattern(prefix);
  if (pattern.empty() || pattern.back() != '/') pattern += '/';
  pattern += "*file";
  auto files = std::make_shared<const StaticFolder>(folder, std::move(options.cache_control));
  insert(pattern, Route{"GET", nullptr, {.authenticated = options.authenticated}, std::move(files)});
}

FLUX_DECL void Router::insert(std::string_view pattern, Route route) {
  const std::string name = "route " + route.method + " " + std::string(pattern);
  if (!detail::is_token(route.method)) throw Error(Errc::bad_config, name + ": the method is not a token");
  if (const std::string method = in_capitals(route.method); method != route.method && is_standard_method(method)) {
    throw Error(Errc::bad_config, name + ": the method must be in capitals: \"" + method + "\"");
  }
  if (route.method == "CONNECT") throw Error(Errc::bad_config, name + ": CONNECT is for proxies");
  Methods& routes = table_[PathPattern(pattern)];
  for (const Route& other : routes) {
    if (other.method == route.method && other.yields == route.yields) {
      throw Error(Errc::bad_config, name + " is taken");
    }
  }
  add_allowed(allowed_anywhere_, route.method);
  if (route.method == "GET") add_allowed(allowed_anywhere_, "HEAD");
  if (route.options.authenticated && first_authenticated_.empty()) first_authenticated_ = name;
  if (!route.yields) patterns_.emplace_back(pattern);
  routes.push_back(std::move(route));
}

FLUX_DECL bool Router::has(std::string_view pattern) const noexcept {
  return std::find(patterns_.begin(), patterns_.end(), pattern) != patterns_.end();
}

FLUX_DECL RouteMatch Router::match(std::string_view method, std::string_view path, PathCaptures& captures) const {
  std::string allow;
  const Route* route = nullptr;
  const Route* yielding = nullptr;
  table_.find(path, captures, [&](const Methods& routes) {
    route = find(routes, method, false);
    if (yielding == nullptr) yielding = find(routes, method, true);
    if (route != nullptr && route->files && yielding != nullptr && !route->files->has(captures.all().back().second)) {
      route = nullptr;
    }
    if (route != nullptr) return true;
    for (const Route& other : routes) {
      add_allowed(allow, other.method);
      if (other.method == "GET") add_allowed(allow, "HEAD");
    }
    return false;
  });
  if (route == nullptr) route = yielding;
  if (route != nullptr) return {route, 200, {}};
  if (path == "*") return {nullptr, 204, allowed_anywhere_};
  if (allow.empty()) return {nullptr, 404, {}};
  add_allowed(allow, "OPTIONS");
  return {nullptr, method == "OPTIONS" ? 204 : 405, std::move(allow)};
}

FLUX_DECL const Route* Router::find(const Methods& routes, std::string_view method, bool yields) noexcept {
  const Route* of_get = nullptr;
  for (const Route& route : routes) {
    if (route.yields != yields) continue;
    if (route.method == method) return &route;
    if (route.method == "GET") of_get = &route;
  }
  return method == "HEAD" ? of_get : nullptr;
}

FLUX_DECL void Router::add_allowed(std::string& allow, std::string_view method) {
  if (header_has_token(allow, method)) return;
  if (!allow.empty()) allow += ", ";
  allow += method;
}

}  // namespace flux::transport
