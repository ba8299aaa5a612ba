#pragma once

#include <flux/detail/gate/client_limits.hpp>
#include <flux/detail/mode.hpp>

#include <string>
#include <utility>

namespace flux::gate {

FLUX_DECL ClientLimits::ClientLimits(const Limits& limits, std::shared_ptr<const Clock> clock,
                                     std::function<void(std::string_view)> warn)
    : connections(limits.connections_per_address_max, std::move(clock), std::move(warn)),
      operations(limits),
      pace_(limits.messages_per_second, limits.message_burst),
      rate_(limits.messages_per_second),
      user_rate_(limits.user_messages_per_second),
      address_rate_(limits.address_messages_per_second),
      strikes_max_(limits.rate_limit_strikes_max),
      by_user_(limits.user_messages_per_second, limits.user_message_burst),
      by_address_(limits.address_messages_per_second, limits.address_message_burst) {}

FLUX_DECL std::optional<ClientLimits::Refusal> ClientLimits::refusal(RateLimit& connection, const Sender& sender,
                                                                     Clock::TimePoint now) {
  if (pace_.limits) {
    if (const auto wait = connection.take(now, pace_); wait.count() > 0) return Refusal{{}, rate_, wait};
  }
  if (const auto wait = by_user_.take_of_user(sender, now); wait.count() > 0) {
    return Refusal{" of one user", user_rate_, wait};
  }
  if (const auto wait = by_address_.take_of_address(sender, now); wait.count() > 0) {
    return Refusal{" of one address", address_rate_, wait};
  }
  return std::nullopt;
}

FLUX_DECL std::optional<Excess> ClientLimits::take(MessageRate connection, const Sender& sender, core::Loop& loop) {
  if (!pace_.limits && !by_user_.limits() && !by_address_.limits()) return std::nullopt;
  const auto refused = refusal(connection.bucket, sender, loop.clock().now());
  if (!refused) {
    connection.strikes = 0;
    return std::nullopt;
  }
  loop.counters().messages_rate_limited.add();
  ++connection.strikes;
  return Excess{Error(Errc::rate_limited, "more than " + std::to_string(refused->rate) + " messages a second" +
                                              std::string(refused->counted) + "; this one was not acted on")
                    .with_retry_after(retry_after(refused->wait)),
                strikes_max_ != 0 && connection.strikes >= strikes_max_};
}

}  // namespace flux::gate
