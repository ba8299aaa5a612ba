#include "catch.hpp"

#include <flux/detail/features/room_life.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace room_life_test {

using namespace flux;
using namespace flux::features;
using namespace std::chrono_literals;
using State = RoomLife::State;
using Time = Clock::TimePoint;

namespace {

constexpr Time begin{};

/// A life in this state, reached by the shortest path.
RoomLife life_in(State state) {
  RoomLife life;
  switch (state) {
    case State::fresh: break;
    case State::occupied: life.enter(); break;
    case State::revisited:
      life.begin_linger();
      life.enter();
      break;
    case State::deserted: life.desert(); break;
    case State::lingering: life.begin_linger(); break;
    case State::awaiting: life.await_members(); break;
    case State::ended: life.end(); break;
  }
  return life;
}

constexpr State all_states[] = {State::fresh,     State::occupied, State::revisited, State::deserted,
                                State::lingering, State::awaiting, State::ended};

/// The state to which a step leads from each state, in the order of `State`.
template <class Step>
std::vector<State> led_by(const Step& step) {
  std::vector<State> to;
  for (const State from : all_states) {
    RoomLife life = life_in(from);
    REQUIRE(life.state() == from);
    step(life);
    to.push_back(life.state());
  }
  return to;
}

}  // namespace

TEST_CASE("room life: each step leads from each state to the one in the table", "[room_life]") {
  const auto f = State::fresh, o = State::occupied, r = State::revisited, d = State::deserted, l = State::lingering,
             a = State::awaiting, e = State::ended;
  using States = std::vector<State>;
  CHECK(led_by([](RoomLife& life) { life.empty_at(begin); }) == States{f, d, l, d, l, a, e});
  CHECK(led_by([](RoomLife& life) { life.desert(); }) == States{d, o, r, d, l, a, e});
  CHECK(led_by([](RoomLife& life) { life.begin_linger(); }) == States{l, o, r, l, l, l, e});
  CHECK(led_by([](RoomLife& life) { life.linger_over(begin); }) == States{f, o, o, d, e, a, e});
  CHECK(led_by([](RoomLife& life) { life.suspend_linger(); }) == States{f, o, o, d, d, a, e});
  CHECK(led_by([](RoomLife& life) { life.end_if_empty(); }) == States{e, o, r, e, e, e, e});
  CHECK(led_by([](RoomLife& life) { life.end(); }) == States{e, e, e, e, e, e, e});
  CHECK(led_by([](RoomLife& life) { life.forget_timers(); }) == States{f, o, o, d, d, d, e});
  CHECK(led_by([](RoomLife& life) { life.await_members(); }) == States{a, o, r, a, l, a, e});
  CHECK(led_by([](RoomLife& life) { life.await_over(); }) == States{f, o, r, d, l, e, e});
  CHECK(led_by([](RoomLife& life) {
          if (!life.ended()) life.enter();
        }) == States{o, o, r, o, r, o, e});
}

TEST_CASE("room life: a permanent one ends only when it is ended", "[room_life]") {
  RoomLife life(true);
  CHECK_FALSE(life.end_if_empty());
  CHECK_FALSE(life.begin_linger());
  CHECK_FALSE(life.await_members());
  life.enter();
  life.empty_at(begin);
  CHECK_FALSE(life.end_if_empty());
  CHECK_FALSE(life.begin_linger());
  CHECK_FALSE(life.linger_over(Time::max()));
  CHECK_FALSE(life.ended());
  CHECK(life.end());
  CHECK_FALSE(life.end());
}

TEST_CASE("room life: it is stored until it ends, and the code that ends it knows whether the store may have it",
          "[room_life]") {
  RoomLife life;
  CHECK(life.in_store() == InStore::no);
  CHECK(life.enter_store());
  CHECK(life.in_store() == InStore::perhaps);
  life.entered_store();
  CHECK(life.enter_store());
  CHECK(life.in_store() == InStore::yes);
  life.end();
  CHECK_FALSE(life.enter_store());
  CHECK(life.in_store() == InStore::yes);

  RoomLife unheard;
  unheard.end();
  CHECK_FALSE(unheard.enter_store());
  CHECK(unheard.in_store() == InStore::no);

  RoomLife restored;
  restored.restored(InStore::yes);
  CHECK(restored.enter_store());
  CHECK(restored.in_store() == InStore::yes);
}

namespace {

/// What `Rooms` does with a life, with timers as plain numbers, and what must hold from a user's view: the room ends
/// exactly when it has been empty for `linger`; or, after a stop that it outlives, when no member has entered it for
/// `rejoin`.
class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed), keeps_(random_() % 2 == 0), life_(random_() % 8 == 0) {}

  void step() {
    switch (random_() % 8) {
      case 0:
      case 1: enter(); break;
      case 2:
      case 3: leave(); break;
      case 4: maker_leaves(); break;
      case 5: advance(static_cast<int>(1 + random_() % 6)); break;
      case 6: advance(static_cast<int>(1 + random_() % 3)); break;
      default:
        if (random_() % 4 == 0) {
          restart();
        } else if (random_() % 20 == 0) {
          life_.end();
          must_have_ended_ = true;
        }
    }
    check();
  }
  bool ended() const { return life_.ended(); }

 private:
  static constexpr auto linger = 5ms;
  static constexpr auto rejoin = 9ms;

  void enter() {
    if (life_.ended()) return;
    life_.enter();
    ++members_;
    ends_at_.reset();
  }
  void leave() {
    if (members_ == 0) return;
    if (--members_ == 0) {
      if (life_.ended()) return;
      life_.empty_at(now_);
      empty();
    }
  }
  void maker_leaves() {
    if (members_ == 0 && !life_.ended() && std::exchange(has_maker_, false)) empty();
  }
  void empty() {
    deserted_ = true;
    if (life_.begin_linger()) linger_timers_.push_back(now_ + linger);
    if (!life_.permanent() && !ends_at_) ends_at_ = now_ + linger;
  }
  void advance(int steps) {
    for (; steps > 0; --steps) {
      now_ += 1ms;
      fire(linger_timers_, [this] {
        const auto since = life_.linger_over(now_ - linger);
        if (since) linger_timers_.push_back(*since + linger);
      });
      fire(await_timers_, [this] { life_.await_over(); });
      if (ends_at_ && *ends_at_ <= now_) must_have_ended_ = true;
      check();
    }
  }
  template <class Then>
  void fire(std::vector<Time>& timers, const Then& then) {
    const auto due = [this](Time at) { return at <= now_; };
    const auto count = std::count_if(timers.begin(), timers.end(), due);
    timers.erase(std::remove_if(timers.begin(), timers.end(), due), timers.end());
    for (auto i = count; i > 0; --i) then();
  }
  /// All members leave while the server stops; its timers are destroyed with it.
  void restart() {
    while (members_ > 0) {
      if (--members_ == 0 && !life_.ended()) {
        life_.empty_at(now_);
        deserted_ = true;
        if (keeps_) {
          life_.desert();
        } else {
          (void)life_.begin_linger();
        }
      }
    }
    if (std::exchange(has_maker_, false) && !life_.ended()) {
      deserted_ = true;
      life_.desert();
    }
    linger_timers_.clear();
    await_timers_.clear();
    life_.forget_timers();
    if (life_.ended()) return;
    ends_at_.reset();
    if (life_.permanent()) return;
    const bool is_deserted = life_.state() == State::deserted;
    CHECK(is_deserted == deserted_);
    if (!is_deserted) return;
    if (keeps_) {
      REQUIRE(life_.await_members());
      await_timers_.push_back(now_ + rejoin);
      ends_at_ = now_ + rejoin;
    } else {
      REQUIRE(life_.begin_linger());
      linger_timers_.push_back(now_ + linger);
      ends_at_ = now_ + linger;
    }
  }
  void check() const {
    INFO("state " << static_cast<int>(life_.state()) << ", " << members_ << " members");
    CHECK(life_.ended() == must_have_ended_);
    if (!life_.ended()) CHECK(life_.has_members() == (members_ > 0));
    CHECK(linger_timers_.size() <= 1);
    const bool timed = life_.state() == State::lingering || life_.state() == State::revisited;
    if (!life_.ended()) CHECK(timed == !linger_timers_.empty());
    if (life_.permanent()) CHECK(linger_timers_.empty());
  }

  std::mt19937_64 random_;
  const bool keeps_;
  RoomLife life_;
  Time now_ = begin;
  std::size_t members_ = 0;
  bool has_maker_ = true;
  bool deserted_ = false;
  bool must_have_ended_ = false;
  std::optional<Time> ends_at_;
  std::vector<Time> linger_timers_, await_timers_;
};

}  // namespace

TEST_CASE("room life: in random use it ends exactly when it was empty for long enough, with one timer", "[room_life]") {
  const char* const given = std::getenv("SEED");
  const std::uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device()();
  INFO("SEED=" << seed);
  for (std::uint64_t i = 0; i < 300; ++i) {
    CAPTURE(i);
    World world(seed + i);
    for (int step = 0; step < 200 && !world.ended(); ++step) world.step();
  }
}

}  // namespace room_life_test
