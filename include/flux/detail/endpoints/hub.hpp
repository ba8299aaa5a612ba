// What all sessions of a server share: its features, and what their endpoints need of the transport.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/endpoints/live/live_codec.hpp>
#include <flux/detail/features/backend.hpp>
#include <flux/detail/transport/address_seats.hpp>
#include <flux/detail/transport/trusted_proxies.hpp>

#include <cstddef>
#include <deque>
#include <string_view>

namespace flux::detail {

/// Threading: any thread.
struct Hub : features::Backend {
  explicit Hub(const Config& settings)
      : Backend(settings),
        proxies("Config::trusted_proxies", settings.trusted_proxies),
        seats(settings.limits.connections_per_address_max, settings.clock,
              [this](std::string_view what) { log(LogLevel::warning, what); }),
        plain(nullptr) {
    for (int bits = transport::deflate_window_bits_min;
         settings.deflate.enabled && bits <= transport::deflate_window_bits_max; ++bits) {
      deflated.emplace_back(&settings.deflate, bits);
    }
  }

  const transport::TrustedProxies proxies;
  transport::AddressSeats seats;
  protocol::LiveWriter plain;
  std::deque<protocol::LiveWriter> deflated;  // by the bits of their windows, from `deflate_window_bits_min` on

  /// What makes the frames of a client that has agreed on such a window; 0: on no compression. Those who have the same
  /// one share what is encoded.
  const protocol::LiveWriter& writer(int deflate_window_bits) const {
    if (deflate_window_bits == 0) return plain;
    return deflated[static_cast<std::size_t>(deflate_window_bits - transport::deflate_window_bits_min)];
  }

  bool speaks_tls() const noexcept { return !config.tls.certificate_file.empty(); }
};

}  // namespace flux::detail
