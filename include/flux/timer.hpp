// Calls at a later time, for programs that have no event loop of their own.
#pragma once

#include <memory>
#include <utility>

namespace flux {

namespace features {
class ApplicationTimers;
struct ApplicationTimer;
}  // namespace features

/// A call that `Server::call_after` or `Server::call_every` has scheduled. A handle: copies refer to the same call, and
/// the call does not depend on them. May outlive the server.
/// Threading: any thread.
class Timer {
 public:
  /// No call.
  Timer() = default;

  /// Cancels the call, or all that would follow. One that has begun on another thread may still be running.
  void cancel() const;
  /// Whether a call will follow.
  bool pending() const;

 private:
  friend class features::ApplicationTimers;
  explicit Timer(std::weak_ptr<features::ApplicationTimer> timer) : timer_(std::move(timer)) {}

  std::weak_ptr<features::ApplicationTimer> timer_;
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/application_timers.ipp>
#endif
