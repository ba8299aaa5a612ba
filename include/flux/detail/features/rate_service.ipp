#pragma once

#include <flux/detail/core/option_check.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/features/rate_service.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <chrono>
#include <string>

namespace flux::features {

FLUX_DECL void check_rates(const OperationRates& rates, const std::string& name) {
  for (const Rate& rate : {rates.connection, rates.user, rates.address}) {
    core::require_option(rate.per >= std::chrono::milliseconds(1) && rate.per <= std::chrono::hours(24),
                         name + ": per must be 1 ms to one day, not " + std::to_string(rate.per.count()) + " ms");
  }
}

FLUX_DECL void RateService::check() const {
  for (const auto& [name, rates] : backend_.config.limits.operations) {
    check_rates(rates, "Limits::operations[\"" + core::shown(name) + "\"]");
  }
}

FLUX_DECL void RateService::prepare() {
  const auto known = gate::OperationLimits::known();
  for (const auto& [name, rates] : backend_.config.limits.operations) {
    const bool exists = std::find(known.begin(), known.end(), name) != known.end();
    core::require_option(exists || backend_.requests.request(name) != nullptr,
                         "Limits::operations: there is no operation \"" + core::shown(name) +
                             "\"; they are named as requests of protocol live, such as \"send_chat\"");
  }
}

}  // namespace flux::features
