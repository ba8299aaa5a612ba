#pragma once

#include <sys/types.h>

#include <cstdint>

namespace flux::bench {

/// Measures another process's resource use, through Linux's clocks and /proc.
class ProcessProbe {
 public:
  /// Errors: throws std::runtime_error if the process can't be read.
  explicit ProcessProbe(pid_t pid);

  /// CPU time of all threads, including ended ones, in nanosecond resolution; /proc/PID/stat counts ticks of 10 ms.
  double cpu_seconds() const;
  /// The kernel's part of it, in ticks of 10 ms: use it as a share over seconds, not as a time.
  double kernel_cpu_seconds() const;
  /// Exact if /proc/PID/smaps_rollup is readable; otherwise VmRSS, which lags by some pages per core.
  std::int64_t resident_bytes() const;

 private:
  pid_t pid_;
  clockid_t clock_{};
};

}  // namespace flux::bench
