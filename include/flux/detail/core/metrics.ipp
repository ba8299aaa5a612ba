#pragma once

#include <flux/detail/core/metrics.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <tuple>

namespace flux::core {

FLUX_DECL void MetricSet::add(MetricKind kind, std::string_view name, std::string_view help,
                              std::function<std::uint64_t()> read, MetricLabels labels) {
  entries_.push_back({kind, name, help, std::move(labels), nullptr, nullptr, std::move(read)});
}

FLUX_DECL Histogram::Histogram(MetricSet& set, std::string_view name, std::string_view help,
                               std::vector<std::uint64_t> bounds, MetricLabels labels)
    : bounds_(std::move(bounds)), buckets_(new MetricCell[bounds_.size() + 1]) {
  set.entries_.push_back({MetricKind::histogram, name, help, std::move(labels), nullptr, this});
}

FLUX_DECL void Histogram::observe(std::uint64_t value) noexcept {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  MetricCell& cell = buckets_[static_cast<std::size_t>(bucket)];
  cell.set(cell.get() + 1);
  sum_.set(sum_.get() + value);
}

FLUX_DECL void Metrics::add(std::shared_ptr<const MetricSet> set) {
  const std::lock_guard lock(mutex_);
  sets_.push_back(std::move(set));
}

FLUX_DECL void Metrics::retire(const MetricSet& set) {
  std::shared_ptr<const MetricSet> last;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(sets_.begin(), sets_.end(), [&](const auto& known) { return known.get() == &set; });
  if (found == sets_.end()) return;
  for (const MetricSet::Entry& entry : set.entries_) {
    if (entry.kind == MetricKind::gauge) continue;
    add_up(past_, sample_of(entry));
  }
  last = std::move(*found);
  sets_.erase(found);
}

FLUX_DECL MetricSample Metrics::sample_of(const MetricSet::Entry& entry) {
  MetricSample sample{entry.name, entry.help, entry.kind, entry.labels};
  if (entry.cell != nullptr) {
    sample.value = entry.cell->get();
  } else if (entry.histogram != nullptr) {
    sample.bounds = entry.histogram->bounds_;
    sample.sum = entry.histogram->sum_.get();
    for (std::size_t i = 0; i <= sample.bounds.size(); ++i) {
      sample.buckets.push_back(entry.histogram->buckets_[i].get());
      sample.value += sample.buckets.back();
    }
  } else {
    sample.value = entry.read();
  }
  return sample;
}

/// `sums` stays sorted.
FLUX_DECL void Metrics::add_up(std::vector<MetricSample>& sums, const MetricSample& sample) {
  const auto before = [](const MetricSample& a, const MetricSample& b) {
    return std::tie(a.name, a.labels) < std::tie(b.name, b.labels);
  };
  const auto at = std::lower_bound(sums.begin(), sums.end(), sample, before);
  if (at == sums.end() || before(sample, *at)) {
    sums.insert(at, sample);
    return;
  }
  at->value += sample.value;
  at->sum += sample.sum;
  for (std::size_t i = 0; i < sample.buckets.size(); ++i) at->buckets[i] += sample.buckets[i];
}

FLUX_DECL std::vector<MetricSample> Metrics::samples() const {
  const std::lock_guard lock(mutex_);
  std::vector<MetricSample> sums = past_;
  for (const auto& set : sets_) {
    for (const MetricSet::Entry& entry : set->entries_) add_up(sums, sample_of(entry));
  }
  return sums;
}

FLUX_DECL std::uint64_t Metrics::total(const std::vector<MetricSample>& samples, std::string_view name) {
  std::uint64_t sum = 0;
  for (const MetricSample& sample : samples) {
    if (sample.name == name) sum += sample.value;
  }
  return sum;
}

}  // namespace flux::core
