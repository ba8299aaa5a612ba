#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/transport/http_message.hpp>
#include <flux/events.hpp>

namespace flux {

FLUX_DECL void LaterAnswer::accept(Identity identity) const { target_->give(std::move(identity), {}); }

FLUX_DECL void LaterAnswer::refuse(std::string_view reason) const { target_->give(std::nullopt, std::string(reason)); }

FLUX_DECL void Vetoable::refuse(std::string message, Errc code) {
  refused_.emplace(code, core::repaired(std::move(message)));
}

FLUX_DECL std::string AccessRequest::token() const {
  if (auto from_query = query("access_token")) return std::move(*from_query);
  return transport::bearer_token(header("authorization"));
}

}  // namespace flux
