#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "options.hpp"
#include "process_probe.hpp"
#include "report.hpp"
#include "swarm.hpp"
#include "tally.hpp"

namespace flux::bench {

using Clock = Swarm::Clock;
using Seconds = std::chrono::duration<double>;

/// How long a turn may wait for input when nothing is due to be sent.
inline constexpr std::chrono::milliseconds longest_turn{20};

inline Clock::time_point after(Clock::time_point start, Seconds duration) {
  return start + std::chrono::duration_cast<Clock::duration>(duration);
}

/// A run: the clients, the server's process, and what is measured between start() and stop().
class Load {
 public:
  explicit Load(const Options& options);

  const Options& options() const { return options_; }
  Swarm& swarm() { return *swarm_; }
  const ProcessProbe& probe() const { return probe_.value(); }
  Tally& tally() { return tally_; }
  Report& report() { return report_; }
  std::size_t size() const { return options_.connections; }

  /// Returns when all clients are connected and traffic has stopped.
  void open();

  void start();
  bool running() const { return Clock::now() < after(started_, options_.duration); }
  Clock::time_point started() const { return started_; }
  void stop();

  /// Everything received between start() and stop(), whether the mode counts it or not.
  const Swarm::Counters& received() const { return received_; }
  Seconds elapsed() const { return elapsed_; }

  /// Reports the measured time and its cost per frame, given the number of `frames`.
  void report_cost(std::uint64_t frames);
  void report_tally();
  void report_latency();
  void report_faults();

 private:
  Options options_;
  std::unique_ptr<Swarm> swarm_;
  std::optional<ProcessProbe> probe_;
  Tally tally_;
  Report report_;
  Swarm::Counters counters_at_start_;
  Swarm::Counters received_;
  Clock::time_point started_;
  Seconds elapsed_{0};
  double cpu_at_start_ = 0;
  double kernel_cpu_at_start_ = 0;
  double cpu_ = 0;
  double kernel_cpu_ = 0;
};

}  // namespace flux::bench
