// A feature that sends to clients by itself, as their participants see it.
#include "../support/ticker.hpp"
#include "catch.hpp"
#include "participant_fixture.hpp"

namespace subscriber_test {

using namespace participant_test;
using flux_test::Ticker;

TEST_CASE("subscriber: a client receives until it unsubscribes", "[subscriber]") {
  Scene scene;
  const auto ticker = std::make_shared<Ticker>();
  Client& ann = scene.client();
  Client& ben = scene.client();
  ticker->subscribe(ann);
  ticker->subscribe(ben);
  ticker->subscribe(ben);
  CHECK(ticker->receivers() == 2);
  ticker->tick();
  CHECK(scene.heard(ann) == Lines{"tick 1"});
  CHECK(scene.heard(ben) == Lines{"tick 1"});
  ticker->tick();
  ann.flush();
  CHECK(ann.inbox.take() == Lines{"tick 2"});
  ticker->unsubscribe(ann);
  ticker->unsubscribe(ann);
  ticker->tick();
  CHECK(scene.heard(ann).empty());
  CHECK(scene.heard(ben) == Lines{"tick 2", "tick 3"});
  CHECK(ticker->receivers() == 1);
}

TEST_CASE("subscriber: a client of several features leaves each one alone, and all when it disconnects",
          "[subscriber]") {
  Scene scene;
  const std::vector<std::shared_ptr<Ticker>> tickers{std::make_shared<Ticker>(), std::make_shared<Ticker>(),
                                                     std::make_shared<Ticker>()};
  Client& ann = scene.client();
  for (const auto& ticker : tickers) ticker->subscribe(ann);
  (void)ann.watch_public(ann.seat(), 10, 0);
  const std::size_t first = GENERATE(0u, 1u, 2u);
  tickers[first]->unsubscribe(ann);
  for (std::size_t i = 0; i < tickers.size(); ++i) CHECK(tickers[i]->receivers() == (i == first ? 0 : 1));
  tickers[first]->subscribe(ann);
  for (const auto& ticker : tickers) ticker->tick();
  CHECK(scene.heard(ann).size() == 3);
  ann.go();
  for (const auto& ticker : tickers) {
    CHECK(ticker->receivers() == 0);
    ticker->tick();
  }
  (void)scene.backend.public_space->share({"A", json("1"), 0});
  CHECK(scene.heard(ann).empty());
}

TEST_CASE("subscriber: a slow reader catches up on what each feature has held back", "[subscriber]") {
  Scene scene;
  const auto ticker = std::make_shared<Ticker>();
  Client& ann = scene.client();
  (void)ann.watch_public(ann.seat(), 10, 0);
  ticker->subscribe(ann);
  ann.inbox.congested = true;
  for (int i = 0; i < 3; ++i) ticker->tick();
  (void)scene.backend.public_space->share({"A", json("1"), 0});
  CHECK(scene.heard(ann).empty());
  ann.inbox.congested = false;
  Lines missed;
  bool congested = true;
  const auto catch_up = [&] {
    return ann.catch_up([&] { return congested; },
                        [&](const core::SharedBytes& message) { missed.push_back(*message); });
  };
  CHECK(catch_up());
  CHECK(missed.empty());
  congested = false;
  SECTION("all of it is known") {
    CHECK(catch_up());
    CHECK(missed == Lines{"tick 3", "public 1"});
    CHECK(catch_up());
    CHECK(missed.size() == 2);
    ticker->tick();
    CHECK(scene.heard(ann) == Lines{"tick 4"});
  }
  SECTION("a newer number is pending: it is not sent twice, nor followed by an older one") {
    scene.loops.turn(0, [&] {
      ticker->tick();
      CHECK(catch_up());
      CHECK(missed == Lines{"tick 4", "public 1"});
    });
    CHECK(scene.heard(ann).empty());
  }
  SECTION("a feature no longer knows it: the client is to be closed") {
    ticker->forgetful = true;
    CHECK_FALSE(catch_up());
  }
}

TEST_CASE("subscriber: a client that is closing can't subscribe, nor be told anything", "[subscriber]") {
  Scene scene;
  const auto ticker = std::make_shared<Ticker>();
  Client& ann = scene.client();
  ann.go();
  ticker->subscribe(ann);
  CHECK(ticker->receivers() == 0);
  ticker->tick();
  CHECK(scene.heard(ann).empty());
}

TEST_CASE("subscriber: a client's transport changes, its pending messages are taken along", "[subscriber]") {
  Scene scene;
  const auto ticker = std::make_shared<Ticker>();
  Client& ann = scene.member("den");
  ticker->subscribe(ann);
  (void)ann.watch_public(ann.seat(), 10, 0);
  const TextView other;
  scene.loops.turn(0, [&] {
    (void)scene.backend.rooms.find("den")->publish(nullptr, {"den", "server", {}, "e", "1"});
    (void)scene.backend.public_space->share({"A", json("1"), 0});
    ann.used_view = &other;
    Lines pending;
    ann.change_view(';', [&](std::string messages) { pending.push_back(std::move(messages)); });
    CHECK(pending == Lines{"event e from server 1"});  // the list is a state: it follows in the new encoding
  });
  ticker->tick();
  CHECK(scene.heard(ann) == Lines{"tick 1"});
  Lines missed;
  CHECK(ann.catch_up([] { return false; }, [&](const core::SharedBytes& message) { missed.push_back(*message); }));
  CHECK(missed == Lines{"public 1"});
}

}  // namespace subscriber_test
