// TLS as a filter between a socket and its reader, without any I/O of its own.
#pragma once

#include <flux/config.hpp>
#include <flux/error.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace flux::transport {

/// The server's side of one TLS connection. Encrypted bytes in, plain bytes out, and back.
/// Threading: one thread at a time.
class TlsEngine {
 public:
  virtual ~TlsEngine() = default;
  /// Takes encrypted bytes from the peer; appends what they hold to `plain`, and what must be sent (handshake, alerts)
  /// to `encrypted`. False when the connection is broken: `error()` says why; `encrypted` may hold an alert, or an
  /// answer in plain HTTP to a client that did not begin with TLS. What comes after close_notify is ignored.
  virtual bool receive(std::string_view from_peer, std::string& plain, std::string& encrypted) = 0;
  /// Encrypts `plain` behind `encrypted`. Before the handshake is done it is kept, and comes out of `receive`; the
  /// caller bounds how much that is. Nothing is sent once the connection is broken, or after `finish`.
  virtual void send(std::string_view plain, std::string& encrypted) = 0;
  /// Appends the close_notify alert; before the handshake is done that too comes out of `receive`. What the peer still
  /// sends can be read.
  virtual void finish(std::string& encrypted) = 0;
  virtual bool handshake_done() const = 0;
  /// The peer has sent its close_notify.
  virtual bool peer_finished() const = 0;
  /// Why the connection is broken; empty: it is not.
  virtual std::string error() const = 0;
};

/// Certificate and key, ready to make engines from. Threading: `engine` from any thread.
class TlsContext {
 public:
  virtual ~TlsContext() = default;
  /// Engines outlive the context, so certificates are reloaded by making another. Throws std::bad_alloc.
  virtual std::unique_ptr<TlsEngine> engine() const = 0;
};

/// Reads and checks the files: TLS 1.2 and 1.3, ALPN http/1.1. An expired certificate is taken; clients will refuse it.
/// Errors: tls_failed, with the file and OpenSSL's reason, or because this build has no TLS.
Result<std::shared_ptr<const TlsContext>> make_tls_context(const TlsOptions& options);

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/tls.ipp>
#endif
