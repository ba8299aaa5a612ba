#pragma once

#include <flux/detail/mode.hpp>
#include <flux/detail/transport/listener.hpp>

#include <asio/ip/v6_only.hpp>
#include <asio/socket_base.hpp>

namespace flux::transport {

FLUX_DECL Listener::Listener(std::shared_ptr<core::Loop> loop, Accepted accepted, Log log)
    : loop_(std::move(loop)),
      acceptor_(loop_->context().get_executor()),
      accepted_(std::move(accepted)),
      log_(std::move(log)) {}

FLUX_DECL void Listener::open(const ListenAddress& address, bool takes_ipv4) {
  std::error_code ec;
  const auto host = asio::ip::make_address(address.host == "localhost" ? "127.0.0.1" : address.host, ec);
  if (ec) {
    throw Error(Errc::bad_config,
                "listen address \"" + address.host + "\" is neither an IPv4 or IPv6 address nor \"localhost\"");
  }
  const asio::ip::tcp::endpoint endpoint(host, address.port);
  const auto check = [&](const char* step) {
    if (!ec) return;
    std::error_code ignored;
    acceptor_.close(ignored);
    throw Error(Errc::address_unavailable, std::string("can't ") + step + " " + address.host + " port " +
                                               std::to_string(address.port) + ": " + ec.message());
  };
  acceptor_.open(endpoint.protocol(), ec);
  check("open a socket for");
  acceptor_.set_option(asio::socket_base::reuse_address(true), ec);
  check("set SO_REUSEADDR on");
  if (host.is_v6()) {
    const bool only_v6 = !takes_ipv4 || !host.is_unspecified();
    acceptor_.set_option(asio::ip::v6_only(only_v6), ec);
    check(only_v6 ? "set IPV6_V6ONLY on" : "take IPv4 too on");
  }
  acceptor_.bind(endpoint, ec);
  check("bind to");
  acceptor_.listen(asio::socket_base::max_listen_connections, ec);
  check("listen on");
  acceptor_.non_blocking(true, ec);
  check("set non-blocking mode on");
  port_ = acceptor_.local_endpoint(ec).port();
  check("read the port of");
}

FLUX_DECL void Listener::close() {
  std::error_code ignored;
  acceptor_.close(ignored);
  accepted_ = nullptr;
}

FLUX_DECL void Listener::wait() {
  if (!acceptor_.is_open()) return;
  acceptor_.async_wait(flux::detail::Acceptor::wait_read, [self = shared_from_this()](std::error_code ec) {
    if (!ec) self->accept();
  });
}

FLUX_DECL void Listener::accept() {
  constexpr int turn_max = 64;  // then existing connections get their turn
  for (int i = 0; i < turn_max && acceptor_.is_open(); ++i) {
    std::error_code ec;
    flux::detail::Socket socket(loop_->context().get_executor());
    acceptor_.accept(socket, ec);
    if (ec == asio::error::would_block || ec == asio::error::try_again) break;
    if (ec == asio::error::connection_aborted || ec == asio::error::interrupted) continue;
    if (ec) {
      // No descriptors or no memory: clients stay in the system's queue until some are free again.
      if (!exhausted_) log_(LogLevel::error, "can't accept connections: " + ec.message());
      exhausted_ = true;
      loop_->call_after(std::chrono::milliseconds(100), [self = shared_from_this()] { self->wait(); });
      return;
    }
    exhausted_ = false;
    accepted_(std::move(socket));
  }
  wait();
}

}  // namespace flux::transport
