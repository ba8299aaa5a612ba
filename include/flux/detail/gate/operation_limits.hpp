// Limits how often clients do one operation (`Limits::operations`): per connection, user and address.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/core/loop.hpp>
#include <flux/detail/gate/shared_rates.hpp>
#include <flux/error.hpp>

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flux::gate {

/// The buckets of one connection, one for each operation with a limit; empty until it is needed.
using OperationBuckets = std::vector<RateLimit>;

/// The rates of one operation. Threading: any thread; the buckets of a connection on its loop.
class OperationLimit {
 public:
  /// `index`: of its bucket in each connection's `OperationBuckets`.
  OperationLimit(std::string_view name, const OperationRates& rates, std::size_t index);

  bool counts_connections() const noexcept { return of_connection_.limits; }
  /// Counts one request against the rates of its connection (`buckets`; null: it has none), user and address. A request
  /// that one of them refuses stays counted by those before it. Errors: rate_limited, with the time to try again.
  Result<void> take(OperationBuckets* buckets, const Sender& sender, core::Loop& loop);
  /// The same for an address only, or a user only: of a request over HTTP, whose user becomes known later.
  Result<void> take_of_address(const Sender& sender, core::Loop& loop);
  Result<void> take_of_user(const Sender& sender, core::Loop& loop);

 private:
  Result<void> refuse(Pace::Duration wait, const Rate& rate, std::string_view whose, core::Loop& loop) const;

  const std::string name_;
  const OperationRates rates_;
  const std::size_t index_;
  const Pace of_connection_;
  SharedRates of_user_;
  SharedRates of_address_;
};

/// Threading: any thread.
class OperationLimits {
 public:
  explicit OperationLimits(const Limits& limits);

  bool none() const noexcept { return limits_.empty(); }
  /// Null: the operation has no limit.
  OperationLimit* find(std::string_view name);
  /// The limits of the named operations, in their order; nothing if no operation has one.
  std::vector<OperationLimit*> of(std::span<const std::string_view> names);

  /// The operations that every server knows; others are requests that modules add.
  static std::span<const std::string_view> known() noexcept;

 private:
  std::map<std::string, OperationLimit, std::less<>> limits_;
};

}  // namespace flux::gate

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/operation_limits.ipp>
#endif
