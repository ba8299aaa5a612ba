// The registered claims of a token (RFC 7519, 4.1), and their checks.
#pragma once

#include <flux/detail/gate/jwt_object.hpp>
#include <flux/error.hpp>
#include <flux/jwt.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flux::jwt::detail {

/// Why a token is refused, and the sentence for the log.
struct Refused {
  Refusal why;
  std::string cause;
};

/// Seconds since 1970.
using UnixSeconds = std::int64_t;

enum class Rounding : std::uint8_t { down, up };

/// Reads the time `json` of the claim `name`. None: absent.
/// Errors: invalid_argument if it is not a number from 0 to 2^53.
Result<std::optional<UnixSeconds>> read_time(std::string_view name, MemberText json, Rounding rounding);

/// The time for a `Token`: times after the year 2200, which the clock may not represent, become 2200-01-01.
std::chrono::system_clock::time_point time_point(UnixSeconds seconds) noexcept;

/// Reads the claims into `token` (all but its header) and checks them; none: they are accepted. `claims`: the JSON.
std::optional<Refused> check_claims(std::string claims, const Rules& rules, std::chrono::system_clock::time_point now,
                                    Token& token);

}  // namespace flux::jwt::detail

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/jwt_claims.ipp>
#endif
