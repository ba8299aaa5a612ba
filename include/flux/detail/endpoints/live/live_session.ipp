#pragma once

#include <flux/detail/core/delivery.hpp>
#include <flux/detail/endpoints/live/live_session.hpp>
#include <flux/detail/gate/shown.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/websocket_frame.hpp>

#include <algorithm>

namespace flux::detail {

FLUX_DECL LiveSession::LiveSession(Hub& hub, transport::Connection& connection, const core::ClientAddress& client,
                                   transport::WebSocketService& service, int deflate_window_bits,
                                   std::shared_ptr<const Grant> grant)
    : WebSocketStream(connection, service, service.limits->message_bytes_max, deflate_window_bits),
      Participant(hub, hub.new_key(), connection.shared_loop(), client, std::move(grant)) {}

FLUX_DECL LiveSession::~LiveSession() = default;

FLUX_DECL void LiveSession::opened() {
  start();
  loop()->counters().sessions_now.add();
  enter_directory();
}

FLUX_DECL void LiveSession::on_disconnect(const Disconnect& how) {
  if (!connected()) return;
  const auto keep = self();
  leave_everything(extras_if_any() != nullptr ? &extras().public_seat : nullptr);
  loop()->counters().sessions_now.subtract();
  leave_directory(how);
}

// --- What others ask, from any thread ---

FLUX_DECL Result<Sent> LiveSession::send(std::string_view event, const JsonText& payload, const RoomId& room) {
  // A handle may be all that is left of a server. While this session is connected the server is there, and the lock
  // keeps it so.
  std::unique_lock lock(loop()->sessions_mutex());
  const auto gone = [&] { return Error(Errc::session_not_found, "session " + SessionState::id() + " is gone"); };
  if (!connected()) return gone();
  if (const auto checked = check_event(event, payload, backend().config.limits); !checked) return checked.error();
  if (const auto checked = check_label(room); !checked) return checked.error();
  std::string frame;
  writer().event(frame, {room, server_connection_id, {}, event, Relayed(payload).text()});
  lock.unlock();
  const auto write = [self = this_session(), frame = std::move(frame)] {
    if (!self->open()) return Sent::dropped;
    self->counters().frames_out.add();
    return self->write_frames(frame);
  };
  if (loop()->here()) return write();
  if (!loop()->post(write)) return gone();
  return Sent::queued;
}

FLUX_DECL void LiveSession::close_session(CloseCode code, std::string_view reason) {
  loop()->dispatch(
      [self = this_session(), code, reason = core::repaired(std::string(reason))] { self->close(code, reason); });
}

// --- Out ---

FLUX_DECL void LiveSession::flush_all() {
  flush_rooms();
  if (extras_if_any() != nullptr && extras().public_seat.lane) extras().public_seat.lane->flush_now();
}

FLUX_DECL void LiveSession::ack(std::string_view id, std::string_view payload) {
  if (id.empty() || !open()) return;
  std::string frame;
  writer().ack(frame, id, payload);
  counters().frames_out.add();
  write_frames(frame);
}

FLUX_DECL void LiveSession::fail(std::string_view id, const Error& error) {
  if (!open()) return;
  counters().messages_bad.add();
  std::string frame;
  writer().error(frame, id, error);
  counters().frames_out.add();
  write_frames(frame);
}

/// As `core::deliver_to` sees the session.
struct LiveSession::Reader {
  LiveSession& session;
  bool open() const { return session.open(); }
  bool congested() const { return session.connection()->congested(); }
  void held_back() const { session.counters().presence_coalesced.add(); }
  void take(const core::Batch& batch, const core::Run& run) const {
    session.counters().frames_out.add(run.segments());
    if (run.inserts.empty()) {
      session.write_frames(batch.bytes, run.begin(batch), run.end(batch));
      return;
    }
    core::for_each_part(
        batch, run, [&](std::size_t begin, std::size_t end) { session.write_frames(batch.bytes, begin, end); },
        [&](const core::Insert& insert) { session.write_frames(insert.bytes, 0, insert.bytes->size()); });
  }
};

FLUX_DECL void LiveSession::deliver(const core::Batch& batch, std::span<const core::Exclusion> exclusions,
                                    core::LaneSeat& seat) {
  core::deliver_to(Reader{*this}, batch, exclusions, seat);
}

FLUX_DECL const void* LiveSession::hot_memory() const noexcept { return connection()->hot_memory(); }

FLUX_DECL void LiveSession::on_drained() {
  const auto stopped = [this] { return !open() || connection()->congested(); };
  const auto write = [this](const std::string& frame) {
    counters().frames_out.add();
    write_frames(frame);
  };
  if (!catch_up_rooms(stopped, write)) {
    counters().slow_readers_closed.add();
    return close(CloseCode::slow_reader, "too slow: the presence it missed is no longer known");
  }
  if (extras_if_any() == nullptr || stopped()) return;
  if (const auto list = backend().public_space->catch_up(extras().public_seat)) {
    counters().frames_out.add();
    write_frames(list, 0, list->size());
  }
}

// --- In ---

/// JSON in a binary frame is read, too: its UTF-8 is checked along with it.
FLUX_DECL void LiveSession::on_message(std::string_view text, MessageType) {
  if (!within_rate(text)) return;
  Request request;
  if (const auto read = protocol::read_live_request(text, backend().config.limits, request); !read) {
    return fail(request.id, read.error());
  }
  handle(request);
}

FLUX_DECL bool LiveSession::within_rate(std::string_view text) {
  const Limits& limits = backend().config.limits;
  if (limits.messages_per_second == 0) return true;
  if (rate_limit_.allow(loop()->clock().now(), limits.messages_per_second, limits.message_burst)) {
    if (extras_if_any() != nullptr) extras().strikes = 0;
    return true;
  }
  counters().messages_rate_limited.add();
  if (limits.rate_limit_strikes_max != 0 && ++extras().strikes >= limits.rate_limit_strikes_max) {
    close(CloseCode::rate_limited, "too many messages");
  } else {
    // Whoever waits for an ack is to hear of it; but a large message is not worth reading only to be refused. Cut behind
    // a comma, so that no number is taken for a whole one.
    constexpr std::size_t read_bytes_max = 4096;
    if (text.size() > read_bytes_max) text = text.substr(0, text.find_last_of(',', read_bytes_max - 1) + 1);
    Request request;
    (void)protocol::read_live_request(text, limits, request);
    fail(request.id, Error(Errc::rate_limited, "more than " + std::to_string(limits.messages_per_second) +
                                                   " messages a second; this one was not acted on"));
  }
  return false;
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

FLUX_DECL void LiveSession::handle(Request& request) {
  using Type = protocol::LiveType;
  const auto in_room = [&](const auto& act) {
    if (features::Membership* const membership = current_room(request)) act(*membership, membership->room->id());
  };
  switch (request.type) {
    case Type::join_room: return join_room(request);
    case Type::leave_room: return leave_named_room(request);
    case Type::broadcast_event: return broadcast_event(request);
    case Type::send_chat: return send_chat(request);
    case Type::call:
      return call(request.method,
                  request.payload.empty() ? JsonText() : CheckedJson::text(std::string(request.payload)),
                  answer<JsonText>(request, [](const JsonText& result) { return result.text(); }));
    case Type::update_presence:
      return in_room([&](auto& membership, auto&) {
        auto presence = CheckedJson::text(std::string(request.presence));
        update_presence(membership, std::move(presence), acknowledge<void>(request));
      });
    case Type::create_room:
      return create_room(*request.room_id, request.room_options, answer<RoomPtr>(request, [](const RoomPtr& room) {
        return protocol::live_room_payload(room->id());
      }));
    case Type::share: return in_room([&](auto& membership, auto&) { share_data(request, RoomPtr(membership.room)); });
    case Type::get_history:
      return in_room([&](auto&, const RoomId& room) {
        chat_history(room, request.limit, request.before,
                     answer<features::ChatPage>(request, [room](const features::ChatPage& page) {
                       return protocol::live_history_payload(room, page);
                     }));
      });
    case Type::get_presence:
      return in_room([&](auto& membership, const RoomId& room) {
        ack(request.id, protocol::live_members_payload(room, members(membership, request.limit, request.after)));
      });
    case Type::room_items:
      return in_room([&](auto& membership, const RoomId& room) {
        ack(request.id, protocol::live_items_payload(room, items(membership, request.limit, request.before)));
      });
    case Type::upload_ticket: return in_room([&](auto&, const RoomId& room) { give_ticket(request.id, room); });
    case Type::public_upload_ticket: return give_ticket(request.id, {});
    case Type::public_share: return share_data(request, nullptr);
    case Type::public_history: return public_history(request);
    case Type::public_delete_last:
      return delete_public_newest(
          answer<bool>(request, [](bool deleted) { return deleted ? "{\"deleted\":true}" : "{\"deleted\":false}"; }));
  }
}

// --- Rooms ---

FLUX_DECL void LiveSession::join_room(Request& request) {
  JsonText presence = CheckedJson::text(request.presence.empty() ? "{}" : std::string(request.presence));
  if (request.access_token && backend().gate.token) {
    verify(std::move(*request.access_token),
           [self = this_session(), id = std::string(request.id), room = std::move(*request.room_id),
            presence = std::move(presence)](bool verified, const std::string& reason) mutable {
             if (!verified) return self->fail(id, Error(Errc::unauthorized, reason));
             self->join_as(id, room, std::move(presence));
           });
    return;
  }
  if (!identity() && (request.name || request.email)) {
    replace_grant(Identity{{}, request.name.value_or(""), request.email.value_or(""), {}, false});
  }
  join_as(std::string(request.id), *request.room_id, std::move(presence));
}

/// Asks the verifier; `then` runs on the loop, now or later. Until then nothing more is read from the client.
FLUX_DECL void LiveSession::verify(std::string token, std::function<void(bool, std::string)> then) {
  pause_input();
  JsonText payload = CheckedJson::text("{\"accessToken\":" + JsonText::string(token).text() + "}");
  const gate::ShownInMessage shown("live", backend().config.live_path, std::move(payload), remote());
  backend().gate.verify(loop(), shown, std::move(token),
                        [self = this_session(), then = std::move(then)](Result<Grant> grant) {
                          if (!self->open()) return;
                          if (grant) {
                            self->replace_grant(std::move(*grant));
                            then(true, {});
                          } else {
                            then(false, grant.error().message());
                          }
                          self->resume_input();
                        });
}

FLUX_DECL void LiveSession::join_as(const std::string& id, const RoomId& room, JsonText presence) {
  const Config& config = backend().config;
  const std::size_t most = config.limits.rooms_per_connection;
  // Of the chat a third of the welcome: members and items need the rest.
  const features::JoinTerms terms{.rooms_max = most,
                                  .switches_rooms = most <= 1,
                                  .creates_rooms = true,
                                  .chat = {config.chat.join_history, 0, config.limits.answer_bytes_max / 3}};
  const auto frame = std::make_shared<std::string>();
  auto welcome = [this, frame](const features::RoomSnapshot& snapshot, const Result<features::ChatPage>& chat) {
    writer().room_joined(*frame, snapshot, chat);
  };
  join(room, std::move(presence), terms, std::move(welcome),
       [self = this_session(), id, frame](const Result<void>& joined) {
         if (!joined) return self->fail(id, joined.error());
         self->counters().frames_out.add();
         self->write_frames(*frame);
         self->ack(id);
       });
}

FLUX_DECL features::Membership* LiveSession::current_room(const Request& request) {
  features::Membership* const meant = request.room_id ? membership_of(*request.room_id) : last_joined();
  if (meant != nullptr) return meant;
  if (!request.room_id) {
    fail(request.id, Error(Errc::not_in_room, "in no room; join one first"));
    return nullptr;
  }
  const bool short_enough = request.room_id->size() <= backend().config.limits.room_id_bytes_max;
  fail(request.id, Error(Errc::not_in_room, short_enough ? "not in room \"" + *request.room_id + "\"; join it first"
                                                         : std::string("not in that room")));
  return nullptr;
}

/// A room that one is not in is left already.
FLUX_DECL void LiveSession::leave_named_room(const Request& request) {
  if (const auto* const meant = request.room_id ? membership_of(*request.room_id) : last_joined()) {
    leave_room(RoomPtr(meant->room));
  }
  ack(request.id);
}

// --- Messages ---

FLUX_DECL void LiveSession::broadcast_event(Request& request) {
  features::Membership* const membership = current_room(request);
  if (membership == nullptr) return;
  std::optional<std::string_view> payload;
  if (!request.payload.empty()) payload = request.payload;
  if (asks_about_events()) {
    auto json = payload ? std::optional(CheckedJson::text(std::string(*payload))) : std::nullopt;
    return publish(*membership, std::move(request.event), std::move(json), acknowledge<Position>(request));
  }
  const auto sent = publish_unasked(*membership, request.event, payload);
  if (!sent) return fail(request.id, sent.error());
  ack(request.id);
}

FLUX_DECL void LiveSession::send_chat(Request& request) {
  features::Membership* const membership = current_room(request);
  if (membership == nullptr) return;
  std::optional<JsonText> metadata;
  if (!request.metadata.empty()) metadata = CheckedJson::text(std::string(request.metadata));
  chat(*membership, std::move(request.message), std::move(metadata),
       answer<ChatMessage>(request, [](const ChatMessage& stored) {
         return "{\"id\":\"" + stored.id + "\",\"createdAt\":" + std::to_string(stored.created_at) +
                ",\"offset\":" + std::to_string(stored.offset) + "}";
       }));
}

FLUX_DECL void LiveSession::share_data(const Request& request, const RoomPtr& room) {
  const auto shared = answer<Position>(
      request, [](const Position& position) { return protocol::live_offset_payload(position.offset); });
  if (!request.file_id.empty()) return share_stored(room, request.file_id, shared);
  share(room, CheckedJson::text(std::string(request.data)), shared);
}

FLUX_DECL void LiveSession::give_ticket(std::string_view id, const RoomId& room) {
  const auto ticket = upload_ticket(room);
  if (!ticket) return fail(id, ticket.error());
  ack(id, protocol::live_ticket_payload(ticket->text, ticket->expires_at));
}

FLUX_DECL void LiveSession::public_history(const Request& request) {
  features::PublicSeat& seat = extras().public_seat;
  const auto page = request.changes ? watch_public_changes(seat, writer(), request.limit, request.before)
                                    : watch_public(seat, writer(), request.limit, request.before);
  ack(request.id, protocol::live_items_payload({}, page));
}

}  // namespace flux::detail
