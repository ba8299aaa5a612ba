#pragma once

#include <flux/detail/endpoints/live/live_session.hpp>
#include <flux/detail/gate/shown.hpp>
#include <flux/detail/mode.hpp>

#include <utility>

namespace flux::detail {

FLUX_DECL LiveSession::LiveSession(const LiveClients& clients, transport::Connection& connection,
                                   const core::ClientAddress& client, transport::WebSocketService& service,
                                   int deflate_window_bits, std::shared_ptr<const Grant> grant)
    : WebSocketClient(clients, connection, client, service, deflate_window_bits, std::move(grant)) {}

FLUX_DECL LiveSession::~LiveSession() = default;

// --- Called by others, from any thread ---

FLUX_DECL Result<Sent> LiveSession::send(std::string_view event, const JsonText& payload, const RoomId& room) {
  // A handle may outlive the server. As long as this session is connected the server exists, and the lock keeps it
  // connected.
  std::unique_lock lock(loop()->sessions_mutex());
  if (!connected()) return session_gone();
  if (const auto checked = check_event(event, payload, backend().config.limits); !checked) return checked.error();
  if (const auto checked = check_label(room); !checked) return checked.error();
  std::string frame;
  writer().event(frame, {room, server_connection_id, {}, event, Relayed(payload).text()});
  return write_from_anywhere(std::move(lock), std::move(frame));
}

// --- Out ---

FLUX_DECL void LiveSession::ack(std::string_view id, std::string_view payload) {
  if (id.empty() || !reaches_client()) return;
  std::string frame;
  writer().ack(frame, id, payload);
  write_message(frame);
}

FLUX_DECL void LiveSession::fail(std::string_view id, const Error& error) {
  if (!reaches_client()) return;
  counters().messages_bad.add();
  std::string frame;
  writer().error(frame, id, error);
  write_message(frame);
}

// --- In ---

/// JSON in a binary frame is accepted too: its UTF-8 is checked while it is read.
FLUX_DECL void LiveSession::on_message(std::string_view text, MessageType) {
  if (const auto error = over_limits()) return refuse_for_rate(text, *error);
  Request request;
  if (const auto read = protocol::read_live_request(text, backend().config.limits, clients().requests, request);
      !read) {
    return fail(request.id, read.error());
  }
  handle(request);
}

/// A client that waits for an ack is told. Of a large message only the beginning is read, because it is refused anyway.
FLUX_DECL void LiveSession::refuse_for_rate(std::string_view text, const Error& error) {
  Request request;
  (void)protocol::read_live_request(beginning(text), backend().config.limits, clients().requests, request);
  fail(request.id, error);
}

template <class T, class Phrase>
LiveSession::Done<T> LiveSession::answer(const Request& request, Phrase phrase) {
  return [self = this_session(), id = std::string(request.id), phrase = std::move(phrase)](const Result<T>& result) {
    if (!result) return self->fail(id, result.error());
    self->ack(id, phrase(*result));
  };
}

template <class T>
LiveSession::Done<T> LiveSession::acknowledge(const Request& request) {
  return [self = this_session(), id = std::string(request.id)](const Result<T>& result) {
    if (!result) return self->fail(id, result.error());
    self->ack(id);
  };
}

FLUX_DECL LiveSession::Done<JsonText> LiveSession::answer_json(const Request& request) {
  return answer<JsonText>(request, [](const JsonText& result) { return result.text(); });
}

FLUX_DECL void LiveSession::handle(Request& request) {
  if (auto* const rate = clients().rate_of(request)) {
    if (const auto allowed = within(*rate); !allowed) return fail(request.id, allowed.error());
  }
  if (request.added != nullptr) return request.added->act(*this, request.members, answer_json(request));
  if (request.type->act != nullptr) return request.type->act(*this, request);
  if (auto* const membership = current_room(request)) request.type->act_in_room(*this, request, *membership);
}

// --- Access ---

FLUX_DECL void LiveSession::refresh_access(const Request& request) {
  refresh(request.members.text("accessToken"),
          [self = this_session(), id = std::string(request.id)](const Result<Grant>& granted) {
            if (!granted) return self->fail(id, granted.error());
            std::string frame;
            self->writer().refreshed(frame, id, gate::end_of(*granted));
            self->write_message(frame);
          });
}

FLUX_DECL void LiveSession::tell(const features::Notice& notice) {
  if (!reaches_client()) return;
  std::string frame;
  writer().notice(frame, notice);
  write_message(frame);
}

// --- Rooms ---

FLUX_DECL void LiveSession::join_room(Request& request) {
  const core::Members& members = request.members;
  const RoomId& room = members.text("roomId");
  JsonText presence = CheckedJson::text(std::string(members.json("presence").value_or("{}")));
  if (members.has("accessToken")) {
    if (!backend().gate.verifies()) {
      return fail(request.id, Error(Errc::forbidden, "this server verifies no tokens: leave accessToken out"));
    }
    if (auto* const rate = backend().client_limits.operations.find("refresh")) {
      if (const auto allowed = within(*rate); !allowed) return fail(request.id, allowed.error());
    }
    return refresh(request.members.text("accessToken"),
                   [self = this_session(), id = std::string(request.id), room,
                    presence = std::move(presence)](const Result<Grant>& granted) mutable {
                     if (!granted) return self->fail(id, granted.error());
                     self->join_as(id, room, std::move(presence));
                   });
  }
  if (!identity() && (members.has("name") || members.has("email"))) {
    replace_grant(Identity{{}, members.text("name"), members.text("email"), {}, false});
  }
  join_as(std::string(request.id), room, std::move(presence));
}

FLUX_DECL features::JoinTerms LiveSession::join_terms() const {
  const Config& config = backend().config;
  const std::size_t most = config.limits.rooms_per_connection;
  // The chat gets a third of the welcome: members and items need the rest.
  return {.rooms_max = most,
          .switches_rooms = most <= 1,
          .creates_rooms = true,
          .chat = {config.chat.join_history, 0, config.limits.answer_bytes_max / 3}};
}

FLUX_DECL LiveSession::Welcome LiveSession::welcome_into(const std::shared_ptr<std::string>& frame) {
  return [this, frame](const features::RoomSnapshot& snapshot, const Result<features::ChatPage>& chat) {
    writer().room_joined(*frame, snapshot, chat);
  };
}

FLUX_DECL void LiveSession::be_placed(const Placement& placement, const Done<void>& done) {
  const auto frame = std::make_shared<std::string>();
  join_placed(placement, join_terms(), welcome_into(frame),
              [self = this_session(), frame, done](const Result<void>& joined) {
                if (joined) {
                  self->write_message(*frame);
                }
                done(joined);
              });
}

FLUX_DECL void LiveSession::tell_left(const RoomId& room, std::string_view reason) {
  std::string frame;
  writer().left(frame, room, reason);
  write_message(frame);
}

FLUX_DECL void LiveSession::join_as(const std::string& id, const RoomId& room, JsonText presence) {
  const auto frame = std::make_shared<std::string>();
  join(room, std::move(presence), join_terms(), welcome_into(frame),
       [self = this_session(), id, frame](const Result<void>& joined) {
         if (!joined) return self->fail(id, joined.error());
         self->write_message(*frame);
         self->ack(id);
       });
}

FLUX_DECL features::Membership* LiveSession::place_meant(const Request& request) const {
  return request.members.has("roomId") ? membership_of(request.members.text("roomId")) : last_joined();
}

FLUX_DECL features::Membership* LiveSession::current_room(const Request& request) {
  features::Membership* const meant = place_meant(request);
  if (meant != nullptr) return meant;
  std::string why = "in no room; join one first";
  if (request.members.has("roomId")) {
    const RoomId& room = request.members.text("roomId");
    const bool short_enough = room.size() <= backend().config.limits.room_id_bytes_max;
    why = short_enough ? "not in room \"" + room + "\"; join it first" : "not in that room";
  }
  fail(request.id, Error(Errc::not_in_room, std::move(why)));
  return nullptr;
}

/// Leaving a room that the client is not in succeeds too.
FLUX_DECL void LiveSession::leave_named_room(const Request& request) {
  if (const auto* const meant = place_meant(request)) leave_room(RoomPtr(meant->room));
  ack(request.id);
}

// --- Messages ---

FLUX_DECL void LiveSession::broadcast_event(const Request& request, const features::Membership& membership) {
  const std::string& event = request.members.text("event");
  if (asks_about_events()) {
    return publish(membership, event, request.members.copy("payload"),
                   answer<JsonText>(request, [](const JsonText& reply) {
                     return reply.kind() == JsonText::Kind::null ? std::string_view() : std::string_view(reply.text());
                   }));
  }
  const auto sent = publish_unasked(membership, event, request.members.json("payload"));
  if (!sent) return fail(request.id, sent.error());
  ack(request.id);
}

FLUX_DECL void LiveSession::share_data(const Request& request, const RoomPtr& room) {
  const auto shared = answer<Position>(
      request, [](const Position& position) { return protocol::live_offset_payload(position.offset); });
  JsonText data = *request.members.copy("data");
  if (data.get<std::string>("/type") == "file") {
    return share_stored(room, data.get<std::string>("/fileId").value_or(FileId()), shared);
  }
  share(room, std::move(data), shared);
}

FLUX_DECL void LiveSession::give_ticket(std::string_view id, const RoomId& room) {
  const auto ticket = upload_ticket(room);
  if (!ticket) return fail(id, ticket.error());
  ack(id, protocol::live_ticket_payload(ticket->text, ticket->expires_at));
}

}  // namespace flux::detail
