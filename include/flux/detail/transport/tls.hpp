// TLS as a filter between a socket and its reader, without I/O.
#pragma once

#include <flux/config.hpp>
#include <flux/error.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace flux::transport {

/// One side of a TLS connection: encrypted bytes in, plain bytes out, and back.
/// Threading: one thread at a time.
class TlsEngine {
 public:
  virtual ~TlsEngine() = default;
  /// Decrypts bytes from the peer; appends the data to `plain`, and TLS's own output (handshake, alerts) to
  /// `encrypted`. Returns false if the connection is broken: then `error()` says why, and `encrypted` may hold an
  /// alert, or an answer in plain HTTP to a client that did not begin with TLS. Input after close_notify is ignored.
  virtual bool receive(std::string_view from_peer, std::string& plain, std::string& encrypted) = 0;
  /// Encrypts `plain` and appends it to `encrypted`. Before the handshake is done the data is kept, and `receive` sends
  /// it; the caller bounds its size. Does nothing once the connection is broken, or after `finish`.
  virtual void send(std::string_view plain, std::string& encrypted) = 0;
  /// Appends the close_notify alert; before the handshake is done, `receive` sends it later. Further input from the
  /// peer can still be read.
  virtual void finish(std::string& encrypted) = 0;
  virtual bool handshake_done() const = 0;
  /// Whether the peer has sent its close_notify.
  virtual bool peer_finished() const = 0;
  /// Why the connection is broken; empty if it is not.
  virtual std::string error() const = 0;
};

/// A certificate and its key, ready to create engines. Threading: `engine` from any thread.
class TlsContext {
 public:
  virtual ~TlsContext() = default;
  /// Engines may outlive the context, so certificates are reloaded by creating a new context. Throws std::bad_alloc.
  virtual std::unique_ptr<TlsEngine> engine() const = 0;
};

/// Reads and checks the files: TLS 1.2 and 1.3, ALPN http/1.1. An expired certificate is accepted; clients will refuse
/// it. Errors: tls_failed, with the file and OpenSSL's reason, or because this build has no TLS.
Result<std::shared_ptr<const TlsContext>> make_tls_context(const TlsOptions& options);

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/tls.ipp>
#endif
