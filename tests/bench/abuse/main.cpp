/// flux-bench-abuse: sends each request of each protocol as fast as a socket accepts it, reads nothing, and reports
/// what that costs a server with default settings: memory per connection, and CPU time per turn of the event loop.
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../descriptor.hpp"
#include "attack.hpp"
#include "attacker.hpp"
#include "scene.hpp"

namespace flux::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr std::size_t connections = 10;
constexpr nanoseconds request_max = milliseconds(20);

/// Per connection: its outbox, one reply, a partly received message, and what one turn reads.
std::int64_t bytes_max() {
  const Limits limits;
  constexpr std::size_t read_bytes = 512 * 1024;
  return static_cast<std::int64_t>(limits.outbox_bytes_max + limits.message_bytes_max + read_bytes);
}

struct Options {
  milliseconds duration{500};
  std::string only;
  bool check = false;
};

struct Outcome {
  std::int64_t bytes = 0;  ///< the peak of allocated memory per connection
  std::uint64_t requests = 0;
  nanoseconds cpu{0};
  nanoseconds longest_turn{0};     ///< a turn may handle all the requests of one read
  nanoseconds longest_request{0};  ///< a turn's time divided by the number of requests it handled
};

/// Both ends of a pipe that signals when the next step may begin.
class Signal {
 public:
  Signal() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    read_ = Descriptor(ends[0]);
    write_ = Descriptor(ends[1]);
  }
  void give(std::string_view text) const {
    if (::write(write_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      throw std::runtime_error("the other process has gone");
    }
  }
  std::string take() const {
    char text[32];
    const ssize_t size = ::read(read_.get(), text, sizeof text);
    if (size <= 0) throw std::runtime_error("the other process has gone");
    return {text, static_cast<std::size_t>(size)};
  }
  bool given() const {
    pollfd end{read_.get(), POLLIN, 0};
    return ::poll(&end, 1, 0) > 0;
  }
  void keep_reader() { write_.reset(); }
  void keep_writer() { read_.reset(); }

 private:
  Descriptor read_, write_;
};

/// The attackers' process: connects to the port received from `go`, reports that, and sends requests when told to.
[[noreturn]] void attack_from_child(const Attack& attack, const Options& options, Signal& go, Signal& done) {
  try {
    go.keep_reader();
    done.keep_writer();
    const std::string port = go.take();
    Attackers attackers(attack, static_cast<std::uint16_t>(std::stoul(port)), connections);
    done.give("connected");
    go.take();
    attackers.ask(options.duration);
    done.give("asked");
    go.take();  // the connections stay open until everything is measured
  } catch (const std::exception& error) {
    std::cerr << attack.name << ": " << error.what() << '\n';
    std::_Exit(EXIT_FAILURE);
  }
  std::_Exit(EXIT_SUCCESS);
}

class Folder {
 public:
  Folder() : path_((std::filesystem::temp_directory_path() / "flux-abuse-XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no folder can be made at " + path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Writes to memory that malloc keeps from then on. So the turns that are measured have no page faults: what one costs is
/// the machine's (0.3 to 16 µs), and the pages of this process are shared with the attackers' when that is forked.
void touch_memory() {
  ::mallopt(M_MMAP_THRESHOLD, 32 * 1024 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, INT_MAX);
  constexpr std::size_t block = 1024 * 1024;  // of 64, more than the server allocates for the attackers
  std::vector<std::unique_ptr<char[]>> blocks(64);
  for (auto& each : blocks) {
    each = std::make_unique<char[]>(block);
    for (volatile char* at = each.get(); at < each.get() + block; at += 1024) *at = 1;
  }
}

std::uint64_t requests_of(const Stats& stats) { return stats.messages_in + stats.requests; }

Outcome measure(const Attack& attack, const Options& options) {
  Signal go;
  Signal done;
  const pid_t child = ::fork();  // before the server starts its threads
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) attack_from_child(attack, options, go, done);
  go.keep_writer();
  done.keep_reader();

  Outcome outcome;
  const Folder folder;
  Scene scene(folder.path(), attack.door == Door::deflate);
  const auto run_until_told = [&](auto&& after_turn) {
    while (!done.given()) after_turn(scene.turn(milliseconds(5)));
    done.take();
  };
  go.give(std::to_string(scene.port()));
  run_until_told([](nanoseconds) {});

  touch_memory();
  const std::int64_t bytes_before = allocated_bytes();
  const std::uint64_t requests_before = requests_of(scene.stats());
  auto measured_at = std::chrono::steady_clock::now();
  go.give("ask");
  std::int64_t most = 0;
  std::uint64_t requests_until_now = requests_before;
  run_until_told([&](nanoseconds took) {
    outcome.cpu += took;
    outcome.longest_turn = std::max(outcome.longest_turn, took);
    const std::uint64_t requests = requests_of(scene.stats());
    const std::uint64_t held = std::max<std::uint64_t>(requests - std::exchange(requests_until_now, requests), 1);
    outcome.longest_request = std::max(outcome.longest_request, took / static_cast<std::int64_t>(held));
    const auto now = std::chrono::steady_clock::now();
    if (took < milliseconds(1) && now - measured_at < milliseconds(2)) return;
    measured_at = now;
    most = std::max(most, allocated_bytes() - bytes_before);
  });
  outcome.bytes = std::max(most, allocated_bytes() - bytes_before) / static_cast<std::int64_t>(connections);
  outcome.requests = requests_of(scene.stats()) - requests_before;
  go.give("end");
  int status = 0;
  ::waitpid(child, &status, 0);
  return outcome;
}

std::string number(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

Options parse(const std::vector<std::string_view>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view name = arguments[i];
    const auto value = [&] {
      if (++i == arguments.size()) throw std::runtime_error(std::string(name) + " needs a value");
      return arguments[i];
    };
    if (name == "--check") {
      options.check = true;
    } else if (name == "--only") {
      options.only = value();
    } else if (name == "--ms") {
      const std::string_view text = value();
      int ms = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
      if (error != std::errc() || end != text.data() + text.size() || ms < 10 || ms > 60'000) {
        throw std::runtime_error("--ms takes a number from 10 to 60000, not " + std::string(text));
      }
      options.duration = milliseconds(ms);
    } else {
      throw std::runtime_error("unknown option " + std::string(name) + "; there are --ms, --only and --check");
    }
  }
  return options;
}

int run(const Options& options) {
  bool all_hold = true;
  std::cout << "| over | request | requests | MB for each connection | longest turn, ms | longest for a request, ms "
               "| mean, µs | holds |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n";
  for (const Attack& attack : all_attacks()) {
    const std::string title = std::string(name_of(attack.door)) + " | " + attack.name;
    if (title.find(options.only) == std::string::npos) continue;
    const Outcome outcome = measure(attack, options);
    const bool holds = outcome.bytes <= bytes_max() && outcome.longest_request <= request_max;
    all_hold = all_hold && holds;
    const auto us = static_cast<double>(outcome.cpu.count()) / 1e3;
    std::cout << "| " << title << " | " << outcome.requests << " | "
              << number(static_cast<double>(outcome.bytes) / 1e6, 2) << " | "
              << number(static_cast<double>(outcome.longest_turn.count()) / 1e6, 2) << " | "
              << number(static_cast<double>(outcome.longest_request.count()) / 1e6, 2) << " | "
              << number(us / static_cast<double>(std::max<std::uint64_t>(outcome.requests, 1)), 1) << " | "
              << (holds ? "yes" : "**no**") << " |" << std::endl;
  }
  return options.check && !all_hold ? EXIT_FAILURE : EXIT_SUCCESS;
}

constexpr std::string_view usage =
    "usage: flux-bench-abuse [option]...\n"
    "Asks each request of each protocol as fast as ten sockets take it, reads nothing, and prints a table of what "
    "that\n"
    "costs a server on its defaults that has all it may keep.\n"
    "  --ms N        how long each is asked (default 500)\n"
    "  --only TEXT   only rows that hold TEXT, such as \"live |\" or get_history\n"
    "  --check       end with 1 when a bound is missed: memory for each connection, 20 ms for a request\n";

}  // namespace
}  // namespace flux::bench

int main(int argc, char** argv) {
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  if (!arguments.empty() && arguments[0] == "--help") {
    std::cout << flux::bench::usage;
    return EXIT_SUCCESS;
  }
  try {
    return flux::bench::run(flux::bench::parse(arguments));
  } catch (const std::exception& error) {
    std::cerr << "flux-bench-abuse: " << error.what() << '\n';
    return 2;
  }
}
