#include "process_probe.hpp"

#include <unistd.h>

#include <ctime>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>

namespace flux::bench {
namespace {

std::string proc_path(pid_t pid, const char* file) { return "/proc/" + std::to_string(pid) + "/" + file; }

/// The value in bytes of a line such as `Rss:  123 kB`; -1 if the file or the line does not exist.
std::int64_t kilobyte_line(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    std::int64_t kilobytes = 0;
    if (word == name && file >> kilobytes) return kilobytes * 1024;
  }
  return -1;
}

}  // namespace

ProcessProbe::ProcessProbe(pid_t pid) : pid_(pid) {
  if (::clock_getcpuclockid(pid, &clock_) != 0) {
    throw std::runtime_error("no process " + std::to_string(pid) + " to read the CPU time of");
  }
}

double ProcessProbe::cpu_seconds() const {
  timespec used{};
  if (::clock_gettime(clock_, &used) != 0) throw std::runtime_error("the server process has ended");
  return static_cast<double>(used.tv_sec) + 1e-9 * static_cast<double>(used.tv_nsec);
}

double ProcessProbe::kernel_cpu_seconds() const {
  std::ifstream file(proc_path(pid_, "stat"));
  const std::string line{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const std::size_t name_end = line.rfind(')');  // the program's name may contain spaces and brackets
  if (name_end == std::string::npos) throw std::runtime_error("the server process has ended");
  std::istringstream fields(line.substr(name_end + 1));
  std::string skipped;
  for (int i = 3; i <= 14; ++i) fields >> skipped;  // proc(5): state is field 3, utime 14, stime 15
  double ticks = 0;
  fields >> ticks;
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

std::int64_t ProcessProbe::resident_bytes() const {
  const std::int64_t exact = kilobyte_line(proc_path(pid_, "smaps_rollup"), "Rss:");
  const std::int64_t bytes = exact >= 0 ? exact : kilobyte_line(proc_path(pid_, "status"), "VmRSS:");
  if (bytes < 0) throw std::runtime_error("the server process has ended");
  return bytes;
}

}  // namespace flux::bench
