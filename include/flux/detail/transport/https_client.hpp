// A small HTTPS client of flux's own: it fetches one URL, for keys that an issuer publishes.
#pragma once

#include <flux/detail/core/ip_address.hpp>
#include <flux/detail/transport/http_response_parser.hpp>
#include <flux/error.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flux::transport {

/// The parts of a URL that a client needs.
struct HttpsUrl {
  /// Whether it is an https URL.
  bool tls = true;
  std::string host;  ///< a name or an IP address, without brackets
  std::uint16_t port = 443;
  std::string target;     ///< path and query as sent: "/" at least
  std::string authority;  ///< host and port as the Host field has them
  /// For logs: the URL without its query, which may hold a secret.
  std::string shown;

  /// Accepts https URLs, and http ones of this machine: "localhost", 127.0.0.0/8, [::1]. Anyone in between could replace
  /// what others serve without TLS.
  /// Errors: bad_config.
  static Result<HttpsUrl> parse(std::string_view url);
};

struct HttpsOptions {
  std::string ca_file{};                      ///< PEM; empty: the system's trust store
  std::chrono::milliseconds timeout{10'000};  ///< for a whole request, from the look-up of the name to the last byte
  HttpResponseLimits limits{};
  /// Looks up the addresses of a name; may block. None: the system's resolver.
  std::function<Result<std::vector<core::IpAddress>>(const std::string& host)> resolve{};
};

/// Sends GET requests to one URL, each on a connection of its own. The server's certificate is always checked, for its
/// authority and for the name. Redirects are not followed, no proxy is used, no compression is asked for, and no cookies
/// are kept. All addresses of the name are tried, of both families in turns; the next one after 250 ms or when one fails.
///
/// The system's resolver can't be interrupted: names are looked up on a thread of their own, which `stop` and `timeout`
/// leave behind until the resolver returns. There is at most one such thread.
/// Threading: `get` on one thread at a time, which it blocks; `stop` from any.
class HttpsClient {
 public:
  /// Errors: throws Error, tls_failed, if the CA file can't be used or this build has no TLS.
  HttpsClient(HttpsUrl url, HttpsOptions options);
  ~HttpsClient();
  HttpsClient(const HttpsClient&) = delete;
  HttpsClient& operator=(const HttpsClient&) = delete;

  /// The response, whose status is 200, or 304 if `etag` (that of an earlier response) is not empty.
  /// Errors: server_error, with a sentence for the log; stopped.
  Result<HttpResponse> get(const std::string& etag = {});
  /// Ends a running `get`, and all later ones, at once.
  void stop() noexcept;

  const HttpsUrl& url() const noexcept { return url_; }

 private:
  struct State;
  class Request;

  const HttpsUrl url_;
  const HttpsOptions options_;
  const std::shared_ptr<State> state_;
};

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/https_client.ipp>
#endif
