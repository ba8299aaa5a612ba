// Tells a store in tests when to fail, and how.
#pragma once

#include <flux/error.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace flux::testing {

/// How a call fails.
enum class Fault : std::uint8_t {
  before,     ///< without effect
  after,      ///< after its effect, as if the reply were lost
  exception,  ///< without effect, with an exception
};

/// Counts the calls of a store, and decides which of them fails.
/// Threading: any thread.
class FaultPlan {
 public:
  /// Makes the `nth` call from now fail; 1 is the next. The calls before and after it succeed.
  void fail(std::size_t nth, Fault fault) {
    fault_ = fault;
    until_ = nth;
  }
  /// The number of calls so far.
  std::size_t calls() const { return calls_; }

 protected:
  /// Counts a call. Returns true if it must fail.
  bool is_due() {
    ++calls_;
    std::size_t left = until_;
    while (left != 0 && !until_.compare_exchange_weak(left, left - 1)) {
    }
    return left == 1;
  }
  /// Whether the failing call has its effect.
  bool is_done() const { return fault_ == Fault::after; }
  /// The error of the failing call. Throws if the fault is an exception.
  Error failure() const {
    if (fault_ == Fault::exception) throw std::runtime_error("the store was told to throw");
    return {Errc::store_failed, "the store was told to fail"};
  }

 private:
  std::atomic<std::size_t> calls_{0};
  std::atomic<std::size_t> until_{0};  // calls until the fault, including it; 0: no fault is planned
  std::atomic<Fault> fault_{Fault::before};
};

}  // namespace flux::testing
