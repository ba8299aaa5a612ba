// Counters, gauges and histograms, and their sums over several writers.
#include "catch.hpp"

#include <flux/clock.hpp>
#include <flux/detail/core/loop.hpp>
#include <flux/detail/core/metrics.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace metrics_test {

using flux::core::MetricKind;
using flux::core::Metrics;
using flux::core::MetricSample;

namespace {

struct Desk : flux::core::MetricSet {
  flux::core::Gauge waiting{*this, "waiting", "people in the queue"};
  flux::core::Counter served{*this, "served", "people served", {{"desk", "any"}}};
  flux::core::Counter turned_away{*this, "served", "people served", {{"desk", "none"}}};
  flux::core::Histogram minutes{*this, "minutes", "how long it took", {1, 5, 10}};
};

const MetricSample& find(const std::vector<MetricSample>& samples, const std::string& name, std::size_t nth = 0) {
  for (const MetricSample& sample : samples) {
    if (sample.name == name && nth-- == 0) return sample;
  }
  throw std::runtime_error("no metric " + name);
}

}  // namespace

TEST_CASE("metrics: counts of several writers are added up by name and labels, in order") {
  Metrics metrics;
  const auto one = std::make_shared<Desk>();
  const auto two = std::make_shared<Desk>();
  metrics.add(one);
  metrics.add(two);
  one->served.add();
  two->served.add(2);
  two->turned_away.add(4);
  one->waiting.add(7);
  one->waiting.subtract(3);
  two->waiting.add(1);
  const auto samples = metrics.samples();
  REQUIRE(samples.size() == 4);
  CHECK(samples[0].name == "minutes");
  CHECK(samples[1].labels == flux::core::MetricLabels{{"desk", "any"}});
  CHECK(samples[1].value == 3);
  CHECK(samples[1].help == "people served");
  CHECK(samples[2].labels == flux::core::MetricLabels{{"desk", "none"}});
  CHECK(samples[2].value == 4);
  CHECK(samples[3].kind == MetricKind::gauge);
  CHECK(samples[3].value == 5);
  CHECK(Metrics::total(samples, "served") == 7);
  CHECK(Metrics::total(samples, "no such") == 0);
}

TEST_CASE("metrics: a histogram counts a value in the first bucket whose bound it does not exceed") {
  Metrics metrics;
  const auto desk = std::make_shared<Desk>();
  metrics.add(desk);
  for (const unsigned minutes : {0u, 1u, 2u, 5u, 10u, 11u, 1000u}) desk->minutes.observe(minutes);
  const auto samples = metrics.samples();
  const MetricSample& sample = find(samples, "minutes");
  CHECK(sample.bounds == std::vector<std::uint64_t>{1, 5, 10});
  CHECK(sample.buckets == std::vector<std::uint64_t>{2, 2, 1, 2});
  CHECK(sample.value == 7);
  CHECK(sample.sum == 1029);
}

TEST_CASE("metrics: counters and histograms of an ended writer stay, gauges do not") {
  Metrics metrics;
  for (int life = 0; life < 3; ++life) {
    const auto desk = std::make_shared<Desk>();
    metrics.add(desk);
    desk->waiting.add();
    desk->served.add(2);
    desk->minutes.observe(5);
    metrics.retire(*desk);
    metrics.retire(*desk);  // it no longer exists
    CHECK(desk.use_count() == 1);
  }
  const auto samples = metrics.samples();
  REQUIRE(samples.size() == 3);
  CHECK(Metrics::total(samples, "waiting") == 0);
  CHECK(Metrics::total(samples, "served") == 6);
  CHECK(find(samples, "minutes").buckets == std::vector<std::uint64_t>{0, 3, 0, 0});
  CHECK(find(samples, "minutes").sum == 15);
}

TEST_CASE("metrics: values stored elsewhere are read when samples are taken") {
  Metrics metrics;
  std::atomic<std::uint64_t> rooms{0};
  const auto set = std::make_shared<flux::core::MetricSet>();
  set->add(MetricKind::gauge, "rooms", "rooms now", [&] { return rooms.load(); });
  metrics.add(set);
  rooms = 5;
  CHECK(Metrics::total(metrics.samples(), "rooms") == 5);
}

TEST_CASE("metrics: read by other threads while their writer writes, they never go back") {
  Metrics metrics;
  const auto desk = std::make_shared<Desk>();
  metrics.add(desk);
  std::atomic<bool> ends{false};
  std::thread writer([&] {
    for (int i = 0; i < 100'000; ++i) desk->served.add();
    ends = true;
  });
  std::uint64_t before = 0;
  bool goes_back = false;
  while (!ends) {
    const std::uint64_t now = Metrics::total(metrics.samples(), "served");
    goes_back = goes_back || now < before;
    before = now;
  }
  writer.join();
  CHECK_FALSE(goes_back);
  CHECK(Metrics::total(metrics.samples(), "served") == 100'000);
}

TEST_CASE("metrics: an event loop records how late its timers fire") {
  Metrics metrics;
  const auto loop = flux::core::Loop::make(0, std::make_shared<flux::SystemClock>(), nullptr);
  metrics.add({loop, &loop->counters()});
  loop->post([&] {
    loop->call_after(std::chrono::milliseconds(1), [&] {
      loop->shut();
      loop->release_work();
    });
  });
  loop->run();
  const auto samples = metrics.samples();
  const MetricSample& lateness = find(samples, "timer_lateness_us");
  CHECK(lateness.kind == MetricKind::histogram);
  CHECK(lateness.value >= 1);
  CHECK(lateness.buckets.size() == lateness.bounds.size() + 1);
}

}  // namespace metrics_test
