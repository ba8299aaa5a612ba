// Failures of the application's stores: what clients are told, what is logged, and what is counted.
#pragma once

#include <flux/clock.hpp>
#include <flux/detail/core/log_limit.hpp>
#include <flux/detail/core/metrics.hpp>
#include <flux/error.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

namespace flux::features {

/// The failures of one store. Its error texts may name hosts, tables and files: they go to the log, and to the
/// application as `Error::cause`. Clients read a sentence of flux's own.
/// Threading: any thread.
class StoreFaults {
 public:
  using Log = std::function<void(std::string_view line)>;

  /// `store`: as sentences begin, "the chat store". `log` must not call back.
  StoreFaults(std::string store, std::shared_ptr<const Clock> clock, Log log)
      : store_(std::move(store)), log_(std::move(log)), limit_(std::move(clock)) {}

  /// The `Result` of `call`; an error, or an exception, as `failed` reports it.
  template <class Call>
  auto guarded(const Call& call) -> std::invoke_result_t<const Call&> {
    try {
      auto result = call();
      if (!result) return failed(result.error());
      return result;
    } catch (const std::exception& e) {
      return threw(e.what());
    } catch (...) {
      return threw("something that is not a std::exception");
    }
  }

  /// The part of a store's error that clients may read. An error that is not the caller's fault is counted and logged.
  Error failed(const Error& error);
  /// The store violated its contract: counted and logged. `what`: "gave 3 results for 4 items".
  Error misbehaved(const std::string& what);
  /// Logs the consequence of a failure, or of a row that can't be used.
  void note(std::string_view line);

  std::uint64_t count() const noexcept { return count_.load(std::memory_order_relaxed); }
  /// Adds the count of failures, labelled with `store` ("chat"). This object outlives the set.
  void add_metrics(core::MetricSet& metrics, std::string_view store) const;

 private:
  Error threw(std::string_view what);
  void count_and_log(std::string_view line);

  const std::string store_;
  const Log log_;
  std::atomic<std::uint64_t> count_{0};
  core::LogLimit limit_;
};

/// Adds a count of a store's failures, labelled with `store`. `read` as for `MetricSet::add`.
void add_store_errors(core::MetricSet& metrics, std::string_view store, std::function<std::uint64_t()> read);

/// Replaces what is not UTF-8 in a store's text with U+FFFD. True if it replaced anything.
bool mend_text(std::string& text);

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/store_faults.ipp>
#endif
