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

FLUX_DECL void send_message(EngineIoSession& session, const protocol::SocketIoMessage& message) {
  if (!session.over_websocket()) return session.send_encoded({}, message.polling(), message.packets());
  if (session.encoding() == EngineIoEncoding::websocket && !message.attachments().empty()) {
    return session.send_shared(message.websocket(), message.packets());
  }
  std::string frames;
  append_socketio(frames, message, engineio_view(session.encoding()));
  session.send_encoded(frames, {}, message.packets());
}

FLUX_DECL void SocketIoLog::unsent(std::string_view what, const Error& error) const {
  if (!sink_ || level_ < LogLevel::error) return;
  sink_(LogLevel::error, std::string(what).append(" was not sent: ").append(error.message()));
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

FLUX_DECL void SocketIoSocket::on(std::string event, socketio::EventHandler handler) {
  auto call = std::make_shared<const socketio::EventHandler>(std::move(handler));  // and the old one goes unlocked
  const std::lock_guard lock(mutex());
  if (life_ == Life::gone) return;
  const auto found = std::find_if(handlers_.begin(), handlers_.end(), [&](const Handler& h) { return h.event == event; });
  if (found != handlers_.end()) {
    found->call.swap(call);
  } else {
    handlers_.push_back({std::move(event), std::move(call)});
  }
}

FLUX_DECL SocketIoSocket::Rare& SocketIoSocket::rare() {
  if (!rare_) rare_ = std::make_unique<Rare>();
  return *rare_;
}

FLUX_DECL void SocketIoSocket::on_any(socketio::EventHandler handler) {
  auto call = std::make_shared<const socketio::EventHandler>(std::move(handler));
  const std::lock_guard lock(mutex());
  if (life_ != Life::gone) rare().any.swap(call);
}

FLUX_DECL void SocketIoSocket::on_disconnect(std::function<void(std::string_view)> handler) {
  const std::lock_guard lock(mutex());
  if (life_ != Life::gone) rare().on_disconnect.swap(handler);
}

FLUX_DECL void SocketIoSocket::forget_handlers(std::function<void(std::string_view)>* on_disconnect) {
  std::vector<Handler> handlers;  // what they hold is destroyed without the lock
  std::shared_ptr<const socketio::EventHandler> any;
  std::function<void(std::string_view)> last;
  const std::lock_guard lock(mutex());
  life_ = Life::gone;
  handlers.swap(handlers_);
  rooms_.clear();
  if (!rare_) return;
  any.swap(rare_->any);
  (on_disconnect != nullptr ? *on_disconnect : last).swap(rare_->on_disconnect);
}

FLUX_DECL JsonText SocketIoSocket::data() const {
  const std::lock_guard lock(mutex());
  return rare_ ? rare_->data : JsonText();
}

FLUX_DECL void SocketIoSocket::set_data(JsonText data) {
  const std::lock_guard lock(mutex());
  std::swap(rare().data, data);
}

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

FLUX_DECL void SocketIoSocket::flush_rooms() {
  for (const auto& seat : seats_) seat->lane->flush_now();
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
  // Encoded here too, so that what can't be sent is said at once; the id is known on the loop only.
  if (const auto probe = protocol::encode_socketio_event(nsp_->name(), event, args, 0); !probe) {
    return nsp_->unsent(event, probe.error());
  }
  const bool posted = loop()->dispatch([self = shared_from_this(), event = std::string(event), args, timeout,
                                        done = std::move(done)] {
    if (!self->acks_) self->acks_ = std::make_unique<Acks>();
    const std::uint64_t id = self->acks_->next_id++;
    const auto timer = self->loop()->call_after(timeout, [weak = self->weak_from_this(), id] {
      if (const auto socket = weak.lock()) {
        socket->ack_failed(id, Error(Errc::overloaded, "no acknowledgment came in time"));
      }
    });
    self->acks_->waiting.emplace(id, WaitingAck{done, timer});
    if (!self->connected()) {
      self->loop()->cancel(timer);
      return self->ack_failed(id, socket_gone(self->id_));
    }
    self->send(**protocol::encode_socketio_event(self->nsp_->name(), event, args, id));
  });
  if (!posted) return socket_gone(id_);
  return {};
}

/// Out it comes before it is called: that is done once.
FLUX_DECL std::optional<SocketIoSocket::WaitingAck> SocketIoSocket::take_ack(std::uint64_t id) {
  if (!acks_) return std::nullopt;
  auto node = acks_->waiting.extract(id);
  if (!node) return std::nullopt;
  return std::move(node.mapped());
}

/// The timer has fired, or been cancelled.
FLUX_DECL void SocketIoSocket::ack_failed(std::uint64_t id, const Error& error) {
  const auto ack = take_ack(id);
  if (ack && ack->done) session_->hub().guarded(loop()->counters(), "ack", [&] { ack->done(error); });
}

FLUX_DECL void SocketIoSocket::handle_ack(std::uint64_t id, const socketio::Args& args) {
  const auto ack = take_ack(id);
  if (!ack) return;  // nobody asked, or it came too late
  loop()->cancel(ack->timer);
  if (ack->done) session_->hub().guarded(loop()->counters(), "ack", [&] { ack->done(args); });
}

struct SocketIoSocket::OwedAck {
  OwedAck(std::shared_ptr<SocketIoSocket> s, std::uint64_t i) : socket(std::move(s)), id(i) { ++socket->acks_owed_; }
  OwedAck(const OwedAck&) = delete;
  OwedAck& operator=(const OwedAck&) = delete;
  ~OwedAck() { --socket->acks_owed_; }
  const std::shared_ptr<SocketIoSocket> socket;
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

FLUX_DECL void SocketIoSocket::handle_event(socketio::Event event) {
  std::shared_ptr<const socketio::EventHandler> any, own;
  {
    const std::lock_guard lock(mutex());
    if (rare_) any = rare_->any;
    for (const Handler& handler : handlers_) {
      if (handler.event == event.name()) own = handler.call;
    }
  }
  for (const auto& handler : {any, own}) {
    if (handler && *handler) session_->hub().guarded(loop()->counters(), "Socket.IO event", [&] { (*handler)(event); });
  }
}

// --- Rooms ---

FLUX_DECL Result<void> SocketIoSocket::join(const std::string& room) {
  if (room == id_) return {};
  if (room.empty()) return Error(Errc::invalid_argument, "a room's name must not be empty");
  {
    const std::lock_guard lock(mutex());
    if (!connected()) return socket_gone(id_);
    if (in_room(room)) return {};
    if (rooms_.size() >= nsp_->options().rooms_per_socket_max) {
      return Error(Errc::limit_exceeded, "in " + std::to_string(rooms_.size()) + " rooms already");
    }
    rooms_.push_back(room);
  }
  loop()->dispatch([self = shared_from_this(), room] { self->enter_room(room); });
  return {};
}

/// Under the mutex.
FLUX_DECL bool SocketIoSocket::in_room(const std::string& room) const {
  return std::find(rooms_.begin(), rooms_.end(), room) != rooms_.end();
}

FLUX_DECL std::vector<std::unique_ptr<SocketIoSocket::Seat>>::iterator SocketIoSocket::seat_in(
    const std::string& room) {
  return std::find_if(seats_.begin(), seats_.end(), [&](const auto& seat) { return seat->room->name == room; });
}

FLUX_DECL void SocketIoSocket::enter_room(const std::string& room) {
  {
    const std::lock_guard lock(mutex());
    if (!connected() || !in_room(room)) return;
  }
  if (seat_in(room) == seats_.end()) take_seat(nsp_->enter(room, shared_from_this()));
}

FLUX_DECL void SocketIoSocket::take_seat(std::shared_ptr<SocketIoRoom> room) {
  auto seat = std::make_unique<Seat>(Seat{std::move(room), {}, {}});
  const std::lock_guard lock(seat->room->mutex);
  seat->lane = seat->room->audience.enter(loop(), engineio_view(session_->encoding()), key_, *session_, seat->place);
  seats_.push_back(std::move(seat));
}

FLUX_DECL void SocketIoSocket::leave(const std::string& room) {
  {
    const std::lock_guard lock(mutex());
    if (std::erase(rooms_, room) == 0) return;
  }
  loop()->dispatch([self = shared_from_this(), room] { self->leave_room(room); });
}

FLUX_DECL void SocketIoSocket::leave_room(const std::string& room) {
  {
    const std::lock_guard lock(mutex());
    if (in_room(room)) return;  // it is back already
  }
  const auto found = seat_in(room);
  if (found == seats_.end()) return;
  (*found)->lane->flush_now();  // what was sent before it left still reaches it
  leave_seat(**found);
  seats_.erase(found);
  nsp_->leave(room, shared_from_this());
}

FLUX_DECL void SocketIoSocket::leave_seat(Seat& seat) {
  const std::lock_guard lock(seat.room->mutex);
  seat.room->audience.leave(*seat.lane, seat.place);
}

/// The transport has changed: what waits in the old lanes is taken along.
FLUX_DECL void SocketIoSocket::change_lanes() {
  for (const auto& seat : seats_) change_lane(*seat);
}

FLUX_DECL void SocketIoSocket::change_lane(Seat& seat) {
  std::string waiting;
  {
    const std::lock_guard lock(seat.room->mutex);
    waiting = seat.room->audience.change_view(seat.lane, seat.place, engineio_view(session_->encoding()), key_, *session_,
                                              protocol::engineio_separator);
  }
  if (!waiting.empty()) session_->send_polled(std::move(waiting));
}

FLUX_DECL std::vector<std::string> SocketIoSocket::rooms() const {
  const std::lock_guard lock(mutex());
  std::vector<std::string> list{id_};
  list.insert(list.end(), rooms_.begin(), rooms_.end());
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
  const bool cut_off = reason.substr(0, 9) == "transport" || reason == "ping timeout" || reason == "server shutting down";
  nsp_->remove(self, cut_off);
  std::function<void(std::string_view)> on_disconnect;
  forget_handlers(&on_disconnect);
  for (const auto& seat : seats_) {
    leave_seat(*seat);
    if (!seat->room->name.empty()) nsp_->leave(seat->room->name, self);
  }
  seats_.clear();
  while (acks_ && !acks_->waiting.empty()) {
    const auto& [id, ack] = *acks_->waiting.begin();
    loop()->cancel(ack.timer);
    ack_failed(std::uint64_t{id}, socket_gone(id_));
  }
  if (auto* client = static_cast<SocketIoClient*>(session_->client())) client->forget(self);
  if (on_disconnect) session_->hub().guarded(loop()->counters(), "disconnect", [&] { on_disconnect(reason); });
}

FLUX_DECL void SocketIoSocket::refused() { forget_handlers(nullptr); }

// --- Namespaces ---

FLUX_DECL SocketIoNamespace::SocketIoNamespace(std::string name, std::shared_ptr<const socketio::Options> options,
                                               std::shared_ptr<Clock> clock, std::weak_ptr<const SocketIoLog> log)
    : name_(std::move(name)), options_(std::move(options)), clock_(std::move(clock)), log_(std::move(log)) {}

/// A longer list: those who read the old one go on.
template <class T>
void add_to_list(std::shared_ptr<const std::vector<T>>& list, T item) {
  auto longer = std::make_shared<std::vector<T>>(*list);
  longer->push_back(std::move(item));
  list = std::move(longer);
}

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

FLUX_DECL Result<void> SocketIoNamespace::emit(const std::vector<std::string>& rooms,
                                               const std::vector<std::string>& except, bool volatile_only,
                                               std::string_view event, const socketio::Args& args) {
  const bool keeps = recovers() && !volatile_only;
  auto message = keeps ? Result<SocketIoMessagePtr>(SocketIoMessagePtr())
                       : protocol::encode_socketio_event(name_, event, args);
  std::unique_lock lock(mutex_);  // keeps the order of emits
  if (keeps) message = encode(rooms, except, event, args);
  if (!message) {
    lock.unlock();
    return unsent(event, message.error());
  }
  if (!volatile_only && emit_to_lanes(rooms, except, **message)) return {};
  const auto each = receivers(rooms, except);
  lock.unlock();
  for (const auto& receiver : each) {
    receiver->loop()->dispatch([receiver, message = *message, volatile_only] {
      if (receiver->connected()) receiver->send(*message, volatile_only);
    });
  }
  return {};
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
  room->audience.append([&](const void* view, std::string& out) { append_socketio(out, message, view); }, room);
  for (const std::string& id : except) {
    if (const auto left_out = sockets_.find(id); left_out != sockets_.end()) {
      room->audience.exclude_from_last(left_out->second->key());
    }
  }
  return true;
}

FLUX_DECL std::set<std::shared_ptr<SocketIoSocket>> SocketIoNamespace::receivers(
    const std::vector<std::string>& rooms, const std::vector<std::string>& except) const {
  std::set<std::shared_ptr<SocketIoSocket>> list;
  const auto each = [&](const std::string& name, const auto& visit) {
    if (const auto single = sockets_.find(name); single != sockets_.end()) visit(single->second);
    if (const auto room = rooms_.find(name); room != rooms_.end()) {
      for (const auto& member : room->second.sockets) visit(member);
    }
  };
  if (rooms.empty()) {
    for (const auto& [id, socket] : sockets_) list.insert(socket);
  }
  for (const std::string& room : rooms) each(room, [&](const auto& socket) { list.insert(socket); });
  for (const std::string& room : except) each(room, [&](const auto& socket) { list.erase(socket); });
  return list;
}

FLUX_DECL std::vector<std::shared_ptr<SocketIoSocket>> SocketIoNamespace::sockets() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<SocketIoSocket>> list;
  list.reserve(sockets_.size());
  for (const auto& [id, socket] : sockets_) list.push_back(socket);
  return list;
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
  return found == sockets_.end() ? nullptr : found->second;
}

// --- Who is in a namespace ---

FLUX_DECL std::shared_ptr<SocketIoRoom> SocketIoNamespace::enter(const std::string& room,
                                                                 const std::shared_ptr<SocketIoSocket>& socket) {
  const std::lock_guard lock(mutex_);
  return enter_locked(room, socket);
}

FLUX_DECL std::shared_ptr<SocketIoRoom> SocketIoNamespace::enter_locked(
    const std::string& room, const std::shared_ptr<SocketIoSocket>& socket) {
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
  socket->life_ = SocketIoSocket::Life::connected;
  sockets_.emplace(socket->id(), socket);
  socket->take_seat(everyone_);
  for (const std::string& room : socket->rooms_) socket->take_seat(enter_locked(room, socket));
}

FLUX_DECL void SocketIoNamespace::remove(const std::shared_ptr<SocketIoSocket>& socket, bool recoverable) {
  const std::lock_guard lock(mutex_);
  sockets_.erase(socket->id());
  if (!recoverable || !socket->pid_) return;
  forget_old();
  if (lost_.size() >= options_->recovery_sockets_max) return;
  const std::lock_guard socket_lock(socket->mutex());
  lost_.push_back({*socket->pid_, socket->id(), socket->rooms_, socket->rare_ ? socket->rare_->data : JsonText(),
                   clock_->now()});
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
  back.socket->rooms_ = std::move(lost.rooms);
  if (back.socket->data() == JsonText()) back.socket->set_data(std::move(lost.data));
  seat(back.socket);  // under the same lock: nothing is missed in between, and nothing comes twice
  return back;
}

// --- Connections ---

FLUX_DECL SocketIoClient::SocketIoClient(SocketIoServer& server, EngineIoSession& session,
                                         std::shared_ptr<const EngineIoOpening> opening)
    : server_(server),
      session_(session),
      opening_(std::move(opening)) {}

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

FLUX_DECL void SocketIoClient::stop(Timer& timer) {
  if (timer && !session_.loop()->is_shut()) session_.loop()->cancel(*timer);
  timer.reset();
}

FLUX_DECL void SocketIoClient::send(const Result<SocketIoMessagePtr>& message) {
  if (message) send_message(session_, **message);
}

FLUX_DECL void SocketIoClient::on_message(std::string_view message, bool binary) {
  if (!decoder_) decoder_ = std::make_unique<protocol::SocketIoDecoder>(server_.options().packet_limits);
  const auto whole = binary ? decoder_->binary(std::string(message)) : decoder_->text(message);
  if (!whole) {
    session_.loop()->counters().messages_bad.add();
    return session_.close("parse error");
  }
  if (!*whole) {
    if (!attachments_timer_) close_after(attachments_timer_, server_.options().attachments_timeout, "parse error");
    return;
  }
  if (attachments_timer_) stop(attachments_timer_);
  const auto decoder = std::move(decoder_);  // an idle client keeps none
  handle(*decoder);
}

FLUX_DECL std::shared_ptr<SocketIoSocket> SocketIoClient::socket_in(std::string_view nsp) const {
  for (const auto& socket : sockets_) {
    if (socket->nsp()->name() == nsp) return socket;
  }
  return nullptr;
}

FLUX_DECL void SocketIoClient::handle(const protocol::SocketIoDecoder& decoder) {
  const protocol::SocketIoPacket& packet = decoder.packet();
  const auto socket = socket_in(packet.nsp_path());
  if (packet.type == SocketIoType::connect && !socket) return connect(packet);
  // A packet for a namespace that one is not in, or a second CONNECT: the client is out of step.
  if (!socket || !socket->connected() || packet.type == SocketIoType::connect ||
      packet.type == SocketIoType::connect_error) {
    return session_.close("parse error");
  }
  if (packet.type == SocketIoType::disconnect) return socket->gone("client namespace disconnect");
  if (!session_.within_rate()) return;
  if (packet.is_ack()) return socket->handle_ack(*packet.id, decoder.arguments());
  socketio::Event::Ack ack;
  if (packet.id) {
    if (socket->acks_owed_ >= server_.options().acks_waiting_max) return session_.close("transport error");
    ack = socket->ack_of(*packet.id);
  }
  socket->handle_event(socketio::Event(packet.event, decoder.arguments(), std::move(ack)));
}

FLUX_DECL void SocketIoClient::connect(const protocol::SocketIoPacket& packet) {
  JsonText auth = JsonText::trusted(packet.data.empty() ? "{}" : std::string(packet.data));
  const std::string name(packet.nsp_path());
  if (sockets_.size() >= server_.options().namespaces_per_connection_max) {
    return send(protocol::encode_socketio_connect_error(name, "Too many namespaces"));
  }
  const auto nsp = server_.take(name, auth);
  if (closed_) return nsp ? server_.release(nsp) : void();
  if (!nsp) return send(protocol::encode_socketio_connect_error(name, "Invalid namespace"));
  auto socket = make_socket(nsp, new_engineio_sid(), std::move(auth));
  sockets_.push_back(socket);
  ask_middlewares(socket, 0);
}

FLUX_DECL std::shared_ptr<SocketIoSocket> SocketIoClient::make_socket(const std::shared_ptr<SocketIoNamespace>& nsp,
                                                                      std::string id, JsonText auth) {
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
    auto socket = make_socket(nsp, id, auth);
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
  stop(attachments_timer_);
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

/// `fresh`, or the one of that name that was there before; null where there are too many. Into `ended` go those that had
/// to make room.
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
