#pragma once

#include <flux/detail/mode.hpp>
#include <flux/detail/server/server_state.hpp>
#include <flux/detail/server/stop_signals.hpp>

#include <atomic>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace flux::detail {

/// Where the signal handler writes: the pipe of the server that handles signals, of which there is at most one. -1:
/// none.
inline std::atomic<int> signal_pipe{-1};
static_assert(std::atomic<int>::is_always_lock_free);

FLUX_DECL void set_action(int number, void (*action)(int)) {
  struct sigaction next {};
  next.sa_handler = action;
  next.sa_flags = SA_RESTART;
  ::sigaction(number, &next, nullptr);
}

/// The signal handler. It makes only calls that POSIX allows in one.
FLUX_DECL void signal_received(int number) {
  const int error_before = errno;
  if (number != SIGHUP) {
    for (const int stops : {SIGINT, SIGTERM}) set_action(stops, SIG_DFL);
  }
  const char byte = static_cast<char>(number);
  [[maybe_unused]] const auto written = ::write(signal_pipe.load(), &byte, 1);  // if it is full, the loop reads anyway
  errno = error_before;
}

FLUX_DECL StopSignals::StopSignals(ServerState& state, SignalOptions options) : state_(state), options_(options) {
  handled_.push_back({SIGINT, {}});
  handled_.push_back({SIGTERM, {}});
  if (options.reload_certificates) handled_.push_back({SIGHUP, {}});
}

FLUX_DECL StopSignals::~StopSignals() {
  if (has_signals_) signal_pipe = -1;
  for (const int end : pipe_) {
    if (end >= 0) ::close(end);
  }
}

FLUX_DECL void StopSignals::prepare() {
  if (pipe_[0] < 0) {
    if (::pipe(pipe_.data()) != 0) {
      throw Error(Errc::server_error, "can't create a pipe for signals: " + std::generic_category().message(errno));
    }
    for (const int end : pipe_) {
      ::fcntl(end, F_SETFD, FD_CLOEXEC);
      ::fcntl(end, F_SETFL, O_NONBLOCK);
    }
  }
  int nobody = -1;
  if (!has_signals_ && !signal_pipe.compare_exchange_strong(nobody, pipe_[1])) {
    throw Error(Errc::already_running, "stop_on_signals: another server of this process already handles signals");
  }
  has_signals_ = true;
}

FLUX_DECL void StopSignals::start(core::Loop& loop) {
  loop_ = loop.shared_from_this();
  reader_.emplace(loop.context(), ::dup(pipe_[0]));
  wait();
  for (Handled& signal : handled_) {
    ::sigaction(signal.number, nullptr, &signal.before);
    set_action(signal.number, signal_received);
  }
}

FLUX_DECL void StopSignals::wait() {
  reader_->async_wait(Descriptor::wait_read, [weak = weak_from_this()](std::error_code ec) {
    const auto self = weak.lock();
    if (self && self->reader_ && !ec) self->received();
  });
}

FLUX_DECL void StopSignals::received() {
  char numbers[16];
  const auto size = ::read(pipe_[0], numbers, sizeof numbers);
  wait();
  for (ssize_t i = 0; i < size; ++i) handle(numbers[i]);
}

FLUX_DECL void StopSignals::handle(int number) {
  if (number != SIGHUP) {
    state_.hub().log(LogLevel::info, number == SIGINT ? "SIGINT: stopping" : "SIGTERM: stopping");
    return state_.stop(options_.grace);
  }
  const auto reloaded = state_.reload_certificates();
  if (reloaded) {
    state_.hub().log(LogLevel::info, "SIGHUP: certificates reloaded");
  } else {
    state_.hub().log(LogLevel::error, "SIGHUP: " + reloaded.error().message());
  }
}

FLUX_DECL void StopSignals::begin_stop() {
  // While the loop waits for a descriptor it does not end.
  loop_->post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->reader_.reset();
  });
}

FLUX_DECL void StopSignals::stop() {
  reader_.reset();  // in the application's context the task above may not have run
  loop_.reset();
  for (const Handled& signal : handled_) {
    struct sigaction now {};
    ::sigaction(signal.number, nullptr, &now);
    // SIG_DFL: what the signal handler has set.
    if (now.sa_handler == signal_received || now.sa_handler == SIG_DFL) {
      ::sigaction(signal.number, &signal.before, nullptr);
    }
  }
  char unread[16];
  while (::read(pipe_[0], unread, sizeof unread) > 0) {
  }
  signal_pipe = -1;
  has_signals_ = false;
}

}  // namespace flux::detail

namespace flux {

FLUX_DECL void stop_on_signals(Server& server, SignalOptions options) {
  detail::ServerState& state = detail::ServerAccess::state(server);
  state.add_service(std::make_shared<detail::StopSignals>(state, options));
}

}  // namespace flux
