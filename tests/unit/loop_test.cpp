#include "catch.hpp"
#include "loop_fixture.hpp"
#include "support/leaping_clock.hpp"

#include <atomic>
#include <thread>

namespace loop_test {

using namespace flux;
using namespace flux::core;
using namespace flux::testing;
using namespace std::chrono_literals;

namespace {

struct Deadline final : DeadlineWheel::Entry {
  int fired = 0;
  void on_deadline() override { ++fired; }
};

}  // namespace

TEST_CASE("loop: tasks posted by one thread run in order, on the loop", "[loop]") {
  SteppedLoops loops;
  std::string order;
  CHECK_FALSE(loops[0]->here());
  for (const char c : {'a', 'b', 'c'}) {
    CHECK(loops[0]->post([&, c] {
      CHECK(loops[0]->here());
      order += c;
      if (c == 'a') loops[0]->post([&] { order += 'd'; });
    }));
  }
  CHECK(order.empty());
  loops.settle();
  CHECK(order == "abcd");
}

TEST_CASE("loop: posts from many threads all run, those of each thread in order", "[loop]") {
  const auto loop = Loop::make(0, std::make_shared<SystemClock>(), nullptr);
  constexpr int threads = 4;
  constexpr int posts = 5000;
  std::vector<int> next(threads, 0);
  std::atomic<bool> in_order{true};
  std::thread runner([&] { loop->run(); });
  std::vector<std::thread> posters;
  for (int t = 0; t < threads; ++t) {
    posters.emplace_back([&, t] {
      for (int i = 0; i < posts; ++i) {
        loop->post([&, t, i] {
          if (next[static_cast<std::size_t>(t)]++ != i) in_order = false;
        });
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  loop->post([&] { loop->release_work(); });
  runner.join();
  CHECK(in_order);
  CHECK(next == std::vector<int>(threads, posts));
}

TEST_CASE("loop: dispatch runs at once on the loop, and later elsewhere", "[loop]") {
  SteppedLoops loops;
  std::string order;
  loops[0]->dispatch([&] { order += 'b'; });
  CHECK(order.empty());
  loops.turn(0, [&] {
    loops[0]->dispatch([&] { order += 'c'; });
    order += 'd';
  });
  CHECK(order == "bcd");
}

TEST_CASE("loop: after shut no posted task runs, and new ones are refused", "[loop]") {
  SteppedLoops loops;
  int runs = 0;
  SECTION("shut while tasks are queued") {
    const auto held = std::make_shared<int>();
    loops[0]->post([&runs, held] { ++runs; });
    loops[0]->shut();
    CHECK(held.use_count() == 1);
  }
  SECTION("shut by a task, with others queued after it") {
    loops[0]->post([&] { loops[0]->shut(); });
    loops[0]->post([&] { ++runs; });
    loops.settle();
  }
  CHECK_FALSE(loops[0]->post([&] { ++runs; }));
  CHECK_FALSE(loops[0]->dispatch([&] { ++runs; }));
  loops[0]->shut();
  loops.settle();
  CHECK(runs == 0);
}

TEST_CASE("loop: a task that was posted when the loop no longer runs does not keep the loop alive", "[loop]") {
  struct Silent final : Loop::Flushable {
    void flush() override {}
  };
  auto loop = Loop::make(0, std::make_shared<SystemClock>(), nullptr);
  const std::weak_ptr<Loop> weak = loop;
  SECTION("a posted task") {
    CHECK(loop->post([loop] {}));
  }
  SECTION("a requested flush") { loop->flush_later(std::make_shared<Silent>()); }
  loop->shut();
  loop.reset();
  CHECK(weak.expired());
}

TEST_CASE("loop: after shut no timer fires", "[loop]") {
  SteppedLoops loops;
  int runs = 0;
  loops[0]->call_after(1ms, [&] { ++runs; });
  loops[0]->shut();
  loops.advance(1s);
  CHECK(runs == 0);
}

TEST_CASE("loop: a task that is dropped may post while it is destroyed", "[loop]") {
  SteppedLoops loops;
  struct Poster {
    Loop& loop;
    ~Poster() {
      loop.post([] {});
    }
  };
  loops[0]->post([keep = std::make_shared<Poster>(Poster{*loops[0]})] { (void)keep; });
  loops[0]->shut();
  CHECK_FALSE(loops[0]->post([] {}));
}

TEST_CASE("loop: timers fire at their times, in order, and not when cancelled", "[loop]") {
  SteppedLoops loops;
  std::string order;
  loops[0]->call_after(20ms, [&] { order += 'b'; });
  loops[0]->call_after(10ms, [&] { order += 'a'; });
  const auto cancelled = loops[0]->call_after(15ms, [&] { order += 'x'; });
  loops[0]->cancel(cancelled);
  loops.advance(9ms);
  CHECK(order.empty());
  loops.advance(1ms);
  CHECK(order == "a");
  loops.advance(1h);
  CHECK(order == "ab");
}

TEST_CASE("loop: a timer that is already due fires without a step of the clock", "[loop]") {
  SteppedLoops loops;
  int runs = 0;
  loops[0]->call_after(0ms, [&] {
    ++runs;
    loops[0]->call_after(0ms, [&] { ++runs; });
  });
  CHECK(runs == 0);
  loops.settle();
  CHECK(runs == 2);
}

TEST_CASE("loop: a timer set by a timer fires at its own time", "[loop]") {
  SteppedLoops loops;
  int runs = 0;
  std::function<void()> again = [&] {
    ++runs;
    loops[0]->call_after(10ms, again);
  };
  loops[0]->call_after(10ms, again);
  for (int i = 0; i < 100; ++i) loops.advance(1ms);
  CHECK(runs == 10);
}

TEST_CASE("loop: on the system's clock timers fire too, an earlier one that is set later first", "[loop]") {
  const auto loop = Loop::make(0, std::make_shared<SystemClock>(), nullptr);
  std::string order;
  loop->call_after(10s, [&] { order += 'b'; });
  loop->call_after(2ms, [&] {
    order += 'a';
    loop->shut();
    loop->release_work();
  });
  loop->run();
  CHECK(order == "a");
}

TEST_CASE("loop: deadlines fire after their time, within two ticks", "[loop]") {
  SteppedLoops loops;
  Deadline entry;
  loops[0]->set_deadline(entry, 1000ms);
  loops.advance(999ms);
  CHECK(entry.fired == 0);
  loops.advance(1ms + 2 * DeadlineWheel::tick);
  CHECK(entry.fired == 1);
  loops.advance(1h);
  CHECK(entry.fired == 1);
}

TEST_CASE("loop: a deadline that is extended repeatedly does not fire", "[loop]") {
  SteppedLoops loops;
  Deadline entry;
  for (int i = 0; i < 50; ++i) {
    loops[0]->set_deadline(entry, 1000ms);
    loops.advance(900ms);
  }
  CHECK(entry.fired == 0);
  loops[0]->clear_deadline(entry);
  loops.advance(1h);
  CHECK(entry.fired == 0);
}

namespace {

/// A loop on a clock that runs by itself. Each turn waits for the next event.
struct RunningLoop {
  std::shared_ptr<flux_test::LeapingClock> clock = std::make_shared<flux_test::LeapingClock>();
  std::shared_ptr<Loop> loop = Loop::make(0, clock, nullptr);

  /// Runs until `done`, with a bound on the number of turns.
  bool run_until(const std::function<bool()>& done) {
    for (int i = 0; i < 10'000 && !done(); ++i) loop->context().run_one();
    return done();
  }
};

}  // namespace

TEST_CASE("loop: timers and deadlines fire on an application's own running clock", "[loop]") {
  RunningLoop running;
  std::string order;
  Deadline entry;
  running.loop->set_deadline(entry, 1ms);
  running.loop->call_after(5ms, [&] {
    order += 'a';
    running.loop->call_after(15ms, [&] { order += 'b'; });
  });
  CHECK(running.run_until([&] { return entry.fired == 1 && order.size() == 2; }));
  CHECK(order == "ab");
}

TEST_CASE("loop: no deadline expires while the process is suspended", "[loop]") {
  RunningLoop running;
  bool timer = false;
  Deadline near, far;
  running.loop->set_deadline(near, 1000ms);
  running.loop->set_deadline(far, 40s);
  running.loop->call_after(30s, [&] { timer = true; });
  const auto before = running.loop->now();
  const auto real_before = running.clock->now();
  running.clock->leap(50s);
  CHECK(running.run_until([&] { return near.fired == 1; }));
  CHECK_FALSE(timer);
  CHECK(far.fired == 0);
  CHECK(running.clock->now() - real_before > 50s);
  CHECK(running.loop->now() - before >= 1000ms);
  CHECK(running.loop->now() - before < 30s);
  // Again, while the loop waits for a timer that is far away.
  running.clock->leap(1h);
  Deadline next;
  running.loop->set_deadline(next, 500ms);
  CHECK(running.run_until([&] { return next.fired == 1; }));
  CHECK_FALSE(timer);
  CHECK(far.fired == 0);
}

TEST_CASE("loop: after a pause no deadline fires before pending input was read", "[loop]") {
  RunningLoop running;
  std::string order;
  running.loop->call_after(300ms, [&] { order += 't'; });
  running.clock->leap(10s);
  // Like sockets that are read one after the other.
  int reads = 0;
  std::function<void()> read = [&] {
    if (++reads < 50) return (void)running.loop->post(read);
    order += 's';
  };
  running.loop->post(read);
  running.loop->call_after(0ms, [&] { order += 'n'; });  // must not bring the other forward
  CHECK(running.run_until([&] { return order.size() == 3; }));
  CHECK(order == "stn");
}

TEST_CASE("loop: a timer set just after a pause is not delayed by it", "[loop]") {
  RunningLoop running;
  Deadline entry;
  running.loop->set_deadline(entry, 30s);
  running.clock->leap(50s);
  const auto before = running.loop->now();
  bool called = false;
  // Before the loop's own timer can measure how late it is.
  running.loop->call_after(25ms, [&] { called = true; });
  CHECK(running.run_until([&] { return called; }));
  CHECK(running.loop->now() - before < 5s);
  CHECK(running.loop->lost() > 40s);
  CHECK(entry.fired == 0);
}

TEST_CASE("loop: a timer that blocks the loop for long does not make other deadlines late", "[loop]") {
  RunningLoop running;
  Deadline other;
  running.loop->set_deadline(other, 5s);
  bool held = false;
  running.loop->call_after(1ms, [&] {
    running.clock->leap(20s);
    held = true;
  });
  Deadline later;
  running.loop->set_deadline(later, 1s);
  CHECK(running.run_until([&] { return later.fired == 1; }));
  CHECK(held);
  CHECK(other.fired == 0);
}

TEST_CASE("loop: if every turn blocks, deadlines still fire", "[loop]") {
  RunningLoop running;
  Deadline entry;
  running.loop->set_deadline(entry, 500ms);
  CHECK(running.run_until([&] {
    running.clock->leap(2s);
    return entry.fired == 1;
  }));
}

TEST_CASE("loop: after two stalls in a row, a timer that sets itself again does not spin", "[loop]") {
  RunningLoop running;
  const auto& loop = running.loop;
  int fired = 0;
  std::function<void()> repeat = [&] {
    if (++fired < 1000) loop->call_after(250ms, repeat);
  };
  // The first sets a timer while the second is overdue by more than one stall.
  loop->call_after(20ms, [&] { loop->call_after(10s, [] {}); });
  loop->call_after(21ms, repeat);
  const auto before = loop->now();
  running.clock->leap(2s);
  loop->context().run_one();  // notices the first stall; sockets have their turn
  running.clock->leap(2s);
  loop->context().run_one();  // calls what is due
  CHECK(fired == 1);
  CHECK(loop->now() - before >= 1s);
  CHECK(running.run_until([&] { return fired == 2; }));
}

TEST_CASE("loop: ticking stops without deadlines and starts again with the next", "[loop]") {
  SteppedLoops loops;
  Deadline entry;
  loops[0]->set_deadline(entry, 500ms);
  loops.advance(2s);
  CHECK(entry.fired == 1);
  loops.advance(1h);
  loops[0]->set_deadline(entry, 500ms);
  loops.advance(499ms);
  CHECK(entry.fired == 1);
  loops.advance(1ms + 2 * DeadlineWheel::tick);
  CHECK(entry.fired == 2);
}

TEST_CASE("loop: a requested flush runs when the turn ends, and its object is kept alive until then", "[loop]") {
  SteppedLoops loops;
  struct Flushed final : Loop::Flushable {
    std::string& order;
    explicit Flushed(std::string& o) : order(o) {}
    void flush() override { order += 'f'; }
  };
  std::string order;
  const std::weak_ptr<Flushed> weak = [&] {
    const auto what = std::make_shared<Flushed>(order);
    loops.turn(0, [&] {
      loops[0]->flush_later(what);
      loops[0]->post([&] { order += 'p'; });
      order += 't';
    });
    return what;
  }();
  CHECK(order.front() == 't');
  CHECK(order.find('f') != std::string::npos);
  CHECK(weak.expired());
}

TEST_CASE("loop: flushes that take long are spread over several turns, in their order", "[loop]") {
  SteppedLoops loops;
  struct Slow final : Loop::Flushable {
    std::function<void()> call;
    explicit Slow(std::function<void()> c) : call(std::move(c)) {}
    void flush() override {
      const auto until = std::chrono::steady_clock::now() + Loop::flush_time * 3 / 4;
      while (std::chrono::steady_clock::now() < until) continue;
      call();
    }
  };
  std::string order;
  loops.turn(0, [&] {
    for (const char name : {'a', 'b', 'c', 'd'}) {
      loops[0]->flush_later(std::make_shared<Slow>([&, name] {
        order += name;
        if (name == 'a') loops[0]->post([&] { order += 'p'; });
        if (name == 'b') loops[0]->flush_later(std::make_shared<Slow>([&] { order += 'e'; }));
      }));
    }
  });
  const auto posted = order.find('p');
  REQUIRE(posted != std::string::npos);
  CHECK(posted < order.find('d'));  // it waits for a and b, or for a alone on a slow machine
  order.erase(posted, 1);
  CHECK(order == "abcde");
}

TEST_CASE("loop: a loop in the application's context runs there", "[loop]") {
  asio::io_context context;
  const auto loop = Loop::make(3, std::make_shared<ManualClock>(), &context);
  int runs = 0;
  loop->post([&] { ++runs; });
  context.run();
  CHECK(runs == 1);
  CHECK(loop->index() == 3);
  CHECK(&loop->context() == &context);
}

}  // namespace loop_test
