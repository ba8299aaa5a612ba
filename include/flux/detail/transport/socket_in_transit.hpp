// Sockets on their way from one event loop to another. A socket belongs to one io_context, so its native handle is
// moved.
#pragma once

#include <flux/detail/core/loop.hpp>

#include <optional>
#include <system_error>
#include <utility>

#if !defined(_WIN32)
#include <unistd.h>
#endif

namespace flux::transport {

/// Closes the socket if it does not get there.
class SocketInTransit {
 public:
  using Native = flux::detail::Socket::native_handle_type;

  SocketInTransit(asio::ip::tcp protocol, Native native) : protocol_(protocol), native_(native) {}
  SocketInTransit(SocketInTransit&& other) noexcept
      : protocol_(other.protocol_), native_(std::exchange(other.native_, std::nullopt)) {}
  SocketInTransit& operator=(SocketInTransit&&) = delete;
  ~SocketInTransit() {
    if (!native_) return;
#if defined(_WIN32)
    ::closesocket(*native_);
#else
    ::close(*native_);
#endif
  }

  /// Creates the socket on `loop`.
  flux::detail::Socket arrive(core::Loop& loop, std::error_code& ec) {
    flux::detail::Socket socket(loop.context().get_executor());
    socket.assign(protocol_, *native_, ec);
    if (!ec) native_.reset();
    if (!ec) socket.non_blocking(true, ec);
    return socket;
  }

 private:
  asio::ip::tcp protocol_;
  std::optional<Native> native_;
};

}  // namespace flux::transport
