// Checks the rates of operations.
#pragma once

#include <flux/detail/features/backend.hpp>
#include <flux/detail/features/service.hpp>
#include <flux/detail/mode.hpp>

#include <string>

namespace flux::features {

/// `name`: of the option that holds them. Errors: throws `Error` (bad_config).
void check_rates(const OperationRates& rates, const std::string& name);

/// `Limits::operations`.
class RateService final : public Service {
 public:
  /// `backend` outlives it.
  explicit RateService(Backend& backend) : backend_(backend) {}

  FLUX_DECL void check() const override;
  /// By now modules have added their requests. Errors: throws `Error`: bad_config for an operation that no request has.
  FLUX_DECL void prepare() override;

 private:
  Backend& backend_;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/rate_service.ipp>
#endif
