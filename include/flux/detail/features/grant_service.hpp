// Ends grants while their clients are connected, and keeps revocations.
#pragma once

#include <flux/detail/core/option_check.hpp>
#include <flux/detail/features/backend.hpp>
#include <flux/detail/features/service.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace flux::features {

class GrantService final : public Service {
 public:
  /// `backend` must outlive it.
  explicit GrantService(Backend& backend) : backend_(backend) {}

  void check() const override {
    constexpr std::size_t most = 10'000'000;
    const std::size_t count = backend_.config.revocations.count_max;
    core::require_option(count <= most,
                         "Config::revocations.count_max must be at most " + std::to_string(most) + core::given(count));
  }
  /// Errors: throws `Error` if the revocations can't be loaded: without them, revoked clients could connect.
  void prepare() override {
    const auto restored = backend_.revocation_log.restore();
    if (!restored) throw Error(restored.error());
    if (!restored->empty()) backend_.log(LogLevel::warning, *restored);
  }
  /// Watches the clock on `loop` until the loop ends.
  void start(core::Loop& loop) override {
    backend_.admitted.start(loop.shared_from_this());
    backend_.revocation_log.start();
    loop.post([this, &loop] { tidy_later(loop); });
  }
  void stop() override { backend_.revocation_log.stop(); }
  void add_metrics(core::MetricSet& metrics) const override {
    metrics.add(core::MetricKind::gauge, "revocations_now", "users and credentials that are revoked",
                [&revocations = backend_.revocations] { return std::uint64_t{revocations.size()}; });
    if (backend_.revocation_log.has_store()) backend_.revocation_faults->add_metrics(metrics, "revocations");
  }

 private:
  /// Repeats for as long as the loop runs.
  void tidy_later(core::Loop& loop) {
    loop.call_after(std::chrono::seconds(10), [this, &loop] {
      backend_.revocation_log.tidy();
      tidy_later(loop);
    });
  }

  Backend& backend_;
};

}  // namespace flux::features
