// What both sides of TLS use of OpenSSL: owners of its objects, its errors as text, the ciphers. Only definitions (.ipp)
// include this header.
#pragma once

#include <memory>
#include <string>
#include <system_error>

#if defined(FLUX_WITH_TLS) && FLUX_WITH_TLS
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace flux::transport::detail {

template <auto function>
struct OpenSslFree {
  template <class T>
  void operator()(T* object) const noexcept {
    function(object);
  }
};

using SslContextPtr = std::unique_ptr<SSL_CTX, OpenSslFree<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, OpenSslFree<SSL_free>>;
using BioPtr = std::unique_ptr<BIO, OpenSslFree<BIO_free>>;
using BioMethodPtr = std::unique_ptr<BIO_METHOD, OpenSslFree<BIO_meth_free>>;
using PrivateKeyPtr = std::unique_ptr<EVP_PKEY, OpenSslFree<EVP_PKEY_free>>;

// For TLS 1.2: only forward secrecy and authenticated encryption, which TLS 1.3 always has.
inline constexpr const char* tls12_ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
// In ALPN's format (RFC 7301, section 3.1).
inline constexpr unsigned char alpn_http11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

inline unsigned long next_openssl_error(const char*& data, int& flags) {
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
  return ERR_get_error_all(nullptr, nullptr, nullptr, &data, &flags);
#else
  return ERR_get_error_line_data(nullptr, nullptr, &data, &flags);
#endif
}

/// Removes all errors from the thread's queue, the first cause first: "reason (detail); reason".
inline std::string take_openssl_errors() {
  std::string text;
  const char* data = nullptr;
  int flags = 0;
  while (const unsigned long code = next_openssl_error(data, flags)) {
    if (!text.empty()) text += "; ";
    if (const char* reason = ERR_reason_error_string(code)) {
      text += reason;
    } else if (ERR_GET_LIB(code) == ERR_LIB_SYS) {
      text += std::generic_category().message(ERR_GET_REASON(code));
    } else {
      text += "OpenSSL error " + std::to_string(code);
    }
    if ((flags & ERR_TXT_STRING) != 0 && data != nullptr && *data != '\0') text.append(" (").append(data).append(")");
  }
  return text.empty() ? "OpenSSL gives no reason" : text;
}

}  // namespace flux::transport::detail

#endif
