// What the application grants to a client: who it is, what it may do, and until when.
#pragma once

#include <flux/types.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux {

namespace gate {
class GrantSource;
}

/// The answer of a connect handler or token verifier that accepts a client; the client keeps it while it is connected. An
/// empty grant is that of an unknown client without permissions, and never expires.
///
///     request.accept(flux::Grant({.user_id = "7"}, {"read:*", "write:chat"}, token_expiry));
///
/// flux itself acts on `identity`, on `expires_at`, and on `permissions` where rooms, files or methods demand them (`Demands`,
/// `FileDemands`, `CallOptions`). The application reads all of it in any handler: `Session::grant().allows(…)`,
/// `Session::grant().claims.get<bool>("/admin")`. Clients never get permissions or claims. Permissions answer "may it do
/// this with that room or channel?"; claims are for what else the application knows, such as a role.
struct Grant {
  /// Unix time, as in a token's `exp`. It is compared with `Clock::unix_ms`, so it follows the wall clock.
  using TimePoint = std::chrono::system_clock::time_point;

  Grant() = default;
  /// `who` it is, what it `may` do, `until` when, what else is known of it, and `by` which token or key.
  Grant(Identity who, std::vector<std::string> may = {}, std::optional<TimePoint> until = std::nullopt,
        JsonText known = {}, std::string by = {})
      : identity(std::move(who)),
        permissions(std::move(may)),
        expires_at(until),
        claims(std::move(known)),
        credential(std::move(by)) {}

  /// Whether one of the permissions matches; see `permission_matches`. Cost: O(permissions).
  bool allows(std::string_view operation, std::string_view name) const noexcept;

  Identity identity{};                     ///< who the client is
  std::vector<std::string> permissions{};  ///< each an `operation:scope`, see `permission_matches`
  std::optional<TimePoint> expires_at{};   ///< when the client is disconnected with 4401; none: never
  /// Roles, or anything else that the login says about the client: JSON of at most `claims_bytes_max` bytes.
  JsonText claims{};
  /// Which token or key the client has shown, as the application names it: a token's `jti`, or the id of an API key; never
  /// the secret itself. `Server::revoke_credential` finds clients by it. At most `credential_bytes_max` bytes of UTF-8;
  /// empty: none, and the client can be revoked only by its user or session.
  std::string credential{};
  /// A grant with a longer credential is not accepted, either.
  static constexpr std::size_t credential_bytes_max = 1'024;
  /// A grant with longer claims is not accepted: it refuses its client, and `set_grant` fails.
  static constexpr std::size_t claims_bytes_max = 16'384;
  /// Claims are compared as text.
  friend bool operator==(const Grant& a, const Grant& b);

 private:
  friend class gate::GrantSource;
  std::shared_ptr<const gate::GrantSource> source_{};  // the key that it was given for; not compared
};

/// Whether `permission`, an `operation:scope`, allows `operation` on `name` (of a room or channel, say).
///
/// - The operation must be equal, or `*`.
/// - The scope is the whole name, its beginning up to a `:` ("chat" covers "chat" and "chat:lobby", but not "chatter"), or
///   `*`. A scope that ends with ":*" covers what follows that colon, but not the name before it. Anywhere else `*` is an
///   ordinary character. Comparison is case-sensitive.
/// - Names of the scope "system" are allowed only by the permission `admin`.
/// - An empty operation or name is never allowed.
bool permission_matches(std::string_view permission, std::string_view operation, std::string_view name) noexcept;

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/grant.ipp>
#endif
