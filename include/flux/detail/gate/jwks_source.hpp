// An issuer's keys (JWKS) from a URL or a file, kept up to date.
#pragma once

#include <flux/clock.hpp>
#include <flux/config.hpp>
#include <flux/detail/core/ip_address.hpp>
#include <flux/detail/transport/http_message.hpp>
#include <flux/jwt.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace flux::gate {

struct JwksOptions {
  /// An https URL, an http one of this machine, or the path of a file, which may also hold secrets (type `oct`).
  std::string source{};
  std::string ca_file{};                      ///< for the URL: PEM of the trusted authorities; empty: the system's
  std::chrono::milliseconds timeout{10'000};  ///< for a whole fetch
  /// Looks up the addresses of a name; may block. None: the system's resolver.
  std::function<Result<std::vector<core::IpAddress>>(const std::string& host)> resolve{};
};

/// Fetches keys on a thread of its own: at the start, when the response's lifetime ends (`keys_lifetime`), and when a token
/// names a key that is missing (`refresh`), but not within 10 s of the last fetch. A file is read again every 10 s.
///
/// If a fetch fails, or has no key that verifies signatures, the last good keys are kept, without a limit. The next fetch
/// follows after 10 s, doubled with each failure up to 60 s; from 1 s as long as there are no keys at all.
/// Threading: `start`, `begin_stop` and `stop` one at a time; all others from any thread.
class JwksSource {
 public:
  /// Never empty.
  using Keys = std::shared_ptr<const std::vector<jwt::Key>>;

  /// What becomes of a request to fetch newer keys.
  enum class Refresh : std::uint8_t {
    pending,  ///< `done` will be called
    newer,    ///< `keys` already differ: look again
    not_now,  ///< there was a fetch a moment ago, or the source has been stopped: there are no newer keys
  };

  /// A fetch in 10 s at most, while there are keys.
  static constexpr std::chrono::seconds interval_min{10};
  static constexpr std::chrono::seconds first_retry{1};
  static constexpr std::chrono::seconds retry_max{60};
  /// Callers that wait for one fetch; others get `not_now`.
  static constexpr std::size_t waiting_max = 10'000;

  /// Reads the file, if it is one. `clock` null: the machine's; `log` may be none.
  /// Errors: throws `Error`: bad_config for a URL or file that can't be used; tls_failed for the CA file, or an https URL
  /// in a build without TLS.
  JwksSource(JwksOptions options, std::shared_ptr<Clock> clock, LogSink log);
  ~JwksSource();
  JwksSource(const JwksSource&) = delete;
  JwksSource& operator=(const JwksSource&) = delete;

  /// Begins to fetch. May be called again after `stop`.
  /// Errors: throws `Error` as the constructor does.
  void start();
  /// Ends a running fetch. Never blocks.
  void begin_stop() noexcept;
  /// Returns when the thread has ended, which takes milliseconds: a look-up of a name that hangs is left to itself. Only
  /// reading a file may take longer, if its disk does. Functions that wait are destroyed without a call. Keys are kept.
  void stop() noexcept;

  /// The newest keys; null if none were fetched yet: tokens can't be verified for now, which is not an error.
  Keys keys() const;
  /// A token could not be verified with `seen`, which `keys` returned, because its key is not among them. Several callers
  /// share one fetch. `done` is called when it has ended, successful or not, on the source's thread: it must not
  /// block or throw. `stop` may destroy it without a call.
  Refresh refresh(const Keys& seen, std::function<void()> done);

 private:
  class State;
  const std::shared_ptr<State> state_;
};

/// For how long a response may be used: by `Cache-Control: max-age` less `Age`, or `Expires`, at least 1 minute and at
/// most 24 hours; 1 hour if it says nothing. `now`: Unix time.
std::chrono::seconds keys_lifetime(const transport::HttpFields& fields, std::chrono::sys_seconds now);

}  // namespace flux::gate

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/jwks_source.ipp>
#endif
