// For applications that use Asio themselves: a server inside their io_context, and connections that they accepted. The
// only public header that includes Asio. In compiled mode link target flux::asio.
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

/// Runs `server` inside `context`, beside the application's own work: `start` listens and returns, and the server works
/// while one thread of the application runs the context. Call it before the start; `Config::threads` must be 1. `stop`
/// from that thread begins to stop and returns; from another thread it waits, so the context must be running.
/// Destroy the server before the context, and only on the thread that runs the context, while no thread runs it, or after
/// a `stop` that has waited. A running server that is destroyed on another thread while the context runs is undefined
/// behaviour: the destructor ends connections that the running thread may be using. If that thread is doing the server's
/// work just then, an error is logged and the server stops there instead; otherwise nothing notices it, because a context
/// does not tell whether a thread runs it.
/// If a second thread runs the context and gets work of the server while the first is in a handler, its `run` throws
/// `Error` (bad_config).
/// Errors: throws `Error` (bad_config, already_running).
inline void use_context(Server& server, asio::io_context& context) { detail::use_context(server, context); }

/// Passes a connection that the application's own HTTP server accepted to `server`, with all bytes read from it,
/// beginning with the request line. `server` need not listen on any address. See `Server::adopt`.
/// Errors: stopped, and the socket is closed.
template <class Executor>
Outcome<void> adopt(Server& server, asio::basic_stream_socket<asio::ip::tcp, Executor> socket,
                    std::string_view bytes_read, AdoptOptions options = {}) {
  std::error_code ec;
  const auto native = socket.release(ec);
  if (ec) return Error(Errc::invalid_argument, "adopt: the socket can't be released: " + ec.message());
  return server.adopt(static_cast<std::intptr_t>(native), std::string(bytes_read), options);
}

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/server/asio.ipp>
#endif
