// The client's side of TLS, which always checks the server's certificate.
#pragma once

#include <flux/detail/transport/tls.hpp>

#include <memory>
#include <string>

namespace flux::transport {

/// Creates an engine for one connection to `host` (a name or an IP address): TLS 1.2 and 1.3, ALPN http/1.1. Its
/// handshake fails unless the certificate is valid for `host` and signed by an authority that is trusted: one of
/// `ca_file` (PEM) or, if that is empty, of the system's trust store. `receive` with no bytes begins the handshake.
/// Blocks while it reads the files.
/// Errors: tls_failed, with OpenSSL's reason, or because this build has no TLS.
Result<std::unique_ptr<TlsEngine>> make_tls_client(const std::string& host, const std::string& ca_file);

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/tls_client.ipp>
#endif
