// What the gate's errors are over HTTP.
#pragma once

#include <flux/detail/transport/http_message.hpp>
#include <flux/error.hpp>

namespace flux::endpoints {

struct HttpRefusal {
  int status;
  transport::HttpFields fields;
};

/// RFC 9110, 11.6.1: 401 says how the client may authenticate.
inline HttpRefusal http_refusal(Errc why) {
  switch (why) {
    case Errc::unauthorized: return {401, {{"WWW-Authenticate", "Bearer"}}};
    case Errc::forbidden: return {403, {}};
    case Errc::overloaded: return {503, {{"Retry-After", "1"}}};
    default: return {500, {}};
  }
}

/// Whether the application has refused the client, rather than failed to answer.
inline bool is_refusal(Errc why) noexcept { return why == Errc::unauthorized || why == Errc::forbidden; }

}  // namespace flux::endpoints
