#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/socketio/engineio_server.hpp>
#include <flux/detail/server/server_state.hpp>
#include <flux/engineio.hpp>

#include <utility>

namespace flux::engineio {

/// The object that `serve` creates.
class Served final : public detail::EngineIoServer {
 public:
  Served(detail::Hub& hub, engineio::Endpoint e, Options options);
  const engineio::Endpoint endpoint;
};

/// The client object of an application's endpoint.
class EndpointClient final : public detail::EngineIoClient {
 public:
  EndpointClient(detail::EngineIoSession& session, const detail::EngineIoOpening& opening) : session_(session) {
    if (session.hub().client_limits.counts_addresses()) {
      remote_ = std::make_unique<const core::ClientAddress>(opening.client());
    }
    if (!endpoint().on_open) return;
    // In a separate turn, because the session is not open yet.
    session.loop()->post([open = session.shared_from_this(), &handlers = endpoint(), client = opening.client()] {
      open->hub().guarded(
          open->loop()->counters(), "open", [&] { handlers.on_open(Socket(open)); }, client);
    });
  }
  void on_message(std::string_view message, bool binary, std::string*) override {
    session_.count_received();
    if (!session_.within_rate(gate::SenderOf(*this)) || !endpoint().on_message) return;
    const auto type = binary ? MessageType::binary : MessageType::text;
    guarded("message", [&] { endpoint().on_message(handle(), message, type); });
  }
  void disconnect() override { session_.close(detail::EndReason::forced_close, detail::EngineIoEnding::told); }
  void end_access() override { session_.close(detail::EndReason::access_ended, detail::EngineIoEnding::told); }
  void on_close(detail::EndReason reason) override {
    if (!endpoint().on_close) return;
    guarded("close", [&] { endpoint().on_close(handle(), to_string(reason)); });
  }

 private:
  friend class gate::SenderOf<EndpointClient>;

  std::shared_ptr<const Grant> grant() const { return session_.grant(); }
  core::ClientAddress remote() const { return remote_ ? *remote_ : core::ClientAddress(); }
  const engineio::Endpoint& endpoint() const { return static_cast<const Served&>(session_.server()).endpoint; }
  template <class Handler>
  void guarded(std::string_view what, Handler&& handler) {
    session_.hub().guarded(session_.loop()->counters(), what, std::forward<Handler>(handler), remote());
  }
  Socket handle() { return Socket(session_.shared_from_this()); }

  detail::EngineIoSession& session_;
  std::unique_ptr<const core::ClientAddress> remote_;  // null: no limit counts it
};

FLUX_DECL Served::Served(detail::Hub& hub, engineio::Endpoint e, Options options)
    : EngineIoServer(hub, "engine.io", std::move(options),
                     [](detail::EngineIoSession& session, const auto& opening) {
                       return std::make_shared<EndpointClient>(session, *opening);
                     }),
      endpoint(std::move(e)) {}

FLUX_DECL std::string Socket::id() const { return std::string(session_->sid()); }

FLUX_DECL Identity Socket::identity() const { return grant().identity; }
FLUX_DECL Grant Socket::grant() const {
  const auto granted = session_->grant();
  return granted ? *granted : Grant();
}
FLUX_DECL Outcome<void> Socket::set_grant(Grant grant) const {
  auto changed = gate::check_grant(grant).and_then(
      [&] { return session_->set_grant(std::make_shared<const Grant>(std::move(grant))); });
  return core::noted(session_->loop()->call_faults(), "set_grant", {}, std::move(changed));
}

FLUX_DECL Sent Socket::send(std::string_view message, MessageType type) const {
  if (!session_->is_open()) return Sent::dropped;
  const bool binary = type == MessageType::binary;
  auto owned = binary ? std::string(message) : core::repaired(std::string(message));
  const auto& loop = session_->loop();
  const bool posted =
      loop->dispatch([session = session_, message = std::make_shared<const std::string>(std::move(owned)), binary] {
        if (!binary || message->size() < detail::engineio_long_bytes) return session->send(*message, binary);
        session->count_sent();
        session->send_long(message);
      });
  if (!posted) return Sent::dropped;
  return loop->here() ? session_->sent() : Sent::queued;
}

FLUX_DECL void Socket::close() const {
  session_->loop()->dispatch(
      [session = session_] { session->close(detail::EndReason::forced_close, detail::EngineIoEnding::told); });
}

FLUX_DECL void serve(Server& server, Endpoint endpoint, Options options) {
  auto& state = detail::ServerAccess::state(server);
  state.add_endpoint(std::make_shared<Served>(state.hub(), std::move(endpoint), std::move(options)));
}

}  // namespace flux::engineio

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/socketio/engineio_opening.ipp>
#include <flux/detail/endpoints/socketio/engineio_pollers.ipp>
#include <flux/detail/endpoints/socketio/engineio_polling.ipp>
#include <flux/detail/endpoints/socketio/engineio_server.ipp>
#include <flux/detail/endpoints/socketio/engineio_session.ipp>
#include <flux/detail/endpoints/socketio/engineio_websocket.ipp>
#endif
