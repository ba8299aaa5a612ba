// For applications that bring their own Asio: a server inside their io_context, and connections that they accepted.
// The only public header that includes Asio. In compiled mode link target flux::asio.
#pragma once

#include <flux/server.hpp>

#if !defined(ASIO_STANDALONE)
#define ASIO_STANDALONE 1
#endif
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include <string>
#include <string_view>

namespace flux {

namespace detail {
void use_context(Server& server, asio::io_context& context);
}  // namespace detail

/// Has `server` run inside `context`, beside whatever else is there: `start` listens and returns, and everything
/// happens while one thread of the application runs the context. Call it before the start; `Config::threads` must be 1.
/// `stop` from that thread begins to stop and returns; from another one it waits, so the context must be running. The
/// server must be destroyed before the context, on the thread that runs it or when none does.
/// Errors: throws `Error` (bad_config, already_running).
inline void use_context(Server& server, asio::io_context& context) { detail::use_context(server, context); }

/// Hands a connection over that the application's own HTTP server has accepted, with all bytes that it has read from
/// it, beginning with the request line. `server` need not listen anywhere. Errors: stopped; the socket is closed then.
template <class Executor>
Result<void> adopt(Server& server, asio::basic_stream_socket<asio::ip::tcp, Executor> socket,
                   std::string_view bytes_read) {
  std::error_code ec;
  if (!server.running()) return Error(Errc::stopped, "adopt: the server does not run");
  const auto native = socket.release(ec);
  if (ec) return Error(Errc::invalid_argument, "adopt: the socket can't be released: " + ec.message());
  return server.adopt(static_cast<std::intptr_t>(native), std::string(bytes_read));
}

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/server/asio.ipp>
#endif
