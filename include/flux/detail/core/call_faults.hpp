// Calls of the application that failed, of which it may ignore the result.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/core/log_limit.hpp>
#include <flux/detail/core/metrics.hpp>
#include <flux/error.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

namespace flux::core {

/// Counts and logs them. Owned by the server; handles refer to it weakly, so that the sink is not called after the
/// server's end. Threading: any thread.
class CallFaults {
 public:
  /// `sink`: may be empty. `level`: as `Config::log_level`.
  CallFaults(std::shared_ptr<const Clock> clock, LogSink sink, LogLevel level)
      : sink_(std::move(sink)), level_(level), warnings_(clock), debug_lines_(std::move(clock)) {}

  /// `call`: the function's name. `subject`: what it was called with, such as a room; may be empty.
  void failed(std::string_view call, std::string_view subject, const Error& error);

  std::uint64_t count() const noexcept { return count_.load(std::memory_order_relaxed); }
  /// Adds the count. This object outlives the set.
  void add_metrics(MetricSet& metrics) const;

 private:
  const LogSink sink_;
  const LogLevel level_;
  std::atomic<std::uint64_t> count_{0};
  LogLimit warnings_;
  LogLimit debug_lines_;
};

/// Passes on the result of a call of the application; an error is counted and logged.
template <class T>
Outcome<T> noted(CallFaults& faults, std::string_view call, std::string_view subject, Result<T> result) {
  if (!result) faults.failed(call, subject, result.error());
  return result;
}
/// The same for a handle, which may outlive the server.
template <class T>
Outcome<T> noted(const std::weak_ptr<CallFaults>& faults, std::string_view call, std::string_view subject,
                 Result<T> result) {
  if (result) return result;
  if (const auto alive = faults.lock()) alive->failed(call, subject, result.error());
  return result;
}

}  // namespace flux::core

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/call_faults.ipp>
#endif
