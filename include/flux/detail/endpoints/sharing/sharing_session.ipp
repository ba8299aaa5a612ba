#pragma once

#include <flux/detail/endpoints/sharing/sharing_session.hpp>
#include <flux/detail/mode.hpp>

#include <utility>

namespace flux::detail {

// --- Life ---

namespace sharing_detail {

/// What the gate has granted to the socket, with the identity that the application knows the client by, if it says one.
FLUX_DECL std::shared_ptr<const Grant> grant_of(const Sharing& sharing, const socketio::Socket& socket) {
  auto granted = socket.state()->grant();
  if (!sharing.options.identity) return granted;
  Identity identity;
  sharing.hub.guarded(socket.state()->loop()->counters(), "identity",
                      [&] { identity = sharing.options.identity(socket); });
  if (const auto checked = gate::check_identity(identity); !checked) {
    sharing.hub.log(LogLevel::error, "a client is taken for unknown: " + checked.error().message());
    identity = Identity();
  }
  if (identity == Identity()) return granted;
  identity.verified = identity.verified || !identity.user_id.empty();
  Grant named = granted ? *granted : Grant();
  named.identity = std::move(identity);
  return std::make_shared<const Grant>(std::move(named));
}

/// The close code that the server's disconnect handler gets for a client of Socket.IO.
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
/// An error in the reference's words where it has some.
FLUX_DECL Error told(const Error& error) {
  if (error.code() == Errc::room_full) return {Errc::room_full, "Room is full."};
  return error.code() == Errc::room_not_found ? room_not_found() : error;
}
FLUX_DECL Error not_in_room() { return {Errc::not_in_room, "You are not in this room."}; }

}  // namespace sharing_detail

FLUX_DECL void begin_sharing(const std::shared_ptr<Sharing>& sharing, const socketio::Socket& socket) {
  auto grant = sharing_detail::grant_of(*sharing, socket);
  // The application may have ended it by now.
  if (!socket.connected() || socket.state()->followed()) return;
  std::make_shared<SharingSession>(sharing, socket.state(), std::move(grant))->opened();
}

FLUX_DECL SharingSession::SharingSession(std::shared_ptr<Sharing> sharing, std::shared_ptr<SocketIoSocket> socket,
                                         std::shared_ptr<const Grant> grant)
    : Participant(sharing->hub, socket->key(), socket->loop(),
                  core::ClientAddress::parse(socket->handshake().remote_address()).value_or(core::ClientAddress()),
                  std::move(grant)),
      sharing_(std::move(sharing)),
      socket_(std::move(socket)) {}

FLUX_DECL void SharingSession::opened() {
  enter_directory();
  const auto page = watch_public(public_seat_, writer(), features::no_limit, 0);
  (void)socket_->emit("public:history", {CheckedJson::text(protocol::sharing_items(page.entries))},
                      false);  // it is connected
  socket_->follow(*this);      // only now: what other threads have added meanwhile is not to go first
  socket_->watch_grant();      // this session is watched instead
}

FLUX_DECL void SharingSession::gone(EndReason reason) {
  const auto keep = shared_from_this();
  Disconnect how{sharing_detail::code_of(reason), std::string(to_string(reason))};
  if (const Extras* const extras = extras_if_any(); extras != nullptr && extras->closing) how = *extras->closing;
  leave_everything(&public_seat_);
  leave_directory(how);
}

// --- What others ask, from any thread ---

FLUX_DECL Result<Sent> SharingSession::send(std::string_view event, const JsonText& payload, const RoomId& room) {
  {
    // A handle may be all that is left of a server. While this session is connected the server is there, and the lock
    // keeps it so.
    const std::lock_guard lock(loop()->sessions_mutex());
    if (!connected()) return Error(Errc::session_not_found, "session " + SessionState::id() + " is gone");
    if (const auto checked = check_event(event, payload, backend().config.limits); !checked) return checked.error();
    if (const auto checked = check_label(room); !checked) return checked.error();
  }
  socketio::Args arguments{payload};
  if (!room.empty()) arguments.emplace_back(JsonText::string(room));
  return socket_->emit(event, arguments, false);
}

/// In a turn of its own: a handler that ends its session is not to lose it under its feet.
FLUX_DECL void SharingSession::close_session(CloseCode code, std::string_view reason) {
  loop()->post([self = shared_from_this(), how = Disconnect{code, core::repaired(std::string(reason))}] {
    if (!self->connected()) return;
    if (!self->extras().closing) self->extras().closing = std::make_unique<Disconnect>(how);
    self->socket_->disconnect(true);
  });
}

// --- Out ---

FLUX_DECL const protocol::SharingWriter& SharingSession::writer() const {
  return socket_->session()->over_websocket() ? sharing_->framed : sharing_->polled;
}

FLUX_DECL void SharingSession::flush() {
  flush_rooms();
  if (public_seat_.lane) public_seat_.lane->flush_now();
}

FLUX_DECL void SharingSession::transport_changed() {
  EngineIoSession& session = *socket_->session();
  const auto take_along = [&](std::string waiting) {
    if (!waiting.empty()) session.send_polled(std::move(waiting));
  };
  for (const auto& membership : memberships()) {
    take_along(membership->room->change_view(*membership, &writer(), session, protocol::engineio_separator));
  }
  take_along(
      backend().public_space->change_view(public_seat_, &writer(), key(), session, protocol::engineio_separator));
}

FLUX_DECL void SharingSession::drained() {
  EngineIoSession& session = *socket_->session();
  const auto congested = [&] { return session.congested(); };
  if (!catch_up_rooms(congested, [&](const std::string& encoded) { session.send_encoded(encoded, encoded, 1); })) {
    loop()->counters().slow_readers_closed.add();
    return session.close(EndReason::transport_error);
  }
  if (session.congested()) return;
  if (const auto list = backend().public_space->catch_up(public_seat_)) session.send_encoded(list);
}

FLUX_DECL void SharingSession::answer(const Asker& asker, Answer text) {
  if (asker.ack) (void)asker.ack({text.take()});
}

FLUX_DECL void SharingSession::fail(const Asker& asker, const Error& error) {
  loop()->counters().messages_bad.add();
  answer_failure(asker, error);
}

FLUX_DECL void SharingSession::answer_failure(const Asker& asker, const Error& error) {
  if (!asker.ack) return;
  Answer failure(false, error.message());
  if (asker.creates_room) failure.string("roomId", "");
  answer(asker, std::move(failure));
}

// --- In ---

FLUX_DECL void SharingSession::handle(socketio::Event& event) {
  const auto self = shared_from_this();  // a handler may end it
  const auto type = protocol::sharing_type(event.name());
  Asker asker{event.later(), type == protocol::SharingType::room_create};
  if (!type) {
    if (asker.ack) fail(asker, Error(Errc::unknown_type, "unknown event \"" + event.name() + "\""));
    return;
  }
  auto request = protocol::read_sharing_request(*type, event.args(), backend().config.limits);
  if (!request) return fail(asker, request.error());
  act(asker, *request);
}

FLUX_DECL void SharingSession::refuse(socketio::Event& event, const Error& why) {
  answer_failure({event.later(), protocol::sharing_type(event.name()) == protocol::SharingType::room_create}, why);
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

FLUX_DECL void SharingSession::act(const Asker& asker, Request& request) {
  using Type = protocol::SharingType;
  const auto in_room = [&](const auto& act) {
    if (features::Membership* const membership = member_of(asker, request.room)) act(*membership);
  };
  switch (request.type) {
    case Type::public_upload: return share_data(asker, nullptr, std::move(request.data));
    case Type::public_delete_last:
      return delete_public_newest(answering<bool>(asker, [](bool deleted) {
        return deleted ? Answer(true, "Data deleted.") : Answer(false, "The public space is empty.");
      }));
    case Type::public_items: {
      const auto page = public_items(request.limit, request.before);
      Answer items(true, "Public history.");
      return answer(asker,
                    std::move(items.json("data", protocol::sharing_items(page.entries)).more_before(page.before)));
    }
    case Type::public_upload_ticket: return give_ticket(asker, {});
    case Type::room_create:
      return create_room(request.room, request.options, [self = this_session(), asker](const Result<RoomPtr>& room) {
        if (!room) return self->fail(asker, room.error());
        Answer created(true, "Room created.");
        self->answer(asker, std::move(created.string("roomId", (*room)->id())));
      });
    case Type::room_join: return join_room(asker, request);
    case Type::room_leave:
      return in_room([&](auto& membership) {
        leave_room(RoomPtr(membership.room));
        answer(asker, Answer(true, "Left the room."));
      });
    case Type::room_close: return succeeding<void>(asker, "Room closed.")(close_room(request.room, request.reason));
    case Type::room_list: return list_rooms(asker, request);
    case Type::room_members: return in_room([&](auto& membership) { list_members(asker, membership, request); });
    case Type::room_history: return in_room([&](auto& membership) { room_history(asker, membership, request); });
    case Type::room_upload:
      return in_room([&](auto& membership) { share_data(asker, RoomPtr(membership.room), std::move(request.data)); });
    case Type::room_upload_ticket: return in_room([&](auto&) { give_ticket(asker, request.room); });
    case Type::call:
      return call(request.method, request.payload.value_or(JsonText()),
                  answering<JsonText>(asker, [](const JsonText& result) {
                    return std::move(Answer(true, "Done.").json("result", result.text()));
                  }));
    case Type::room_event: return in_room([&](auto& membership) { send_event(asker, membership, request); });
    case Type::room_chat:
      return in_room([&](auto& membership) {
        chat(membership, std::move(request.message), std::move(request.metadata),
             answering<ChatMessage>(asker, [](const ChatMessage& stored) {
               return std::move(Answer(true, "Message sent.")
                                    .string("id", stored.id)
                                    .json("createdAt", std::to_string(stored.created_at))
                                    .json("offset", std::to_string(stored.offset)));
             }));
      });
    case Type::room_chat_history:
      return in_room([&](auto&) {
        chat_history(
            request.room, request.limit, request.before,
            answering<features::ChatPage>(asker, [](const features::ChatPage& page) {
              Answer history(true, "Chat history.");
              return std::move(history.json("messages", protocol::sharing_chat(page.entries)).more_before(page.before));
            }));
      });
    case Type::room_presence:
      return in_room([&](auto& membership) {
        update_presence(membership, std::move(request.presence), succeeding<void>(asker, "Presence updated."));
      });
  }
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

FLUX_DECL void SharingSession::join_room(const Asker& asker, const Request& request) {
  struct Found {
    JsonText data;      // null: the room keeps nothing
    Offset before = 0;  // as in `features::Page`
  };
  const auto found = std::make_shared<Found>();
  auto welcome = [found](const features::RoomSnapshot& room, const auto&) {
    if (room.mode == RoomMode::history) found->data = CheckedJson::text(protocol::sharing_items(room.items));
    if (room.mode == RoomMode::singleton && !room.items.empty()) found->data = room.items.back().data;
    found->before = room.items.before;
  };
  // Who joins again keeps what it has set, unless the handler sets something else.
  join(request.room, std::nullopt, {.rooms_max = sharing_->options.rooms_per_client_max, .lists_members = false},
       std::move(welcome), [self = this_session(), asker, found](const Result<void>& entered) {
         if (!entered) return self->fail(asker, sharing_detail::told(entered.error()));
         Answer joined(true, "Joined the room.");
         if (found->data.kind() != JsonText::Kind::null) joined.json("data", found->data.text());
         self->answer(asker, std::move(joined.more_before(found->before)));
       });
}

FLUX_DECL void SharingSession::room_history(const Asker& asker, features::Membership& membership,
                                            const Request& request) {
  const RoomMode mode = membership.room->mode();
  if (mode != RoomMode::history) {
    return fail(asker, Error(Errc::wrong_mode,
                             "This room keeps no history: its mode is " + std::string(to_string(mode)) + "."));
  }
  const auto page = items(membership, request.limit, request.before);
  Answer history(true, "Room history.");
  answer(asker, std::move(history.json("data", protocol::sharing_items(page.entries)).more_before(page.before)));
}

FLUX_DECL void SharingSession::list_rooms(const Asker& asker, const Request& request) {
  if (!sharing_->options.room_list) {
    return fail(asker, Error(Errc::forbidden, "This server does not tell which rooms there are."));
  }
  const auto page = rooms_page(request.after_room, request.limit, protocol::sharing_room_bytes);
  Answer list(true, "Rooms.");
  list.json("rooms", protocol::sharing_rooms(page.rooms)).json("total", std::to_string(backend().rooms.size()));
  if (page.more) list.more_after(JsonText::string(page.rooms.back().id).text());
  answer(asker, std::move(list));
}

FLUX_DECL void SharingSession::list_members(const Asker& asker, const features::Membership& membership,
                                            const Request& request) {
  const auto page = members(membership, request.limit, request.after);
  Answer list(true, "Members.");
  list.string("connectionId", SessionState::id()).json("members", protocol::sharing_members(page.members));
  if (page.after) list.more_after(std::to_string(*page.after));
  answer(asker, std::move(list));
}

// --- Data ---

FLUX_DECL void SharingSession::send_event(const Asker& asker, features::Membership& membership, Request& request) {
  if (asks_about_events()) {
    return publish(membership, std::move(request.event), std::move(request.payload),
                   succeeding<Position>(asker, "Event sent."));
  }
  const auto sent =
      publish_unasked(membership, request.event,
                      request.payload ? std::optional<std::string_view>(request.payload->text()) : std::nullopt);
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

FLUX_DECL void SharingSession::share_data(const Asker& asker, const RoomPtr& room, protocol::TransferData data) {
  auto shared = succeeding<Position>(asker, "Data uploaded.");
  if (data.bytes) {
    return share_whole(room, {std::move(data.bytes), std::move(data.file_name), std::move(data.media_type)},
                       sharing_->uploads, shared);
  }
  if (!data.file_id.empty()) return share_stored(room, data.file_id, std::move(shared));
  share(room, std::move(data.string), shared);
}

}  // namespace flux::detail
