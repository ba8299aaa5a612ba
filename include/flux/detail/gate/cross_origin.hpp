// Checks of HTTP requests from pages of other origins (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol).
#pragma once

#include <flux/detail/gate/origin.hpp>
#include <flux/detail/transport/http_message.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace flux::gate {

inline bool lists_origin(const std::vector<std::string>& allowed, std::string_view origin) {
  return std::any_of(allowed.begin(), allowed.end(),
                     [&](const std::string& entry) { return entry == "*" || entry == origin; });
}

/// The fields of a response that allow the page to read it; none if its origin may not. They do not allow cookies:
/// pages of other origins identify themselves with an Authorization field.
inline transport::HttpFields cors_fields(const std::vector<std::string>& allowed, const transport::HttpHead& request) {
  if (lists_origin(allowed, "*")) return {{"Access-Control-Allow-Origin", "*"}};
  if (allowed.empty()) return {};
  const auto origin = request.header("Origin");
  if (!origin || !lists_origin(allowed, *origin)) return {{"Vary", "Origin"}};
  return {{"Access-Control-Allow-Origin", std::string(*origin)}, {"Vary", "Origin"}};
}

/// Whether a request that changes something is allowed from its origin. Browsers send simple requests to other origins
/// without asking first, cookies included: they are recognised by Sec-Fetch-Site, or by an Origin that is not the
/// server's own. A client that sends neither is not a page. `tls`: as for `same_origin`.
inline bool may_change_things(const std::vector<std::string>& allowed, const transport::HttpHead& request, bool tls) {
  const auto origin = request.header("Origin");
  if (origin && lists_origin(allowed, *origin)) return true;
  if (const auto site = request.header("Sec-Fetch-Site")) return *site == "same-origin" || *site == "none";
  return !origin || same_origin(*origin, request.host(), tls);
}

}  // namespace flux::gate
