#pragma once

#include <flux/events.hpp>

namespace flux {

FLUX_DECL void LaterAnswer::accept(Identity identity) const { target_->give(std::move(identity), {}); }

FLUX_DECL void LaterAnswer::refuse(std::string_view reason) const { target_->give(std::nullopt, std::string(reason)); }

FLUX_DECL std::string AccessRequest::token() const {
  if (auto from_query = query("access_token")) return std::move(*from_query);
  constexpr std::string_view scheme = "bearer ";
  const auto field = header("authorization");
  if (!field || field->size() < scheme.size()) return {};
  for (std::size_t i = 0; i < scheme.size(); ++i) {
    const char c = (*field)[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) != scheme[i]) return {};
  }
  std::string_view token = field->substr(scheme.size());
  while (!token.empty() && token.front() == ' ') token.remove_prefix(1);
  return std::string(token);
}

}  // namespace flux
