#pragma once

#include <flux/detail/endpoints/socketio/end_reason.hpp>
#include <flux/detail/mode.hpp>

namespace flux::detail {

FLUX_DECL std::string_view to_string(EndReason reason) noexcept {
  switch (reason) {
    case EndReason::transport_close: return "transport close";
    case EndReason::transport_error: return "transport error";
    case EndReason::ping_timeout: return "ping timeout";
    case EndReason::parse_error: return "parse error";
    case EndReason::forced_close: return "forced close";
    case EndReason::forced_server_close: return "forced server close";
    case EndReason::client_namespace_disconnect: return "client namespace disconnect";
    case EndReason::server_namespace_disconnect: return "server namespace disconnect";
    case EndReason::server_shutting_down: return "server shutting down";
    case EndReason::connect_timeout: return "connect timeout";
    case EndReason::rate_limited: return "rate limited";
    case EndReason::access_ended: return "access ended";
    case EndReason::unused: return "unused";
  }
  return {};
}

FLUX_DECL bool was_cut_off(EndReason reason) noexcept {
  return reason == EndReason::transport_close || reason == EndReason::transport_error ||
         reason == EndReason::ping_timeout || reason == EndReason::server_shutting_down;
}

}  // namespace flux::detail
