#pragma once

#include <flux/detail/core/option_check.hpp>
#include <flux/detail/endpoints/sharing/sharing_session.hpp>
#include <flux/detail/server/server_state.hpp>
#include <flux/sharing.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace flux::detail {

/// Knows the sessions of data sharing by the ids of their sockets; serves no path.
class SharingSessions final : public endpoints::Endpoint {
 public:
  explicit SharingSessions(std::shared_ptr<SocketIoNamespace> nsp) : nsp_(std::move(nsp)) {}
  std::optional<std::uint64_t> session_key(std::string_view socket_id) const override {
    const auto socket = nsp_->socket(std::string(socket_id));
    return socket ? std::optional(socket->key()) : std::nullopt;
  }

 private:
  const std::shared_ptr<SocketIoNamespace> nsp_;
};

}  // namespace flux::detail

namespace flux::socketio {

FLUX_DECL void serve_sharing(Server& server, Io& io, SharingOptions options) {
  detail::ServerState& host = detail::ServerAccess::state(server);
  host.check_not_running("serve_sharing");
  core::require_at_least(1, options.rooms_per_client_max, "SharingOptions::rooms_per_client_max");
  if (&io.state()->hub() != &host.hub()) {
    throw Error(Errc::bad_config,
                "serve_sharing was given the Io of another server; it must belong to the same server");
  }
  if (!io.state()->begin_sharing()) {
    throw Error(Errc::bad_config, "serve_sharing was already called for this Io; it can be called only once for each");
  }
  for (const auto& request : detail::SharingSession::request_types()) host.hub().requests.reserve(request.name);
  host.add_endpoint(std::make_shared<detail::SharingSessions>(io.state()->of("/")));
  auto sharing = std::make_shared<detail::Sharing>(host.hub(), options);
  io.on_connection([sharing = std::move(sharing)](const Socket& socket) { detail::begin_sharing(sharing, socket); });
}

FLUX_DECL std::optional<Socket> socket_of(const Session& session) {
  const auto sharing = std::dynamic_pointer_cast<detail::SharingSession>(session.state());
  return sharing ? std::optional(Socket(sharing->socket())) : std::nullopt;
}

}  // namespace flux::socketio

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/sharing/sharing_requests.ipp>
#include <flux/detail/endpoints/sharing/sharing_session.ipp>
#endif
