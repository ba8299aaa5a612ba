#pragma once

#include <flux/detail/gate/shared_rates.hpp>
#include <flux/detail/mode.hpp>

#include <chrono>
#include <utility>

namespace flux::gate {

/// The most buckets of one limit. Beyond it an arbitrary one is removed for a new one: its key then has a full bucket.
inline constexpr std::size_t shared_rates_max = 262'144;

FLUX_DECL SharedRates::SharedRates(const Pace& pace)
    : pace_(pace), fill_time_(pace.each * pace.burst + std::chrono::seconds(1)) {}

FLUX_DECL Pace::Duration SharedRates::take(std::string_view key, Clock::TimePoint now) {
  const std::lock_guard lock(mutex_);
  if (now >= next_removal_) remove_full(now);
  auto found = buckets_.find(key);
  if (found == buckets_.end() && buckets_.size() >= shared_rates_max) buckets_.erase(buckets_.begin());
  if (found == buckets_.end()) found = buckets_.emplace(key, RateLimit()).first;
  return found->second.take(now, pace_);
}

FLUX_DECL Pace::Duration SharedRates::take_of_user(const Sender& sender, Clock::TimePoint now) {
  if (!limits()) return {};
  std::shared_ptr<const Grant> kept;
  const std::string_view user = sender.user(kept);
  return user.empty() ? Pace::Duration(0) : take(user, now);
}

FLUX_DECL Pace::Duration SharedRates::take_of_address(const Sender& sender, Clock::TimePoint now) {
  if (!limits()) return {};
  const auto address = sender.address();
  if (address.is_loopback()) return {};
  const auto network = address.client_network();
  const std::string_view key(reinterpret_cast<const char*>(network.bytes().data()), network.bytes().size());
  return take(key, now);
}

/// A bucket that was not used since the last call is full, so each message pays for at most one bucket.
FLUX_DECL void SharedRates::remove_full(Clock::TimePoint now) {
  std::erase_if(buckets_, [now](const auto& entry) { return entry.second.is_full(now); });
  next_removal_ = now + fill_time_;
}

FLUX_DECL std::size_t SharedRates::size() const {
  const std::lock_guard lock(mutex_);
  return buckets_.size();
}

}  // namespace flux::gate
