#pragma once

#include <flux/detail/core/address_seats.hpp>
#include <flux/detail/mode.hpp>

#include <string>

namespace flux::core {

FLUX_DECL AddressSeats::AddressSeats(std::size_t most, std::shared_ptr<const Clock> clock,
                                     std::function<void(std::string_view)> warn)
    : most_(most), clock_(std::move(clock)), warn_(std::move(warn)), buckets_(64) {}

FLUX_DECL std::optional<AddressSeats::Seat> AddressSeats::take(const IpAddress& client) {
  if (most_ == 0) return none;
  const IpAddress network = client.client_network();
  std::string warning;
  {
    const std::lock_guard lock(mutex_);
    std::uint32_t place = find(network);
    if (place == 0) place = add(network);
    if (places_[place].count < most_) {
      ++places_[place].count;
      return place;
    }
    warning = refused(client);
  }
  if (!warning.empty()) warn_(warning);
  return std::nullopt;
}

FLUX_DECL void AddressSeats::give_back(Seat seat) {
  if (seat == none) return;
  const std::lock_guard lock(mutex_);
  if (--places_[seat].count == 0) remove(seat);
}

FLUX_DECL bool AddressSeats::belongs(Seat seat, const IpAddress& client) const {
  const std::lock_guard lock(mutex_);
  return seat != none && places_[seat].network == client.client_network();
}

FLUX_DECL std::size_t AddressSeats::taken(const IpAddress& client) const {
  const std::lock_guard lock(mutex_);
  return places_[find(client.client_network())].count;
}

FLUX_DECL std::uint32_t& AddressSeats::bucket(const IpAddress& network) const {
  const auto& bytes = network.bytes();
  return buckets_[hash_({reinterpret_cast<const char*>(bytes.data()), bytes.size()}) % buckets_.size()];
}

FLUX_DECL std::uint32_t AddressSeats::find(const IpAddress& network) const {
  std::uint32_t place = bucket(network);
  while (place != 0 && places_[place].network != network) place = places_[place].next;
  return place;
}

FLUX_DECL std::uint32_t AddressSeats::add(const IpAddress& network) {
  if (free_ == 0) {
    if (places_.size() > buckets_.size()) grow();
    places_.emplace_back();
    free_ = static_cast<std::uint32_t>(places_.size() - 1);
  }
  const std::uint32_t place = free_;
  free_ = places_[place].next;
  std::uint32_t& first = bucket(network);
  places_[place] = {network, 0, first};
  first = place;
  return place;
}

FLUX_DECL void AddressSeats::remove(std::uint32_t place) {
  std::uint32_t* link = &bucket(places_[place].network);
  while (*link != place) link = &places_[*link].next;
  *link = places_[place].next;
  places_[place].next = free_;
  free_ = place;
}

/// Called only if no place is free, so every place is in a bucket.
FLUX_DECL void AddressSeats::grow() {
  buckets_.assign(buckets_.size() * 2, 0);
  for (std::uint32_t place = 1; place < places_.size(); ++place) {
    std::uint32_t& first = bucket(places_[place].network);
    places_[place].next = first;
    first = place;
  }
}

/// The warning for a refusal; empty if the last warning was less than a minute ago.
FLUX_DECL std::string AddressSeats::refused(const IpAddress& client) {
  constexpr std::chrono::minutes spacing{1};
  ++refused_;
  const auto now = clock_->now();
  if (!warn_ || (warned_at_ && now - *warned_at_ < spacing)) return {};
  warned_at_ = now;
  return "a connection of " + client.text() + " is refused, because it already has " + std::to_string(most_) +
         " (Limits::connections_per_address_max); list a proxy in Config::trusted_proxies. Refused since "
         "the last such line: " +
         std::to_string(std::exchange(refused_, 0));
}

}  // namespace flux::core
