#pragma once

#include <flux/core/session_key.hpp>
#include <flux/detail/mode.hpp>
#include <flux/server/detail/socketio_server.hpp>

#include <algorithm>
#include <utility>

namespace flux::detail {

using protocol::SocketIoMessagePtr;
using protocol::SocketIoType;

// --- Encodings ---

FLUX_DECL void append_socketio(std::string& out, const protocol::SocketIoMessage& message, const void* view) {
  switch (engineio_encoding(view)) {
    case EngineIoEncoding::websocket: return message.append_websocket(out);
    case EngineIoEncoding::websocket_base64: return message.append_websocket_base64(out);
    case EngineIoEncoding::polling: out += message.polling();
  }
}

/// For everybody in a lane. Attachments that are worth it are not copied.
FLUX_DECL void append_socketio(core::Lane& lane, const protocol::SocketIoMessage& message, const void* view) {
  constexpr std::size_t many_bytes = 16'384;
  if (message.attachments().empty() || engineio_encoding(view) != EngineIoEncoding::websocket) {
    return append_socketio(lane.pending_bytes(), message, view);
  }
  const auto pieces = message.websocket();
  lane.pending_bytes() += *pieces.front();
  for (const protocol::SharedBytes& piece : pieces.subspan(1)) {
    if (piece->size() < many_bytes) {
      lane.pending_bytes() += *piece;
    } else {
      lane.insert(piece);
    }
  }
}

FLUX_DECL void send_message(EngineIoSession& session, const protocol::SocketIoMessage& message) {
  if (!session.over_websocket()) return session.send_encoded({}, message.polling(), message.packets());
  constexpr std::size_t few_bytes = 4096;  // copied, they go out along with others of this turn
  if (session.encoding() == EngineIoEncoding::websocket) {
    const auto pieces = message.websocket();
    if (pieces.size() > 1 || pieces[0]->size() > few_bytes) return session.send_shared(pieces, message.packets());
    return session.send_encoded(*pieces[0], {}, 1);
  }
  std::string frames;
  append_socketio(frames, message, engineio_view(session.encoding()));
  session.send_encoded(frames, {}, message.packets());
}

FLUX_DECL void SocketIoLog::unsent(std::string_view what, const Error& error) const {
  if (!sink_ || level_ < LogLevel::error) return;
  sink_(LogLevel::error, std::string(what).append(" was not sent: ").append(error.message()));
}

/// A longer list: those who read the old one go on.
template <class T>
void add_to_list(std::shared_ptr<const std::vector<T>>& list, T item) {
  auto longer = std::make_shared<std::vector<T>>(*list);
  longer->push_back(std::move(item));
  list = std::move(longer);
}

// --- Sockets ---

FLUX_DECL SocketIoSocket::SocketIoSocket(std::shared_ptr<SocketIoNamespace> nsp,
                                         std::shared_ptr<EngineIoSession> session, std::string id, std::uint64_t key,
                                         socketio::Handshake handshake)
    : nsp_(std::move(nsp)),
      session_(std::move(session)),
      id_(std::move(id)),
      key_(key),
      handshake_(std::move(handshake)) {}

// Handlers may hold their socket, so none is kept for one that has gone.

FLUX_DECL void SocketIoSocket::on(std::string event, socketio::EventHandler handler, bool once) {
  off(event);
  auto added = std::make_shared<Handler>(Handler{std::move(event), std::move(handler), once, nullptr});
  const std::lock_guard lock(mutex());
  if (life_ == Life::gone) return;
  added->next = std::move(handlers_);
  handlers_ = std::move(added);
}

FLUX_DECL void SocketIoSocket::off(std::string_view event) {
  std::shared_ptr<Handler> removed;  // goes unlocked
  const std::lock_guard lock(mutex());
  removed = take_handler(event, true);
}

/// That of the event, out of the list where it is for `always` or for once. Under the mutex.
FLUX_DECL std::shared_ptr<SocketIoSocket::Handler> SocketIoSocket::take_handler(std::string_view event, bool always) {
  std::shared_ptr<Handler>* at = &handlers_;
  while (*at && (*at)->event != event) at = &(*at)->next;
  std::shared_ptr<Handler> found = *at;
  if (found && (always || found->once)) *at = std::exchange(found->next, nullptr);
  return found;
}

FLUX_DECL SocketIoSocket::Rare& SocketIoSocket::rare() {
  if (!rare_) rare_ = std::make_unique<Rare>();
  return *rare_;
}

FLUX_DECL SocketIoSocket::RareOnLoop& SocketIoSocket::on_loop() {
  if (!rare_on_loop_) rare_on_loop_ = std::make_unique<RareOnLoop>();
  return *rare_on_loop_;
}

FLUX_DECL void SocketIoSocket::on_any(socketio::EventHandler handler) {
  auto call = handler ? std::make_shared<const socketio::EventHandler>(std::move(handler)) : nullptr;
  const std::lock_guard lock(mutex());
  if (life_ != Life::gone) rare().any.swap(call);
}

FLUX_DECL void SocketIoSocket::use(socketio::EventMiddleware middleware) {
  Middlewares longer = std::make_shared<const std::vector<socketio::EventMiddleware>>();
  const std::lock_guard lock(mutex());
  if (life_ == Life::gone) return;
  if (rare().middlewares) longer = rare_->middlewares;
  add_to_list(longer, std::move(middleware));
  rare_->middlewares.swap(longer);
}

FLUX_DECL void SocketIoSocket::on_refused(socketio::RefusedHandler handler) {
  auto call = std::make_shared<const socketio::RefusedHandler>(std::move(handler));
  const std::lock_guard lock(mutex());
  if (life_ != Life::gone) rare().refused.swap(call);
}

FLUX_DECL void SocketIoSocket::on_disconnecting(socketio::DisconnectHandler handler) {
  const std::lock_guard lock(mutex());
  if (life_ != Life::gone) rare().on_disconnecting.swap(handler);
}

FLUX_DECL void SocketIoSocket::on_disconnect(socketio::DisconnectHandler handler) {
  const std::lock_guard lock(mutex());
  if (life_ != Life::gone) rare().on_disconnect.swap(handler);
}

FLUX_DECL void SocketIoSocket::forget_handlers(socketio::DisconnectHandler* on_disconnect) {
  std::shared_ptr<Handler> handlers;  // what they hold is destroyed without the lock
  Rare handlers_and_rooms;
  {
    const std::lock_guard lock(mutex());
    life_ = Life::gone;
    handlers.swap(handlers_);
    if (rare_) {
      std::swap(handlers_and_rooms, *rare_);
      rare_->data = handlers_and_rooms.data;
    }
  }
  while (handlers) handlers = std::exchange(handlers->next, nullptr);
  if (on_disconnect != nullptr) on_disconnect->swap(handlers_and_rooms.on_disconnect);
}

FLUX_DECL JsonText SocketIoSocket::data() const {
  const std::lock_guard lock(mutex());
  return rare_ ? rare_->data : JsonText();
}

FLUX_DECL void SocketIoSocket::set_data(JsonText data) {
  const std::lock_guard lock(mutex());
  std::swap(rare().data, data);
}

FLUX_DECL bool SocketIoSocket::owes_too_much() const noexcept { return owed_ >= nsp_->options().acks_waiting_max; }

FLUX_DECL Error socket_gone(const std::string& id) {
  return Error(Errc::session_not_found, "socket " + id + " is not connected");
}

// --- Events ---

/// What was sent to rooms before goes first.
FLUX_DECL void SocketIoSocket::send(const protocol::SocketIoMessage& message, bool volatile_only) {
  if (!session_->is_open() || (volatile_only && session_->busy())) return;
  flush_rooms();
  send_message(*session_, message);
}

/// The same for what many get: to a WebSocket it goes by itself, and nothing is copied.
FLUX_DECL void SocketIoSocket::send_shared(const protocol::SocketIoMessage& message, bool volatile_only) {
  if (session_->encoding() != EngineIoEncoding::websocket) return send(message, volatile_only);
  if (!session_->is_open() || (volatile_only && session_->busy())) return;
  flush_rooms();
  session_->send_shared(message.websocket(), message.packets());
}

FLUX_DECL void SocketIoSocket::flush_rooms() {
  for_each_seat([](Seat& seat, SocketIoRoom&) { seat.lane->flush_now(); });
  if (follower_ != nullptr) follower_->flush();
}

FLUX_DECL Result<void> SocketIoSocket::emit(std::string_view event, const socketio::Args& args, bool volatile_only) {
  if (!connected()) return socket_gone(id_);
  if (nsp_->recovers() && !volatile_only) return nsp_->emit({id_}, {}, false, event, args);
  auto message = protocol::encode_socketio_event(nsp_->name(), event, args);
  if (!message) return nsp_->unsent(event, message.error());
  const bool posted = loop()->dispatch([self = shared_from_this(), message = std::move(*message), volatile_only] {
    if (self->connected()) self->send(*message, volatile_only);
  });
  if (!posted) return socket_gone(id_);
  return {};
}

FLUX_DECL Result<void> SocketIoSocket::emit(std::string_view event, const socketio::Args& args,
                                            std::chrono::milliseconds timeout, socketio::AckHandler done) {
  if (!connected()) return socket_gone(id_);
  const std::uint64_t id = nsp_->new_ack_id();
  auto message = protocol::encode_socketio_event(nsp_->name(), event, args, id);
  if (!message) return nsp_->unsent(event, message.error());
  const bool posted = loop()->dispatch([self = shared_from_this(), message = std::move(*message), id, timeout,
                                        done = std::move(done)] { self->ask(*message, id, timeout, false, done); });
  if (!posted) return socket_gone(id_);
  return {};
}

FLUX_DECL void SocketIoSocket::ask(const protocol::SocketIoMessage& message, std::uint64_t id,
                                   std::chrono::milliseconds timeout, bool volatile_only, socketio::AckHandler done) {
  const bool lost = volatile_only && session_->busy();
  const auto timer = loop()->call_after(timeout, [weak = weak_from_this(), id] {
    if (const auto socket = weak.lock())
      socket->ack_failed(id, Error(Errc::overloaded, "no acknowledgment came in time"));
  });
  on_loop().acks.emplace(id, WaitingAck{std::move(done), timer});
  if (connected() && !lost) return send(message);
  loop()->cancel(timer);
  ack_failed(id, lost ? Error(Errc::overloaded, "the client could not take it at once") : socket_gone(id_));
}

/// Out it comes before it is called: that is done once.
FLUX_DECL std::optional<SocketIoSocket::WaitingAck> SocketIoSocket::take_ack(std::uint64_t id) {
  if (!rare_on_loop_) return std::nullopt;
  auto node = rare_on_loop_->acks.extract(id);
  if (!node) return std::nullopt;
  return std::move(node.mapped());
}

/// The timer has fired, or been cancelled.
FLUX_DECL void SocketIoSocket::ack_failed(std::uint64_t id, const Error& error) {
  if (const auto ack = take_ack(id)) fail_ack(*ack, error);
}

FLUX_DECL void SocketIoSocket::fail_ack(const WaitingAck& ack, const Error& error) {
  if (ack.done) session_->hub().guarded(loop()->counters(), "ack", [&] { ack.done(error); });
}

FLUX_DECL void SocketIoSocket::handle_ack(std::uint64_t id, const socketio::Args& args) {
  const auto ack = take_ack(id);
  if (!ack) return;  // nobody asked, or it came too late
  loop()->cancel(ack->timer);
  if (ack->done) session_->hub().guarded(loop()->counters(), "ack", [&] { ack->done(args); });
}

struct SocketIoSocket::Owed {
  explicit Owed(std::shared_ptr<SocketIoSocket> s) : socket(std::move(s)) { ++socket->owed_; }
  Owed(const Owed&) = delete;
  Owed& operator=(const Owed&) = delete;
  ~Owed() { --socket->owed_; }
  const std::shared_ptr<SocketIoSocket> socket;
};

struct SocketIoSocket::OwedAck : Owed {
  OwedAck(std::shared_ptr<SocketIoSocket> s, std::uint64_t i) : Owed(std::move(s)), id(i) {}
  const std::uint64_t id;
  std::atomic<bool> given{false};
};

FLUX_DECL socketio::Event::Ack SocketIoSocket::ack_of(std::uint64_t id) {
  return [owed = std::make_shared<OwedAck>(shared_from_this(), id)](const socketio::Args& args) -> socketio::Emitted {
    if (owed->given.exchange(true)) return {};
    return owed->socket->acknowledge(owed->id, args);
  };
}

FLUX_DECL Result<void> SocketIoSocket::acknowledge(std::uint64_t id, const socketio::Args& args) {
  auto message = protocol::encode_socketio_ack(nsp_->name(), id, args);
  if (!message) return nsp_->unsent("an acknowledgment", message.error());
  const bool posted = loop()->dispatch([self = shared_from_this(), message = std::move(*message)] {
    // It may overtake what the same turn sends to rooms: waiting would cost each room its batch.
    if (self->connected()) send_message(*self->session_, *message);
  });
  if (!posted) return socket_gone(id_);
  return {};
}

/// `is_long`: it ends where no loop has to wait for that.
FLUX_DECL void SocketIoSocket::handle_event(socketio::Event event, bool is_long) {
  Middlewares middlewares;
  {
    const std::lock_guard lock(mutex());
    if (rare_) middlewares = rare_->middlewares;
  }
  if (!middlewares && !is_long) return call_handlers(event);
  const auto shared = is_long ? session_->reclaimer()->make<socketio::Event>(std::move(event))
                              : std::make_shared<socketio::Event>(std::move(event));
  if (!middlewares) return call_handlers(*shared);
  if (!shared->wants_ack() && owes_too_much()) return session_->close("transport error");
  ask_middlewares(shared, middlewares, 0);
}

/// Its client waits for an answer. It is told by whoever would have answered: data sharing, or the application.
FLUX_DECL void SocketIoSocket::refuse_for_rate(socketio::Event& event) {
  const Error error(Errc::rate_limited, "more than " +
                                            std::to_string(session_->hub().config.limits.messages_per_second) +
                                            " messages a second; this one was not acted on");
  bool is_of_application = follower_ == nullptr;
  if (!is_of_application) {
    const std::lock_guard lock(mutex());
    const Handler* at = handlers_.get();
    while (at != nullptr && at->event != event.name()) at = at->next.get();
    is_of_application = at != nullptr;
  }
  if (!is_of_application) return follower_->refuse(event, error);
  refuse_event(event, error.message(), {});
}

FLUX_DECL void SocketIoSocket::ask_middlewares(const std::shared_ptr<socketio::Event>& event,
                                               const Middlewares& middlewares, std::size_t index) {
  if (!connected()) return;
  if (index >= middlewares->size()) return call_handlers(*event);
  auto answered = [self = shared_from_this(), owed = std::make_shared<Owed>(shared_from_this()), event, middlewares,
                   index](bool admitted, std::string message, std::optional<JsonText> data) {
    self->loop()->dispatch(
        [self, event, middlewares, index, admitted, message = std::move(message), data = std::move(data)] {
          if (admitted) {
            self->ask_middlewares(event, middlewares, index + 1);
          } else {
            self->refuse_event(*event, message, data);
          }
        });
  };
  const auto question = std::make_shared<SocketIoQuestion>(std::move(answered));
  if (!session_->hub().guarded(loop()->counters(), "Socket.IO event middleware",
                               [&] { (*middlewares)[index](*event, socketio::Next(question)); })) {
    question->give(false, "the server failed to handle this event", {});
  }
}

FLUX_DECL void SocketIoSocket::refuse_event(socketio::Event& event, const std::string& message,
                                            const std::optional<JsonText>& data) {
  std::shared_ptr<const socketio::RefusedHandler> refused;
  {
    const std::lock_guard lock(mutex());
    if (rare_) refused = rare_->refused;
  }
  if (!refused || !*refused) return;
  session_->hub().guarded(loop()->counters(), "Socket.IO refusal", [&] { (*refused)(event, message, data); });
}

FLUX_DECL void SocketIoSocket::call_handlers(socketio::Event& event) {
  std::shared_ptr<const socketio::EventHandler> any;
  std::shared_ptr<const Handler> own;
  {
    const std::lock_guard lock(mutex());
    if (rare_) any = rare_->any;
    own = take_handler(event.name(), false);
  }
  const auto call = [&](const socketio::EventHandler& handler) {
    if (handler) session_->hub().guarded(loop()->counters(), "Socket.IO event", [&] { handler(event); });
  };
  if (any) call(*any);
  if (own) return call(own->call);
  if (follower_ != nullptr) follower_->handle(event);
}

// --- Rooms ---

FLUX_DECL Result<void> SocketIoSocket::join(const std::string& room) {
  if (room == id_) return {};
  if (room.empty()) return Error(Errc::invalid_argument, "a room's name must not be empty");
  {
    const std::lock_guard lock(mutex());
    if (!connected()) return socket_gone(id_);
    if (in_room(room)) return {};
    auto& rooms = rare().rooms;
    if (rooms.size() >= nsp_->options().rooms_per_socket_max) {
      return Error(Errc::limit_exceeded, "in " + std::to_string(rooms.size()) + " rooms already");
    }
    rooms.push_back(room);
  }
  loop()->dispatch([self = shared_from_this(), room] { self->enter_room(room); });
  return {};
}

/// Under the mutex.
FLUX_DECL bool SocketIoSocket::in_room(const std::string& room) const {
  return rare_ && std::find(rare_->rooms.begin(), rare_->rooms.end(), room) != rare_->rooms.end();
}

template <class Visit>
void SocketIoSocket::for_each_seat(const Visit& visit) {
  if (seat_.lane) visit(seat_, *nsp_->everyone_);
  if (!rare_on_loop_) return;
  for (const auto& seat : rare_on_loop_->seats) visit(*seat, *seat->room);
}

FLUX_DECL std::vector<std::unique_ptr<SocketIoSocket::RoomSeat>>::iterator SocketIoSocket::seat_in(
    const std::string& room) {
  auto& seats = on_loop().seats;
  return std::find_if(seats.begin(), seats.end(), [&](const auto& seat) { return seat->room->name == room; });
}

FLUX_DECL void SocketIoSocket::enter_room(const std::string& room) {
  {
    const std::lock_guard lock(mutex());
    if (!connected() || !in_room(room)) return;
  }
  if (seat_in(room) == on_loop().seats.end()) take_place(nsp_->enter(room, shared_from_this()));
}

FLUX_DECL void SocketIoSocket::take_place(std::shared_ptr<SocketIoRoom> room) {
  RoomSeat& seat = *on_loop().seats.emplace_back(std::make_unique<RoomSeat>(std::move(room)));
  take_seat(seat, *seat.room);
}

FLUX_DECL void SocketIoSocket::take_seat(Seat& seat, SocketIoRoom& room) {
  const std::lock_guard lock(room.mutex);
  seat.lane = room.audience.enter(loop(), engineio_view(session_->encoding()), key_, *session_, seat.place);
}

FLUX_DECL void SocketIoSocket::leave(const std::string& room) {
  {
    const std::lock_guard lock(mutex());
    if (!rare_ || std::erase(rare_->rooms, room) == 0) return;
  }
  loop()->dispatch([self = shared_from_this(), room] { self->leave_room(room); });
}

FLUX_DECL void SocketIoSocket::leave_room(const std::string& room) {
  {
    const std::lock_guard lock(mutex());
    if (in_room(room)) return;  // it is back already
  }
  auto& seats = on_loop().seats;
  const auto found = seat_in(room);
  if (found == seats.end()) return;
  (*found)->lane->flush_now();  // what was sent before it left still reaches it
  leave_seat(**found, *(*found)->room);
  seats.erase(found);
  nsp_->leave(room, shared_from_this());
}

FLUX_DECL void SocketIoSocket::leave_seat(Seat& seat, SocketIoRoom& room) {
  const std::lock_guard lock(room.mutex);
  const auto lane = std::exchange(seat.lane, nullptr);
  room.audience.leave(*lane, seat.place);
}

/// The transport has changed: what waits in the old lanes is taken along.
FLUX_DECL void SocketIoSocket::change_lanes() {
  for_each_seat([this](Seat& seat, SocketIoRoom& room) { change_lane(seat, room); });
  if (follower_ != nullptr) follower_->transport_changed();
}

FLUX_DECL void SocketIoSocket::change_lane(Seat& seat, SocketIoRoom& room) {
  std::string waiting;
  {
    const std::lock_guard lock(room.mutex);
    waiting = room.audience.change_view(seat.lane, seat.place, engineio_view(session_->encoding()), key_, *session_,
                                        protocol::engineio_separator);
  }
  if (!waiting.empty()) session_->send_polled(std::move(waiting));
}

FLUX_DECL std::vector<std::string> SocketIoSocket::rooms() const {
  const std::lock_guard lock(mutex());
  std::vector<std::string> list{id_};
  if (rare_) list.insert(list.end(), rare_->rooms.begin(), rare_->rooms.end());
  return list;
}

// --- The end of a socket ---

FLUX_DECL void SocketIoSocket::disconnect(bool close) {
  loop()->dispatch([self = shared_from_this(), close] {
    if (!self->connected()) return;
    auto* client = static_cast<SocketIoClient*>(self->session_->client());
    if (close && client != nullptr) return client->disconnect();
    self->dismiss();
  });
}

FLUX_DECL void SocketIoSocket::dismiss() {
  if (const auto message = protocol::encode_socketio_disconnect(nsp_->name())) send(**message);
  gone("server namespace disconnect");
}

FLUX_DECL void SocketIoSocket::gone(std::string_view reason) {
  if (!connected()) return;
  const auto self = shared_from_this();
  const bool cut_off =
      reason.substr(0, 9) == "transport" || reason == "ping timeout" || reason == "server shutting down";
  if (!tell_disconnecting(reason)) return;
  nsp_->remove(self, cut_off);
  socketio::DisconnectHandler on_disconnect;
  forget_handlers(&on_disconnect);
  if (auto* follower = std::exchange(follower_, nullptr)) follower->gone(reason);
  for_each_seat([&](Seat& seat, SocketIoRoom& room) {
    leave_seat(seat, room);
    if (!room.name.empty()) nsp_->leave(room.name, self);
  });
  const auto rare = std::exchange(rare_on_loop_, nullptr);
  while (rare && !rare->acks.empty()) {
    const auto ack = rare->acks.extract(rare->acks.begin());
    loop()->cancel(ack.mapped().timer);
    fail_ack(ack.mapped(), socket_gone(id_));
  }
  if (auto* client = static_cast<SocketIoClient*>(session_->client())) client->forget(self);
  if (on_disconnect) session_->hub().guarded(loop()->counters(), "disconnect", [&] { on_disconnect(reason); });
}

/// False where the handler has ended it itself.
FLUX_DECL bool SocketIoSocket::tell_disconnecting(std::string_view reason) {
  socketio::DisconnectHandler handler;
  {
    const std::lock_guard lock(mutex());
    if (rare_) handler.swap(rare_->on_disconnecting);
  }
  if (handler) session_->hub().guarded(loop()->counters(), "disconnecting", [&] { handler(reason); });
  return connected();
}

FLUX_DECL void SocketIoSocket::refused() { forget_handlers(nullptr); }

// --- Namespaces ---

FLUX_DECL SocketIoNamespace::SocketIoNamespace(std::string name, std::shared_ptr<const socketio::Options> options,
                                               std::shared_ptr<Clock> clock, std::weak_ptr<const SocketIoLog> log)
    : name_(std::move(name)), options_(std::move(options)), clock_(std::move(clock)), log_(std::move(log)) {}

FLUX_DECL void SocketIoNamespace::use(socketio::Middleware middleware) {
  const std::lock_guard lock(mutex_);
  add_to_list(middlewares_, std::move(middleware));
}

FLUX_DECL void SocketIoNamespace::on_connection(socketio::ConnectionHandler handler) {
  const std::lock_guard lock(mutex_);
  add_to_list(handlers_, std::move(handler));
}

FLUX_DECL void SocketIoNamespace::end() {
  List<socketio::Middleware> middlewares = std::make_shared<std::vector<socketio::Middleware>>();
  List<socketio::ConnectionHandler> handlers = std::make_shared<std::vector<socketio::ConnectionHandler>>();
  const std::lock_guard lock(mutex_);  // goes before the lists do, whose handlers may hold this namespace
  middlewares.swap(middlewares_);
  handlers.swap(handlers_);
}

FLUX_DECL SocketIoNamespace::List<socketio::Middleware> SocketIoNamespace::middlewares() const {
  const std::lock_guard lock(mutex_);
  return middlewares_;
}

FLUX_DECL SocketIoNamespace::List<socketio::ConnectionHandler> SocketIoNamespace::handlers() const {
  const std::lock_guard lock(mutex_);
  return handlers_;
}

FLUX_DECL Error SocketIoNamespace::unsent(std::string_view what, Error error) const {
  if (const auto log = log_.lock()) log->unsent(what, error);
  return error;
}

FLUX_DECL std::map<core::Loop*, std::vector<std::shared_ptr<SocketIoSocket>>> by_loops(
    const std::vector<std::shared_ptr<SocketIoSocket>>& sockets) {
  std::map<core::Loop*, std::vector<std::shared_ptr<SocketIoSocket>>> loops;
  for (const auto& socket : sockets) loops[socket->loop().get()].push_back(socket);
  return loops;
}

FLUX_DECL Result<void> SocketIoNamespace::emit(const std::vector<std::string>& rooms,
                                               const std::vector<std::string>& except, bool volatile_only,
                                               std::string_view event, const socketio::Args& args) {
  const bool keeps = recovers() && !volatile_only;
  auto message =
      keeps ? Result<SocketIoMessagePtr>(SocketIoMessagePtr()) : protocol::encode_socketio_event(name_, event, args);
  std::unique_lock lock(mutex_);  // keeps the order of emits
  if (keeps) message = encode(rooms, except, event, args);
  if (!message) {
    lock.unlock();
    return unsent(event, message.error());
  }
  if (!volatile_only && emit_to_lanes(rooms, except, **message)) return {};
  const auto each = receivers(rooms, except);
  lock.unlock();
  for (auto& [loop, sockets] : by_loops(each)) {
    loop->dispatch([sockets = std::move(sockets), message = *message, volatile_only] {
      for (const auto& socket : sockets) {
        if (socket->connected()) socket->send_shared(*message, volatile_only);
      }
    });
  }
  return {};
}

/// Collects the answers of many.
struct SocketIoAnswers {
  explicit SocketIoAnswers(std::size_t count, socketio::AnswersHandler d) : due(count), done(std::move(d)) {}
  /// True with the last one.
  bool add(Result<socketio::Args> answer) {
    const std::lock_guard lock(mutex);
    if (answer) {
      answers.push_back(std::move(*answer));
    } else if (!missing) {
      missing = answer.error();
    }
    return --due == 0;
  }
  std::mutex mutex;
  std::size_t due;
  std::optional<Error> missing;
  std::vector<socketio::Args> answers;
  const socketio::AnswersHandler done;
};

FLUX_DECL Result<void> SocketIoNamespace::emit(const Names& rooms, const Names& except, bool volatile_only,
                                               std::string_view event, const socketio::Args& args,
                                               std::chrono::milliseconds timeout, socketio::AnswersHandler done) {
  const std::uint64_t id = new_ack_id();
  const auto message = protocol::encode_socketio_event(name_, event, args, id);
  if (!message) return unsent(event, message.error());
  const auto each = reached(rooms, except);
  if (each.empty()) {
    if (done) done(std::nullopt, {});
    return {};
  }
  const auto answers = std::make_shared<SocketIoAnswers>(each.size(), std::move(done));
  const auto add = [answers](Result<socketio::Args> answer) {
    if (answers->add(std::move(answer)) && answers->done) answers->done(answers->missing, std::move(answers->answers));
  };
  for (const auto& receiver : each) {
    const bool posted = receiver->loop()->dispatch([receiver, message = *message, id, timeout, volatile_only, add] {
      receiver->ask(*message, id, timeout, volatile_only, add);
    });
    if (!posted) add(Error(Errc::session_not_found, "the server has ended"));
  }
  return {};
}

FLUX_DECL std::vector<std::shared_ptr<SocketIoSocket>> SocketIoNamespace::reached(const Names& rooms,
                                                                                  const Names& except) const {
  const std::lock_guard lock(mutex_);
  return receivers(rooms, except);
}

/// The usual case, one room or everybody. False where it is another: those left out must be single sockets.
FLUX_DECL bool SocketIoNamespace::emit_to_lanes(const std::vector<std::string>& rooms,
                                                const std::vector<std::string>& except,
                                                const protocol::SocketIoMessage& message) {
  if (rooms.size() > 1 || (rooms.size() == 1 && sockets_.count(rooms[0]) != 0)) return false;
  const bool singles = std::all_of(except.begin(), except.end(), [&](const std::string& name) {
    return sockets_.count(name) != 0 || rooms_.count(name) == 0;
  });
  if (!singles) return false;
  std::shared_ptr<SocketIoRoom> room = everyone_;
  if (!rooms.empty()) {
    const auto found = rooms_.find(rooms[0]);
    if (found == rooms_.end()) return true;
    room = found->second.room;
  }
  const std::lock_guard lock(room->mutex);
  room->audience.append([&](const void* view, core::Lane& lane) { append_socketio(lane, message, view); }, room);
  for (const std::string& id : except) {
    if (const auto left_out = sockets_.find(id); left_out != sockets_.end()) {
      room->audience.exclude_from_last((*left_out)->key());
    }
  }
  return true;
}

/// Each once.
FLUX_DECL std::vector<std::shared_ptr<SocketIoSocket>> SocketIoNamespace::receivers(
    const std::vector<std::string>& rooms, const std::vector<std::string>& except) const {
  using Sockets = std::vector<std::shared_ptr<SocketIoSocket>>;
  const auto in = [this](const Names& names) {
    Sockets list;
    for (const std::string& name : names) {
      if (const auto single = sockets_.find(name); single != sockets_.end()) list.push_back(*single);
      if (const auto room = rooms_.find(name); room != rooms_.end()) {
        list.insert(list.end(), room->second.sockets.begin(), room->second.sockets.end());
      }
    }
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    return list;
  };
  Sockets list = rooms.empty() ? Sockets(sockets_.begin(), sockets_.end()) : in(rooms);
  if (except.empty()) return list;
  const Sockets left_out = in(except);
  std::erase_if(list, [&](const auto& s) { return std::binary_search(left_out.begin(), left_out.end(), s); });
  return list;
}

FLUX_DECL std::vector<std::shared_ptr<SocketIoSocket>> SocketIoNamespace::sockets() const {
  const std::lock_guard lock(mutex_);
  return {sockets_.begin(), sockets_.end()};
}

FLUX_DECL std::vector<std::shared_ptr<SocketIoSocket>> SocketIoNamespace::sockets_in(const std::string& room) const {
  const std::lock_guard lock(mutex_);
  const auto found = rooms_.find(room);
  if (found == rooms_.end()) return {};
  return {found->second.sockets.begin(), found->second.sockets.end()};
}

FLUX_DECL std::shared_ptr<SocketIoSocket> SocketIoNamespace::socket(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = sockets_.find(id);
  return found == sockets_.end() ? nullptr : *found;
}

// --- Who is in a namespace ---

FLUX_DECL std::shared_ptr<SocketIoRoom> SocketIoNamespace::enter(const std::string& room,
                                                                 const std::shared_ptr<SocketIoSocket>& socket) {
  const std::lock_guard lock(mutex_);
  return enter_locked(room, socket);
}

FLUX_DECL std::shared_ptr<SocketIoRoom> SocketIoNamespace::enter_locked(const std::string& room,
                                                                        const std::shared_ptr<SocketIoSocket>& socket) {
  Members& members = rooms_[room];
  if (!members.room) members.room = std::make_shared<SocketIoRoom>(room);
  members.sockets.insert(socket);
  return members.room;
}

FLUX_DECL void SocketIoNamespace::leave(const std::string& room, const std::shared_ptr<SocketIoSocket>& socket) {
  const std::lock_guard lock(mutex_);
  const auto found = rooms_.find(room);
  if (found == rooms_.end()) return;
  found->second.sockets.erase(socket);
  if (found->second.sockets.empty()) rooms_.erase(found);
}

FLUX_DECL void SocketIoNamespace::add(const std::shared_ptr<SocketIoSocket>& socket) {
  const std::lock_guard lock(mutex_);
  if (recovers()) socket->pid_ = std::make_unique<const std::string>(new_engineio_sid());
  seat(socket);
}

/// From here on it hears what is emitted.
FLUX_DECL void SocketIoNamespace::seat(const std::shared_ptr<SocketIoSocket>& socket) {
  std::vector<std::string> rooms;
  {
    const std::lock_guard socket_lock(socket->mutex());  // middlewares have handed it to other threads
    if (socket->rare_) rooms = socket->rare_->rooms;
    socket->life_ = SocketIoSocket::Life::connected;
  }
  sockets_.insert(socket);
  socket->take_seat(socket->seat_, *everyone_);
  for (const std::string& room : rooms) socket->take_place(enter_locked(room, socket));
}

FLUX_DECL void SocketIoNamespace::remove(const std::shared_ptr<SocketIoSocket>& socket, bool recoverable) {
  const std::lock_guard lock(mutex_);
  sockets_.erase(socket);
  if (!recoverable || !socket->pid_) return;
  forget_old();
  if (lost_.size() >= options_->recovery_sockets_max) return;
  const std::lock_guard socket_lock(socket->mutex());
  lost_.push_back({*socket->pid_, socket->id(), {}, {}, clock_->now()});
  if (socket->rare_) {
    lost_.back().rooms = socket->rare_->rooms;
    lost_.back().data = socket->rare_->data;
  }
  lost_by_pid_.emplace(lost_.back().pid, std::prev(lost_.end()));
}

// --- Connection state recovery ---

/// The event with its offset as one argument more, kept for those who come back.
FLUX_DECL Result<SocketIoMessagePtr> SocketIoNamespace::encode(const std::vector<std::string>& rooms,
                                                               const std::vector<std::string>& except,
                                                               std::string_view event, const socketio::Args& args) {
  forget_old();
  std::string offset = core::key_text(core::mixed(next_offset_++));
  socketio::Args with_offset = args;
  with_offset.emplace_back(JsonText::string(offset));
  auto message = protocol::encode_socketio_event(name_, event, with_offset);
  if (!message) return message;
  std::size_t bytes = (*message)->text().size();
  for (const auto& attachment : (*message)->attachments()) bytes += attachment->size();
  kept_.push_back({std::move(offset), clock_->now(), rooms, except, *message, bytes});
  kept_bytes_ += bytes;
  while (kept_.size() > options_->recovery_packets_max || kept_bytes_ > options_->recovery_bytes_max) {
    forget_oldest_kept();
  }
  return message;
}

FLUX_DECL void SocketIoNamespace::forget_oldest_kept() {
  kept_bytes_ -= kept_.front().bytes;
  kept_.pop_front();
}

FLUX_DECL void SocketIoNamespace::forget_old() {
  const auto horizon = clock_->now() - options_->recovery_max;
  while (!kept_.empty() && kept_.front().at < horizon) forget_oldest_kept();
  while (!lost_.empty() && lost_.front().at < horizon) {
    lost_by_pid_.erase(lost_.front().pid);
    lost_.pop_front();
  }
}

template <class Make>
std::optional<SocketIoNamespace::Recovered> SocketIoNamespace::recover(const std::string& pid,
                                                                       const std::string& offset, const Make& make) {
  const std::lock_guard lock(mutex_);
  forget_old();
  const auto known = lost_by_pid_.find(pid);
  if (known == lost_by_pid_.end()) return std::nullopt;
  const auto from = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& k) { return k.offset == offset; });
  if (from == kept_.end()) return std::nullopt;
  const auto entry = known->second;
  lost_by_pid_.erase(known);
  Lost lost = std::move(*entry);
  lost_.erase(entry);

  Recovered back{make(lost.id), {}};
  const std::set<std::string_view> was_in(lost.rooms.begin(), lost.rooms.end());
  const auto in_any = [&](const std::vector<std::string>& rooms) {
    return std::any_of(rooms.begin(), rooms.end(),
                       [&](const std::string& room) { return room == lost.id || was_in.count(room) != 0; });
  };
  for (auto packet = std::next(from); packet != kept_.end(); ++packet) {
    const bool meant = (packet->rooms.empty() || in_any(packet->rooms)) && !in_any(packet->except);
    if (meant) back.missed.push_back(packet->message);
  }
  back.socket->pid_ = std::make_unique<const std::string>(pid);
  back.socket->recovered_ = true;
  if (!lost.rooms.empty()) back.socket->rare().rooms = std::move(lost.rooms);
  if (back.socket->data() == JsonText()) back.socket->set_data(std::move(lost.data));
  seat(back.socket);  // under the same lock: nothing is missed in between, and nothing comes twice
  return back;
}

// --- Connections ---

FLUX_DECL SocketIoClient::SocketIoClient(SocketIoServer& server, EngineIoSession& session,
                                         std::shared_ptr<const EngineIoOpening> opening)
    : server_(server), session_(session), opening_(std::move(opening)) {}

FLUX_DECL void SocketIoClient::start() {
  close_after(connect_timer_, server_.options().connect_timeout, "connect timeout");
}

FLUX_DECL void SocketIoClient::close_after(Timer& timer, std::chrono::milliseconds time, std::string_view reason) {
  stop(timer);
  timer = session_.loop()->call_after(time, [weak = weak_from_this(), &timer, reason = std::string(reason)] {
    const auto self = weak.lock();
    if (!self || self->closed_) return;
    timer.reset();
    const auto session = self->session_.shared_from_this();
    session->close(reason);
  });
}

/// As long as more of them comes, or is decoded, or the POST goes on, it is the transport's matter how long that may
/// take.
FLUX_DECL void SocketIoClient::await_attachments() {
  stop(unfinished_->timer);
  unfinished_->bytes = session_.message_bytes();
  unfinished_->timer = session_.loop()->call_after(server_.options().attachments_timeout, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->closed_ || !self->unfinished_) return;
    self->unfinished_->timer.reset();
    if (self->session_.holds_input()) return self->await_attachments();  // one may have come
    const std::size_t bytes = self->session_.message_bytes();
    if (bytes > 0 && (bytes != self->unfinished_->bytes || !self->session_.over_websocket()))
      return self->await_attachments();
    const auto session = self->session_.shared_from_this();
    session->close("parse error");
  });
}

FLUX_DECL void SocketIoClient::stop(Timer& timer) {
  if (timer && !session_.loop()->is_shut()) session_.loop()->cancel(*timer);
  timer.reset();
}

FLUX_DECL void SocketIoClient::send(const Result<SocketIoMessagePtr>& message) {
  if (message) send_message(session_, **message);
}

FLUX_DECL void SocketIoClient::on_message(std::string_view message, bool binary, std::string* owner) {
  if (!unfinished_) unfinished_ = std::make_unique<Unfinished>(server_.packet_limits());
  protocol::SocketIoDecoder& decoder = unfinished_->decoder;
  if (binary) {
    auto bytes = owner != nullptr ? std::move(*owner) : std::string(message);
    return came(decoder.binary(server_.engine().reclaimer()->share(std::move(bytes))));
  }
  if (message.size() < engineio_long_text_bytes) return came(decoder.text(message));
  if (owner == nullptr) return read_aside(std::string(message), 0);
  const std::size_t begin = owner->size() - message.size();
  read_aside(std::move(*owner), begin);
}

FLUX_DECL void SocketIoClient::came(const Result<bool>& whole) {
  if (!whole) {
    session_.loop()->counters().messages_bad.add();
    return session_.close("parse error");
  }
  if (!*whole) return await_attachments();
  if (unfinished_->decoder.packet().data.size() >= engineio_long_text_bytes) return read_aside({}, 0);
  stop(unfinished_->timer);
  const auto finished = std::move(unfinished_);  // an idle client keeps none
  handle(finished->decoder, nullptr);
}

/// One with much text. It is read on another thread, where its client is still there, and ends where no loop has to
/// wait for that.
struct SocketIoClient::LongPacket {
  LongPacket(std::unique_ptr<Unfinished> u, std::string t, std::size_t b)
      : unfinished(std::move(u)), text(std::move(t)), begin(b) {}
  void read() {
    try {
      if (!text.empty()) whole = unfinished->decoder.text(std::string_view(text).substr(begin));
      if (whole && *whole) arguments = unfinished->decoder.arguments();
    } catch (const std::exception&) {
      whole = Error(Errc::overloaded, "there is no memory for the packet");
    }
  }
  std::unique_ptr<Unfinished> unfinished;
  const std::string text;  // empty: it has been read, and its attachments are there now
  const std::size_t begin;
  Result<bool> whole{true};
  socketio::Args arguments;
};

FLUX_DECL void SocketIoClient::read_aside(std::string text, std::size_t begin) {
  stop(unfinished_->timer);
  auto& engine = server_.engine();
  const auto packet = engine.reclaimer()->make<LongPacket>(std::move(unfinished_), std::move(text), begin);
  session_.hold_input();
  engine.aside().run([packet, loop = session_.loop(), weak = weak_from_this()] {
    if (weak.expired()) return;
    packet->read();
    loop->post([packet, weak] {
      const auto self = weak.lock();
      if (self && !self->closed_) self->came_aside(*packet);
    });
  });
}

FLUX_DECL void SocketIoClient::came_aside(LongPacket& packet) {
  const auto session = session_.shared_from_this();
  if (packet.whole && *packet.whole) {
    handle(packet.unfinished->decoder, &packet.arguments);
  } else {
    unfinished_ = std::move(packet.unfinished);
    came(packet.whole);
  }
  session->release_input();
}

FLUX_DECL std::shared_ptr<SocketIoSocket> SocketIoClient::socket_in(std::string_view nsp) const {
  for (const auto& socket : sockets_) {
    if (socket->nsp()->name() == nsp) return socket;
  }
  return nullptr;
}

FLUX_DECL void SocketIoClient::handle(const protocol::SocketIoDecoder& decoder, socketio::Args* arguments) {
  const protocol::SocketIoPacket& packet = decoder.packet();
  const auto socket = socket_in(packet.nsp_path());
  if (packet.type == SocketIoType::connect && !socket) {
    if (!std::exchange(was_here_, true) || session_.within_rate()) return connect(packet);
    return send(
        protocol::encode_socketio_connect_error(std::string(packet.nsp_path()), "Too many packets; try again later"));
  }
  // A packet for a namespace that one is not in, or a second CONNECT: the client is out of step.
  if (!socket || !socket->connected() || packet.type == SocketIoType::connect ||
      packet.type == SocketIoType::connect_error) {
    return session_.close("parse error");
  }
  if (packet.type == SocketIoType::disconnect) return socket->gone("client namespace disconnect");
  const bool is_allowed = session_.within_rate();
  if (!is_allowed && (packet.is_ack() || !packet.id || !socket->connected())) return;
  socketio::Args made;
  if (arguments == nullptr) made = decoder.arguments();
  socketio::Args& args = arguments != nullptr ? *arguments : made;
  if (packet.is_ack()) return socket->handle_ack(*packet.id, args);
  socketio::Event::Ack ack;
  if (packet.id) {
    if (socket->owes_too_much()) return session_.close("transport error");
    ack = socket->ack_of(*packet.id);
  }
  socketio::Event event(packet.event, std::move(args), std::move(ack));
  if (!is_allowed) return socket->refuse_for_rate(event);
  socket->handle_event(std::move(event), arguments != nullptr);
}

FLUX_DECL void SocketIoClient::connect(const protocol::SocketIoPacket& packet) {
  const std::string name(packet.nsp_path());
  if (packet.data.size() >= engineio_long_text_bytes) {  // it is kept as long as the socket
    return send(protocol::encode_socketio_connect_error(name, "The auth payload is too long"));
  }
  auto auth = packet.data.empty() ? server_.no_auth()
                                  : std::make_shared<const JsonText>(JsonText::trusted(std::string(packet.data)));
  if (sockets_.size() >= server_.options().namespaces_per_connection_max) {
    return send(protocol::encode_socketio_connect_error(name, "Too many namespaces"));
  }
  const auto nsp = server_.take(name, *auth);
  if (closed_) return nsp ? server_.release(nsp) : void();
  if (!nsp) return send(protocol::encode_socketio_connect_error(name, "Invalid namespace"));
  auto socket = make_socket(nsp, new_engineio_sid(), std::move(auth));
  sockets_.push_back(socket);
  ask_middlewares(socket, 0);
}

FLUX_DECL std::shared_ptr<SocketIoSocket> SocketIoClient::make_socket(const std::shared_ptr<SocketIoNamespace>& nsp,
                                                                      std::string id,
                                                                      std::shared_ptr<const JsonText> auth) {
  return std::make_shared<SocketIoSocket>(nsp, session_.shared_from_this(), std::move(id), server_.hub().new_key(),
                                          socketio::Handshake(std::move(auth), opening_));
}

/// The same socket again, as far as anybody can tell.
/// The socket that the middlewares have let in gives way to the one that was lost.
FLUX_DECL bool SocketIoClient::recover(const std::shared_ptr<SocketIoSocket>& asked) {
  const auto nsp = asked->nsp();
  const JsonText& auth = asked->handshake().auth();
  const auto pid = auth.get<std::string>("/pid");
  const auto offset = auth.get<std::string>("/offset");
  if (!pid || !offset) return false;
  const auto back = nsp->recover(*pid, *offset, [&](const std::string& id) {
    auto socket = make_socket(nsp, id, std::make_shared<const JsonText>(auth));
    if (JsonText data = asked->data(); !(data == JsonText())) socket->set_data(std::move(data));
    return socket;
  });
  if (!back) return false;
  asked->refused();
  std::replace(sockets_.begin(), sockets_.end(), asked, back->socket);
  welcome(back->socket, back->missed);
  return true;
}

FLUX_DECL void SocketIoClient::ask_middlewares(const std::shared_ptr<SocketIoSocket>& socket, std::size_t index) {
  const auto middlewares = socket->nsp()->middlewares();
  if (index >= middlewares->size()) return admit(socket);
  auto answered = [loop = session_.loop(), weak = weak_from_this(), socket, index](bool admitted, std::string message,
                                                                                   std::optional<JsonText> data) {
    loop->dispatch([weak, socket, index, admitted, message = std::move(message), data = std::move(data)] {
      const auto self = weak.lock();
      if (!self || self->closed_) return;
      if (admitted) {
        self->ask_middlewares(socket, index + 1);
      } else {
        self->reject(socket, message, data);
      }
    });
  };
  const auto question = std::make_shared<SocketIoQuestion>(std::move(answered));
  const auto loop = session_.loop();
  if (!server_.hub().guarded(loop->counters(), "Socket.IO middleware",
                             [&] { (*middlewares)[index](socketio::Socket(socket), socketio::Next(question)); })) {
    question->give(false, "the server failed to handle this connection", {});
  }
}

FLUX_DECL void SocketIoClient::reject(const std::shared_ptr<SocketIoSocket>& socket, const std::string& message,
                                      const std::optional<JsonText>& data) {
  socket->refused();
  forget(socket);
  send(protocol::encode_socketio_connect_error(socket->nsp()->name(), message, data));
}

FLUX_DECL void SocketIoClient::admit(const std::shared_ptr<SocketIoSocket>& socket) {
  if (socket->nsp()->recovers() && recover(socket)) return;
  socket->nsp()->add(socket);
  welcome(socket, {});
}

FLUX_DECL void SocketIoClient::welcome(const std::shared_ptr<SocketIoSocket>& socket,
                                       const std::vector<SocketIoMessagePtr>& missed) {
  stop(connect_timer_);
  const auto nsp = socket->nsp();
  std::string payload = "{\"sid\":" + JsonText::string(socket->id()).text();
  if (socket->pid_) payload += ",\"pid\":" + JsonText::string(*socket->pid_).text();
  send(protocol::encode_socketio_connect(nsp->name(), JsonText::trusted(payload + "}")));
  for (const auto& message : missed) send(message);
  const auto handlers = nsp->handlers();
  for (const auto& handler : *handlers) {
    if (!socket->connected()) return;
    server_.hub().guarded(session_.loop()->counters(), "Socket.IO connection",
                          [&] { handler(socketio::Socket(socket)); });
  }
}

FLUX_DECL void SocketIoClient::on_transport_changed() {
  for (const auto& socket : sockets_) socket->change_lanes();
}

FLUX_DECL void SocketIoClient::forget(const std::shared_ptr<SocketIoSocket>& socket) {
  const auto found = std::find(sockets_.begin(), sockets_.end(), socket);
  if (found == sockets_.end()) return;
  sockets_.erase(found);
  server_.release(socket->nsp());
}

FLUX_DECL void SocketIoClient::disconnect() {
  const auto session = session_.shared_from_this();
  for (const auto& socket : std::vector(sockets_)) {
    if (socket->connected()) socket->dismiss();
  }
  session->close("forced server close", EngineIoEnding::told);
}

FLUX_DECL void SocketIoClient::on_close(std::string_view reason) {
  closed_ = true;
  stop(connect_timer_);
  if (unfinished_) stop(unfinished_->timer);
  const auto sockets = std::exchange(sockets_, {});
  for (const auto& socket : sockets) {
    if (socket->connected()) {
      socket->gone(reason);
    } else {
      socket->refused();
    }
    server_.release(socket->nsp());
  }
}

// --- The endpoint ---

FLUX_DECL SocketIoServer::SocketIoServer(Hub& hub, socketio::Options options,
                                         const std::shared_ptr<const SocketIoLog>& log)
    : hub_(hub),
      options_(std::make_shared<const socketio::Options>(std::move(options))),
      packet_limits_(options_->packet_limits.resolved(options_->payload_bytes_max)),
      clock_(hub.config.clock),
      log_(log),
      engine_(hub, *options_, [this](EngineIoSession& session, std::shared_ptr<const EngineIoOpening> opening) {
        auto client = std::make_shared<SocketIoClient>(*this, session, std::move(opening));
        client->start();
        return client;
      }) {
  const auto require = [](bool good, const char* text) {
    if (!good) throw Error(Errc::bad_config, text);
  };
  require(options_->connect_timeout.count() > 0, "socketio::Options::connect_timeout must be more than 0");
  require(options_->attachments_timeout.count() > 0, "socketio::Options::attachments_timeout must be more than 0");
  require(options_->recovery_max.count() >= 0, "socketio::Options::recovery_max must not be negative");
  require(options_->namespaces_max > 0, "socketio::Options::namespaces_max must be more than 0");
  require(options_->namespaces_per_connection_max > 0,
          "socketio::Options::namespaces_per_connection_max must be more than 0");
  of("/");
}

FLUX_DECL std::shared_ptr<SocketIoNamespace> SocketIoServer::make(const std::string& name) const {
  return std::make_shared<SocketIoNamespace>(name, options_, clock_, log_);
}

FLUX_DECL std::shared_ptr<SocketIoNamespace> SocketIoServer::of(const std::string& name) {
  const std::string full = !name.empty() && name.front() == '/' ? name : "/" + name;
  if (const auto named = protocol::encode_socketio_disconnect(full); !named) {
    throw Error(Errc::bad_config, "\"" + name + "\" can't name a namespace: " + named.error().message());
  }
  const std::lock_guard lock(mutex_);
  auto& nsp = namespaces_[full];
  if (!nsp) nsp = make(full);
  nsp->dynamic_ = false;  // from here on it stays
  return nsp;
}

FLUX_DECL void SocketIoServer::of(std::function<bool(std::string_view, const JsonText&)> matches,
                                  std::function<void(socketio::Namespace)> made) {
  const std::lock_guard lock(mutex_);
  add_to_list(dynamic_, Dynamic{std::move(matches), std::move(made)});
}

FLUX_DECL std::shared_ptr<SocketIoNamespace> SocketIoServer::take(std::string_view name, const JsonText& auth) {
  std::shared_ptr<const std::vector<Dynamic>> dynamic;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = namespaces_.find(name); found != namespaces_.end()) {
      ++found->second->users_;
      return found->second;
    }
    dynamic = dynamic_;
  }
  const auto wants = [&](const Dynamic& d) {
    bool wanted = false;
    hub_.guarded_elsewhere("Socket.IO namespace", [&] { wanted = d.matches(name, auth); });
    return wanted;
  };
  const auto wanted = std::find_if(dynamic->begin(), dynamic->end(), wants);
  if (wanted == dynamic->end()) return nullptr;
  // Set up before anybody can see it; of two clients that come at the same time one makes it.
  auto fresh = make(std::string(name));
  if (wanted->made) hub_.guarded_elsewhere("Socket.IO namespace", [&] { wanted->made(socketio::Namespace(fresh)); });
  std::vector<std::shared_ptr<SocketIoNamespace>> ended;
  auto taken = enter(fresh, ended);
  if (taken != fresh) ended.push_back(fresh);
  for (const auto& nsp : ended) nsp->end();
  return taken;
}

/// `fresh`, or the one of that name that was there before; null where there are too many. Into `ended` go those that
/// had to make room.
FLUX_DECL std::shared_ptr<SocketIoNamespace> SocketIoServer::enter(
    const std::shared_ptr<SocketIoNamespace>& fresh, std::vector<std::shared_ptr<SocketIoNamespace>>& ended) {
  const std::lock_guard lock(mutex_);
  auto found = namespaces_.find(fresh->name());
  if (found == namespaces_.end()) {
    if (namespaces_.size() >= options_->namespaces_max) {
      std::erase_if(namespaces_, [&](const auto& entry) {
        const bool unused = entry.second->dynamic_ && entry.second->users_ == 0;
        if (unused) ended.push_back(entry.second);
        return unused;
      });
    }
    if (namespaces_.size() >= options_->namespaces_max) return nullptr;
    fresh->dynamic_ = true;
    found = namespaces_.emplace(fresh->name(), fresh).first;
  }
  ++found->second->users_;
  return found->second;
}

FLUX_DECL void SocketIoServer::end() {
  std::map<std::string, std::shared_ptr<SocketIoNamespace>, std::less<>> ended;
  std::shared_ptr<const std::vector<Dynamic>> dynamic = std::make_shared<std::vector<Dynamic>>();
  {
    const std::lock_guard lock(mutex_);
    ended = namespaces_;
    dynamic.swap(dynamic_);
  }
  for (const auto& [name, nsp] : ended) nsp->end();
}

FLUX_DECL void SocketIoServer::release(const std::shared_ptr<SocketIoNamespace>& nsp) {
  {
    const std::lock_guard lock(mutex_);
    if (--nsp->users_ != 0 || !nsp->dynamic_ || nsp->recovers()) return;
    namespaces_.erase(nsp->name());
  }
  nsp->end();
}

}  // namespace flux::detail
