#include "catch.hpp"

#include <flux/detail/server/loop_watch.hpp>

#include <chrono>
#include <cstring>

namespace loop_watch_test {

using namespace flux;
using namespace flux::detail;
using namespace std::chrono_literals;
using Found = BlockedHandler::Found;

namespace {

const core::ClientAddress ann = core::ClientAddress::parse("192.0.2.7:49152").value();
const core::ClientAddress nobody;

}  // namespace

TEST_CASE(
    "blocked loops: a handler that reaches the limit is found once, while it runs, and again when it has returned") {
  core::RunningHandler running;
  BlockedHandler of(1s);
  CHECK(of.look(running.seen(), 250ms) == Found::nothing);
  {
    const core::RunningHandler::Call call(running, "chat", ann);
    CHECK(of.look(running.seen(), 250ms) == Found::nothing);  // it may just have begun
    for (int i = 0; i < 3; ++i) CHECK(of.look(running.seen(), 250ms) == Found::nothing);
    CHECK(of.look(running.seen(), 250ms) == Found::blocked);
    CHECK(std::strcmp(of.handler().what, "chat") == 0);
    CHECK(of.handler().client.text() == "192.0.2.7:49152");
    CHECK(of.time() == 1s);
    CHECK(of.look(running.seen(), 250ms) == Found::nothing);
  }
  CHECK(of.look(running.seen(), 250ms) == Found::ended);
  CHECK(of.time() == 1250ms);
  CHECK(std::strcmp(of.handler().what, "chat") == 0);
  CHECK(of.look(running.seen(), 250ms) == Found::nothing);
}

TEST_CASE("blocked loops: many short handlers in a row are not one long one") {
  core::RunningHandler running;
  BlockedHandler of(1s);
  for (int i = 0; i < 20; ++i) {
    const core::RunningHandler::Call call(running, "event", nobody);
    CHECK(of.look(running.seen(), 900ms) == Found::nothing);
  }
}

TEST_CASE("blocked loops: time that may have been a pause of the process does not count") {
  core::RunningHandler running;
  BlockedHandler of(1s);
  const core::RunningHandler::Call call(running, "event", nobody);
  CHECK(of.look(running.seen(), 250ms) == Found::nothing);
  CHECK(of.look(running.seen(), 750ms) == Found::nothing);
  CHECK(of.look(running.seen(), 0ms) == Found::nothing);
  CHECK(of.look(running.seen(), 250ms) == Found::blocked);
}

TEST_CASE("blocked loops: a handler inside a handler is seen by itself, then the outer one again") {
  core::RunningHandler running;
  const core::RunningHandler::Call outer(running, "event", ann);
  const auto of_outer = running.seen().call;
  {
    const core::RunningHandler::Call inner(running, "leave", nobody);
    CHECK(std::strcmp(running.seen().what, "leave") == 0);
    CHECK(running.seen().call != of_outer);
  }
  CHECK(running.seen().call == of_outer);
  CHECK(running.seen().client.text() == "192.0.2.7:49152");
}

TEST_CASE("blocked loops: a client is named by its address, however the caller has it") {
  using Client = core::RunningHandler::Client;
  const std::string longest = "[2001:db8:1111:2222:3333:4444:5555:6666]:49152";
  core::RunningHandler running;
  const auto named = [&](const Client& client) {
    const core::RunningHandler::Call call(running, "event", client);
    return running.seen().client.text();
  };
  CHECK(named(std::string_view("192.0.2.7:49152")) == "192.0.2.7:49152");
  CHECK(named(std::string_view(longest)) == longest);
  CHECK(named(core::ClientAddress::parse(longest).value()) == longest);
  CHECK(named(std::string_view(std::string(100, 'x'))).size() == 47);
  CHECK(named({}).empty());
  CHECK(named(nobody).empty());
}

}  // namespace loop_watch_test
