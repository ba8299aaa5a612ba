// Accepts connections on one address.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/core/loop.hpp>

#include <functional>
#include <memory>

namespace flux::transport {

/// Threading: its loop's thread, except `open`, which is called before the loop runs.
class Listener final : public std::enable_shared_from_this<Listener> {
 public:
  using Accepted = std::function<void(flux::detail::Socket)>;
  using Log = std::function<void(LogLevel, std::string_view)>;

  Listener(std::shared_ptr<core::Loop> loop, Accepted accepted, Log log);

  /// Binds and listens. `takes_ipv4`: also accept IPv4 if the address is "::". Errors: throws `Error`
  /// (address_unavailable, bad_config).
  void open(const ListenAddress& address, bool takes_ipv4);
  void start() { wait(); }
  std::uint16_t port() const noexcept { return port_; }
  void close();

 private:
  void wait();
  void accept();

  const std::shared_ptr<core::Loop> loop_;
  flux::detail::Acceptor acceptor_;
  Accepted accepted_;
  const Log log_;
  std::uint16_t port_ = 0;
  bool exhausted_ = false;  // the system had no resources for a connection; logged once
};

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/listener.ipp>
#endif
