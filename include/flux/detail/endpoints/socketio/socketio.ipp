#pragma once

#include <flux/detail/core/option_check.hpp>
#include <flux/detail/endpoints/socketio/socketio_codec.hpp>
#include <flux/detail/endpoints/socketio/socketio_question.hpp>
#include <flux/detail/endpoints/socketio/socketio_server.hpp>
#include <flux/detail/server/server_state.hpp>
#include <flux/socketio.hpp>

#include <utility>

namespace flux::socketio {

// --- Handshake ---

FLUX_DECL std::string_view Handshake::query() const noexcept { return opening_->query(); }
FLUX_DECL std::optional<std::string> Handshake::query(std::string_view name) const {
  return transport::query_parameter(opening_->query(), name);
}
FLUX_DECL std::optional<std::string_view> Handshake::header(std::string_view name) const {
  return opening_->header(name);
}
FLUX_DECL HttpFields Handshake::headers() const { return opening_->headers(); }
FLUX_DECL std::string_view Handshake::remote_address() const noexcept { return opening_->remote_address(); }

// --- Broadcast ---

FLUX_DECL Broadcast Broadcast::to(std::string room) const {
  Broadcast other(*this);
  other.rooms_.push_back(std::move(room));
  return other;
}
FLUX_DECL Broadcast Broadcast::except(std::string room) const {
  Broadcast other(*this);
  other.except_.push_back(std::move(room));
  return other;
}
FLUX_DECL Broadcast Broadcast::volatile_() const {
  Broadcast other(*this);
  other.volatile_only_ = true;
  return other;
}
FLUX_DECL Broadcast Broadcast::timeout(std::chrono::milliseconds timeout) const {
  Broadcast other(*this);
  other.timeout_ = timeout;
  return other;
}
FLUX_DECL Outcome<Sent> Broadcast::emit(std::string_view event, const Args& args) const {
  return core::noted(nsp_->call_faults(), "emit", event, nsp_->emit(rooms_, except_, volatile_only_, event, args));
}
FLUX_DECL Outcome<Sent> Broadcast::emit(std::string_view event, const Args& args, AnswersHandler done) const {
  return core::noted(nsp_->call_faults(), "emit", event,
                     nsp_->emit(rooms_, except_, volatile_only_, event, args, timeout_, std::move(done)));
}
FLUX_DECL std::vector<Socket> Broadcast::sockets() const {
  std::vector<Socket> list;
  for (auto& socket : nsp_->reached(rooms_, except_)) list.emplace_back(std::move(socket));
  return list;
}
FLUX_DECL void Broadcast::sockets_join(const std::string& room) const {
  for (const Socket& socket : sockets()) socket.join(room);
}
FLUX_DECL void Broadcast::sockets_leave(const std::string& room) const {
  for (const Socket& socket : sockets()) socket.leave(room);
}
FLUX_DECL void Broadcast::disconnect_sockets(bool close) const {
  for (const Socket& socket : sockets()) socket.disconnect(close);
}

// --- Socket ---

namespace socket_detail {

FLUX_DECL void note_wrong(const detail::SocketIoSocket& socket, const char* method, std::string_view subject,
                          std::string what) {
  (void)core::noted<void>(socket.call_faults(), method, subject, Error(Errc::invalid_argument, std::move(what)));
}

/// Whether the application has given a function; an empty one is an error that is counted and logged.
template <class Function>
bool given(const detail::SocketIoSocket& socket, const char* method, std::string_view subject,
           const Function& function) {
  if (!function) note_wrong(socket, method, subject, core::empty_function(method));
  return static_cast<bool>(function);
}

/// The same for an event's handler: no client sends a reserved event.
FLUX_DECL bool handles(const detail::SocketIoSocket& socket, const char* method, std::string_view event,
                       const EventListener& handler) {
  if (!given(socket, method, event, handler)) return false;
  if (!protocol::is_reserved_socketio_event(event)) return true;
  note_wrong(socket, method, event,
             "the event's name is reserved, so no client sends it; see on_disconnect and on_disconnecting");
  return false;
}

}  // namespace socket_detail

FLUX_DECL const std::string& Socket::id() const { return state_->id(); }
FLUX_DECL Namespace Socket::nsp() const { return Namespace(state_->nsp()); }
FLUX_DECL const Handshake& Socket::handshake() const { return state_->handshake(); }
FLUX_DECL bool Socket::connected() const { return state_->connected(); }
FLUX_DECL bool Socket::recovered() const { return state_->recovered(); }
FLUX_DECL std::string_view Socket::transport() const { return state_->transport(); }
FLUX_DECL void Socket::on(std::string event, EventListener handler) const {
  if (socket_detail::handles(*state_, "on", event, handler)) state_->on(std::move(event), std::move(handler), false);
}
FLUX_DECL void Socket::once(std::string event, EventListener handler) const {
  if (socket_detail::handles(*state_, "once", event, handler)) state_->on(std::move(event), std::move(handler), true);
}
FLUX_DECL void Socket::off(std::string_view event) const { state_->off(event); }
FLUX_DECL void Socket::use(EventMiddleware middleware) const {
  if (socket_detail::given(*state_, "use", {}, middleware)) state_->use(std::move(middleware));
}
FLUX_DECL void Socket::on_refused(RefusedHandler handler) const { state_->on_refused(std::move(handler)); }
FLUX_DECL void Socket::on_disconnecting(DisconnectListener handler) const {
  state_->on_disconnecting(std::move(handler));
}
FLUX_DECL void Socket::on_any(EventListener handler) const { state_->on_any(std::move(handler)); }
FLUX_DECL void Socket::on_disconnect(DisconnectListener handler) const { state_->on_disconnect(std::move(handler)); }
FLUX_DECL Outcome<Sent> Socket::emit(std::string_view event, const Args& args) const {
  return core::noted(state_->call_faults(), "emit", event, state_->emit(event, args, false));
}
FLUX_DECL Outcome<Sent> Socket::volatile_emit(std::string_view event, const Args& args) const {
  return core::noted(state_->call_faults(), "volatile_emit", event, state_->emit(event, args, true));
}
FLUX_DECL Outcome<Sent> Socket::emit(std::string_view event, const Args& args, std::chrono::milliseconds timeout,
                                     AckHandler done) const {
  return core::noted(state_->call_faults(), "emit", event, state_->emit(event, args, timeout, std::move(done)));
}
FLUX_DECL Outcome<void> Socket::join(const std::string& room) const {
  return core::noted(state_->call_faults(), "join", room, state_->join(room));
}
FLUX_DECL void Socket::leave(const std::string& room) const { state_->leave(room); }
FLUX_DECL std::vector<std::string> Socket::rooms() const { return state_->rooms(); }
FLUX_DECL Broadcast Socket::to(std::string room) const {
  Broadcast others = broadcast();
  others.rooms_.push_back(std::move(room));
  return others;
}
FLUX_DECL Broadcast Socket::broadcast() const {
  Broadcast others(state_->nsp());
  others.except_.push_back(state_->id());
  return others;
}
FLUX_DECL void Socket::disconnect(bool close) const { state_->disconnect(close); }
FLUX_DECL Grant Socket::grant() const {
  const auto granted = state_->grant();
  return granted ? *granted : Grant{};
}
FLUX_DECL Outcome<void> Socket::set_grant(Grant grant) const {
  auto changed = gate::check_grant(grant).and_then(
      [&] { return state_->set_grant(std::make_shared<const Grant>(std::move(grant))); });
  return core::noted(state_->call_faults(), "set_grant", {}, std::move(changed));
}
FLUX_DECL JsonText Socket::data() const { return state_->data(); }
FLUX_DECL void Socket::set_data(JsonText data) const { state_->set_data(std::move(data)); }

// --- Middlewares ---

FLUX_DECL void Next::operator()() const { question_->give(true, {}, {}); }
FLUX_DECL void Next::refuse(std::string message, std::optional<JsonText> data) const {
  question_->give(false, std::move(message), std::move(data));
}

// --- Namespace ---

FLUX_DECL const std::string& Namespace::name() const { return state_->name(); }
FLUX_DECL Namespace& Namespace::use(Middleware middleware) {
  state_->use(core::require_function("use", std::move(middleware)));
  return *this;
}
FLUX_DECL Namespace& Namespace::on_connection(ConnectionHandler handler) {
  state_->on_connection(core::require_function("on_connection", std::move(handler)));
  return *this;
}
FLUX_DECL Broadcast Namespace::to(std::string room) const {
  Broadcast broadcast(state_);
  broadcast.rooms_.push_back(std::move(room));
  return broadcast;
}
FLUX_DECL Broadcast Namespace::except(std::string room) const {
  Broadcast broadcast(state_);
  broadcast.except_.push_back(std::move(room));
  return broadcast;
}
FLUX_DECL Outcome<Sent> Namespace::emit(std::string_view event, const Args& args) const {
  return core::noted(state_->call_faults(), "emit", event, state_->emit({}, {}, false, event, args));
}
FLUX_DECL std::vector<Socket> Namespace::sockets() const {
  std::vector<Socket> list;
  for (auto& socket : state_->sockets()) list.emplace_back(std::move(socket));
  return list;
}
FLUX_DECL std::vector<Socket> Namespace::sockets_in(const std::string& room) const {
  std::vector<Socket> list;
  for (auto& socket : state_->sockets_in(room)) list.emplace_back(std::move(socket));
  return list;
}
FLUX_DECL std::optional<Socket> Namespace::socket(const std::string& id) const {
  auto found = state_->socket(id);
  if (!found) return std::nullopt;
  return Socket(std::move(found));
}
FLUX_DECL void Namespace::sockets_join(const std::string& room) const { broadcast().sockets_join(room); }
FLUX_DECL void Namespace::sockets_leave(const std::string& room) const { broadcast().sockets_leave(room); }
FLUX_DECL void Namespace::disconnect_sockets(bool close) const { broadcast().disconnect_sockets(close); }

// --- Io ---

FLUX_DECL Io::Io(Server& server, Options options) {
  detail::ServerState& host = detail::ServerAccess::state(server);
  const std::string bundle = options.client_file;
  const std::string path = options.path;
  state_ = std::make_shared<detail::SocketIoServer>(host.hub(), std::move(options));
  // The part that ends with the server; handles may keep the rest longer.
  struct Kept {
    explicit Kept(std::shared_ptr<detail::SocketIoServer> s) : state(std::move(s)) {}
    Kept(const Kept&) = delete;
    Kept& operator=(const Kept&) = delete;
    ~Kept() { state->end(); }
    std::shared_ptr<detail::SocketIoServer> state;
  };
  const auto kept = std::make_shared<Kept>(state_);
  host.add_endpoint({kept, &state_->engine()});
  if (!bundle.empty()) host.add_file(path + (path.ends_with('/') ? "" : "/") + "socket.io.js", bundle);
}

FLUX_DECL Namespace Io::of(const std::string& name) { return Namespace(state_->of(name)); }
FLUX_DECL void Io::of(std::function<bool(std::string_view, const JsonText&)> matches,
                      std::function<void(Namespace)> made) {
  state_->of(core::require_function("of", std::move(matches)), core::require_function("of", std::move(made)));
}
FLUX_DECL Io& Io::use(Middleware middleware) {
  of("/").use(std::move(middleware));
  return *this;
}
FLUX_DECL Io& Io::on_connection(ConnectionHandler handler) {
  of("/").on_connection(std::move(handler));
  return *this;
}
FLUX_DECL Broadcast Io::to(std::string room) { return of("/").to(std::move(room)); }
FLUX_DECL Broadcast Io::except(std::string room) { return of("/").except(std::move(room)); }
FLUX_DECL std::vector<Socket> Io::sockets() { return of("/").sockets(); }
FLUX_DECL std::optional<Socket> Io::socket(const std::string& id) { return of("/").socket(id); }
FLUX_DECL Outcome<Sent> Io::emit(std::string_view event, const Args& args) { return of("/").emit(event, args); }

}  // namespace flux::socketio

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/socketio/socketio_client.ipp>
#include <flux/detail/endpoints/socketio/socketio_delivery.ipp>
#include <flux/detail/endpoints/socketio/socketio_namespace.ipp>
#include <flux/detail/endpoints/socketio/socketio_server.ipp>
#include <flux/detail/endpoints/socketio/socketio_socket.ipp>
#endif
