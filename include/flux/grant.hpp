// What the application grants to a client: who it is, what it may do, and until when.
#pragma once

#include <flux/types.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux {

/// The answer of a connect handler or a token verifier that lets a client in, and what a session has from then on.
/// An empty grant is that of an unknown client without permissions, which never ends.
///
///     request.accept(flux::Grant({.user_id = "7"}, {"read:*", "write:chat"}, token_expiry));
///
/// flux itself acts on `identity` and `expires_at`. Permissions are read by the application's handlers, through
/// `Session::grant().allows(…)`.
struct Grant {
  /// Unix time, as in a token's `exp`. It is compared with `Clock::unix_ms`, so it follows the wall clock.
  using TimePoint = std::chrono::system_clock::time_point;

  Grant() = default;
  Grant(Identity who, std::vector<std::string> may = {}, std::optional<TimePoint> until = std::nullopt)
      : identity(std::move(who)), permissions(std::move(may)), expires_at(until) {}

  /// Whether one of the permissions matches; see `permission_matches`. Cost: O(permissions).
  bool allows(std::string_view operation, std::string_view name) const noexcept;

  Identity identity{};
  std::vector<std::string> permissions{};  ///< `operation:scope`
  std::optional<TimePoint> expires_at{};   ///< none: never
  friend bool operator==(const Grant&, const Grant&) = default;
};

/// Whether `permission`, an `operation:scope`, allows `operation` on `name` (of a room or channel, say).
/// The operation is the same, or `*`. The scope is the whole name, or its beginning up to a `:` ("chat" covers "chat" and
/// "chat:lobby", but not "chatter"), or `*`. A scope that ends with ":*" covers what is behind that colon and not the
/// name before it. A `*` in any other place is a character like any other. Letters are compared as they are.
/// Names of the scope "system" need the permission `admin` and nothing else allows them (protocols/channels.md).
/// An empty operation or name is never allowed.
bool permission_matches(std::string_view permission, std::string_view operation, std::string_view name) noexcept;

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/grant.ipp>
#endif
