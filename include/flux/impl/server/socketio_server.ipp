#pragma once

#include <flux/core/session_key.hpp>
#include <flux/detail/mode.hpp>
#include <flux/server/detail/socketio_server.hpp>

#include <algorithm>

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
  std::string frames;
  if (session.over_websocket()) append_socketio(frames, message, engineio_view(session.encoding()));
  session.send_encoded(frames, session.over_websocket() ? std::string_view() : message.polling(), message.packets());
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

FLUX_DECL void SocketIoSocket::on(std::string event, socketio::EventHandler handler) {
  const std::lock_guard lock(mutex_);
  handlers_[std::move(event)] = std::make_shared<socketio::EventHandler>(std::move(handler));
}

FLUX_DECL void SocketIoSocket::on_any(socketio::EventHandler handler) {
  const std::lock_guard lock(mutex_);
  any_ = std::make_shared<socketio::EventHandler>(std::move(handler));
}

FLUX_DECL void SocketIoSocket::on_disconnect(std::function<void(std::string_view)> handler) {
  const std::lock_guard lock(mutex_);
  on_disconnect_ = std::move(handler);
}

FLUX_DECL JsonText SocketIoSocket::data() const {
  const std::lock_guard lock(mutex_);
  return data_;
}

FLUX_DECL void SocketIoSocket::set_data(JsonText data) {
  const std::lock_guard lock(mutex_);
  data_ = std::move(data);
}

FLUX_DECL Error socket_gone(const std::string& id) {
  return Error(Errc::session_not_found, "socket " + id + " is not connected");
}

/// What was sent to rooms before goes first.
FLUX_DECL void SocketIoSocket::send(const SocketIoMessagePtr& message, bool volatile_only) {
  if (!session_->is_open() || (volatile_only && session_->busy())) return;
  for (const auto& [name, seat] : seats_) seat->lane->flush();
  send_message(*session_, *message);
}

FLUX_DECL Result<void> SocketIoSocket::emit(std::string_view event, const socketio::Args& args, bool volatile_only) {
  if (!connected()) return socket_gone(id_);
  if (nsp_->recovers() && !volatile_only) return nsp_->emit({id_}, {}, false, event, args);
  auto message = protocol::encode_socketio_event(nsp_->name(), event, args);
  if (!message) return message.error();
  loop()->dispatch([self = shared_from_this(), message = std::move(*message), volatile_only] {
    if (self->connected()) self->send(message, volatile_only);
  });
  return {};
}

FLUX_DECL Result<void> SocketIoSocket::emit(std::string_view event, const socketio::Args& args,
                                            std::chrono::milliseconds timeout, socketio::AckHandler done) {
  if (!connected()) return socket_gone(id_);
  // Encoded once here, so that what can't be sent is said at once; the id is known on the loop only.
  if (const auto probe = protocol::encode_socketio_event(nsp_->name(), event, args, 0); !probe) return probe.error();
  loop()->dispatch([self = shared_from_this(), event = std::string(event), args, timeout, done = std::move(done)] {
    if (!self->connected()) return done(socket_gone(self->id_));
    const std::uint64_t id = self->next_ack_++;
    const auto timer = self->loop()->call_after(timeout, [weak = self->weak_from_this(), id] {
      if (const auto socket = weak.lock()) {
        socket->ack_failed(id, Error(Errc::overloaded, "no acknowledgment came in time"));
      }
    });
    self->acks_.emplace(id, WaitingAck{done, timer});
    if (const auto message = protocol::encode_socketio_event(self->nsp_->name(), event, args, id)) self->send(*message);
  });
  return {};
}

FLUX_DECL void SocketIoSocket::ack_failed(std::uint64_t id, const Error& error) {
  const auto found = acks_.find(id);
  if (found == acks_.end()) return;
  const socketio::AckHandler done = std::move(found->second.done);
  acks_.erase(found);
  session_->hub().guarded(loop()->counters(), "ack", [&] { done(error); });
}

FLUX_DECL void SocketIoSocket::handle_ack(std::uint64_t id, socketio::Args args) {
  const auto found = acks_.find(id);
  if (found == acks_.end()) return;  // nobody asked, or it came too late
  const socketio::AckHandler done = std::move(found->second.done);
  loop()->cancel(found->second.timer);
  acks_.erase(found);
  session_->hub().guarded(loop()->counters(), "ack", [&] { done(std::move(args)); });
}

FLUX_DECL void SocketIoSocket::handle_event(socketio::Event event) {
  std::shared_ptr<socketio::EventHandler> handler;
  {
    const std::lock_guard lock(mutex_);
    const auto found = handlers_.find(event.name());
    handler = found != handlers_.end() ? found->second : any_;
  }
  if (handler) session_->hub().guarded(loop()->counters(), "Socket.IO event", [&] { (*handler)(event); });
}

// --- Rooms ---

FLUX_DECL Result<void> SocketIoSocket::join(const std::string& room) {
  if (room == id_) return {};
  if (room.empty()) return Error(Errc::invalid_argument, "a room's name must not be empty");
  {
    const std::lock_guard lock(mutex_);
    if (!connected()) return socket_gone(id_);
    if (rooms_.count(room) != 0) return {};
    if (rooms_.size() >= nsp_->options().rooms_per_socket_max) {
      return Error(Errc::limit_exceeded, "in " + std::to_string(rooms_.size()) + " rooms already");
    }
    rooms_.insert(room);
  }
  loop()->dispatch([self = shared_from_this(), room] { self->take_seat(room); });
  return {};
}

FLUX_DECL void SocketIoSocket::take_seat(const std::string& room) {
  {
    const std::lock_guard lock(mutex_);
    if (!connected() || rooms_.count(room) == 0 || seats_.count(room) != 0) return;
  }
  auto seat = std::make_unique<Seat>();
  seat->room = nsp_->enter(room, shared_from_this());
  const std::lock_guard lock(seat->room->mutex);
  seat->lane = seat->room->audience.enter(loop(), engineio_view(session_->encoding()), key_, *session_, seat->place);
  seats_.emplace(room, std::move(seat));
}

FLUX_DECL void SocketIoSocket::leave(const std::string& room) {
  {
    const std::lock_guard lock(mutex_);
    if (rooms_.erase(room) == 0) return;
  }
  loop()->dispatch([self = shared_from_this(), room] {
    const auto found = self->seats_.find(room);
    if (found == self->seats_.end()) return;
    found->second->lane->flush();  // what was sent before it left still reaches it
    self->leave_seat(*found->second);
    self->seats_.erase(found);
    self->nsp_->leave(room, self);
  });
}

FLUX_DECL void SocketIoSocket::leave_seat(Seat& seat) {
  const std::lock_guard lock(seat.room->mutex);
  seat.room->audience.leave(*seat.lane, seat.place);
}

/// The transport has changed: what waits in the old lanes is taken along.
FLUX_DECL void SocketIoSocket::change_lanes() {
  for (const auto& [name, seat] : seats_) {
    std::string waiting;
    {
      const std::lock_guard lock(seat->room->mutex);
      waiting = seat->lane->take_pending(key_, protocol::engineio_separator);
      seat->room->audience.leave(*seat->lane, seat->place);
      seat->lane = seat->room->audience.enter(loop(), engineio_view(session_->encoding()), key_, *session_, seat->place);
    }
    if (!waiting.empty()) session_->send_polled(std::move(waiting));
  }
}

FLUX_DECL std::vector<std::string> SocketIoSocket::rooms() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> list{id_};
  list.insert(list.end(), rooms_.begin(), rooms_.end());
  return list;
}

// --- The end of a socket ---

FLUX_DECL void SocketIoSocket::disconnect(bool close) {
  loop()->dispatch([self = shared_from_this(), close] {
    if (!self->connected()) return;
    if (const auto message = protocol::encode_socketio_disconnect(self->nsp_->name())) self->send(*message);
    self->gone("server namespace disconnect");
    if (close) self->session_->close("forced server close");
  });
}

FLUX_DECL void SocketIoSocket::gone(std::string_view reason) {
  if (!connected_.exchange(false)) return;
  const auto self = shared_from_this();
  const bool cut_off = reason == "transport close" || reason == "transport error" || reason == "ping timeout";
  nsp_->remove(self, cut_off);
  for (const auto& [name, seat] : seats_) {
    leave_seat(*seat);
    if (!name.empty()) nsp_->leave(name, self);
  }
  seats_.clear();
  while (!acks_.empty()) {
    loop()->cancel(acks_.begin()->second.timer);
    ack_failed(acks_.begin()->first, socket_gone(id_));
  }
  if (auto* client = static_cast<SocketIoClient*>(session_->client())) client->forget(self);
  std::function<void(std::string_view)> handler;
  std::map<std::string, std::shared_ptr<socketio::EventHandler>, std::less<>> handlers;  // destroyed without the lock
  std::shared_ptr<socketio::EventHandler> any;
  {
    const std::lock_guard lock(mutex_);
    handler = std::exchange(on_disconnect_, nullptr);
    handlers.swap(handlers_);
    any.swap(any_);
    rooms_.clear();
  }
  if (handler) session_->hub().guarded(loop()->counters(), "disconnect", [&] { handler(reason); });
}

// --- Namespaces ---

FLUX_DECL SocketIoNamespace::SocketIoNamespace(std::string name, std::shared_ptr<const socketio::Options> options,
                                               std::shared_ptr<Clock> clock)
    : name_(std::move(name)), options_(std::move(options)), clock_(std::move(clock)) {}

FLUX_DECL Result<void> SocketIoNamespace::emit(const std::vector<std::string>& rooms,
                                               const std::vector<std::string>& except, bool volatile_only,
                                               std::string_view event, const socketio::Args& args) {
  socketio::Args with_offset;
  std::unique_lock lock(mutex_);  // keeps the order of emits
  const bool kept = recovers() && !volatile_only;
  if (kept) {
    with_offset = args;
    with_offset.emplace_back(JsonText::string(keep(rooms, except, event, args)));
  }
  auto encoded = protocol::encode_socketio_event(name_, event, kept ? with_offset : args);
  if (!encoded) {
    if (kept) kept_.pop_back();
    return encoded.error();
  }
  const SocketIoMessagePtr& message = *encoded;

  // The usual case, one room or everybody, goes through the room's lanes. Those left out must be single sockets.
  const bool lanes = !volatile_only && rooms.size() <= 1 &&
                     (rooms.empty() || sockets_.count(rooms[0]) == 0) &&
                     std::all_of(except.begin(), except.end(), [&](const std::string& id) {
                       return sockets_.count(id) != 0 || rooms_.count(id) == 0;
                     });
  if (lanes) {
    const auto found = rooms.empty() ? rooms_.end() : rooms_.find(rooms[0]);
    if (!rooms.empty() && found == rooms_.end()) return {};
    const std::shared_ptr<SocketIoRoom> room = rooms.empty() ? everyone_ : found->second.room;
    const std::lock_guard room_lock(room->mutex);
    room->audience.append([&](const void* view, std::string& out) { append_socketio(out, *message, view); }, room);
    for (const std::string& id : except) {
      if (const auto left_out = sockets_.find(id); left_out != sockets_.end()) {
        room->audience.exclude_from_last(left_out->second->key());
      }
    }
    return {};
  }

  std::set<std::shared_ptr<SocketIoSocket>> receivers;
  const auto each = [&](const std::string& name, const auto& visit) {
    if (const auto single = sockets_.find(name); single != sockets_.end()) visit(single->second);
    if (const auto room = rooms_.find(name); room != rooms_.end()) {
      for (const auto& member : room->second.sockets) visit(member);
    }
  };
  if (rooms.empty()) {
    for (const auto& [id, socket] : sockets_) receivers.insert(socket);
  }
  for (const std::string& room : rooms) each(room, [&](const auto& socket) { receivers.insert(socket); });
  for (const std::string& room : except) each(room, [&](const auto& socket) { receivers.erase(socket); });
  lock.unlock();
  for (const auto& receiver : receivers) {
    receiver->loop()->dispatch([receiver, message, volatile_only] {
      if (receiver->connected()) receiver->send(message, volatile_only);
    });
  }
  return {};
}

FLUX_DECL std::vector<std::shared_ptr<SocketIoSocket>> SocketIoNamespace::sockets() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<SocketIoSocket>> list;
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

FLUX_DECL std::shared_ptr<SocketIoRoom> SocketIoNamespace::enter(const std::string& room,
                                                                 const std::shared_ptr<SocketIoSocket>& socket) {
  const std::lock_guard lock(mutex_);
  Members& members = rooms_[room];
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
  sockets_.emplace(socket->id(), socket);
}

FLUX_DECL void SocketIoNamespace::remove(const std::shared_ptr<SocketIoSocket>& socket, bool recoverable) {
  const std::lock_guard lock(mutex_);
  sockets_.erase(socket->id());
  if (!recoverable || socket->pid_.empty()) return;
  forget_old();
  const std::lock_guard socket_lock(socket->mutex_);
  lost_[socket->pid_] = {socket->id(), socket->rooms_, socket->data_, clock_->now()};
}

// --- Connection state recovery ---

FLUX_DECL std::string SocketIoNamespace::keep(const std::vector<std::string>& rooms,
                                              const std::vector<std::string>& except, std::string_view event,
                                              const socketio::Args& args) {
  forget_old();
  std::string offset = core::key_text(core::mixed(next_offset_++));
  kept_.push_back({offset, clock_->now(), rooms, except, std::string(event), args});
  if (kept_.size() > options_->recovery_packets_max) kept_.pop_front();
  return offset;
}

FLUX_DECL void SocketIoNamespace::forget_old() {
  const auto horizon = clock_->now() - options_->recovery_max;
  while (!kept_.empty() && kept_.front().at < horizon) kept_.pop_front();
  for (auto entry = lost_.begin(); entry != lost_.end();) {
    entry = entry->second.at < horizon ? lost_.erase(entry) : std::next(entry);
  }
}

/// None where the client is unknown by now, or not all that it missed is there.
FLUX_DECL std::optional<SocketIoNamespace::Recovery> SocketIoNamespace::recover(const std::string& pid,
                                                                                const std::string& offset) {
  const std::lock_guard lock(mutex_);
  forget_old();
  const auto lost = lost_.find(pid);
  if (lost == lost_.end()) return std::nullopt;
  const auto from = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& k) { return k.offset == offset; });
  if (from == kept_.end()) return std::nullopt;
  Recovery recovery{std::move(lost->second), {}};
  lost_.erase(lost);
  const Lost& state = recovery.state;
  const auto in_any = [&](const std::vector<std::string>& rooms) {
    return std::any_of(rooms.begin(), rooms.end(),
                       [&](const std::string& room) { return room == state.id || state.rooms.count(room) != 0; });
  };
  for (auto packet = std::next(from); packet != kept_.end(); ++packet) {
    if ((!packet->rooms.empty() && !in_any(packet->rooms)) || in_any(packet->except)) continue;
    socketio::Args args = packet->args;
    args.emplace_back(JsonText::string(packet->offset));
    if (auto message = protocol::encode_socketio_event(name_, packet->event, args)) {
      recovery.missed.push_back(std::move(*message));
    }
  }
  return recovery;
}

// --- Connections ---

FLUX_DECL SocketIoClient::SocketIoClient(SocketIoServer& server, EngineIoSession& session, EngineIoOpening opening)
    : server_(server),
      session_(session),
      opening_(std::move(opening)),
      decoder_(server.options().packet_limits),
      alive_(std::make_shared<SocketIoClient*>(this)) {
  connect_timer_ = session.loop()->call_after(server.options().connect_timeout, [alive = alive_] {
    if (*alive == nullptr) return;
    (*alive)->connect_timer_.reset();
    (*alive)->session_.close("connect timeout");
  });
}

FLUX_DECL void SocketIoClient::send(const Result<SocketIoMessagePtr>& message) {
  if (message) send_message(session_, **message);
}

FLUX_DECL void SocketIoClient::on_message(std::string_view message, bool binary) {
  const auto whole = binary ? decoder_.binary(std::string(message)) : decoder_.text(message);
  if (!whole) {
    session_.loop()->counters().messages_bad.add();
    return session_.close("parse error");
  }
  if (*whole) handle(decoder_.packet());
}

FLUX_DECL std::shared_ptr<SocketIoSocket> SocketIoClient::socket_in(std::string_view nsp) const {
  for (const auto& socket : sockets_) {
    if (socket->nsp()->name() == nsp) return socket;
  }
  return nullptr;
}

FLUX_DECL void SocketIoClient::handle(const protocol::SocketIoPacket& packet) {
  const auto socket = socket_in(packet.nsp_path());
  if (packet.type == SocketIoType::connect && !socket) return connect(packet);
  // A packet for a namespace that one is not in, or a second CONNECT: the client is out of step.
  if (!socket || !socket->connected() || packet.type == SocketIoType::connect ||
      packet.type == SocketIoType::connect_error) {
    return session_.close("parse error");
  }
  if (packet.type == SocketIoType::disconnect) return socket->gone("client namespace disconnect");
  if (packet.is_ack()) return socket->handle_ack(*packet.id, decoder_.arguments());
  socketio::Event::Ack ack;
  if (packet.id) {
    if (socket->acks_owed_ >= server_.options().acks_waiting_max) return session_.close("transport error");
    ++socket->acks_owed_;
    ack = [socket, id = *packet.id, given = std::make_shared<std::atomic<bool>>(false)](socketio::Args args) {
      if (given->exchange(true)) return;
      auto message = protocol::encode_socketio_ack(socket->nsp()->name(), id, args);
      if (!message) message = protocol::encode_socketio_ack(socket->nsp()->name(), id, {});
      socket->loop()->dispatch([socket, message = std::move(*message)] {
        --socket->acks_owed_;
        // It may overtake what the same turn sends to rooms: waiting would cost each room its batch.
        if (socket->connected()) send_message(*socket->session_, *message);
      });
    };
  }
  socket->handle_event(socketio::Event(packet.event, decoder_.arguments(), std::move(ack)));
}

FLUX_DECL void SocketIoClient::connect(const protocol::SocketIoPacket& packet) {
  JsonText auth = JsonText::trusted(packet.data.empty() ? "{}" : std::string(packet.data));
  const std::string name(packet.nsp_path());
  const auto nsp = server_.find(name, auth);
  if (!nsp) return send(protocol::encode_socketio_connect_error(name, "Invalid namespace"));
  auto socket = std::make_shared<SocketIoSocket>(
      nsp, session_.shared_from_this(), new_engineio_sid(), server_.hub().new_key(),
      socketio::Handshake{std::move(auth), opening_.query, opening_.headers, opening_.remote_address});
  sockets_.push_back(socket);
  ask_middlewares(socket, 0);
}

FLUX_DECL void SocketIoClient::ask_middlewares(const std::shared_ptr<SocketIoSocket>& socket, std::size_t index) {
  const auto& middlewares = socket->nsp()->middlewares();
  if (index == middlewares.size()) {
    const JsonText& auth = socket->handshake().auth;
    const auto pid = auth.get<std::string>("/pid");
    const auto offset = auth.get<std::string>("/offset");
    return admit(socket, pid.has_value(), pid.value_or(""), offset.value_or(""));
  }
  auto answered = [loop = session_.loop(), alive = alive_, socket, index](bool admitted, std::string message,
                                                                          std::optional<JsonText> data) {
    loop->dispatch([alive, socket, index, admitted, message = std::move(message), data = std::move(data)] {
      if (*alive == nullptr) return;
      if (admitted) {
        (*alive)->ask_middlewares(socket, index + 1);
      } else {
        (*alive)->reject(socket, message, data);
      }
    });
  };
  const auto question = std::make_shared<SocketIoQuestion>(std::move(answered));
  if (!server_.hub().guarded(session_.loop()->counters(), "Socket.IO middleware",
                             [&] { middlewares[index](socketio::Socket(socket), socketio::Next(question)); })) {
    question->give(false, "the server failed to handle this connection", {});
  }
}

FLUX_DECL void SocketIoClient::reject(const std::shared_ptr<SocketIoSocket>& socket, const std::string& message,
                                      const std::optional<JsonText>& data) {
  forget(socket);
  send(protocol::encode_socketio_connect_error(socket->nsp()->name(), message, data));
}

FLUX_DECL void SocketIoClient::admit(const std::shared_ptr<SocketIoSocket>& asked, bool want_recovery,
                                     const std::string& pid, const std::string& offset) {
  std::shared_ptr<SocketIoSocket> socket = asked;
  const auto nsp = socket->nsp();
  std::optional<SocketIoNamespace::Recovery> recovery;
  if (nsp->recovers() && want_recovery) recovery = nsp->recover(pid, offset);
  if (recovery) {  // the same socket again, as far as anybody can tell
    socket = std::make_shared<SocketIoSocket>(nsp, asked->session_, recovery->state.id, asked->key(), asked->handshake());
    std::replace(sockets_.begin(), sockets_.end(), asked, socket);
    socket->recovered_ = true;
    socket->data_ = recovery->state.data;
  }
  if (nsp->recovers()) socket->pid_ = recovery ? pid : new_engineio_sid();
  if (connect_timer_) session_.loop()->cancel(*std::exchange(connect_timer_, std::nullopt));

  socket->connected_ = true;
  std::string payload = "{\"sid\":\"" + socket->id() + "\"";
  if (!socket->pid_.empty()) payload += ",\"pid\":" + JsonText::string(socket->pid_).text();
  send(protocol::encode_socketio_connect(nsp->name(), JsonText::trusted(payload + "}")));
  session_.flush_now();  // a client may look for what comes next only when it has seen this
  if (recovery) {
    for (const std::string& room : recovery->state.rooms) {
      if (const auto joined = socket->join(room); !joined) break;
    }
    for (const auto& missed : recovery->missed) send(missed);
  }
  nsp->add(socket);
  auto everyone = std::make_unique<SocketIoSocket::Seat>();
  everyone->room = nsp->everyone_;
  {
    const std::lock_guard lock(everyone->room->mutex);
    everyone->lane = everyone->room->audience.enter(session_.loop(), engineio_view(session_.encoding()), socket->key(), session_,
                                                    everyone->place);
  }
  socket->seats_.emplace(std::string(), std::move(everyone));
  for (const auto& handler : nsp->handlers_) {
    server_.hub().guarded(session_.loop()->counters(), "Socket.IO connection",
                          [&] { handler(socketio::Socket(socket)); });
  }
}

FLUX_DECL void SocketIoClient::on_transport_changed() {
  for (const auto& socket : sockets_) socket->change_lanes();
}

FLUX_DECL void SocketIoClient::forget(const std::shared_ptr<SocketIoSocket>& socket) {
  sockets_.erase(std::remove(sockets_.begin(), sockets_.end(), socket), sockets_.end());
}

FLUX_DECL void SocketIoClient::on_close(std::string_view reason) {
  *alive_ = nullptr;
  if (connect_timer_ && !session_.loop()->is_shut()) session_.loop()->cancel(*connect_timer_);
  for (const auto& socket : std::vector(sockets_)) socket->gone(reason);
  sockets_.clear();
}

// --- The endpoint ---

FLUX_DECL SocketIoServer::SocketIoServer(Hub& hub, socketio::Options options)
    : hub_(hub),
      options_(std::make_shared<const socketio::Options>(std::move(options))),
      engine_(hub, *options_, [this](EngineIoSession& session, EngineIoOpening opening) {
        return std::make_unique<SocketIoClient>(*this, session, std::move(opening));
      }) {
  of("/");
}

FLUX_DECL std::shared_ptr<SocketIoNamespace> SocketIoServer::of(const std::string& name) {
  const std::string full = !name.empty() && name.front() == '/' ? name : "/" + name;
  if (const auto named = protocol::encode_socketio_disconnect(full); !named) {
    throw Error(Errc::bad_config, "\"" + name + "\" can't name a namespace: " + named.error().message());
  }
  const std::lock_guard lock(mutex_);
  auto& nsp = namespaces_[full];
  if (!nsp) nsp = std::make_shared<SocketIoNamespace>(full, options_, hub_.config.clock);
  return nsp;
}

FLUX_DECL void SocketIoServer::of(std::function<bool(std::string_view, const JsonText&)> matches,
                                  std::function<void(socketio::Namespace)> made) {
  dynamic_.push_back({std::move(matches), std::move(made)});
}

FLUX_DECL std::shared_ptr<SocketIoNamespace> SocketIoServer::find(std::string_view name, const JsonText& auth) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = namespaces_.find(name); found != namespaces_.end()) return found->second;
  }
  for (const Dynamic& dynamic : dynamic_) {
    bool wanted = false;
    hub_.guarded_elsewhere("Socket.IO namespace", [&] { wanted = dynamic.matches(name, auth); });
    if (!wanted) continue;
    // Set up before anybody can see it; of two clients that come at the same time one makes it.
    auto fresh = std::make_shared<SocketIoNamespace>(std::string(name), options_, hub_.config.clock);
    hub_.guarded_elsewhere("Socket.IO namespace", [&] { dynamic.made(socketio::Namespace(fresh)); });
    const std::lock_guard lock(mutex_);
    if (namespaces_.size() >= options_->namespaces_max) return nullptr;
    return namespaces_.emplace(std::string(name), std::move(fresh)).first->second;
  }
  return nullptr;
}

}  // namespace flux::detail
