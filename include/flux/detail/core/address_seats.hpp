// The number of connections of each client.
#pragma once

#include <flux/clock.hpp>
#include <flux/detail/core/ip_address.hpp>
#include <flux/detail/core/secret.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux::core {

/// Counts connections by `IpAddress::client_network` and limits them per client. Cost: about 30 bytes per client,
/// however many connections it has. Threading: any thread.
class AddressSeats {
 public:
  /// Four bytes that a connection keeps. `none` belongs to no client.
  using Seat = std::uint32_t;
  static constexpr Seat none = 0;

  /// `most`: 0 counts nothing. `warn` is called about refusals, at most once a minute.
  AddressSeats(std::size_t most, std::shared_ptr<const Clock> clock, std::function<void(std::string_view)> warn);

  /// Takes a seat for one more connection of the client. None if the client has reached the limit.
  std::optional<Seat> take(const IpAddress& client);
  void give_back(Seat seat);
  /// Whether `seat` belongs to this client.
  bool belongs(Seat seat, const IpAddress& client) const;
  /// The number of the client's connections.
  std::size_t taken(const IpAddress& client) const;

 private:
  struct Place {
    IpAddress network;
    std::uint32_t count = 0;
    std::uint32_t next = 0;  // in the same bucket, or in the free list
  };

  std::uint32_t& bucket(const IpAddress& network) const;
  std::uint32_t find(const IpAddress& network) const;
  std::uint32_t add(const IpAddress& network);
  void remove(std::uint32_t place);
  void grow();
  std::string refused(const IpAddress& client);

  const std::size_t most_;
  const std::shared_ptr<const Clock> clock_;
  const std::function<void(std::string_view)> warn_;
  const SeededHash hash_;
  mutable std::mutex mutex_;
  std::vector<Place> places_{1};  // index 0 means none
  mutable std::vector<std::uint32_t> buckets_;
  std::uint32_t free_ = 0;
  std::size_t refused_ = 0;  // since the last call of `warn`
  std::optional<Clock::TimePoint> warned_at_;
};

/// A seat on its way to a connection; given back if it does not get there.
class AddressSeat {
 public:
  AddressSeat() = default;
  AddressSeat(AddressSeats& seats, AddressSeats::Seat seat) : seats_(&seats), seat_(seat) {}
  AddressSeat(AddressSeat&& other) noexcept : seats_(other.seats_), seat_(other.take()) {}
  AddressSeat& operator=(AddressSeat&& other) noexcept {
    std::swap(seats_, other.seats_);
    std::swap(seat_, other.seat_);
    return *this;
  }
  ~AddressSeat() {
    if (seat_ != AddressSeats::none) seats_->give_back(seat_);
  }
  /// The caller must give the seat back.
  AddressSeats::Seat take() noexcept { return std::exchange(seat_, AddressSeats::none); }

 private:
  AddressSeats* seats_ = nullptr;
  AddressSeats::Seat seat_ = AddressSeats::none;
};

}  // namespace flux::core

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/address_seats.ipp>
#endif
