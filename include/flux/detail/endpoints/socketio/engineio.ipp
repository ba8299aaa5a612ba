#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/socketio/engineio_server.hpp>
#include <flux/detail/server/server_state.hpp>
#include <flux/engineio.hpp>

namespace flux::engineio {

/// The client object of an application's endpoint.
class EndpointClient final : public detail::EngineIoClient {
 public:
  EndpointClient(const Endpoint& endpoint, detail::EngineIoSession& session) : endpoint_(endpoint), session_(session) {
    if (endpoint_.on_open) {
      // In a separate turn, because the session is not open yet.
      session.loop()->post([open = session.shared_from_this(), &endpoint] {
        open->hub().guarded(open->loop()->counters(), "open", [&] { endpoint.on_open(Socket(open)); });
      });
    }
  }
  void on_message(std::string_view message, bool binary, std::string*) override {
    if (!endpoint_.on_message || !session_.within_rate()) return;
    session_.hub().guarded(session_.loop()->counters(), "message", [&] {
      endpoint_.on_message(handle(), message, binary ? MessageType::binary : MessageType::text);
    });
  }
  void on_close(detail::EndReason reason) override {
    if (!endpoint_.on_close) return;
    session_.hub().guarded(session_.loop()->counters(), "close",
                           [&] { endpoint_.on_close(handle(), to_string(reason)); });
  }

 private:
  Socket handle() { return Socket(session_.shared_from_this()); }

  const Endpoint& endpoint_;
  detail::EngineIoSession& session_;
};

FLUX_DECL std::string Socket::id() const { return std::string(session_->sid()); }

FLUX_DECL Sent Socket::send(std::string_view message, MessageType type) const {
  if (!session_->is_open()) return Sent::dropped;
  const bool binary = type == MessageType::binary;
  auto owned = binary ? std::string(message) : core::repaired(std::string(message));
  const auto& loop = session_->loop();
  const bool posted =
      loop->dispatch([session = session_, message = std::make_shared<const std::string>(std::move(owned)), binary] {
        if (binary && message->size() >= detail::engineio_long_bytes) return session->send_long(message);
        session->send(*message, binary);
      });
  if (!posted) return Sent::dropped;
  return loop->here() ? session_->sent() : Sent::queued;
}

FLUX_DECL void Socket::close() const {
  session_->loop()->dispatch(
      [session = session_] { session->close(detail::EndReason::forced_close, detail::EngineIoEnding::told); });
}

FLUX_DECL void serve(Server& server, Endpoint endpoint, Options options) {
  struct Served {
    Served(detail::Hub& hub, Endpoint e, Options o)
        : endpoint(std::move(e)), engine(hub, std::move(o), [this](detail::EngineIoSession& session, const auto&) {
            return std::make_shared<EndpointClient>(endpoint, session);
          }) {}
    Endpoint endpoint;
    detail::EngineIoServer engine;
  };
  auto& state = detail::ServerAccess::state(server);
  const auto served = std::make_shared<Served>(state.hub(), std::move(endpoint), std::move(options));
  state.add_endpoint({served, &served->engine});
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
