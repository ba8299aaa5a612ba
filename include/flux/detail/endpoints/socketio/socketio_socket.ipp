#pragma once

#include <flux/detail/core/shared_list.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/socketio/socketio_client.hpp>
#include <flux/detail/endpoints/socketio/socketio_delivery.hpp>
#include <flux/detail/endpoints/socketio/socketio_namespace.hpp>
#include <flux/detail/endpoints/socketio/socketio_question.hpp>
#include <flux/detail/endpoints/socketio/socketio_socket.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <utility>

namespace flux::detail {

FLUX_DECL SocketIoSocket::SocketIoSocket(std::shared_ptr<SocketIoNamespace> nsp,
                                         std::shared_ptr<EngineIoSession> session, std::string id, std::uint64_t key,
                                         socketio::Handshake handshake)
    : nsp_(std::move(nsp)),
      session_(std::move(session)),
      id_(std::move(id)),
      key_(key),
      handshake_(std::move(handshake)) {}

// Handlers may hold their socket, so they are not kept once it is disconnected.

FLUX_DECL void SocketIoSocket::on(std::string event, socketio::EventListener handler, bool once) {
  off(event);
  auto added = std::make_shared<Handler>(Handler{std::move(event), std::move(handler), once, nullptr});
  const std::lock_guard lock(mutex());
  if (life_ == Life::gone) return;
  added->next = std::move(handlers_);
  handlers_ = std::move(added);
}

FLUX_DECL void SocketIoSocket::off(std::string_view event) {
  std::shared_ptr<Handler> removed;  // destroyed without the lock
  const std::lock_guard lock(mutex());
  removed = take_handler(event, true);
}

/// The handler of the event, removed from the list if it is for one event, or if `always` is set. Under the mutex.
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

FLUX_DECL void SocketIoSocket::on_any(socketio::EventListener handler) {
  auto call = handler ? std::make_shared<const socketio::EventListener>(std::move(handler)) : nullptr;
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
  auto call = handler ? std::make_shared<const socketio::RefusedHandler>(std::move(handler)) : nullptr;
  const std::lock_guard lock(mutex());
  if (life_ != Life::gone) rare().refused.swap(call);
}

FLUX_DECL void SocketIoSocket::on_disconnecting(socketio::DisconnectListener handler) {
  auto call = handler ? std::make_unique<socketio::DisconnectListener>(std::move(handler)) : nullptr;
  const std::lock_guard lock(mutex());
  if (life_ != Life::gone) rare().on_disconnecting.swap(call);
}

FLUX_DECL void SocketIoSocket::on_disconnect(socketio::DisconnectListener handler) {
  const std::lock_guard lock(mutex());
  if (life_ != Life::gone) rare().on_disconnect.swap(handler);
}

FLUX_DECL void SocketIoSocket::forget_handlers(socketio::DisconnectListener* on_disconnect) {
  std::shared_ptr<Handler> handlers;  // what they hold is destroyed without the lock
  Rare handlers_and_rooms;
  {
    const std::lock_guard lock(mutex());
    life_ = Life::gone;
    handlers.swap(handlers_);
    if (rare_) {
      std::swap(handlers_and_rooms, *rare_);
      rare_->data = handlers_and_rooms.data;
      rare_->grant = handlers_and_rooms.grant;
    }
  }
  while (handlers) handlers = std::exchange(handlers->next, nullptr);
  if (on_disconnect != nullptr) on_disconnect->swap(handlers_and_rooms.on_disconnect);
}

FLUX_DECL Error socket_gone(const std::string& id) {
  return Error(Errc::session_not_found, "socket " + id + " is not connected");
}

FLUX_DECL std::shared_ptr<gate::HeldGrant> SocketIoSocket::held_grant() const {
  const std::lock_guard lock(mutex());
  return rare_ ? rare_->grant : nullptr;
}

FLUX_DECL std::shared_ptr<const Grant> SocketIoSocket::grant() const {
  const auto held = held_grant();
  return held ? held->grant() : nullptr;
}

FLUX_DECL Result<void> SocketIoSocket::keep_grant(std::shared_ptr<const Grant> grant) {
  std::shared_ptr<gate::HeldGrant> held;
  {
    const std::lock_guard lock(mutex());
    if (life_ == Life::gone) return socket_gone(id_);
    held = rare().grant;
    if (!held) {
      rare().grant = std::make_shared<gate::ClientGrant<SocketIoSocket>>(loop(), grant, weak_from_this());
    }
  }
  if (held && !held->change(std::move(grant))) return socket_gone(id_);
  return {};
}

FLUX_DECL Result<void> SocketIoSocket::set_grant(std::shared_ptr<const Grant> grant) {
  if (auto kept = keep_grant(std::move(grant)); !kept) return kept;
  loop()->dispatch([self = shared_from_this()] {
    if (!self->connected()) return;
    if (self->follower_ != nullptr) return self->follower_->grant_changed();
    self->watch_grant();
  });
  return {};
}

FLUX_DECL void SocketIoSocket::watch_grant() {
  const auto held = held_grant();
  if (!held) return;
  auto& admitted = session_->hub().admitted;
  if (followed()) return admitted.forget(held.get());  // its follower is watched instead
  admitted.watch(held, gate::Admitted::Find::by_end_and_user);
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

// --- Events ---

/// Flushes what was sent to rooms before, so that the order is kept.
FLUX_DECL Sent SocketIoSocket::send(const protocol::SocketIoMessage& message, bool volatile_only) {
  if (!session_->is_open() || (volatile_only && session_->busy())) return Sent::dropped;
  flush_rooms();
  send_message(*session_, message);
  return session_->sent();
}

/// The same for a message to many clients: WebSockets share its bytes instead of copying them.
FLUX_DECL void SocketIoSocket::send_shared(const protocol::SocketIoMessage& message, bool volatile_only) {
  if (session_->ignores_input()) return;  // its grant is withdrawn
  if (session_->encoding() != EngineIoEncoding::websocket) {
    send(message, volatile_only);
    return;
  }
  if (!session_->is_open() || (volatile_only && session_->busy())) return;
  flush_rooms();
  session_->send_shared(message.websocket(), message.packets());
}

FLUX_DECL void SocketIoSocket::flush_rooms() {
  for_each_seat([](Seat& seat, SocketIoRoom&) { seat.lane->flush_now(); });
  if (nsp_->has_outgoing()) nsp_->send_outgoing(loop(), true);
  if (follower_ != nullptr) follower_->flush();
}

FLUX_DECL Result<Sent> SocketIoSocket::emit(std::string_view event, const socketio::Args& args, bool volatile_only) {
  if (!connected()) return socket_gone(id_);
  if (nsp_->recovers() && !volatile_only) {
    const auto sent = nsp_->emit({id_}, {}, false, event, args);
    if (!sent) return sent.error();
    return sent_from_here();
  }
  auto message = nsp_->encode_event(event, args);
  if (!message) return message.error();
  if (loop()->here()) return send(**message, volatile_only);
  const bool posted = loop()->post([self = shared_from_this(), message = std::move(*message), volatile_only] {
    if (self->connected()) self->send(*message, volatile_only);
  });
  if (!posted) return socket_gone(id_);
  return Sent::queued;
}

FLUX_DECL Result<Sent> SocketIoSocket::emit(std::string_view event, const socketio::Args& args,
                                            std::chrono::milliseconds timeout, socketio::AckHandler done) {
  if (!connected()) return socket_gone(id_);
  const std::uint64_t id = nsp_->new_ack_id();
  auto message = nsp_->encode_event(event, args, id);
  if (!message) return message.error();
  const bool posted = loop()->dispatch([self = shared_from_this(), message = std::move(*message), id, timeout,
                                        done = std::move(done)] { self->ask(*message, id, timeout, false, done); });
  if (!posted) return socket_gone(id_);
  return sent_from_here();
}

FLUX_DECL void SocketIoSocket::ask(const protocol::SocketIoMessage& message, std::uint64_t id,
                                   std::chrono::milliseconds timeout, bool volatile_only, socketio::AckHandler done) {
  const bool lost = volatile_only && session_->busy();
  const auto timer = loop()->call_after(timeout, [weak = weak_from_this(), id] {
    if (const auto socket = weak.lock())
      socket->ack_failed(id, Error(Errc::overloaded, "no acknowledgment arrived in time"));
  });
  on_loop().acks.emplace(id, WaitingAck{std::move(done), timer});
  if (connected() && !lost) {
    send(message);
    return;
  }
  loop()->cancel(timer);
  ack_failed(id, lost ? Error(Errc::overloaded, "the client could not receive it at once") : socket_gone(id_));
}

/// Removed before it is called, so that it is called once.
FLUX_DECL std::optional<SocketIoSocket::WaitingAck> SocketIoSocket::take_ack(std::uint64_t id) {
  if (!rare_on_loop_) return std::nullopt;
  auto node = rare_on_loop_->acks.extract(id);
  if (!node) return std::nullopt;
  return std::move(node.mapped());
}

/// The timer has fired or was cancelled.
FLUX_DECL void SocketIoSocket::ack_failed(std::uint64_t id, const Error& error) {
  if (const auto ack = take_ack(id)) fail_ack(*ack, error);
}

FLUX_DECL void SocketIoSocket::fail_ack(const WaitingAck& ack, const Error& error) {
  if (ack.done) guarded("ack", [&] { ack.done(error); });
}

FLUX_DECL void SocketIoSocket::handle_ack(std::uint64_t id, socketio::Args args) {
  const auto ack = take_ack(id);
  if (!ack) return;  // not asked for, or too late
  loop()->cancel(ack->timer);
  if (ack->done) guarded("ack", [&] { ack->done(std::move(args)); });
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

struct SocketIoSocket::Asked {
  Asked(std::shared_ptr<SocketIoSocket> socket, std::shared_ptr<socketio::Event> e, Middlewares all, std::size_t i)
      : owed(std::move(socket)), event(std::move(e)), middlewares(std::move(all)), index(i) {}
  const Owed owed;
  const std::shared_ptr<socketio::Event> event;
  const Middlewares middlewares;
  const std::size_t index;
};

FLUX_DECL socketio::Event::Ack SocketIoSocket::ack_of(std::uint64_t id) {
  return [owed = std::make_shared<OwedAck>(shared_from_this(), id)](const socketio::Args& args) -> Outcome<Sent> {
    if (owed->given.exchange(true)) return Sent::queued;
    return core::noted(owed->socket->call_faults(), "ack", {}, owed->socket->acknowledge(owed->id, args));
  };
}

FLUX_DECL Result<Sent> SocketIoSocket::acknowledge(std::uint64_t id, const socketio::Args& args) {
  auto message = protocol::encode_socketio_ack(nsp_->name(), id, args);
  if (!message) return message.error();
  const bool posted = loop()->dispatch([self = shared_from_this(), message = std::move(*message)] {
    // It may overtake messages of the same turn to rooms: flushing those first would split each room's batch.
    if (self->connected()) send_message(*self->session_, *message);
  });
  if (!posted) return socket_gone(id_);
  return sent_from_here();
}

/// The verdict on what this thread has just sent. Another thread than the loop's does not know more than this.
FLUX_DECL Sent SocketIoSocket::sent_from_here() const { return loop()->here() ? session_->sent() : Sent::queued; }

/// The arguments are freed on the reclaimer's thread. Everything else, which may hold objects of the application, is
/// destroyed by the last holder.
FLUX_DECL std::shared_ptr<socketio::Event> SocketIoSocket::make_long(socketio::Event event) const {
  const auto ending = session_->reclaimer()->make<socketio::Args>();
  auto made = std::make_unique<socketio::Event>(std::move(event));
  return {made.release(), [ending](socketio::Event* last) {
            ending->swap(last->args_);
            delete last;
          }};
}

FLUX_DECL void SocketIoSocket::handle_event(socketio::Event event, bool is_long) {
  Middlewares middlewares;
  {
    const std::lock_guard lock(mutex());
    if (rare_) middlewares = rare_->middlewares;
  }
  if (!middlewares && !is_long) return call_handlers(event);
  const auto shared = is_long ? make_long(std::move(event)) : std::make_shared<socketio::Event>(std::move(event));
  if (!middlewares) return call_handlers(*shared);
  if (!shared->wants_ack() && owes_too_much()) return session_->close(EndReason::transport_error);
  ask_middlewares(shared, middlewares, 0);
}

/// The client waits for an acknowledgment. The part that would have handled the event sends it: data sharing, or the
/// application.
FLUX_DECL void SocketIoSocket::refuse_for_rate(socketio::Event& event, const Error& error) {
  bool is_of_application = follower_ == nullptr;
  if (!is_of_application) {
    const std::lock_guard lock(mutex());
    const Handler* at = handlers_.get();
    while (at != nullptr && at->event != event.name()) at = at->next.get();
    is_of_application = at != nullptr;
  }
  if (!is_of_application) return follower_->refuse(event, error);
  const std::string time = std::to_string(error.retry_after().count());
  refuse_event(event, error.message(), CheckedJson::text("{\"retryAfter\":" + time + "}"));
}

FLUX_DECL void SocketIoSocket::ask_middlewares(const std::shared_ptr<socketio::Event>& event,
                                               const Middlewares& middlewares, std::size_t index) {
  if (!connected()) return;
  if (index >= middlewares->size()) return call_handlers(*event);
  // Moved to the loop along with the answer, so that nothing of it is destroyed on the thread that answers.
  auto asked = std::make_shared<Asked>(shared_from_this(), event, middlewares, index);
  auto answered = [asked = std::move(asked)](bool admitted, std::string message, std::optional<JsonText> data) mutable {
    const auto loop = asked->owed.socket->loop();
    loop->dispatch([asked = std::move(asked), admitted, message = std::move(message), data = std::move(data)] {
      SocketIoSocket& socket = *asked->owed.socket;
      if (admitted) {
        socket.ask_middlewares(asked->event, asked->middlewares, asked->index + 1);
      } else {
        socket.refuse_event(*asked->event, message, data);
      }
    });
  };
  const auto question = std::make_shared<SocketIoQuestion>(std::move(answered));
  if (!guarded("Socket.IO event middleware", [&] { (*middlewares)[index](*event, socketio::Next(question)); },
               {.name = &event->name()})) {
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
  if (!refused) return;
  guarded("Socket.IO refusal", [&] { (*refused)(event, message, data); }, {.name = &event.name()});
}

FLUX_DECL void SocketIoSocket::call_handlers(socketio::Event& event) {
  std::shared_ptr<const socketio::EventListener> any;
  std::shared_ptr<const Handler> own;
  {
    const std::lock_guard lock(mutex());
    if (rare_) any = rare_->any;
    own = take_handler(event.name(), false);
  }
  const auto returns = [&](const socketio::EventListener& handler) {
    return guarded("Socket.IO event", [&] { handler(event); }, {.name = &event.name()});
  };
  const bool any_returned = !any || returns(*any);
  const bool own_returned = !own || returns(own->call);
  if (!any_returned || !own_returned) refuse_event(event, "the server failed to handle this event", {});
  if (!own && follower_ != nullptr) follower_->handle(event);
}

// --- Rooms ---

FLUX_DECL Result<void> SocketIoSocket::join(const std::string& room) {
  if (room == id_) return {};
  if (room.empty() || !core::valid_utf8(room)) {
    return Error(Errc::invalid_argument,
                 "a room's name must be UTF-8 and not empty, not \"" + core::shown(room) + "\"");
  }
  {
    const std::lock_guard lock(mutex());
    if (life_ == Life::gone) return socket_gone(id_);
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
  seat.lane = room.audience.enter({key_, session_.get(), loop()}, engineio_view(session_->encoding()), seat.place);
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
    if (in_room(room)) return;  // it has joined again already
  }
  auto& seats = on_loop().seats;
  const auto found = seat_in(room);
  if (found == seats.end()) return;
  (*found)->lane->flush_now();  // it still gets what was sent before it left
  leave_seat(**found, *(*found)->room);
  seats.erase(found);
  nsp_->leave(room, shared_from_this());
}

FLUX_DECL void SocketIoSocket::leave_seat(Seat& seat, SocketIoRoom& room) {
  const std::lock_guard lock(room.mutex);
  const auto lane = std::exchange(seat.lane, nullptr);
  room.audience.leave(*lane, seat.place);
}

/// The transport has changed: sends what is pending in the old lanes and moves to those of the new transport.
FLUX_DECL void SocketIoSocket::change_lanes() {
  for_each_seat([this](Seat& seat, SocketIoRoom& room) { change_lane(seat, room); });
  if (follower_ != nullptr) follower_->transport_changed();
}

FLUX_DECL void SocketIoSocket::change_lane(Seat& seat, SocketIoRoom& room) {
  protocol::EngineIoPayload waiting;
  std::vector<core::Insert> inserts;
  {
    const std::lock_guard lock(room.mutex);
    waiting.packets = room.audience.change_view(seat.lane, seat.place, engineio_view(session_->encoding()), key_,
                                                *session_, protocol::engineio_separator, &inserts);
  }
  for (core::Insert& insert : inserts) waiting.bytes.push_back({insert.at, std::move(insert.bytes)});
  if (!waiting.empty()) session_->send_polled(waiting);
}

FLUX_DECL std::vector<std::string> SocketIoSocket::rooms() const {
  const std::lock_guard lock(mutex());
  if (life_ == Life::gone) return {};
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
  gone(EndReason::server_namespace_disconnect);
}

FLUX_DECL void SocketIoSocket::gone(EndReason reason) {
  if (!connected()) return;
  const auto self = shared_from_this();
  if (const auto held = held_grant()) session_->hub().admitted.forget(held.get());
  debug([&] { return "left namespace " + core::shown(nsp_->name()) + ": " + std::string(to_string(reason)); });
  if (!tell_disconnecting(reason)) return;
  nsp_->remove(self, was_cut_off(reason));
  socketio::DisconnectListener on_disconnect;
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
  if (on_disconnect) guarded("disconnect", [&] { on_disconnect(to_string(reason)); });
}

/// False if the handler itself has disconnected it.
FLUX_DECL bool SocketIoSocket::tell_disconnecting(EndReason reason) {
  std::unique_ptr<socketio::DisconnectListener> handler;
  {
    const std::lock_guard lock(mutex());
    if (rare_) handler.swap(rare_->on_disconnecting);
  }
  if (handler) {
    guarded("disconnecting", [&] { (*handler)(to_string(reason)); });
  }
  return connected();
}

FLUX_DECL void SocketIoSocket::refused() { forget_handlers(nullptr); }

}  // namespace flux::detail
