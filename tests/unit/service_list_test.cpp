// The order in which services are started and stopped.
#include "catch.hpp"

#include <flux/clock.hpp>
#include <flux/detail/features/service.hpp>
#include <flux/error.hpp>

#include <memory>
#include <string>
#include <utility>

namespace service_list_test {

using flux::features::Service;
using flux::features::ServiceList;

namespace {

/// Notes what is called, as "name:call ".
class Noted final : public Service {
 public:
  Noted(std::string name, std::string& calls, std::string fails_at = {})
      : name_(std::move(name)), calls_(calls), fails_at_(std::move(fails_at)) {}

  void check() const override { note("check"); }
  void prepare() override { note("prepare"); }
  void start(flux::core::Loop&) override { note("start"); }
  void begin_stop() override { note("begin_stop"); }
  void stop() override { note("stop"); }

 private:
  void note(const std::string& call) const {
    if (call == fails_at_) throw flux::Error(flux::Errc::bad_config, name_);
    calls_ += name_ + ":" + call + " ";
  }

  const std::string name_;
  std::string& calls_;
  const std::string fails_at_;
};

}  // namespace

TEST_CASE("services: they start in order, after all are prepared, and stop in reverse") {
  const auto loop = flux::core::Loop::make(0, std::make_shared<flux::SystemClock>(), nullptr);
  std::string calls;
  ServiceList list;
  for (const char* name : {"a", "b", "c"}) list.add(std::make_shared<Noted>(name, calls));
  CHECK(calls == "a:check b:check c:check ");
  calls.clear();
  list.start(*loop);
  CHECK(calls == "a:prepare b:prepare c:prepare a:start b:start c:start ");
  calls.clear();
  list.begin_stop();
  list.stop();
  CHECK(calls == "c:begin_stop b:begin_stop a:begin_stop c:stop b:stop a:stop ");
}

TEST_CASE("services: if one can't be prepared, none is started; if one can't be started, earlier ones stop") {
  const auto loop = flux::core::Loop::make(0, std::make_shared<flux::SystemClock>(), nullptr);
  std::string calls;
  ServiceList unprepared;
  for (const char* name : {"a", "b"}) {
    unprepared.add(std::make_shared<Noted>(name, calls, name == std::string("b") ? "prepare" : ""));
  }
  calls.clear();
  CHECK_THROWS_AS(unprepared.start(*loop), flux::Error);
  CHECK(calls == "a:prepare ");

  ServiceList unstarted;
  for (const char* name : {"a", "b", "c"}) {
    unstarted.add(std::make_shared<Noted>(name, calls, name == std::string("c") ? "start" : ""));
  }
  calls.clear();
  CHECK_THROWS_AS(unstarted.start(*loop), flux::Error);
  CHECK(calls == "a:prepare b:prepare c:prepare a:start b:start b:stop a:stop ");
}

TEST_CASE("services: one with invalid options is not added") {
  const auto loop = flux::core::Loop::make(0, std::make_shared<flux::SystemClock>(), nullptr);
  std::string calls;
  ServiceList list;
  CHECK_THROWS_AS(list.add(std::make_shared<Noted>("a", calls, "check")), flux::Error);
  list.start(*loop);
  CHECK(calls.empty());
}

}  // namespace service_list_test
