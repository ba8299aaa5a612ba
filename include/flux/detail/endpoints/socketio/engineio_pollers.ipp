#pragma once

#include <flux/detail/endpoints/socketio/engineio_pollers.hpp>
#include <flux/detail/mode.hpp>

#include <iterator>
#include <utility>

namespace flux::detail {

namespace pollers_detail {

FLUX_DECL engineio::PollingLimits without_zeros(engineio::PollingLimits limits) {
  for (std::size_t* limit : {&limits.sessions_per_address_max, &limits.head_bytes_per_address_max, &limits.unused_max,
                             &limits.unused_per_address_max, &limits.unused_head_bytes_max}) {
    if (*limit == 0) *limit = static_cast<std::size_t>(-1);
  }
  return limits;
}

}  // namespace pollers_detail

FLUX_DECL EngineIoPollers::EngineIoPollers(const engineio::PollingLimits& limits)
    : limits_(pollers_detail::without_zeros(limits)) {}

FLUX_DECL std::unique_ptr<EngineIoPollers::Place> EngineIoPollers::enter(
    const std::shared_ptr<EngineIoSession>& session, const core::IpAddress& ip, std::size_t head_bytes,
    Displaced& displaced) {
  const std::lock_guard lock(mutex_);
  const auto found = addresses_.try_emplace(ip.client_network()).first;
  Address& address = found->second;
  ++address.sessions;  // keeps the entry while other sessions are displaced
  address.head_bytes += head_bytes;
  const auto too_many = [&] {
    return address.sessions > limits_.sessions_per_address_max ||
           address.head_bytes > limits_.head_bytes_per_address_max;
  };
  while (!address.unused.empty() && (too_many() || address.unused.size() >= limits_.unused_per_address_max)) {
    displace(*address.unused.front(), displaced);
  }
  if (too_many()) {
    address.head_bytes -= head_bytes;
    if (--address.sessions == 0) addresses_.erase(found);
    return nullptr;
  }
  while (!unused_.empty() &&
         (unused_.size() >= limits_.unused_max || unused_head_bytes_ + head_bytes > limits_.unused_head_bytes_max)) {
    displace(*unused_.front(), displaced);
  }
  auto place = std::make_unique<Place>(shared_from_this(), session, found, head_bytes);
  place->among_all_ = unused_.insert(unused_.end(), place.get());
  place->at_address_ = address.unused.insert(address.unused.end(), place.get());
  unused_head_bytes_ += head_bytes;
  return place;
}

FLUX_DECL void EngineIoPollers::displace(Place& place, Displaced& displaced) {
  if (auto session = place.session_.lock()) displaced.push_back(std::move(session));
  leave(place);
}

FLUX_DECL void EngineIoPollers::note_used(Place& place) {
  if (!std::exchange(place.unused_, false)) return;
  unused_.erase(place.among_all_);
  place.address_->second.unused.erase(place.at_address_);
  unused_head_bytes_ -= place.head_bytes_;
}

FLUX_DECL void EngineIoPollers::leave(Place& place) {
  note_used(place);
  if (!std::exchange(place.counted_, false)) return;
  Address& address = place.address_->second;
  address.head_bytes -= place.head_bytes_;
  if (--address.sessions == 0) addresses_.erase(place.address_);
}

FLUX_DECL EngineIoPollers::Place::Place(std::shared_ptr<EngineIoPollers> pollers,
                                        std::weak_ptr<EngineIoSession> session, Addresses::iterator address,
                                        std::size_t head_bytes)
    : pollers_(std::move(pollers)), session_(std::move(session)), head_bytes_(head_bytes), address_(address) {}

FLUX_DECL EngineIoPollers::Place::~Place() {
  const std::lock_guard lock(pollers_->mutex_);
  pollers_->leave(*this);
}

FLUX_DECL void EngineIoPollers::Place::use() {
  if (std::exchange(used_, true)) return;
  const std::lock_guard lock(pollers_->mutex_);
  pollers_->note_used(*this);
}

}  // namespace flux::detail
