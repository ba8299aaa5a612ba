// An application that runs an io_context of its own.
#pragma once

#include "support/awaited.hpp"

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include <functional>
#include <thread>

namespace flux_test {

/// The application's thread.
class Application {
 public:
  ~Application() { join(); }
  void run() {
    thread_ = std::thread([this] { context.run(); });
  }
  void join() {
    work_.reset();
    if (thread_.joinable()) thread_.join();
  }
  /// Runs `task` on the application's thread and waits for it.
  void call(std::function<void()> task) {
    Awaited<bool> done;
    asio::post(context, [&] {
      task();
      done.set(true);
    });
    done.get();
  }
  std::thread::id id() const { return thread_.get_id(); }

  asio::io_context context{1};

 private:
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(context);
  std::thread thread_;
};

}  // namespace flux_test
