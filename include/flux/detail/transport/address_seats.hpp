// How many connections each client has.
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

namespace flux::transport {

/// Counts connections by `IpAddress::client_network`, so that no client has more than its part. A client costs about 30
/// bytes, however many connections it has. Threading: any thread.
class AddressSeats {
 public:
  /// Four bytes, for connections to keep. `none` is nobody's.
  using Seat = std::uint32_t;
  static constexpr Seat none = 0;

  /// `most`: 0 counts nothing. `warn` is told of refusals, at most once a minute.
  AddressSeats(std::size_t most, std::shared_ptr<const Clock> clock, std::function<void(std::string_view)> warn);

  /// For one connection more. Nothing where the client has as many as it may.
  std::optional<Seat> take(const core::IpAddress& client);
  void give_back(Seat seat);
  /// Whether `seat` is this client's.
  bool belongs(Seat seat, const core::IpAddress& client) const;
  /// How many connections the client has.
  std::size_t taken(const core::IpAddress& client) const;

 private:
  struct Place {
    core::IpAddress network;
    std::uint32_t count = 0;
    std::uint32_t next = 0;  // of the same bucket, or of those that are free
  };

  std::uint32_t& bucket(const core::IpAddress& network) const;
  std::uint32_t find(const core::IpAddress& network) const;
  std::uint32_t add(const core::IpAddress& network);
  void remove(std::uint32_t place);
  void grow();
  std::string refused(const core::IpAddress& client);

  const std::size_t most_;
  const std::shared_ptr<const Clock> clock_;
  const std::function<void(std::string_view)> warn_;
  const core::SeededHash hash_;
  mutable std::mutex mutex_;
  std::vector<Place> places_{1};  // the first one is none
  mutable std::vector<std::uint32_t> buckets_;
  std::uint32_t free_ = 0;
  std::size_t refused_ = 0;  // since `warn` was told
  std::optional<Clock::TimePoint> warned_at_;
};

/// A seat on its way to a connection, given back where it does not get there.
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
  /// Whoever takes it gives it back.
  AddressSeats::Seat take() noexcept { return std::exchange(seat_, AddressSeats::none); }

 private:
  AddressSeats* seats_ = nullptr;
  AddressSeats::Seat seat_ = AddressSeats::none;
};

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/address_seats.ipp>
#endif
