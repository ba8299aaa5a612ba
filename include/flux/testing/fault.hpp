// When a store of the tests is to fail, and how.
#pragma once

#include <flux/error.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace flux::testing {

/// Where a call fails.
enum class Fault : std::uint8_t {
  before,     ///< nothing is done
  after,      ///< all is done, and the answer is lost
  exception,  ///< nothing is done, and it throws
};

/// Counts the calls of a store, and tells which of them fails.
/// Threading: any thread.
class FaultPlan {
 public:
  /// The `nth` call from now on fails; 1 is the next. The calls before and behind it succeed.
  void fail(std::size_t nth, Fault fault) {
    fault_ = fault;
    until_ = nth;
  }
  std::size_t calls() const { return calls_; }

 protected:
  /// Counts a call. True for the one that is to fail.
  bool is_due() {
    ++calls_;
    std::size_t left = until_;
    while (left != 0 && !until_.compare_exchange_weak(left, left - 1)) {
    }
    return left == 1;
  }
  /// Of a call that is due: whether it is done all the same.
  bool is_done() const { return fault_ == Fault::after; }
  Error failure() const {
    if (fault_ == Fault::exception) throw std::runtime_error("the store was told to throw");
    return {Errc::store_failed, "the store was told to fail"};
  }

 private:
  std::atomic<std::size_t> calls_{0};
  std::atomic<std::size_t> until_{0};  // calls until the fault, itself included; 0: none is to come
  std::atomic<Fault> fault_{Fault::before};
};

}  // namespace flux::testing
