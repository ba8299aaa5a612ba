#include "catch.hpp"

#include <flux/detail/core/reclaimer.hpp>

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace reclaimer_test {

using flux::core::Reclaimer;

namespace {

constexpr std::size_t large = 2 * Reclaimer::large_bytes;

}  // namespace

TEST_CASE("reclaimer: shared bytes are unchanged, and may be the last owner of the reclaimer", "[reclaimer]") {
  std::weak_ptr<Reclaimer> gone;
  std::shared_ptr<const std::string> few, many;
  {
    const auto reclaimer = std::make_shared<Reclaimer>();
    gone = reclaimer;
    few = reclaimer->share("few");
    many = reclaimer->share(std::string(large, 'x'));
  }
  CHECK(*few == "few");
  CHECK(*many == std::string(large, 'x'));
  CHECK_FALSE(gone.expired());
  many.reset();
  CHECK(gone.expired());  // small blocks do not need one
}

TEST_CASE("reclaimer: its objects are destroyed on its thread, and may be its last owners", "[reclaimer]") {
  struct Large {
    Large(std::promise<std::thread::id>& p, std::shared_ptr<const std::string> b) : where(p), bytes(std::move(b)) {}
    ~Large() { where.set_value(std::this_thread::get_id()); }
    std::promise<std::thread::id>& where;
    const std::shared_ptr<const std::string> bytes;  // also owns the reclaimer
  };
  std::promise<std::thread::id> where;
  auto reclaimer = std::make_shared<Reclaimer>();
  auto made = reclaimer->make<Large>(where, reclaimer->share(std::string(large, 'x')));
  reclaimer.reset();
  CHECK(made->bytes->size() == large);
  made.reset();
  CHECK(where.get_future().get() != std::this_thread::get_id());
}

TEST_CASE("reclaimer: threads release many objects at once, and it ends when all are freed", "[reclaimer][threads]") {
  auto reclaimer = std::make_shared<Reclaimer>();
  std::vector<std::thread> threads;
  for (int n = 0; n < 4; ++n) {
    threads.emplace_back([reclaimer] {
      for (int i = 0; i < 10; ++i) {
        reclaimer->take(std::string(large, 'x'));
        const auto copy = reclaimer->share(std::string(large, 'y'));
        reclaimer->take("few");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(reclaimer.use_count() == 1);
  reclaimer.reset();
}

}  // namespace reclaimer_test
