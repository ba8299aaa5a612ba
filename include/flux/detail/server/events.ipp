#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/features/pending_verdict.hpp>
#include <flux/detail/transport/http_message.hpp>
#include <flux/events.hpp>

#include <algorithm>

namespace flux {

FLUX_DECL void LaterAnswer::accept(Identity identity) const { give(Grant(std::move(identity))); }
FLUX_DECL void LaterAnswer::give(Grant grant) const { target_->give(std::move(grant), {}); }
FLUX_DECL void LaterAnswer::refuse(std::string_view reason) const { target_->give(std::nullopt, std::string(reason)); }

FLUX_DECL void LaterReply::reply(JsonText result) const { target_->give(std::move(result)); }

FLUX_DECL void LaterReply::refuse(std::string message, Errc code) const {
  target_->give(Error(code, core::repaired(std::move(message))));
}

FLUX_DECL void Vetoable::refuse(std::string message, Errc code) {
  refused_.emplace(code, core::repaired(std::move(message)));
}

FLUX_DECL LaterVerdict Vetoable::later() {
  if (!pending_) pending_ = std::make_shared<features::PendingVerdict>();
  return LaterVerdict(features::PendingVerdict::giver(pending_));
}

FLUX_DECL void LaterVerdict::accept() const { target_->give(std::nullopt); }
FLUX_DECL void LaterVerdict::refuse(std::string message, Errc code) const {
  target_->give(Error(code, core::repaired(std::move(message))));
}

// --- AccessRequest ---

FLUX_DECL void AccessRequest::accept(Identity identity) { give(Grant(std::move(identity)), {}); }
FLUX_DECL void AccessRequest::refuse(std::string_view reason) { give(std::nullopt, std::string(reason)); }

FLUX_DECL std::string AccessRequest::token() const {
  for (const char* member : {"/accessToken", "/token"}) {
    if (auto shown = payload().get<std::string>(member)) return std::move(*shown);
  }
  if (auto from_query = query("access_token")) return std::move(*from_query);
  return transport::bearer_token(header("authorization"));
}

FLUX_DECL std::string AccessRequest::api_key() const {
  if (const auto field = header("x-api-key")) return std::string(*field);
  return query("api_key").value_or(std::string());
}

namespace access_detail {

FLUX_DECL std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view blank = " \t";
  text.remove_prefix(std::min(text.find_first_not_of(blank), text.size()));
  return text.substr(0, text.find_last_not_of(blank) + 1);
}

/// Takes the text before the next `separator` off `rest`.
FLUX_DECL std::string_view take_part(std::string_view& rest, char separator) {
  const std::size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return without_blanks(part);
}

}  // namespace access_detail

/// RFC 6265, 4.2.1.
FLUX_DECL std::optional<std::string> AccessRequest::cookie(std::string_view name) const {
  std::string_view rest = header("cookie").value_or(std::string_view());
  while (!rest.empty()) {
    const std::string_view pair = access_detail::take_part(rest, ';');
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || access_detail::without_blanks(pair.substr(0, equals)) != name) continue;
    std::string_view value = access_detail::without_blanks(pair.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    return std::string(value);
  }
  return std::nullopt;
}

FLUX_DECL std::vector<std::string> AccessRequest::subprotocols() const {
  std::vector<std::string> offered;
  std::string_view rest = header("sec-websocket-protocol").value_or(std::string_view());
  while (!rest.empty()) {
    if (const auto name = access_detail::take_part(rest, ','); !name.empty()) offered.emplace_back(name);
  }
  return offered;
}

}  // namespace flux
