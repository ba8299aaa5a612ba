#pragma once

#include <flux/detail/endpoints/sharing/sharing_session.hpp>
#include <flux/detail/server/server_state.hpp>
#include <flux/sharing.hpp>

#include <memory>
#include <utility>

namespace flux::socketio {

FLUX_DECL void serve_sharing(Server& server, Io& io, SharingOptions options) {
  detail::ServerState& host = detail::ServerAccess::state(server);
  host.check_not_running("serve_sharing");
  if (options.rooms_per_client_max == 0) {
    throw Error(Errc::bad_config, "SharingOptions::rooms_per_client_max must be at least 1");
  }
  if (&io.state()->hub() != &host.hub()) {
    throw Error(Errc::bad_config, "serve_sharing was given the Io of another server; it must be one of the same");
  }
  if (!io.state()->begin_sharing()) {
    throw Error(Errc::bad_config, "serve_sharing was called before for this Io; data sharing is served once for each");
  }
  auto sharing = std::make_shared<detail::Sharing>(host.hub(), std::move(options));
  io.on_connection([sharing = std::move(sharing)](const Socket& socket) { detail::begin_sharing(sharing, socket); });
}

}  // namespace flux::socketio

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/sharing/sharing_session.ipp>
#endif
