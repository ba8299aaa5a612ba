// The results of what the application asks for, passed to its callbacks.
#pragma once

#include <flux/detail/core/loop.hpp>
#include <flux/detail/server/server_state.hpp>
#include <flux/error.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

namespace flux::detail {

/// A callback of the application with its result. It is called once: by `call`, or when the task that would call it is
/// dropped because its loop has ended.
template <class T>
class PendingCallback {
 public:
  PendingCallback(ServerState& state, std::function<void(Result<T>)> done, Result<T> result)
      : state_(state), done_(std::move(done)), result_(std::move(result)) {}
  PendingCallback(const PendingCallback&) = delete;
  PendingCallback& operator=(const PendingCallback&) = delete;
  ~PendingCallback() {
    if (done_) state_.call_here([this] { call(); });
  }
  void call() { std::exchange(done_, nullptr)(std::move(result_)); }

 private:
  ServerState& state_;
  std::function<void(Result<T>)> done_;
  Result<T> result_;
};

/// Calls `done` on the loop instead of a thread of the store; if the loop has ended, on the thread that notices it.
template <class T>
void call_on(ServerState& state, core::Loop& loop, const std::function<void(Result<T>)>& done, Result<T> result) {
  loop.post([pending = std::make_shared<PendingCallback<T>>(state, done, std::move(result))] { pending->call(); });
}

/// Passes the result of an act of the application on to its callback.
template <class T>
class ActResult final : public std::enable_shared_from_this<ActResult<T>> {
 public:
  ActResult(ServerState& state, std::string_view what, std::function<void(Result<T>)> done)
      : state_(state), what_(what), done_(std::move(done)), loop_(state.a_loop()) {}

  void give(Result<T> result) {
    if (std::this_thread::get_id() == caller_ && !returned_) {
      at_once_.emplace(std::move(result));
    } else if (loop_) {
      const auto call = [self = this->shared_from_this()](Result<T> late) { self->call(std::move(late)); };
      call_on<T>(state_, *loop_, call, std::move(result));
    } else {
      call(std::move(result));
    }
  }
  /// The act has returned, and holds no lock any more.
  void returned() {
    returned_ = true;
    if (at_once_) call(std::move(*at_once_));
  }

 private:
  void call(Result<T> result) {
    if (!result) state_.hub().call_faults->failed(what_, {}, result.error());
    if (done_) state_.hub().guarded_elsewhere(what_, [&] { done_(std::move(result)); });
  }

  ServerState& state_;
  const std::string_view what_;
  const std::function<void(Result<T>)> done_;
  const std::shared_ptr<core::Loop> loop_;
  const std::thread::id caller_ = std::this_thread::get_id();
  bool returned_ = false;             // the caller's thread only
  std::optional<Result<T>> at_once_;  // likewise
};

/// Calls `act(then)`. `done`, the application's callback, gets the result that `act` gives to `then`: before this returns
/// if `act` gives it on this thread before it returns, otherwise on a loop. `what`: a literal, for the log.
template <class T, class Act>
void perform(ServerState& state, std::string_view what, std::function<void(Result<T>)> done, const Act& act) {
  const auto result = std::make_shared<ActResult<T>>(state, what, std::move(done));
  act([result](Result<T> given) { result->give(std::move(given)); });
  result->returned();
}

}  // namespace flux::detail
