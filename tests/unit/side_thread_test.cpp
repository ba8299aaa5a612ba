#include "catch.hpp"

#include <flux/detail/core/side_thread.hpp>

#include <future>
#include <memory>
#include <thread>
#include <vector>

namespace side_thread_test {

using flux::core::SideThread;

TEST_CASE("side thread: tasks from many threads run elsewhere, one at a time, each thread's in order",
          "[side_thread][threads]") {
  SideThread side;
  std::vector<std::vector<int>> ran(4);  // each written by the side thread only
  std::thread::id where;
  std::vector<std::thread> threads;
  for (std::size_t n = 0; n < ran.size(); ++n) {
    threads.emplace_back([&, n] {
      for (int i = 0; i < 100; ++i) {
        side.run([&, n, i] {
          where = std::this_thread::get_id();
          ran[n].push_back(i);
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::promise<void> behind;
  side.run([&] { behind.set_value(); });
  behind.get_future().wait();
  CHECK(where != std::this_thread::get_id());
  for (const auto& list : ran) {
    REQUIRE(list.size() == 100);
    for (int i = 0; i < 100; ++i) REQUIRE(list[static_cast<std::size_t>(i)] == i);
  }
}

TEST_CASE("side thread: at its end the running task is awaited, the others are dropped", "[side_thread]") {
  std::promise<void> began, go_on;
  bool ended = false, others = false;
  const auto held = std::make_shared<int>(1);
  auto side = std::make_unique<SideThread>();
  side->run([&] {
    began.set_value();
    go_on.get_future().wait();
    ended = true;
  });
  began.get_future().wait();
  side->run([&others, held] { others = true; });
  std::thread end([&] { side.reset(); });
  go_on.set_value();
  end.join();
  CHECK(ended);
  if (!others) CHECK(held.use_count() == 1);
}

TEST_CASE("side thread: a task may release its last owner", "[side_thread]") {
  std::promise<void> gone;
  auto side = std::make_shared<SideThread>();
  struct Tells {
    explicit Tells(std::promise<void>& p) : promise(p) {}
    ~Tells() { promise.set_value(); }
    std::promise<void>& promise;
  };
  SideThread& own = *side;
  own.run([held = std::move(side), tells = std::make_shared<Tells>(gone)]() mutable {
    held.reset();
    tells.reset();
  });
  gone.get_future().wait();
}

}  // namespace side_thread_test
