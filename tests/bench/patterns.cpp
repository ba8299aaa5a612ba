// flux-bench-patterns: what publishing costs when there are many patterns, next to what it costs without one. In process, so
// that no socket hides the difference; the sides take turns.
#include <flux/channels.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flux::bench {
namespace {

constexpr std::size_t patterns_count = 10'000;
constexpr std::size_t turns = 21;
constexpr std::size_t publications = 10'000;  // of a turn
constexpr double ratio_max = 3;

/// A server that does not run, with one subscriber of the channel that is published to.
class Side {
 public:
  /// `pattern_of(i)`: empty, or the i-th of the patterns.
  explicit Side(const std::function<std::string(std::size_t)>& pattern_of) : channels_(server_) {
    subscribe("orders:5:created");
    for (std::size_t i = 0; pattern_of && i < patterns_count; ++i) subscribe(pattern_of(i));
    turn();  // not counted
    turns_.clear();
    received_ = 0;
  }

  void turn() {
    const JsonText data = JsonText::object({{"id", 5}});
    const auto begin = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < publications; ++i) (void)channels_.publish("orders:5:created", data);
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    turns_.push_back(took.count() / static_cast<double>(publications));
  }

  double median() {
    std::nth_element(turns_.begin(), turns_.begin() + static_cast<std::ptrdiff_t>(turns_.size() / 2), turns_.end());
    return turns_[turns_.size() / 2];
  }
  double received() const { return static_cast<double>(received_) / static_cast<double>(publications * turns); }

 private:
  void subscribe(const std::string& name) {
    subscriptions_.push_back(channels_.subscribe(
        name, [this](const ChannelMessage&) { ++received_; }, [](const std::function<void()>& task) { task(); }));
  }

  Server server_;
  Channels channels_;
  std::vector<ChannelSubscription> subscriptions_;
  std::vector<double> turns_;
  std::size_t received_ = 0;
};

/// Returns whether the bounds hold.
bool measure() {
  struct Row {
    const char* title;
    double bound;
    std::function<std::string(std::size_t)> pattern_of;
    std::unique_ptr<Side> side{};
  };
  const auto number = [](std::size_t i) { return std::to_string(i + 100); };
  Row rows[] = {
      {"no pattern", 1, {}},
      {"10,000 patterns `N:*`", ratio_max, [&](std::size_t i) { return number(i) + ":*"; }},
      {"10,000 patterns `orders:N:*`", ratio_max, [&](std::size_t i) { return "orders:" + number(i) + ":*"; }},
      {"10,000 patterns `*:N:created`", ratio_max, [&](std::size_t i) { return "*:" + number(i) + ":created"; }},
  };
  for (Row& row : rows) row.side = std::make_unique<Side>(row.pattern_of);
  for (std::size_t i = 0; i < turns; ++i) {
    for (Row& row : rows) row.side->turn();
  }
  std::puts("| patterns | publish, ns | ratio | received by | bound | holds |\n| --- | --- | --- | --- | --- | --- |");
  const double least = rows[0].side->median();
  bool all = true;
  for (Row& row : rows) {
    const double ns = row.side->median();
    const bool holds = ns <= least * row.bound;
    std::printf("| %s | %.0f | %.2f | %.0f | %.0f | %s |\n", row.title, ns, ns / least, row.side->received(), row.bound,
                holds ? "yes" : "no");
    all = all && holds;
  }
  return all;
}

}  // namespace
}  // namespace flux::bench

int main(int argc, char** argv) {
  const bool check = argc == 2 && std::string_view(argv[1]) == "--check";
  if (argc != 1 && !check) {
    std::cerr << "usage: flux-bench-patterns [--check]\n"
                 "Prints a table of medians of 21 turns. --check exits with 1 if a bound is missed.\n";
    return 2;
  }
  try {
    return flux::bench::measure() || !check ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "flux-bench-patterns: " << error.what() << "\n";
    return 2;
  }
}
