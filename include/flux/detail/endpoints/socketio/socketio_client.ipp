#pragma once

#include <flux/detail/endpoints/http_refusal.hpp>
#include <flux/detail/endpoints/socketio/socketio_client.hpp>
#include <flux/detail/endpoints/socketio/socketio_delivery.hpp>
#include <flux/detail/endpoints/socketio/socketio_question.hpp>
#include <flux/detail/endpoints/socketio/socketio_server.hpp>
#include <flux/detail/gate/shown.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace flux::detail {

using protocol::SocketIoMessagePtr;
using protocol::SocketIoType;

FLUX_DECL SocketIoClient::SocketIoClient(SocketIoServer& server, EngineIoSession& session,
                                         std::shared_ptr<const EngineIoOpening> opening)
    : server_(server), session_(session), opening_(std::move(opening)) {}

FLUX_DECL void SocketIoClient::start() {
  close_after(connect_timer_, server_.options().connect_timeout, EndReason::connect_timeout);
}

FLUX_DECL void SocketIoClient::close_after(Timer& timer, std::chrono::milliseconds time, EndReason reason) {
  stop(timer);
  timer = session_.loop()->call_after(time, [weak = weak_from_this(), &timer, reason] {
    const auto self = weak.lock();
    if (!self || self->closed_) return;
    timer.reset();
    const auto session = self->session_.shared_from_this();
    session->close(reason);
  });
}

/// The time limit applies while nothing more is received or decoded, and no POST is in progress; otherwise the
/// transport's own limits do.
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
    session->close(EndReason::parse_error);
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
  session_.count_received();
  if (message.size() < engineio_long_text_bytes) return came(decoder.text(message));
  if (owner == nullptr) return read_aside(std::string(message), 0);
  const std::size_t begin = owner->size() - message.size();
  read_aside(std::move(*owner), begin);
}

FLUX_DECL void SocketIoClient::came(const Result<bool>& whole) {
  if (!whole) {
    session_.loop()->counters().messages_bad.add();
    return session_.close(EndReason::parse_error);
  }
  if (!*whole) return await_attachments();
  if (unfinished_->decoder.packet().data.size() >= engineio_long_text_bytes) return read_aside({}, 0);
  stop(unfinished_->timer);
  const auto finished = std::move(unfinished_);  // an idle client keeps none
  handle(finished->decoder, nullptr);
}

/// A packet with long text. It is parsed on another thread, if its client is still connected by then, and freed on the
/// reclaimer's thread.
struct SocketIoClient::LongPacket {
  LongPacket(std::unique_ptr<Unfinished> u, std::string t, std::size_t b)
      : unfinished(std::move(u)), text(std::move(t)), begin(b) {}
  void read() {
    try {
      if (!text.empty()) whole = unfinished->decoder.text(std::string_view(text).substr(begin));
      if (whole && *whole) arguments = unfinished->decoder.arguments();
    } catch (const std::exception&) {
      whole = Error(Errc::overloaded, "out of memory for the packet");
    }
  }
  std::unique_ptr<Unfinished> unfinished;
  const std::string text;  // empty if it has been parsed before, and only attachments were missing
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

/// The sender of a packet. `socket`: in the packet's namespace, whose grant counts; null: none.
class SocketIoClient::Sender final : public gate::Sender {
 public:
  Sender(const SocketIoClient& client, const SocketIoSocket* socket) : client_(client), socket_(socket) {}
  std::string_view user(std::shared_ptr<const Grant>& kept) const override {
    if (socket_ != nullptr) kept = socket_->grant();
    return kept ? std::string_view(kept->identity.user_id) : std::string_view();
  }
  core::IpAddress address() const override { return client_.opening_->client().ip; }

 private:
  const SocketIoClient& client_;
  const SocketIoSocket* const socket_;
};

FLUX_DECL void SocketIoClient::handle(const protocol::SocketIoDecoder& decoder, socketio::Args* arguments) {
  if (session_.ignores_input()) return;  // since the packet was passed to another thread
  const protocol::SocketIoPacket& packet = decoder.packet();
  const auto socket = socket_in(packet.nsp);
  if (packet.type == SocketIoType::connect && (!socket || socket->asked_about())) {
    if (std::exchange(was_here_, true) && !session_.within_rate(Sender(*this, nullptr))) {
      return send(protocol::encode_socketio_connect_error(packet.nsp, "Too many packets; try again later"));
    }
    if (socket) withdraw(socket);
    return connect(packet);
  }
  // A packet for a namespace that the client is not in, or CONNECT to one that it is in: a protocol error.
  if (!socket || !socket->connected() || packet.type == SocketIoType::connect ||
      packet.type == SocketIoType::connect_error) {
    return session_.close(EndReason::parse_error);
  }
  if (packet.type == SocketIoType::disconnect) return socket->gone(EndReason::client_namespace_disconnect);
  const auto within_rate = session_.within_rate(Sender(*this, socket.get()));
  if (!within_rate && (packet.is_ack() || !packet.id || !socket->connected())) return;
  socketio::Args made;
  if (arguments == nullptr) made = decoder.arguments();
  socketio::Args& args = arguments != nullptr ? *arguments : made;
  if (packet.is_ack()) return socket->handle_ack(*packet.id, std::move(args));
  socketio::Event::Ack ack;
  if (packet.id) {
    if (socket->owes_too_much()) return session_.close(EndReason::transport_error);
    ack = socket->ack_of(*packet.id);
  }
  socketio::Event event(packet.event, std::move(args), std::move(ack));
  if (!within_rate) return socket->refuse_for_rate(event, within_rate.error());
  socket->handle_event(std::move(event), arguments != nullptr);
}

FLUX_DECL void SocketIoClient::connect(const protocol::SocketIoPacket& packet) {
  const std::string name(packet.nsp);
  if (const std::size_t most = server_.options().auth_bytes_max; packet.data.size() > most) {
    return send(
        protocol::encode_socketio_connect_error(name, "The auth payload has " + std::to_string(packet.data.size()) +
                                                          " bytes; at most " + std::to_string(most) + " are allowed"));
  }
  auto auth = packet.data.empty() ? server_.no_auth()
                                  : std::make_shared<const JsonText>(CheckedJson::text(std::string(packet.data)));
  if (sockets_.size() + withdrawn_ >= server_.options().namespaces_per_connection_max) {
    return send(protocol::encode_socketio_connect_error(name, "Too many namespaces"));
  }
  const auto nsp = server_.take(name, *auth);
  if (closed_) return nsp ? server_.release(nsp) : void();
  if (!nsp) return send(protocol::encode_socketio_connect_error(name, "Invalid namespace"));
  auto socket = make_socket(nsp, new_engineio_sid(), std::move(auth));
  sockets_.push_back(socket);
  ask_gate(socket);
}

/// What a client shows when it joins a namespace: CONNECT's payload, and the request that opened its connection.
class SocketIoClient::Shown final : public gate::Shown {
 public:
  Shown(std::string_view path, const socketio::Handshake& handshake)
      : path_(path),
        handshake_(handshake),
        client_(core::ClientAddress::parse(handshake.remote_address()).value_or(core::ClientAddress())) {}
  std::string_view protocol() const override { return "socket.io"; }
  std::string_view path() const override { return path_; }
  std::optional<std::string> query(std::string_view name) const override { return handshake_.query(name); }
  std::optional<std::string_view> header(std::string_view name) const override { return handshake_.header(name); }
  const JsonText& payload() const override { return handshake_.auth(); }
  const core::ClientAddress& client() const override { return client_; }

 private:
  const std::string_view path_;
  const socketio::Handshake& handshake_;
  const core::ClientAddress client_;
};

FLUX_DECL void SocketIoClient::ask_gate(const std::shared_ptr<SocketIoSocket>& socket) {
  if (!server_.options().authenticated) return ask_middlewares(socket, 0);
  const Shown shown(server_.options().path, socket->handshake());
  server_.hub().gate.let_in(session_.loop(), shown, [weak = weak_from_this(), socket](Result<Grant> grant) {
    const auto self = weak.lock();
    if (!self || self->closed_) return;
    if (!self->has(socket)) {
      --self->withdrawn_;
      return;
    }
    if (!grant) return self->refuse(socket, grant.error());
    if (auto granted = gate::kept(std::move(*grant))) (void)socket->set_grant(std::move(granted));  // it is not gone
    self->ask_middlewares(socket, 0);
  });
}

FLUX_DECL std::shared_ptr<SocketIoSocket> SocketIoClient::make_socket(const std::shared_ptr<SocketIoNamespace>& nsp,
                                                                      std::string id,
                                                                      std::shared_ptr<const JsonText> auth) {
  return std::make_shared<SocketIoSocket>(nsp, session_.shared_from_this(), std::move(id), server_.hub().new_key(),
                                          socketio::Handshake(std::move(auth), opening_));
}

/// Replaces the socket that the middlewares have admitted by one that continues the lost socket.
FLUX_DECL bool SocketIoClient::recover(const std::shared_ptr<SocketIoSocket>& asked) {
  const auto nsp = asked->nsp();
  const JsonText& auth = asked->handshake().auth();
  const auto pid = auth.get<std::string>("/pid");
  if (!pid) return false;
  // A client without an offset has received nothing yet.
  const std::size_t missed_bytes_max = server_.hub().config.limits.outbox_bytes_max / 2;
  const auto granted = asked->grant();
  const std::string user = granted ? granted->identity.user_id : std::string();
  const auto offset = auth.get<std::string>("/offset");
  const auto back = nsp->recover(*pid, offset, user, missed_bytes_max, [&](const std::string& id) {
    auto socket = make_socket(nsp, id, std::make_shared<const JsonText>(auth));
    for (std::string& room : asked->rooms()) {
      if (room != asked->id()) socket->rare().rooms.push_back(std::move(room));
    }
    if (JsonText data = asked->data(); !(data == JsonText())) socket->set_data(std::move(data));
    if (granted) (void)socket->set_grant(granted);  // it is not gone
    return socket;
  });
  if (!back) return false;
  asked->refused();
  std::replace(sockets_.begin(), sockets_.end(), asked, back->socket);
  back->socket->watch_grant();
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
      if (!self->has(socket)) {
        --self->withdrawn_;
      } else if (admitted) {
        self->ask_middlewares(socket, index + 1);
      } else {
        self->reject(socket, message, data);
      }
    });
  };
  const auto question = std::make_shared<SocketIoQuestion>(std::move(answered));
  if (!socket->guarded("Socket.IO middleware",
                       [&] { (*middlewares)[index](socketio::Socket(socket), socketio::Next(question)); },
                       {.name = &socket->nsp()->name()})) {
    question->give(false, "the server failed to handle this connection", {});
  }
}

FLUX_DECL bool SocketIoClient::has(const std::shared_ptr<SocketIoSocket>& socket) const {
  return std::find(sockets_.begin(), sockets_.end(), socket) != sockets_.end();
}

/// The client has sent CONNECT again without waiting for the middlewares: their answer for this socket is ignored.
FLUX_DECL void SocketIoClient::withdraw(const std::shared_ptr<SocketIoSocket>& socket) {
  ++withdrawn_;
  socket->refused();
  forget(socket);
}

FLUX_DECL void SocketIoClient::reject(const std::shared_ptr<SocketIoSocket>& socket, const std::string& message,
                                      const std::optional<JsonText>& data) {
  socket->debug([&] { return "was refused in namespace " + core::shown(socket->nsp()->name()) + ": " + message; });
  socket->refused();
  forget(socket);
  send(protocol::encode_socketio_connect_error(socket->nsp()->name(), message, data));
}

/// The gate's error. A client that may try again finds the code in the error's `data`.
FLUX_DECL void SocketIoClient::refuse(const std::shared_ptr<SocketIoSocket>& socket, const Error& why) {
  if (endpoints::is_refusal(why.code())) session_.loop()->counters().connections_refused.add();
  std::optional<JsonText> data;
  if (why.code() == Errc::overloaded) data = JsonText::object({{"code", to_wire_name(why.code())}});
  reject(socket, why.message(), data);
}

/// The middlewares may have taken long.
FLUX_DECL void SocketIoClient::admit(const std::shared_ptr<SocketIoSocket>& socket) {
  if (const auto valid = server_.hub().gate.still_valid(socket->grant().get()); !valid) {
    return refuse(socket, valid.error());
  }
  if (socket->nsp()->recovers() && recover(socket)) return;
  socket->watch_grant();  // before other threads see it in the namespace
  socket->nsp()->add(socket);
  welcome(socket, {});
}

FLUX_DECL void SocketIoClient::welcome(const std::shared_ptr<SocketIoSocket>& socket,
                                       const std::vector<SocketIoMessagePtr>& missed) {
  stop(connect_timer_);
  const auto nsp = socket->nsp();
  socket->debug([&] { return "joined namespace " + core::shown(nsp->name()); });
  std::string payload = "{\"sid\":" + JsonText::string(socket->id()).text();
  if (socket->recoverable_) payload += ",\"pid\":" + JsonText::string(socket->recoverable_->pid).text();
  send(protocol::encode_socketio_connect(nsp->name(), CheckedJson::text(payload + "}")));
  for (const auto& message : missed) send(message);
  const auto handlers = nsp->handlers();
  for (const auto& handler : *handlers) {
    if (!socket->connected()) return;
    // Without the rest of what the handler was about to set up, the client's events would get no answer.
    if (!socket->guarded("Socket.IO connection", [&] { handler(socketio::Socket(socket)); }, {.name = &nsp->name()})) {
      return socket->disconnect(false);
    }
  }
}

FLUX_DECL void SocketIoClient::on_transport_changed() {
  for (const auto& socket : sockets_) socket->change_lanes();
}

FLUX_DECL void SocketIoClient::on_drained() {
  for (const auto& socket : std::vector(sockets_)) {
    if (socket->connected() && socket->follower_ != nullptr) socket->follower_->drained();
  }
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
  session->close(EndReason::forced_server_close, EngineIoEnding::told);
}

FLUX_DECL void SocketIoClient::on_closing() {
  for (const auto& socket : sockets_) {
    if (socket->connected()) socket->flush_rooms();
  }
}

FLUX_DECL void SocketIoClient::on_close(EndReason reason) {
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

}  // namespace flux::detail
