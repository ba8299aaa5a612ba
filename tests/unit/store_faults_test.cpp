#include "catch.hpp"

#include <flux/features/detail/guarded_file_store.hpp>
#include <flux/testing/manual_clock.hpp>

#include <stdexcept>
#include <string>
#include <vector>

using namespace flux;
using namespace flux::features;
using namespace std::chrono_literals;

namespace {

struct Scene {
  std::vector<std::string> lines;
  std::shared_ptr<testing::ManualClock> clock = std::make_shared<testing::ManualClock>();
  StoreFaults faults{"the chat store", clock, [this](std::string_view line) { lines.emplace_back(line); }};
};

Error told(Scene& s, Errc code, const std::string& message) {
  return s.faults.guarded([&]() -> Result<int> { return Error(code, message); }).error();
}

}  // namespace

TEST_CASE("store faults: what works is passed through, and nothing is said of it", "[store_faults]") {
  Scene s;
  CHECK(s.faults.guarded([]() -> Result<int> { return 7; }).value() == 7);
  CHECK(s.faults.guarded([]() -> Result<void> { return {}; }).ok());
  CHECK(s.lines.empty());
  CHECK(s.faults.count() == 0);
}

TEST_CASE("store faults: an error comes back in our words, with the store's as its cause; it is logged and counted",
          "[store_faults]") {
  Scene s;
  const Error failed = told(s, Errc::store_failed, "no route to db7");
  CHECK(failed.code() == Errc::store_failed);
  CHECK(failed.message() == "the chat store failed");
  CHECK(failed.cause() == "no route to db7");
  CHECK(told(s, Errc::overloaded, "db7 is busy").message() == "the chat store is overloaded; try again");
  CHECK(told(s, Errc::quota_exceeded, "/var is full").message() == "the chat store is full");
  const Error odd = told(s, Errc::room_not_found, "table rooms");  // no code that a store has to give
  CHECK(odd.code() == Errc::store_failed);
  CHECK(odd.message() == "the chat store failed");
  CHECK(s.lines == std::vector<std::string>{"the chat store failed: no route to db7",
                                            "the chat store failed: db7 is busy", "the chat store failed: /var is full",
                                            "the chat store failed: table rooms"});
  CHECK(s.faults.count() == 4);
}

TEST_CASE("store faults: an exception is an error", "[store_faults]") {
  Scene s;
  const auto thrown = s.faults.guarded([]() -> Result<int> { throw std::runtime_error("db7 has gone"); });
  CHECK(thrown.error().message() == "the chat store failed");
  CHECK(thrown.error().cause() == "db7 has gone");
  CHECK(s.faults.guarded([]() -> Result<int> { throw 7; }).error().code() == Errc::store_failed);
  CHECK(s.lines == std::vector<std::string>{"the chat store threw: db7 has gone",
                                            "the chat store threw: something that is no std::exception"});
  CHECK(s.faults.count() == 2);
}

TEST_CASE("store faults: what a caller asked for wrongly is no trouble of the store's, and told in our words",
          "[store_faults]") {
  Scene s;
  for (const Errc code : {Errc::file_not_found, Errc::wrong_offset, Errc::file_too_large, Errc::invalid_argument}) {
    const Error error = told(s, code, "/var/lib/files/7");
    CHECK(error.code() == code);
    CHECK_THAT(error.message(), !Catch::Matchers::ContainsSubstring("/var"));
    CHECK(error.cause() == "/var/lib/files/7");
  }
  CHECK(s.lines.empty());
  CHECK(s.faults.count() == 0);
}

TEST_CASE("store faults: in a time only so many lines are logged, and then how many were left out", "[store_faults]") {
  Scene s;
  for (std::size_t i = 0; i < StoreFaults::log_lines_max + 30; ++i) told(s, Errc::store_failed, "down");
  CHECK(s.lines.size() == StoreFaults::log_lines_max);
  CHECK(s.faults.count() == StoreFaults::log_lines_max + 30);
  s.clock->advance(StoreFaults::log_window - 1ms);
  told(s, Errc::store_failed, "down");
  CHECK(s.lines.size() == StoreFaults::log_lines_max);
  s.lines.clear();
  s.clock->advance(1ms);
  told(s, Errc::store_failed, "down again");
  told(s, Errc::store_failed, "down again");
  CHECK(s.lines == std::vector<std::string>{"31 lines about the chat store were left out",
                                            "the chat store failed: down again", "the chat store failed: down again"});
}
