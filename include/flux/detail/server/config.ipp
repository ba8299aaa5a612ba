#pragma once

#include <flux/config.hpp>

namespace flux {

FLUX_DECL std::string_view to_string(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::off: return "off";
    case LogLevel::error: return "error";
    case LogLevel::warning: return "warning";
    case LogLevel::info: return "info";
    case LogLevel::debug: return "debug";
  }
  return "unknown";
}

FLUX_DECL OperationRates& RatesByOperation::operator[](std::string_view operation) {
  for (Entry& entry : entries_) {
    if (entry.name == operation) return entry.rates;
  }
  return entries_.emplace_back(Entry{std::string(operation)}).rates;
}

}  // namespace flux
