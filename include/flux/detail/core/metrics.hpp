// A server's metrics: counters, gauges and histograms, each written by one thread and read by any.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux::core {

enum class MetricKind : std::uint8_t { counter, gauge, histogram };

/// Names and values, in an order that the metric chooses: {{"endpoint", "live"}}.
using MetricLabels = std::vector<std::pair<std::string, std::string>>;

/// A metric with its value. Metrics with the same name and labels are added up, whichever set they are in.
struct MetricSample {
  std::string_view name;  ///< a literal; likewise `help`
  std::string_view help;
  MetricKind kind = MetricKind::counter;
  MetricLabels labels{};
  std::uint64_t value = 0;  ///< of a histogram: the number of values observed
  // Of a histogram only:
  std::uint64_t sum = 0;                 ///< of the values
  std::vector<std::uint64_t> bounds{};   ///< upper bounds of the buckets, ascending; each belongs to its bucket
  std::vector<std::uint64_t> buckets{};  ///< the number of values in each; one more bucket, for values above all bounds
};

/// A value in a set. Written by one thread, so that adding needs no locked instruction.
class MetricCell {
 public:
  std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }
  void set(std::uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Histogram;

/// The metrics of one writer, such as an event loop. A struct that derives from this has them as members; each takes
/// one line:
///
///     struct ChatMetrics : core::MetricSet {
///       core::Counter sent{*this, "chat_sent", "messages that were stored and sent"};
///     };
///
/// Filled while it is constructed, then only read. Names and help must be literals, because they outlive the set.
class MetricSet {
 public:
  MetricSet() = default;
  MetricSet(const MetricSet&) = delete;
  MetricSet& operator=(const MetricSet&) = delete;

  /// Adds a metric whose value is stored elsewhere. `read`: returns it; called by any thread.
  void add(MetricKind kind, std::string_view name, std::string_view help, std::function<std::uint64_t()> read,
           MetricLabels labels = {});

 private:
  friend class Counter;
  friend class Gauge;
  friend class Histogram;
  friend class Metrics;

  struct Entry {
    MetricKind kind;
    std::string_view name, help;
    MetricLabels labels;
    const MetricCell* cell = nullptr;
    const Histogram* histogram = nullptr;
    std::function<std::uint64_t()> read{};  // if both are null
  };
  std::vector<Entry> entries_;
};

/// Only grows, except when `take_back` moves a count to another writer's counter.
class Counter {
 public:
  Counter(MetricSet& set, std::string_view name, std::string_view help, MetricLabels labels = {}) {
    set.entries_.push_back({MetricKind::counter, name, help, std::move(labels), &cell_});
  }
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;
  void add(std::uint64_t n = 1) noexcept { cell_.set(cell_.get() + n); }
  /// Subtracts one, which another writer adds to its counter instead.
  void take_back() noexcept { cell_.set(cell_.get() - 1); }
  std::uint64_t get() const noexcept { return cell_.get(); }

 private:
  MetricCell cell_;
};

/// The number of things that exist now. Disappears with its set.
class Gauge {
 public:
  Gauge(MetricSet& set, std::string_view name, std::string_view help, MetricLabels labels = {}) {
    set.entries_.push_back({MetricKind::gauge, name, help, std::move(labels), &cell_});
  }
  Gauge(const Gauge&) = delete;
  Gauge& operator=(const Gauge&) = delete;
  void add(std::uint64_t n = 1) noexcept { cell_.set(cell_.get() + n); }
  void subtract(std::uint64_t n = 1) noexcept { cell_.set(cell_.get() - n); }
  std::uint64_t get() const noexcept { return cell_.get(); }

 private:
  MetricCell cell_;
};

/// The number of values up to each bound.
class Histogram {
 public:
  /// `bounds`: the upper bounds of the buckets, ascending.
  Histogram(MetricSet& set, std::string_view name, std::string_view help, std::vector<std::uint64_t> bounds,
            MetricLabels labels = {});
  Histogram(const Histogram&) = delete;
  Histogram& operator=(const Histogram&) = delete;
  void observe(std::uint64_t value) noexcept;

 private:
  friend class Metrics;

  const std::vector<std::uint64_t> bounds_;
  const std::unique_ptr<MetricCell[]> buckets_;  // and one more, for values above all bounds
  MetricCell sum_;
};

/// All metrics of a server. Threading: any thread.
class Metrics {
 public:
  void add(std::shared_ptr<const MetricSet> set);
  /// The writer of the set has ended: its counters and histograms stay in the sums, its gauges do not.
  void retire(const MetricSet& set);

  /// All metrics, ordered by name and labels.
  std::vector<MetricSample> samples() const;
  /// The sum of a counter or gauge over all its labels; 0 if there is none of that name.
  static std::uint64_t total(const std::vector<MetricSample>& samples, std::string_view name);

 private:
  static void add_up(std::vector<MetricSample>& sums, const MetricSample& sample);
  static MetricSample sample_of(const MetricSet::Entry& entry);

  mutable std::mutex mutex_;  // guards everything below
  std::vector<std::shared_ptr<const MetricSet>> sets_;
  std::vector<MetricSample> past_;  // of sets that were retired
};

}  // namespace flux::core

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/metrics.ipp>
#endif
