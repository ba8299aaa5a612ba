#pragma once

#include <flux/detail/core/json_object.hpp>
#include <flux/detail/endpoints/payloads.hpp>
#include <flux/detail/endpoints/sharing/sharing_session.hpp>
#include <flux/detail/mode.hpp>

#include <utility>

namespace flux::detail {

// --- Life ---

namespace sharing_detail {

/// The close code that the server's disconnect handler gets for a Socket.IO client.
FLUX_DECL CloseCode code_of(EndReason reason) {
  switch (reason) {
    case EndReason::client_namespace_disconnect:
    case EndReason::server_namespace_disconnect:
    case EndReason::forced_server_close: return CloseCode::normal;
    case EndReason::server_shutting_down: return CloseCode::going_away;
    case EndReason::ping_timeout: return CloseCode::timed_out;
    case EndReason::rate_limited: return CloseCode::rate_limited;
    case EndReason::parse_error: return CloseCode::protocol_error;
    default: return static_cast<CloseCode>(1006);  // RFC 6455, 7.1.5: closed without a close frame
  }
}

FLUX_DECL Error room_not_found() { return {Errc::room_not_found, "Room not found."}; }
/// The error as clients of data sharing are told it: some have a wording of their own.
FLUX_DECL Error told(const Error& error) {
  if (error.code() == Errc::room_full) return {Errc::room_full, "Room is full."};
  return error.code() == Errc::room_not_found ? room_not_found() : error;
}
FLUX_DECL Error not_in_room() { return {Errc::not_in_room, "You are not in this room."}; }

}  // namespace sharing_detail

FLUX_DECL Sharing::Sharing(features::Backend& server, const socketio::SharingOptions& o)
    : ClientGroup{server},
      options(o),
      uploads(new features::UploadsInMemory{options.uploads_bytes_max, options.uploads_per_client_max}) {
  gate::OperationLimits& limits = server.client_limits.operations;
  if (limits.none()) return;
  for (const auto& request : SharingSession::request_types()) {
    rates.push_back(limits.find(request.operation));
  }
}

FLUX_DECL gate::OperationLimit* Sharing::rate_of(const protocol::SharingRequestType* own,
                                                 const features::Request* added) const {
  if (rates.empty()) return nullptr;
  if (own == nullptr) return backend.client_limits.operations.find(added->name);
  return rates[static_cast<std::size_t>(own - SharingSession::request_types().data())];
}

FLUX_DECL void begin_sharing(const std::shared_ptr<Sharing>& sharing, const socketio::Socket& socket) {
  if (!socket.connected() || socket.state()->followed()) return;  // the application may have ended it already
  std::make_shared<SharingSession>(sharing, socket.state())->opened();
}

FLUX_DECL SharingSession::SharingSession(std::shared_ptr<Sharing> sharing, std::shared_ptr<SocketIoSocket> socket)
    : Participant(*sharing, socket->key(), socket->loop(),
                  core::ClientAddress::parse(socket->handshake().remote_address()).value_or(core::ClientAddress()),
                  socket->grant()),
      sharing_(std::move(sharing)),
      socket_(std::move(socket)) {}

FLUX_DECL void SharingSession::opened() {
  enter_directory();
  socket_->session()->set_in_directory(true);
  const auto page = watch_public(public_seat_, features::no_limit, 0);
  (void)socket_->emit("public:history", {CheckedJson::text(protocol::sharing_items(page.entries))},
                      false);  // never fails: it is connected
  socket_->follow(*this);      // only now, so that nothing added by other threads is sent first
  socket_->watch_grant();      // the session's own grant is watched, not the socket's
}

FLUX_DECL void SharingSession::grant_changed() {
  const auto granted = socket_->grant();
  replace_grant(granted ? *granted : Grant());
}

FLUX_DECL void SharingSession::gone(EndReason reason) {
  const auto keep = shared_from_this();
  Disconnect how{sharing_detail::code_of(reason), std::string(to_string(reason))};
  if (const Extras* const extras = extras_if_any(); extras != nullptr && extras->closing) how = *extras->closing;
  leave_everything();
  leave_directory(how);
  socket_->session()->set_in_directory(false);
  // In a separate turn: the client's next packets may be processed at once.
  if (take_holds()) loop()->post([session = socket_->session()] { session->release_input(); });
}

/// The socket gets the grant and passes it on.
FLUX_DECL Result<void> SharingSession::take_refreshed(const Grant& grant) {
  if (auto checked = gate::check_refresh(this->grant().get(), grant); !checked) return checked;
  return socket_->set_grant(std::make_shared<const Grant>(grant));
}

FLUX_DECL void SharingSession::take_changed(Grant grant) {
  (void)socket_->keep_grant(std::make_shared<const Grant>(grant));  // the session is connected, and so is its socket
  replace_grant(std::move(grant));
}

FLUX_DECL void SharingSession::tell(const features::Notice& notice) {
  if (!is_open()) return;
  (void)socket_->emit(notice.name, {CheckedJson::text(std::string(notice.payload))}, false);  // never fails: it is open
}

// --- Called by others, from any thread ---

FLUX_DECL Result<Sent> SharingSession::send(std::string_view event, const JsonText& payload, const RoomId& room) {
  {
    // A handle may outlive the server. As long as this session is connected the server exists, and the lock keeps it
    // connected.
    const std::lock_guard lock(loop()->sessions_mutex());
    if (!connected()) return Error(Errc::session_not_found, "session " + SessionState::id() + " is gone");
    if (const auto checked = check_event(event, payload, backend().config.limits); !checked) return checked.error();
    if (const auto checked = check_label(room); !checked) return checked.error();
  }
  socketio::Args arguments{payload};
  if (!room.empty()) arguments.emplace_back(JsonText::string(room));
  return socket_->emit(event, arguments, false);
}

/// It disconnects in a separate turn: a handler that ends its own session still uses it.
FLUX_DECL void SharingSession::close_session(CloseCode code, std::string_view reason) {
  loop()->dispatch([self = shared_from_this(), how = Disconnect{code, core::repaired(std::string(reason))}] {
    if (!self->connected()) return;
    if (!self->closing()) self->extras().closing = std::make_unique<Disconnect>(how);
    self->loop()->post([self] { self->socket_->disconnect(true); });
  });
}

// --- Out ---

FLUX_DECL const protocol::SharingWriter& SharingSession::writer() const {
  return socket_->session()->over_websocket() ? sharing_->framed : sharing_->polled;
}

FLUX_DECL void SharingSession::transport_changed() {
  change_view(protocol::engineio_separator,
              [this](std::string pending) { socket_->session()->send_polled(std::move(pending)); });
}

FLUX_DECL void SharingSession::drained() {
  EngineIoSession& session = *socket_->session();
  const auto congested = [&] { return session.congested(); };
  const auto send = [&](const core::SharedBytes& encoded) {
    session.count_sent();
    if (encoded->size() <= core::few_bytes) {
      session.send_encoded(*encoded, *encoded, 1);
    } else {
      session.send_encoded(encoded);
    }
  };
  if (catch_up(congested, send)) return;
  loop()->counters().slow_readers_closed.add();
  session.close(EndReason::transport_error);
}

FLUX_DECL void SharingSession::answer(const Asker& asker, Answer text) {
  if (asker.ack && !withdrawn()) (void)asker.ack({text.take()});
}

FLUX_DECL void SharingSession::fail(const Asker& asker, const Error& error) {
  loop()->counters().messages_bad.add();
  answer_failure(asker, error);
}

FLUX_DECL void SharingSession::answer_failure(const Asker& asker, const Error& error) {
  if (!asker.ack) return;
  Answer failure(false, error.message());
  if (asker.creates_room) failure.string("roomId", "");
  if (const auto time = error.retry_after().count(); time > 0) failure.json("retryAfter", std::to_string(time));
  answer(asker, std::move(failure));
}

// --- In ---

namespace sharing_detail {

FLUX_DECL SharingAsker asker_of(socketio::Event& event) { return {event.later(), event.name() == "room:create"}; }

}  // namespace sharing_detail

FLUX_DECL void SharingSession::handle(socketio::Event& event) {
  if (!is_open()) return;                // it is being disconnected, in the next turn
  const auto self = shared_from_this();  // a handler may end it
  const Asker asker = sharing_detail::asker_of(event);
  const auto* const own = protocol::find_request(request_types(), event.name());
  const auto* const added = own != nullptr ? nullptr : backend().requests.request(event.name());
  if (own == nullptr && added == nullptr) {
    if (asker.ack) fail(asker, Error(Errc::unknown_type, "unknown event \"" + event.name() + "\""));
    return;
  }
  if (auto* const rate = sharing_->rate_of(own, added)) {
    if (const auto allowed = within(*rate); !allowed) return fail(asker, allowed.error());
  }
  const Limits& limits = backend().config.limits;
  const auto request = own != nullptr ? protocol::read_sharing_request(*own, own->arguments, event.args(), limits)
                                      : protocol::read_sharing_request(*added, protocol::SharingArguments::options,
                                                                       event.args(), limits);
  if (!request) return fail(asker, request.error());
  if (added != nullptr) return added->act(*this, request->members, answering_json(asker));
  if (own->act != nullptr) return own->act(*this, asker, *request);
  if (auto* const membership = member_of(asker, request->members.text("roomId"))) {
    own->act_in_room(*this, asker, *request, *membership);
  }
}

FLUX_DECL void SharingSession::refuse(socketio::Event& event, const Error& why) {
  answer_failure(sharing_detail::asker_of(event), why);
}

FLUX_DECL Error SharingSession::no_longer_in(const RoomId&) const { return sharing_detail::not_in_room(); }

template <class T, class Phrase>
SharingSession::Done<T> SharingSession::answering(const Asker& asker, Phrase phrase) {
  return [self = this_session(), asker, phrase = std::move(phrase)](const Result<T>& result) {
    if (!result) return self->fail(asker, sharing_detail::told(result.error()));
    self->answer(asker, phrase(*result));
  };
}

template <class T>
SharingSession::Done<T> SharingSession::succeeding(const Asker& asker, std::string_view message) {
  return [self = this_session(), asker, message](const Result<T>& result) {
    if (!result) return self->fail(asker, sharing_detail::told(result.error()));
    self->answer(asker, Answer(true, message));
  };
}

FLUX_DECL SharingSession::Done<JsonText> SharingSession::answering_json(const Asker& asker) {
  return answering<JsonText>(
      asker, [](const JsonText& result) { return std::move(Answer(true, "Done.").json("result", result.text())); });
}

FLUX_DECL features::Membership* SharingSession::member_of(const Asker& asker, const RoomId& room) {
  if (features::Membership* const membership = membership_of(room)) return membership;
  if (const auto checked = backend().rooms.check_id(room); !checked) {
    fail(asker, checked.error());
  } else {
    fail(asker, backend().rooms.find(room) ? sharing_detail::not_in_room() : sharing_detail::room_not_found());
  }
  return nullptr;
}

// --- Rooms ---

FLUX_DECL void SharingSession::refresh_access(const Asker& asker, std::string_view token) {
  refresh(std::string(token), answering<Grant>(asker, [](const Grant& granted) {
            Answer refreshed(true, "Refreshed.");
            if (granted.expires_at) refreshed.json("expiresAt", std::to_string(gate::end_of(granted)));
            return refreshed;
          }));
}

/// What a client finds in a room that it joins.
struct SharingSession::Found {
  RoomMode mode = RoomMode::live;
  JsonText data;      // null: the room keeps nothing
  Offset before = 0;  // as in `features::Page`
  std::int64_t server_time = 0;
  std::string application_welcome;  // as in `features::RoomSnapshot`

  static Welcome into(const std::shared_ptr<Found>& found) {
    return [found](const features::RoomSnapshot& room, const auto&) {
      found->mode = room.mode;
      if (room.mode == RoomMode::history) found->data = CheckedJson::text(protocol::sharing_items(room.items));
      if (room.mode == RoomMode::singleton && !room.items.empty()) found->data = room.items.back().data;
      found->before = room.items.before;
      found->server_time = room.server_time;
      found->application_welcome = room.application_welcome;
    };
  }
};

FLUX_DECL features::JoinTerms SharingSession::join_terms() const {
  return {.rooms_max = sharing_->options.rooms_per_client_max, .lists_members = false};
}

FLUX_DECL void SharingSession::be_placed(const Placement& placement, const Done<void>& done) {
  const auto found = std::make_shared<Found>();
  join_placed(placement, join_terms(), Found::into(found),
              [self = this_session(), room = placement.room, found, done](const Result<void>& joined) {
                if (joined) self->emit_joined(room, *found);
                done(joined);
              });
}

FLUX_DECL void SharingSession::emit_joined(const RoomId& room, const Found& found) {
  std::string payload;
  JsonObject joined(payload);
  joined.string("roomId", room).string("mode", to_string(found.mode));
  joined.json("serverTime", std::to_string(found.server_time));
  if (found.data.kind() != JsonText::Kind::null) joined.json("data", found.data.text());
  if (found.before != 0) joined.json("more", "true").number("before", found.before);
  joined.end();
  (void)socket_->emit("room:joined", {CheckedJson::text(std::move(payload))}, false);  // it is connected
}

FLUX_DECL void SharingSession::tell_left(const RoomId& room, std::string_view reason) {
  std::string payload;
  protocol::append_closed_payload(payload, room, reason);
  (void)socket_->emit("room:left", {CheckedJson::text(std::move(payload))}, false);  // it is connected
}

FLUX_DECL void SharingSession::join_room(const Asker& asker, const RoomId& room_id) {
  const auto found = std::make_shared<Found>();
  // A client that joins again keeps its presence, unless the handler sets another one.
  join(room_id, std::nullopt, join_terms(), Found::into(found),
       [self = this_session(), asker, found](const Result<void>& entered) {
         if (!entered) return self->fail(asker, sharing_detail::told(entered.error()));
         Answer joined(true, "Joined the room.");
         joined.json("serverTime", std::to_string(found->server_time));
         if (found->data.kind() != JsonText::Kind::null) joined.json("data", found->data.text());
         if (!found->application_welcome.empty()) joined.json("welcome", found->application_welcome);
         self->answer(asker, std::move(joined.more_before(found->before)));
       });
}

FLUX_DECL void SharingSession::room_history(const Asker& asker, features::Membership& membership, std::size_t limit,
                                            Offset before) {
  const RoomMode mode = membership.room->mode();
  if (mode != RoomMode::history) {
    return fail(asker, Error(Errc::wrong_mode,
                             "This room keeps no history: its mode is " + std::string(to_string(mode)) + "."));
  }
  const auto page = items(membership, limit, before);
  if (!page) return fail(asker, page.error());
  answer_items(asker, "Room history.", *page);
}

FLUX_DECL void SharingSession::answer_items(const Asker& asker, std::string_view message,
                                            const features::ItemsPage& page) {
  Answer list(true, message);
  answer(asker, std::move(list.json("data", protocol::sharing_items(page.entries)).more_before(page.before)));
}

FLUX_DECL void SharingSession::list_rooms(const Asker& asker, std::string_view after, std::size_t limit) {
  if (!sharing_->options.room_list) {
    return fail(asker, Error(Errc::forbidden, "This server does not list its rooms."));
  }
  const auto page = rooms_page(after, limit, protocol::sharing_room_bytes);
  Answer list(true, "Rooms.");
  list.json("rooms", protocol::sharing_rooms(page.rooms)).json("total", std::to_string(backend().rooms.size()));
  if (page.more) list.more_after(JsonText::string(page.rooms.back().id).text());
  answer(asker, std::move(list));
}

FLUX_DECL void SharingSession::list_members(const Asker& asker, const features::Membership& membership,
                                            std::size_t limit, std::uint64_t after) {
  const auto page = members(membership, limit, after);
  Answer list(true, "Members.");
  list.string("connectionId", SessionState::id()).json("members", protocol::sharing_members(page.members));
  if (page.after) list.more_after(std::to_string(*page.after));
  answer(asker, std::move(list));
}

// --- Data ---

FLUX_DECL void SharingSession::send_event(const Asker& asker, const features::Membership& membership,
                                          const Request& request) {
  const std::string& event = request.members.text("event");
  if (asks_about_events()) {
    return publish(membership, event, request.members.copy("payload"),
                   answering<JsonText>(asker, [](const JsonText& reply) {
                     Answer sent(true, "Event sent.");
                     if (reply.kind() != JsonText::Kind::null) sent.json("result", reply.text());
                     return sent;
                   }));
  }
  const auto sent = publish_unasked(membership, event, request.members.json("payload"));
  if (!sent) return fail(asker, sharing_detail::told(sent.error()));
  answer(asker, Answer(true, "Event sent."));
}

FLUX_DECL void SharingSession::give_ticket(const Asker& asker, const RoomId& room) {
  const auto ticket = upload_ticket(room);
  if (!ticket) return fail(asker, ticket.error());
  answer(asker, std::move(Answer(true, "Upload ticket.")
                              .string("ticket", ticket->text)
                              .json("expires", std::to_string(ticket->expires_at))));
}

FLUX_DECL void SharingSession::share_data(const Asker& asker, const RoomPtr& room, const Request& request) {
  auto data = protocol::read_transfer(request, backend().config.limits);
  if (!data) return fail(asker, data.error());
  auto shared = succeeding<Position>(asker, "Data uploaded.");
  if (data->bytes) {
    return share_whole(room, {std::move(data->bytes), std::move(data->file_name), std::move(data->media_type)},
                       sharing_->uploads, shared);
  }
  if (!data->file_id.empty()) return share_stored(room, data->file_id, std::move(shared));
  share(room, std::move(data->string), shared);
}

}  // namespace flux::detail
