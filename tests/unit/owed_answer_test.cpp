#include "catch.hpp"
#include "loop_fixture.hpp"

#include <flux/detail/core/owed_answer.hpp>

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace owed_answer_test {

using namespace flux;
using namespace std::chrono_literals;
using flux::testing::SteppedLoops;
using Owed = core::OwedAnswer<std::string>;

namespace {

/// One question on a loop, and what `then` was called with.
struct Scene {
  void wait(Owed::KeptBy keeper = Owed::KeptBy::caller) {
    loops.turn(0, [&] {
      waiting = owed->wait(loops[0], 1s, Error(Errc::overloaded, "too late"), keeper,
                           [this, held = held](const Result<std::string>& answer) {
                             on_loop = loops[0]->here();
                             got.push_back(answer ? *answer : answer.error().message());
                           });
    });
    held.reset();
  }
  std::vector<std::string> settled() {
    loops.settle();
    return got;
  }

  SteppedLoops loops;
  std::shared_ptr<Owed> owed = std::make_shared<Owed>(Error(Errc::forbidden, "nobody"));
  std::shared_ptr<core::AnswerWait> waiting;
  std::shared_ptr<int> held = std::make_shared<int>(1);  // by `then`
  std::weak_ptr<int> still_held = held;
  std::vector<std::string> got;
  bool on_loop = false;
};

using Got = std::vector<std::string>;

}  // namespace

TEST_CASE("owed answer: the first one counts, whether it is given before or after the wait begins") {
  Scene scene;
  const auto target = scene.owed->target();
  SECTION("before: passed on inside the call") {
    target->give(std::string("first"));
    target->give(std::string("second"));
    CHECK(scene.owed->given());
    scene.wait();
    CHECK(scene.got == Got{"first"});
    CHECK(scene.waiting == nullptr);
  }
  SECTION("after, from another thread: in a turn of the loop") {
    scene.wait();
    REQUIRE(scene.waiting != nullptr);
    std::thread([&] {
      target->give(std::string("first"));
      target->give(std::string("second"));
    }).join();
    CHECK(scene.got.empty());
    CHECK_FALSE(scene.waiting->over());
    CHECK(scene.settled() == Got{"first"});
    CHECK(scene.on_loop);
    CHECK(scene.waiting->over());
  }
  scene.loops.advance(2s);
  CHECK(scene.settled().size() == 1);
  CHECK(scene.still_held.expired());
}

TEST_CASE("owed answer: if there is none in time, the wait ends with its error, and a late answer does nothing") {
  Scene scene;
  const auto target = scene.owed->target();
  scene.wait();
  scene.loops.advance(999ms);
  CHECK(scene.settled().empty());
  scene.loops.advance(1ms);
  CHECK(scene.settled() == Got{"too late"});
  target->give(std::string("after all"));
  CHECK(scene.settled().size() == 1);
}

TEST_CASE("owed answer: if nobody is left to give one, it is the error for that") {
  Scene scene;
  auto target = scene.owed->target();
  auto copy = scene.owed->target();
  CHECK(copy == target);
  target.reset();
  scene.wait();
  CHECK(scene.settled().empty());
  copy.reset();
  CHECK(scene.settled() == Got{"nobody"});
}

TEST_CASE("owed answer: destroying a wait cancels it, unless the loop owns it") {
  Scene scene;
  const auto target = scene.owed->target();
  SECTION("kept by the caller") {
    scene.wait();
    CHECK_FALSE(scene.still_held.expired());
    scene.waiting.reset();
    CHECK(scene.still_held.expired());
    target->give(std::string("first"));
    scene.loops.advance(2s);
    CHECK(scene.settled().empty());
  }
  SECTION("kept by the loop") {
    scene.wait(Owed::KeptBy::loop);
    scene.waiting.reset();
    CHECK_FALSE(scene.still_held.expired());
    target->give(std::string("first"));
    CHECK(scene.settled() == Got{"first"});
  }
  SECTION("kept by the loop, until the time limit") {
    scene.wait(Owed::KeptBy::loop);
    scene.waiting.reset();
    scene.loops.advance(1s);
    CHECK(scene.settled() == Got{"too late"});
  }
  CHECK(scene.still_held.expired());
}

}  // namespace owed_answer_test
