// Calls that the application schedules on a server.
#include "support/application.hpp"
#include "support/server.hpp"

#include <flux/asio.hpp>
#include <flux/testing/manual_clock.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace timers_test {

using namespace flux_test;

namespace {

/// A server whose clock the test advances.
struct Timed {
  const std::shared_ptr<flux::testing::ManualClock> clock = std::make_shared<flux::testing::ManualClock>();
  std::vector<std::string> log;
  flux::Server server;

  Timed() : server(config()) {}
  flux::Config config() {
    auto config = test_config(2);
    config.clock = clock;
    config.log = [this](flux::LogLevel level, std::string_view line) {
      if (level == flux::LogLevel::error) log.emplace_back(line);
    };
    return config;
  }
  /// Advances the time, and waits until the loop has called what is due.
  void pass(std::chrono::milliseconds time) {
    clock->advance(time);
    Awaited<bool> called;
    server.call_after(0ms, [&] { called.set(true); });
    called.get();
  }
};

}  // namespace

TEST_CASE("timers: a call is made once, after its delay, on the server's thread") {
  Timed timed;
  timed.server.start();
  std::atomic<int> calls{0};
  std::atomic<bool> here{false};
  const auto test = std::this_thread::get_id();
  const flux::Timer timer = timed.server.call_after(100ms, [&] {
    ++calls;
    here = std::this_thread::get_id() == test;
  });
  CHECK(timer.pending());
  timed.pass(99ms);
  CHECK(calls == 0);
  timed.pass(1ms);
  CHECK(calls == 1);
  CHECK_FALSE(here);
  CHECK_FALSE(timer.pending());
  timed.pass(1'000ms);
  CHECK(calls == 1);
  timer.cancel();  // its call has already been made
}

TEST_CASE("timers: repeated calls keep their pace, and missed ones are skipped") {
  Timed timed;
  timed.server.start();
  std::atomic<int> calls{0};
  const flux::Timer timer = timed.server.call_every(100ms, [&] { ++calls; });
  timed.pass(99ms);
  CHECK(calls == 0);
  timed.pass(1ms);
  CHECK(calls == 1);
  timed.pass(150ms);
  CHECK(calls == 2);
  timed.pass(50ms);
  CHECK(calls == 3);
  timed.pass(1'030ms);  // ten calls are missed
  CHECK(calls == 4);
  timed.pass(69ms);
  CHECK(calls == 4);
  timed.pass(1ms);
  CHECK(calls == 5);
  CHECK(timer.pending());
  timer.cancel();
  CHECK_FALSE(timer.pending());
  timed.pass(1'000ms);
  CHECK(calls == 5);
}

TEST_CASE("timers: a call may cancel itself, schedule others, and release what it captured") {
  Timed timed;
  timed.server.start();
  std::atomic<int> calls{0};
  const auto kept = std::make_shared<int>();
  const auto timer = std::make_shared<flux::Timer>();
  *timer = timed.server.call_every(10ms, [&, kept, timer] {
    if (++calls == 2) timer->cancel();
    timed.server.call_after(10ms, [&, kept] { calls += 100; });
  });
  timed.pass(10ms);
  CHECK(calls == 1);
  timed.pass(10ms);
  CHECK(calls == 102);
  timed.pass(10ms);
  CHECK(calls == 202);
  CHECK(eventually([&] { return kept.use_count() == 1; }));
  const flux::Timer later = timed.server.call_after(std::chrono::hours(1), [kept] {});
  timed.pass(1ms);
  CHECK(kept.use_count() == 2);
  later.cancel();
  CHECK(eventually([&] { return kept.use_count() == 1; }));
}

TEST_CASE("timers: delays of calls scheduled before the start count from it; after the stop none is made") {
  Timed timed;
  std::atomic<int> calls{0};
  const auto kept = std::make_shared<int>();
  const flux::Timer once = timed.server.call_after(100ms, [&, kept] { ++calls; });
  const flux::Timer every = timed.server.call_every(100ms, [&, kept] { calls += 10; });
  const flux::Timer cancelled = timed.server.call_after(0ms, [&, kept] { calls += 1'000; });
  cancelled.cancel();
  timed.clock->advance(1'000ms);
  timed.server.start();
  timed.pass(99ms);
  CHECK(calls == 0);
  timed.pass(1ms);
  CHECK(calls == 11);
  timed.server.stop();
  CHECK(kept.use_count() == 1);
  CHECK_FALSE(every.pending());
  timed.clock->advance(1'000ms);
  timed.server.start();
  timed.pass(1'000ms);
  CHECK(calls == 11);
  every.cancel();
}

TEST_CASE("timers: in the application's io_context, delays count from the start, however late the context runs") {
  asio::io_context context;
  auto config = test_config();
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  config.clock = clock;
  flux::Server server(config);
  flux::use_context(server, context);
  int calls = 0;
  server.call_after(1s, [&] { ++calls; });
  server.start();
  server.call_after(1s, [&] { calls += 10; });
  clock->advance(1s);
  context.poll();
  clock->advance(0ms);
  context.poll();
  CHECK(calls == 11);
}

TEST_CASE("timers: an exception is logged and counted, and the calls continue") {
  Timed timed;
  timed.server.start();
  timed.server.call_every(10ms, [] { throw std::runtime_error("broken"); });
  timed.pass(10ms);
  timed.pass(10ms);
  CHECK(timed.server.stats().handler_errors == 2);
  REQUIRE(timed.log.size() == 2);
  CHECK_THAT(timed.log[1], Catch::Matchers::ContainsSubstring("timer") && Catch::Matchers::ContainsSubstring("broken"));
}

TEST_CASE(
    "timers: a call that schedules the next one without delay leaves time for other work, and may stop the server") {
  flux::Server server(test_config());
  std::atomic<int> calls{0};
  std::function<void()> again = [&] {
    ++calls;
    server.call_after(-1ms, again);
  };
  server.call_after(0ms, again);
  server.start();
  HttpClient client(server.port());
  CHECK(client.request(get("/")).status == 404);
  server.call_after(0ms, [&] { server.stop(); });
  server.wait();
  CHECK_FALSE(server.running());
  const int before = calls;
  CHECK(before > 0);
}

TEST_CASE("timers: in the application's io_context, calls run on its thread; handles may outlive the server") {
  Application app;
  std::optional<flux::Server> server(test_config());
  flux::use_context(*server, app.context);
  server->start();
  app.run();
  Awaited<std::thread::id> thread;
  server->call_after(1ms, [&] { thread.set(std::this_thread::get_id()); });
  CHECK(thread.get() == app.id());
  const flux::Timer late = server->call_after(std::chrono::hours(1), [] {});
  const flux::Timer often = server->call_every(0ms, [] {});  // same as every millisecond
  CHECK(late.pending());
  server->stop(0ms);
  server.reset();
  CHECK_FALSE(late.pending());
  late.cancel();
  often.cancel();
  flux::Timer().cancel();
}

}  // namespace timers_test
