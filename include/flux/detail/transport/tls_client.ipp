#pragma once

#include <flux/detail/core/ip_address.hpp>
#include <flux/detail/transport/openssl.hpp>
#include <flux/detail/transport/tls_client.hpp>

#include <new>
#include <utility>

#if defined(FLUX_WITH_TLS) && FLUX_WITH_TLS
#include <openssl/x509v3.h>
#endif

namespace flux::transport {

#if defined(FLUX_WITH_TLS) && FLUX_WITH_TLS

namespace detail {

/// Keeps what is read and written in memory BIOs; its user bounds how much that is.
class OpenSslClient final : public TlsEngine {
 public:
  explicit OpenSslClient(SslPtr ssl, BIO* input, BIO* output) : ssl_(std::move(ssl)), input_(input), output_(output) {}

  FLUX_DECL bool receive(std::string_view from_peer, std::string& plain, std::string& encrypted) override;
  FLUX_DECL void send(std::string_view plain, std::string& encrypted) override;
  FLUX_DECL void finish(std::string& encrypted) override;
  bool handshake_done() const override { return handshake_done_; }
  bool peer_finished() const override { return peer_finished_; }
  std::string error() const override { return error_; }

 private:
  bool read(std::string& plain);
  bool shake_hands();
  bool stopped(int result);
  bool fail(const std::string& reason);
  void flush(std::string& encrypted);

  const SslPtr ssl_;
  BIO* const input_;   // owned by ssl_
  BIO* const output_;  // owned by ssl_
  std::string kept_;   // data passed to `send` before the handshake was done
  std::string error_;
  bool handshake_done_ = false;
  bool finished_ = false;
  bool peer_finished_ = false;
};

FLUX_DECL bool OpenSslClient::receive(std::string_view from_peer, std::string& plain, std::string& encrypted) {
  if (!error_.empty()) return false;
  if (peer_finished_) return true;
  ERR_clear_error();
  std::size_t written = 0;
  if (!from_peer.empty() && BIO_write_ex(input_, from_peer.data(), from_peer.size(), &written) != 1) {
    return fail("out of memory");
  }
  const bool read_all = read(plain);
  flush(encrypted);
  return read_all;
}

FLUX_DECL bool OpenSslClient::read(std::string& plain) {
  if (!handshake_done_ && (!shake_hands() || !handshake_done_)) return error_.empty();
  char record[16'384];
  for (;;) {
    std::size_t size = 0;
    if (const int result = SSL_read_ex(ssl_.get(), record, sizeof record, &size); result != 1) return stopped(result);
    plain.append(record, size);
  }
}

FLUX_DECL bool OpenSslClient::shake_hands() {
  if (const int result = SSL_do_handshake(ssl_.get()); result != 1) return stopped(result);
  handshake_done_ = true;
  const std::string kept = std::exchange(kept_, {});
  std::size_t written = 0;
  if (!kept.empty() && SSL_write_ex(ssl_.get(), kept.data(), kept.size(), &written) != 1) {
    return fail(take_openssl_errors());
  }
  return true;
}

FLUX_DECL void OpenSslClient::send(std::string_view plain, std::string& encrypted) {
  if (!error_.empty() || finished_ || plain.empty()) return;
  if (!handshake_done_) {
    kept_ += plain;
    return;
  }
  ERR_clear_error();
  std::size_t written = 0;
  if (SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &written) != 1) fail(take_openssl_errors());
  flush(encrypted);
}

FLUX_DECL void OpenSslClient::finish(std::string& encrypted) {
  if (!error_.empty() || std::exchange(finished_, true) || !handshake_done_) return;
  ERR_clear_error();
  if (SSL_shutdown(ssl_.get()) < 0) fail(take_openssl_errors());
  flush(encrypted);
}

/// Called after an operation that did not succeed. Returns true if that is not an error.
FLUX_DECL bool OpenSslClient::stopped(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ: return true;
    case SSL_ERROR_ZERO_RETURN: peer_finished_ = true; return handshake_done_ || fail("the server gave up");
    default: break;
  }
  const std::string errors = take_openssl_errors();
  const long verified = SSL_get_verify_result(ssl_.get());
  if (verified == X509_V_OK) return fail(errors);
  return fail(errors + ": " + X509_verify_cert_error_string(verified));
}

FLUX_DECL bool OpenSslClient::fail(const std::string& reason) {
  error_ = (handshake_done_ ? "TLS: " : "TLS handshake: ") + reason;
  return false;
}

FLUX_DECL void OpenSslClient::flush(std::string& encrypted) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(output_, &bytes);
  if (size <= 0) return;
  encrypted.append(bytes, static_cast<std::size_t>(size));
  (void)BIO_reset(output_);
}

inline SslContextPtr make_client_context(const std::string& ca_file) {
  SslContextPtr made(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* const context = made.get();
  if (context == nullptr) return nullptr;
  // The machine's own policy may be stricter.
  if (SSL_CTX_get_min_proto_version(context) < TLS1_2_VERSION &&
      SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
    return nullptr;
  }
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  const bool trusts = ca_file.empty() ? SSL_CTX_set_default_verify_paths(context) == 1
                                      : SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr) == 1;
  return trusts && SSL_CTX_set_cipher_list(context, tls12_ciphers) == 1 ? std::move(made) : nullptr;
}

/// Has OpenSSL check the certificate's names, and sends the name in the handshake (RFC 6066, section 3: names only).
inline bool expect_host(SSL* ssl, const std::string& host) {
  X509_VERIFY_PARAM* const checks = SSL_get0_param(ssl);
  if (core::IpAddress::parse(host)) return X509_VERIFY_PARAM_set1_ip_asc(checks, host.c_str()) == 1;
  X509_VERIFY_PARAM_set_hostflags(checks, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return X509_VERIFY_PARAM_set1_host(checks, host.data(), host.size()) == 1 &&
         SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
}

}  // namespace detail

FLUX_DECL Result<std::unique_ptr<TlsEngine>> make_tls_client(const std::string& host, const std::string& ca_file) {
  ERR_clear_error();
  const detail::SslContextPtr context = detail::make_client_context(ca_file);
  if (!context) {
    const std::string what = ca_file.empty() ? "cannot set up TLS: " : "cannot use the CA file " + ca_file + ": ";
    return Error(Errc::tls_failed, what + detail::take_openssl_errors());
  }
  detail::SslPtr ssl(SSL_new(context.get()));
  BIO* const input = BIO_new(BIO_s_mem());
  BIO* const output = BIO_new(BIO_s_mem());
  if (!ssl || input == nullptr || output == nullptr) {
    BIO_free(input);
    BIO_free(output);
    ERR_clear_error();
    throw std::bad_alloc();
  }
  BIO_set_mem_eof_return(input, -1);  // an empty one is no end
  SSL_set_bio(ssl.get(), input, output);
  SSL_set_connect_state(ssl.get());
  if (!detail::expect_host(ssl.get(), host) ||
      SSL_set_alpn_protos(ssl.get(), detail::alpn_http11, sizeof detail::alpn_http11) != 0) {
    return Error(Errc::tls_failed, "cannot set up TLS for " + host + ": " + detail::take_openssl_errors());
  }
  return std::unique_ptr<TlsEngine>(std::make_unique<detail::OpenSslClient>(std::move(ssl), input, output));
}

#else

FLUX_DECL Result<std::unique_ptr<TlsEngine>> make_tls_client(const std::string&, const std::string&) {
  return Error(Errc::tls_failed, "this build of flux has no TLS; configure it with FLUX_WITH_TLS=ON and OpenSSL");
}

#endif

}  // namespace flux::transport
