// A feature, as the life of the server sees it.
#pragma once

#include <flux/detail/core/loop.hpp>
#include <flux/detail/core/metrics.hpp>

#include <memory>
#include <vector>

namespace flux::features {

/// A feature that has something to check, to start or to stop. The server holds an ordered list of services and knows
/// none by name; a service may use those before it.
///
/// Order: `check` once; then for each life of the server `prepare`, `start`, `begin_stop` and `stop`, one call at a
/// time. `add_metrics` once.
class Service {
 public:
  Service() = default;
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  virtual ~Service() = default;

  /// Checks its options. Errors: throws `Error` (bad_config).
  virtual void check() const {}
  /// Does what may fail, before any service is started. Errors: throws `Error`; then no service is started, and the
  /// server may try again.
  virtual void prepare() {}
  /// `loop` is the server's first loop; it does not run yet, and ends before `stop`.
  virtual void start(core::Loop&) {}
  /// The server begins to stop: the sessions are told next. Never blocks.
  virtual void begin_stop() {}
  /// Every loop has ended. Returns when the service has stopped: calls of its stores that are pending are finished, and
  /// later ones are refused. May block.
  virtual void stop() {}
  /// Adds its metrics; the set does not outlive the service.
  virtual void add_metrics(core::MetricSet&) const {}
};

/// The services of a server: started in order, stopped in reverse. Filled while the server does not run.
class ServiceList {
 public:
  /// Checks the service and keeps it. Errors: throws `Error` (bad_config).
  void add(std::shared_ptr<Service> service);

  /// Prepares all, then starts all. Errors: throws what a service throws; then none is started.
  void start(core::Loop& loop) const;
  void begin_stop() const;
  void stop() const;

 private:
  void stop_first(std::size_t count) const;

  std::vector<std::shared_ptr<Service>> list_;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/service.ipp>
#endif
