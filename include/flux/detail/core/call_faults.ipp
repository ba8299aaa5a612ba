#pragma once

#include <flux/detail/core/call_faults.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/mode.hpp>

#include <string>

namespace flux::core {

// That a client has disconnected meanwhile is no fault; what a store reported is logged as the store's.
FLUX_DECL LogLevel level_of_failed_call(Errc code) {
  return code == Errc::session_not_found || code == Errc::store_failed ? LogLevel::debug : LogLevel::warning;
}

FLUX_DECL void CallFaults::failed(std::string_view call, std::string_view subject, const Error& error) {
  count_.fetch_add(1, std::memory_order_relaxed);
  const LogLevel level = level_of_failed_call(error.code());
  if (!sink_ || level > level_) return;
  // Disconnected clients, which may be many, must not leave out the application's own faults.
  const auto left_out = (level == LogLevel::warning ? warnings_ : debug_lines_).admit();
  if (!left_out) return;
  if (*left_out > 0) sink_(level, std::to_string(*left_out) + " lines about failed calls were left out");
  std::string line(call);
  if (!subject.empty()) line.append(" \"").append(shown(subject)).append("\"");
  sink_(level, line.append(" failed: ").append(error.message()));
}

FLUX_DECL void CallFaults::add_metrics(MetricSet& metrics) const {
  metrics.add(MetricKind::counter, "calls_failed", "calls of the application that failed", [this] { return count(); });
}

}  // namespace flux::core
