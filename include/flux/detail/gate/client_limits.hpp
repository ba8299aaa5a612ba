// Limits the number of connections of a client, and of the messages that it sends. Used by every endpoint.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/core/address_seats.hpp>
#include <flux/detail/core/loop.hpp>
#include <flux/detail/gate/operation_limits.hpp>
#include <flux/detail/gate/shared_rates.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

namespace flux::gate {

/// What one connection has sent. References, so that each kind of connection stores both members where it has room.
struct MessageRate {
  RateLimit& bucket;
  std::uint32_t& strikes;  ///< messages in a row that were refused
};

/// A message that exceeds a limit: it must not be acted on.
struct Excess {
  Error error;  ///< rate_limited; says which limit, and when to try again
  bool closes;  ///< the connection has had `Limits::rate_limit_strikes_max` messages in a row refused
};

/// Threading: any thread.
class ClientLimits {
 public:
  /// `warn` is called about refused connections, at most once a minute.
  ClientLimits(const Limits& limits, std::shared_ptr<const Clock> clock, std::function<void(std::string_view)> warn);

  /// The connections of each address.
  core::AddressSeats connections;
  /// The limits of single operations.
  OperationLimits operations;

  /// Counts one message of a connection on `loop`: against the connection's limit, then its user's, then its address's.
  /// A message that one of them refuses stays counted by those before it. None: it may be acted on. Clients without a
  /// user id count for no user, and clients on this machine (loopback) for no address.
  std::optional<Excess> take(MessageRate connection, const Sender& sender, core::Loop& loop);
  /// Whether `take` needs to know the address.
  bool counts_addresses() const noexcept { return by_address_.limits(); }

 private:
  /// The limit that refuses a message: what it counts, how many messages it allows per second, and when the next one.
  struct Refusal {
    std::string_view counted;
    std::uint32_t rate;
    Pace::Duration wait;
  };
  std::optional<Refusal> refusal(RateLimit& connection, const Sender& sender, Clock::TimePoint now);

  const Pace pace_;
  const std::uint32_t rate_, user_rate_, address_rate_, strikes_max_;
  SharedRates by_user_;
  SharedRates by_address_;
};

}  // namespace flux::gate

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/client_limits.ipp>
#endif
