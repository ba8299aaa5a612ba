#pragma once

#include <sys/types.h>

#include <cstdint>

namespace flux::bench {

/// Reads what another process has used, through Linux's clocks and /proc.
class ProcessProbe {
 public:
  /// Errors: throws std::runtime_error where no such process can be read.
  explicit ProcessProbe(pid_t pid);

  /// CPU time of all threads, the ended ones too. In nanoseconds, where /proc/PID/stat counts ticks of 10 ms.
  double cpu_seconds() const;
  /// The part of it that the kernel used, in ticks of 10 ms: a share over seconds, not a time.
  double kernel_cpu_seconds() const;
  /// Exact where /proc/PID/smaps_rollup may be read; VmRSS, which lags by some pages a core, where not.
  std::int64_t resident_bytes() const;

 private:
  pid_t pid_;
  clockid_t clock_{};
};

}  // namespace flux::bench
