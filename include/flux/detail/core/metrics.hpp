// What a server counts: counters, gauges and histograms, each written by one thread and read by any.
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

/// Names and values, in an order of their own: {{"endpoint", "live"}}.
using MetricLabels = std::vector<std::pair<std::string, std::string>>;

/// A metric with its value. Those of the same name and labels are added up, whichever set they are in.
struct MetricSample {
  std::string_view name;  ///< a literal; likewise `help`
  std::string_view help;
  MetricKind kind = MetricKind::counter;
  MetricLabels labels{};
  std::uint64_t value = 0;  ///< of a histogram: how many values were observed
  // Of a histogram only:
  std::uint64_t sum = 0;                 ///< of the values
  std::vector<std::uint64_t> bounds{};   ///< upper bounds of the buckets, growing; each belongs to its bucket
  std::vector<std::uint64_t> buckets{};  ///< how many values are in each; one more, for those above all bounds
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

/// The metrics of one writer: of an event loop, say. A struct that derives from this has them as members; a line adds
/// one:
///
///     struct ChatMetrics : core::MetricSet {
///       core::Counter sent{*this, "chat_sent", "messages that were stored and sent"};
///     };
///
/// Filled while it is constructed, then only read. Names and help are literals: they outlive the set.
class MetricSet {
 public:
  MetricSet() = default;
  MetricSet(const MetricSet&) = delete;
  MetricSet& operator=(const MetricSet&) = delete;

  /// Adds one whose value others keep. `read`: called by any thread.
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
    std::function<std::uint64_t()> read{};  // where both are null
  };
  std::vector<Entry> entries_;
};

/// Only grows, but for what moves to the counter of another writer.
class Counter {
 public:
  Counter(MetricSet& set, std::string_view name, std::string_view help, MetricLabels labels = {}) {
    set.entries_.push_back({MetricKind::counter, name, help, std::move(labels), &cell_});
  }
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;
  void add(std::uint64_t n = 1) noexcept { cell_.set(cell_.get() + n); }
  /// Takes back one that was added here, and that another writer adds instead.
  void take_back() noexcept { cell_.set(cell_.get() - 1); }
  std::uint64_t get() const noexcept { return cell_.get(); }

 private:
  MetricCell cell_;
};

/// How many there are now. Ends with its set.
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

/// How often values up to each bound occurred.
class Histogram {
 public:
  /// `bounds`: of the buckets, growing.
  Histogram(MetricSet& set, std::string_view name, std::string_view help, std::vector<std::uint64_t> bounds,
            MetricLabels labels = {});
  Histogram(const Histogram&) = delete;
  Histogram& operator=(const Histogram&) = delete;
  void observe(std::uint64_t value) noexcept;

 private:
  friend class Metrics;

  const std::vector<std::uint64_t> bounds_;
  const std::unique_ptr<MetricCell[]> buckets_;  // and one more, above all bounds
  MetricCell sum_;
};

/// All metrics of a server. Threading: any thread.
class Metrics {
 public:
  void add(std::shared_ptr<const MetricSet> set);
  /// The writer of the set has ended: its counters and histograms stay in the sums, its gauges do not.
  void retire(const MetricSet& set);

  /// In the order of names and labels: what a page for Prometheus lists.
  std::vector<MetricSample> samples() const;
  /// The value of a counter or a gauge, of all its labels together; 0 where there is none of the name.
  static std::uint64_t total(const std::vector<MetricSample>& samples, std::string_view name);

 private:
  static void add_up(std::vector<MetricSample>& sums, const MetricSample& sample);
  static MetricSample sample_of(const MetricSet::Entry& entry);

  mutable std::mutex mutex_;  // guards what follows
  std::vector<std::shared_ptr<const MetricSet>> sets_;
  std::vector<MetricSample> past_;  // of sets that were retired
};

}  // namespace flux::core

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/metrics.ipp>
#endif
