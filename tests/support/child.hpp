// Child processes that share the program with a test: to set limits, to run as another user, and to be killed.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>

/// A child that runs `body`, passing it the write end of a pipe that the parent reads. It exits without running the
/// destructors of the parent's objects. Create it while the test has only one thread.
class Child {
 public:
  template <class Body>
  explicit Child(Body body) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
    id_ = ::fork();
    if (id_ < 0) throw std::runtime_error("no child");
    if (id_ == 0) {
      ::close(ends[0]);
      try {
        body(ends[1]);
      } catch (const std::exception& failure) {
        write_to(ends[1], std::string("threw: ") + failure.what());
      } catch (...) {
        write_to(ends[1], "threw: an assertion failed");
      }
      ::_exit(0);
    }
    ::close(ends[1]);
    output_ = ends[0];
  }
  ~Child() {
    kill();
    ::close(output_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  static void write_to(int output, const std::string& text) {
    if (::write(output, text.data(), text.size()) != static_cast<::ssize_t>(text.size())) ::_exit(1);
  }
  /// The next bytes of its output; empty once it has ended.
  std::string read() const {
    std::string text(65'536, '\0');
    const ::ssize_t size = ::read(output_, text.data(), text.size());
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return text;
  }
  std::string read_all() const {
    std::string all;
    for (std::string text = read(); !text.empty(); text = read()) all += text;
    return all;
  }
  /// Kills it, as in a crash.
  void kill() {
    if (id_ <= 0) return;
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
    id_ = 0;
  }

 private:
  ::pid_t id_ = 0;
  int output_ = -1;
};

/// What `body` returns, computed in a child.
template <class Body>
std::string in_child(Body body) {
  return Child([&](int output) { Child::write_to(output, body()); }).read_all();
}

/// Limits the size of every file of this process to `bytes`: a write past it fails with EFBIG, also in its middle.
inline void limit_file_size(std::size_t bytes) {
  std::signal(SIGXFSZ, SIG_IGN);
  ::rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = bytes;
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) throw std::runtime_error("no limit");
}

/// Limits the memory of this process, a child, to what it uses and `more` bytes, so that few stacks of threads fit;
/// RLIM_INFINITY ends that. Not with sanitizers, which reserve more than can be limited.
inline void limit_memory(::rlim_t more) {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  ::rlimit limit{};
  ::getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = more == RLIM_INFINITY ? limit.rlim_max : pages * static_cast<std::size_t>(::getpagesize()) + more;
  if (::setrlimit(RLIMIT_AS, &limit) != 0) throw std::runtime_error("no limit");
}
