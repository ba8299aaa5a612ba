// Shared by the tests of a whole server.
#pragma once

#include "catch.hpp"
#include "support/awaited.hpp"
#include "support/client.hpp"

#include <flux/flux.hpp>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace flux_test {

/// Loopback, a free port, a fixed seed; presence is sent at once, so that tests need not wait for it.
inline flux::Config test_config(std::size_t threads = 1) {
  flux::Config config;
  config.listen = {{"127.0.0.1", 0}};
  config.threads = threads;
  config.presence_interval = 0ms;
  config.presence_throttle = 0ms;
  config.chat.join_history_timeout = patience;  // by default a store that is slow for 2 s would change what a join gets
  config.seed = 42;
  return config;
}

inline std::string numbered(std::string_view stem, std::size_t number) {
  return std::string(stem).append(std::to_string(number));
}
inline std::string numbered(std::string_view stem, int number) {
  return numbered(stem, static_cast<std::size_t>(number));
}
/// A JSON string of `size` characters.
inline std::string quoted_x(std::size_t size) { return std::string("\"").append(size, 'x').append("\""); }

/// The result that `call(done)` passes to `done`, on whichever thread.
template <class T, class Call>
flux::Result<T> answer_of(const Call& call) {
  const auto answer = std::make_shared<Awaited<flux::Result<T>>>();
  call([answer](flux::Result<T> result) { answer->set(std::move(result)); });
  return answer->get();
}
inline flux::Result<flux::Position> share(flux::Server& server, const flux::RoomId& room, const flux::JsonText& data) {
  return answer_of<flux::Position>([&](auto done) { server.share(room, data, done); });
}
inline flux::Result<flux::Position> public_share(flux::Server& server, const flux::JsonText& data) {
  return answer_of<flux::Position>([&](auto done) { server.public_share(data, done); });
}
inline flux::Result<bool> public_delete_last(flux::Server& server) {
  return answer_of<bool>([&](auto done) { server.public_delete_last(done); });
}

/// A gate at which threads wait until it is opened.
class Gate {
 public:
  void open() { opened_.set_value(); }
  void wait() const {
    if (door_.wait_for(patience) != std::future_status::ready) throw std::runtime_error("the gate stayed shut");
  }

 private:
  std::promise<void> opened_;
  std::shared_future<void> door_ = opened_.get_future().share();
};

/// Threads of a test. `join` rethrows what one of them threw.
class Crew {
 public:
  ~Crew() {
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  void add(std::function<void()> work) {
    std::packaged_task<void()> task(std::move(work));
    results_.push_back(task.get_future());
    threads_.emplace_back(std::move(task));
  }
  void join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    for (auto& result : std::exchange(results_, {})) result.get();
  }

 private:
  std::vector<std::thread> threads_;
  std::vector<std::future<void>> results_;
};

/// The code of the error that `start` throws; none if it does not throw.
template <class Start>
std::pair<flux::Errc, std::string> thrown_by(Start start) {
  try {
    start();
  } catch (const flux::Error& error) {
    return {error.code(), error.message()};
  }
  return {};
}

}  // namespace flux_test
