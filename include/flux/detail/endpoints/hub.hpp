// The state shared by all sessions of a server: its features, and what endpoints need of the transport.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/features/backend.hpp>
#include <flux/detail/transport/trusted_proxies.hpp>

#include <string_view>

namespace flux::detail {

/// Threading: any thread.
struct Hub : features::Backend {
  explicit Hub(const Config& settings)
      : Backend(settings), proxies("Config::trusted_proxies", settings.trusted_proxies) {}

  const transport::TrustedProxies proxies;

  bool speaks_tls() const noexcept { return !config.tls.certificate_file.empty(); }
};

}  // namespace flux::detail
