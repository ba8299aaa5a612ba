#pragma once

#include <flux/detail/core/uuid.hpp>
#include <flux/detail/endpoints/sharing/sharing_session.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/server/file_share.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

namespace flux::detail {

// --- Life ---

namespace sharing_detail {

FLUX_DECL std::shared_ptr<const Grant> grant_of(const Sharing& sharing, const socketio::Socket& socket) {
  Identity identity;
  if (sharing.options.identity) {
    sharing.hub.guarded(socket.state()->loop()->counters(), "identity",
                        [&] { identity = sharing.options.identity(socket); });
  }
  if (const auto checked = gate::check_identity(identity); !checked) {
    sharing.hub.log(LogLevel::error, "a client is taken for unknown: " + checked.error().message());
    return nullptr;
  }
  if (identity == Identity()) return nullptr;
  identity.verified = identity.verified || !identity.user_id.empty();
  return std::make_shared<const Grant>(std::move(identity));
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
/// Why somebody could not join, in the reference's words where it has some.
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
    : SessionState(socket->key(), socket->loop(),
                   core::ClientAddress::parse(socket->handshake().remote_address()).value_or(core::ClientAddress()),
                   std::move(grant)),
      sharing_(std::move(sharing)),
      socket_(std::move(socket)) {}

FLUX_DECL void SharingSession::opened() {
  connected_ = true;
  hub().sessions.add(shared_from_this());
  if (const auto known = identity()) hub().sessions.add_user(known->user_id, key());
  const features::PageRequest newest{features::no_limit, 0, hub().config.limits.answer_bytes_max};
  const auto page =
      hub().public_space->watch({key(), socket_->session().get(), loop()}, &writer(), public_seat_, newest);
  (void)socket_->emit("public:history", {CheckedJson::text(protocol::sharing_items(page.entries))},
                      false);  // it is connected
  socket_->follow(*this);      // only now: what other threads have added meanwhile is not to go first
}

FLUX_DECL void SharingSession::gone(EndReason reason) {
  const auto self = shared_from_this();
  while (!memberships_.empty()) leave_at(memberships_.size() - 1);
  hub().public_space->unwatch(public_seat_);
  Disconnect how{sharing_detail::code_of(reason), std::string(to_string(reason))};
  if (const auto extras = std::move(extras_)) {
    for (const auto& created : extras->created_rooms) {
      if (const auto room = created.lock()) hub().rooms.end_if_empty(room, *loop());
    }
    if (extras->closing) how = std::move(*extras->closing);
  }
  {
    const std::lock_guard lock(loop()->sessions_mutex());
    connected_ = false;
  }
  if (const auto known = identity()) hub().sessions.remove_user(known->user_id, key());
  hub().sessions.remove(key());
  if (hub().handlers.disconnect) {
    hub().guarded(loop()->counters(), "disconnect", [&] { hub().handlers.disconnect(handle_of_this(), how); });
  }
}

// --- What others ask, from any thread ---

FLUX_DECL std::vector<RoomId> SharingSession::rooms() const {
  const std::lock_guard lock(loop()->sessions_mutex());
  std::vector<RoomId> ids;
  for (const auto& membership : memberships_) ids.push_back(membership->room->id());
  return ids;
}

FLUX_DECL Result<void> SharingSession::send(std::string_view event, const JsonText& payload, const RoomId& room) {
  {
    // A handle may be all that is left of a server. While this session is connected the server is there, and the lock
    // keeps it so.
    const std::lock_guard lock(loop()->sessions_mutex());
    if (!connected()) return Error(Errc::session_not_found, "session " + SessionState::id() + " is gone");
    if (auto checked = check_event(event, payload, hub().config.limits); !checked) return checked;
    if (auto checked = check_label(room); !checked) return checked;
  }
  socketio::Args arguments{payload};
  if (!room.empty()) arguments.emplace_back(JsonText::string(room));
  return socket_->emit(event, arguments, false);
}

/// In a turn of its own: a handler that ends its session is not to lose it under its feet.
FLUX_DECL void SharingSession::close_session(CloseCode code, std::string_view reason) {
  loop()->post([self = shared_from_this(), how = Disconnect{code, core::repaired(std::string(reason))}] {
    if (!self->connected()) return;
    if (!self->extras().closing) self->extras().closing = how;
    self->socket_->disconnect(true);
  });
}

FLUX_DECL void SharingSession::leave_room(const RoomPtr& room) {
  flush();
  for (std::size_t i = 0; i < memberships_.size(); ++i) {
    if (memberships_[i]->room == room) return leave_at(i);
  }
}

// --- Out ---

FLUX_DECL const protocol::SharingWriter& SharingSession::writer() const {
  return socket_->session()->over_websocket() ? sharing_->framed : sharing_->polled;
}

FLUX_DECL void SharingSession::flush() {
  for (const auto& membership : memberships_) membership->lane->flush_now();
  if (public_seat_.lane) public_seat_.lane->flush_now();
}

FLUX_DECL void SharingSession::transport_changed() {
  EngineIoSession& session = *socket_->session();
  const auto take_along = [&](std::string waiting) {
    if (!waiting.empty()) session.send_polled(std::move(waiting));
  };
  for (const auto& membership : memberships_) {
    take_along(membership->room->change_view(*membership, &writer(), session, protocol::engineio_separator));
  }
  take_along(hub().public_space->change_view(public_seat_, &writer(), key(), session, protocol::engineio_separator));
}

FLUX_DECL void SharingSession::drained() {
  EngineIoSession& session = *socket_->session();
  for (const auto& membership : memberships_) {
    if (session.congested()) return;  // the rest follows when that has gone out
    std::string encoded;
    if (!membership->room->catch_up(*membership, writer(), encoded)) {
      loop()->counters().slow_readers_closed.add();
      return session.close(EndReason::transport_error);
    }
    if (!encoded.empty()) session.send_encoded(encoded, encoded, 1);
  }
  if (session.congested()) return;
  if (const auto list = hub().public_space->catch_up(public_seat_)) session.send_encoded(list);
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
  auto request = protocol::read_sharing_request(*type, event.args(), hub().config.limits);
  if (!request) return fail(asker, request.error());
  act(asker, *request);
}

FLUX_DECL void SharingSession::refuse(socketio::Event& event, const Error& why) {
  answer_failure({event.later(), protocol::sharing_type(event.name()) == protocol::SharingType::room_create}, why);
}

FLUX_DECL void SharingSession::act(const Asker& asker, Request& request) {
  using Type = protocol::SharingType;
  switch (request.type) {
    case Type::public_upload: return share(asker, nullptr, std::move(request.data));
    case Type::public_delete_last: return delete_last(asker);
    case Type::room_create: return create(asker, request);
    case Type::room_join: return join(asker, request);
    case Type::room_history: return history(asker, request);
    case Type::room_upload:
      if (const auto* membership = member_of(asker, request.room)) {
        share(asker, RoomPtr(membership->room), std::move(request.data));
      }
      return;
    case Type::room_leave: return leave(asker, request);
    case Type::room_close: return close(asker, request);
    case Type::room_list: return list(asker, request);
    case Type::room_members: return members(asker, request);
    case Type::room_upload_ticket:
      if (member_of(asker, request.room) != nullptr) give_ticket(asker, request.room);
      return;
    case Type::public_upload_ticket: return give_ticket(asker, {});
    case Type::room_event: return publish(asker, request);
    case Type::room_chat: return chat(asker, request);
    case Type::room_chat_history: return chat_history(asker, request);
    case Type::room_presence: return presence(asker, request);
    case Type::public_items: return public_items(asker, request);
  }
}

template <class Event, class Handler>
bool SharingSession::permitted(const Asker& asker, std::string_view what, const Handler& handler, Event& event) {
  if (!hub().guarded(loop()->counters(), what, [&] { handler(event); })) {
    fail(asker, Error(Errc::server_error, "the server failed to handle this message"));
    return false;
  }
  if (event.refused()) {
    fail(asker, *event.refused());
    return false;
  }
  const auto checked = hub().check_handled(loop()->counters(), what, event);
  if (!checked) fail(asker, checked.error());
  return checked && connected();  // it may have ended the session
}

FLUX_DECL SharingSession::Extras& SharingSession::extras() {
  if (!extras_) extras_ = std::make_unique<Extras>();
  return *extras_;
}

FLUX_DECL features::Membership* SharingSession::membership_in(const RoomPtr& room) const {
  for (const auto& membership : memberships_) {
    if (membership->room == room) return membership.get();
  }
  return nullptr;
}

FLUX_DECL features::Membership* SharingSession::member_of(const Asker& asker, const RoomId& room) {
  for (const auto& membership : memberships_) {
    if (membership->room->id() == room) return membership.get();
  }
  if (const auto checked = hub().rooms.check_id(room); !checked) {
    fail(asker, checked.error());
  } else {
    fail(asker, hub().rooms.find(room) ? sharing_detail::not_in_room() : sharing_detail::room_not_found());
  }
  return nullptr;
}

// --- Rooms ---

FLUX_DECL void SharingSession::create(const Asker& asker, const Request& request) {
  auto& created = extras().created_rooms;
  std::erase_if(created, [](const auto& room) { return room.expired(); });
  if (created.size() >= hub().config.limits.rooms_created_max) {
    return fail(
        asker, Error(Errc::limit_exceeded, "this client has created its " + std::to_string(created.size()) + " rooms"));
  }
  const auto room = hub().rooms.create(request.room, request.options);
  if (!room) return fail(asker, room.error());
  created.push_back(*room);
  hub().open_room(*room, [self = shared_from_this(), asker, room = *room](const Result<void>& opened) {
    self->loop()->dispatch([self, asker, room, opened] {
      if (!opened) return self->fail(asker, opened.error());
      self->answer(asker, Answer(true, "Room created.").string("roomId", room->id()));
    });
  });
}

FLUX_DECL void SharingSession::join(const Asker& asker, const Request& request) {
  if (const auto checked = hub().rooms.check_id(request.room); !checked) return fail(asker, checked.error());
  const auto room = hub().rooms.find(request.room);
  if (!room) return fail(asker, sharing_detail::room_not_found());
  // Who joins again keeps what it has set, unless the handler sets something else.
  const features::Membership* const before = membership_in(room);
  JsonText presence = before != nullptr ? room->presence_of(*before) : CheckedJson::text("{}");
  if (hub().handlers.join) {
    JoinRequest join(handle_of_this(), request.room, std::move(presence));
    if (!permitted(asker, "join", hub().handlers.join, join)) return;
    presence = std::move(join.presence);
  }
  const std::size_t most = sharing_->options.rooms_per_client_max;
  if (memberships_.size() >= most && membership_in(room) == nullptr) {
    return fail(asker, Error(Errc::limit_exceeded, "in " + std::to_string(most) + " rooms already; leave one first"));
  }
  const auto found = enter(room, presence);
  if (!found) return fail(asker, found.error());
  Answer joined(true, "Joined the room.");
  if (found->data.kind() != JsonText::Kind::null) joined.json("data", found->data.text());
  answer(asker, std::move(joined.more_before(found->before)));
}

/// Becomes a member, or is one.
FLUX_DECL Result<SharingSession::Found> SharingSession::enter(const RoomPtr& room, const JsonText& presence) {
  Found found;
  const auto describe = [&](const features::RoomSnapshot& snapshot) {
    if (room->mode() == RoomMode::history) found.data = CheckedJson::text(protocol::sharing_items(snapshot.items));
    if (room->mode() == RoomMode::singleton && !snapshot.items.empty()) found.data = snapshot.items.back().data;
    found.before = snapshot.items.before;
  };
  const features::Joiner joiner{key(),
                                SessionState::id(),
                                identity(),
                                socket_->session().get(),
                                loop(),
                                &writer(),
                                hub().config.limits.answer_bytes_max,
                                false};
  if (features::Membership* member = membership_in(room)) {
    const auto joined_again = room->join_again(*member, joiner, presence.text(), describe);
    return joined_again ? Result<Found>(std::move(found)) : sharing_detail::told(joined_again.error());
  }
  auto membership = std::make_unique<features::Membership>();
  const auto joined = room->join(*membership, joiner, presence.text(), describe);
  if (!joined) return sharing_detail::told(joined.error());
  const std::lock_guard lock(loop()->sessions_mutex());
  memberships_.push_back(std::move(membership));
  return found;
}

FLUX_DECL void SharingSession::history(const Asker& asker, const Request& request) {
  features::Membership* membership = member_of(asker, request.room);
  if (membership == nullptr) return;
  const RoomPtr room = membership->room;
  if (room->mode() != RoomMode::history) {
    return fail(asker, Error(Errc::wrong_mode,
                             "This room keeps no history: its mode is " + std::string(to_string(room->mode())) + "."));
  }
  const auto page = room->items_sent_to(*membership, page_of(request));
  Answer history(true, "Room history.");
  answer(asker, std::move(history.json("data", protocol::sharing_items(page.entries)).more_before(page.before)));
}

FLUX_DECL void SharingSession::leave(const Asker& asker, const Request& request) {
  const features::Membership* membership = member_of(asker, request.room);
  if (membership == nullptr) return;
  leave_room(RoomPtr(membership->room));
  succeed(asker, "Left the room.");
}

FLUX_DECL void SharingSession::leave_at(std::size_t index) {
  std::unique_ptr<features::Membership> membership;
  {
    const std::lock_guard lock(loop()->sessions_mutex());
    membership = std::move(memberships_[index]);
    memberships_.erase(memberships_.begin() + static_cast<std::ptrdiff_t>(index));
  }
  const RoomPtr room = membership->room;
  if (extras_) extras_->throttle.forget(room);
  room->leave(*membership);
  hub().rooms.end_if_empty(room, *loop());
  if (hub().handlers.leave) {
    hub().guarded(loop()->counters(), "leave", [&] { hub().handlers.leave(handle_of_this(), room->id()); });
  }
}

FLUX_DECL void SharingSession::close(const Asker& asker, const Request& request) {
  if (const auto checked = hub().rooms.check_id(request.room); !checked) return fail(asker, checked.error());
  const auto room = hub().rooms.find(request.room);
  if (!room) return fail(asker, sharing_detail::room_not_found());
  const auto& created = extras().created_rooms;
  if (std::none_of(created.begin(), created.end(), [&](const auto& own) { return own.lock() == room; })) {
    return fail(asker, Error(Errc::forbidden, "Only who has created a room may close it."));
  }
  const std::string_view reason = request.reason.empty() ? "closed by its creator" : std::string_view(request.reason);
  if (!hub().rooms.take_out(room, reason)) return fail(asker, sharing_detail::room_not_found());
  hub().clear_room(room);
  succeed(asker, "Room closed.");
}

FLUX_DECL void SharingSession::list(const Asker& asker, const Request& request) {
  if (!sharing_->options.room_list) {
    return fail(asker, Error(Errc::forbidden, "This server does not tell which rooms there are."));
  }
  // One more tells whether there are more.
  const auto page = hub().rooms.page(request.after_room, request.limit + 1);
  features::PageSize size(hub().config.limits.answer_bytes_max);
  std::vector<RoomInfo> rooms;
  bool more = false;
  for (const auto& room : page) {
    RoomInfo info = room->info();
    more = rooms.size() == request.limit || !size.takes(protocol::sharing_room_bytes(info));
    if (more) break;
    rooms.push_back(std::move(info));
  }
  Answer list(true, "Rooms.");
  list.json("rooms", protocol::sharing_rooms(rooms)).json("total", std::to_string(hub().rooms.size()));
  if (more) list.more_after(JsonText::string(rooms.back().id).text());
  answer(asker, std::move(list));
}

FLUX_DECL void SharingSession::members(const Asker& asker, const Request& request) {
  const features::Membership* membership = member_of(asker, request.room);
  if (membership == nullptr) return;
  const auto page = membership->room->presence({request.limit, request.after, hub().config.limits.answer_bytes_max});
  Answer members(true, "Members.");
  members.string("connectionId", SessionState::id()).json("members", protocol::sharing_members(page.members));
  if (page.after) members.more_after(std::to_string(*page.after));
  answer(asker, std::move(members));
}

// --- Data ---

FLUX_DECL void SharingSession::give_ticket(const Asker& asker, const RoomId& room) {
  const auto ticket = hub().upload_ticket(*this, room);
  if (!ticket) return fail(asker, ticket.error());
  answer(asker, Answer(true, "Upload ticket.")
                    .string("ticket", ticket->text)
                    .json("expires", std::to_string(ticket->expires_at)));
}

FLUX_DECL void SharingSession::share(const Asker& asker, const RoomPtr& room, protocol::TransferData data) {
  if (data.bytes) return share_upload(asker, room, std::move(data));
  if (!data.file_id.empty()) return share_stored(asker, room, data.file_id);
  const auto permitted = permitted_to_share(asker, room, std::move(data.string));
  if (permitted) publish_share(asker, room, {SessionState::id(), *permitted, 0});
}

FLUX_DECL bool SharingSession::may_share_in(const RoomPtr& room) const {
  return connected() && (room == nullptr || membership_in(room) != nullptr);
}

FLUX_DECL void SharingSession::share_stored(const Asker& asker, const RoomPtr& room, const FileId& file) {
  if (!hub().files) return fail(asker, features::no_files());
  hub().files->find(file, [self = shared_from_this(), asker, room](Result<FileInfo> found) {
    self->loop()->dispatch([self, asker, room, found = std::move(found)] {
      if (!found) return self->fail(asker, found.error());
      if (!self->connected()) return;
      self->ask_to_share(asker, room, *found);
    });
  });
}

FLUX_DECL void SharingSession::ask_to_share(const Asker& asker, const RoomPtr& room, const FileInfo& file) {
  detail::ask_to_share(hub(), shared_from_this(), file, room ? room->id() : RoomId(),
                       [self = shared_from_this(), asker, room, file](Result<features::FileHolder> holder) {
                         if (!holder) return self->fail(asker, holder.error());
                         const auto data = self->permitted_to_share(asker, room, features::stored_data(file));
                         if (data) self->hold_and_share(asker, room, file.id, *data, std::move(*holder));
                       });
}

/// Only when the application has agreed: who may end the file has it deleted when nobody holds it any more.
FLUX_DECL void SharingSession::hold_and_share(const Asker& asker, const RoomPtr& room, const FileId& file,
                                              const JsonText& data, features::FileHolder holder) {
  holder.room = room;
  hub().hold_file(file, std::move(holder),
                  [self = shared_from_this(), asker, room, data](Result<features::FileHoldPtr> hold) {
                    self->loop()->dispatch([self, asker, room, data, hold = std::move(hold)] {
                      if (!hold) return self->fail(asker, hold.error());
                      self->publish_share(asker, room, {self->SessionState::id(), data, 0, *hold});
                    });
                  });
}

/// Counts what is in memory for it.
class SharingSession::Upload {
 public:
  Upload(std::shared_ptr<Sharing> sharing, std::uint64_t bytes)
      : sharing_(std::move(sharing)), bytes_(bytes), sum_(sharing_->uploads_bytes += bytes) {}
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;
  ~Upload() { sharing_->uploads_bytes -= bytes_; }
  bool fits() const { return sum_ <= sharing_->options.uploads_bytes_max; }

 private:
  const std::shared_ptr<Sharing> sharing_;
  const std::uint64_t bytes_;
  const std::uint64_t sum_;
};

FLUX_DECL void SharingSession::share_upload(const Asker& asker, const RoomPtr& room, protocol::TransferData data) {
  const auto& files = hub().files;
  if (!files) return fail(asker, features::no_files());
  const FilesOptions& options = files->options();
  const std::uint64_t size = data.bytes->size();
  if (size > options.file_bytes_max) {
    return fail(asker, Error(Errc::file_too_large, "the file has " + std::to_string(size) + " bytes; at most " +
                                                       std::to_string(options.file_bytes_max) + " are allowed"));
  }
  const auto upload = std::make_shared<const Upload>(sharing_, size);
  if (extras().uploads >= sharing_->options.uploads_per_client_max || !upload->fits()) {
    return fail(asker, Error(Errc::overloaded, "too many files are on their way into the store; try again"));
  }
  ++extras().uploads;
  const auto known = identity();
  FileInfo file;
  file.id = core::random_uuid();
  file.name = std::move(data.file_name);
  file.media_type = std::move(data.media_type);
  file.owner = known ? known->user_id : std::string();
  file.length = size;
  file.wants_sha256 = options.sha256;
  file.created_at = file.modified_at = files->unix_ms();
  auto done = [self = shared_from_this(), asker, room, upload](const Result<features::FileHoldPtr>& hold) {
    if (self->extras_) --self->extras_->uploads;
    if (!hold) return self->fail(asker, hold.error());
    const auto permitted = self->permitted_to_share(asker, room, (*hold)->stored_data());
    if (permitted) self->publish_share(asker, room, {self->SessionState::id(), *permitted, 0, *hold});
  };
  auto wanted = [self = shared_from_this(), room] { return self->may_share_in(room); };
  std::make_shared<features::FileWriter>(files, loop(), std::move(file), std::move(data.bytes), std::move(wanted),
                                         std::move(done))
      ->begin();
}

/// None: the error has been answered. A file that is held goes with its last holder then: it is deleted.
FLUX_DECL std::optional<JsonText> SharingSession::permitted_to_share(const Asker& asker, const RoomPtr& room,
                                                                     JsonText data) {
  if (!may_share_in(room)) {
    fail(asker, sharing_detail::not_in_room());
    return std::nullopt;
  }
  ShareDraft draft(handle_of_this(), room ? room->id() : RoomId(), std::move(data));
  if (hub().handlers.share && !permitted(asker, "share", hub().handlers.share, draft)) return std::nullopt;
  return std::move(draft.data);
}

FLUX_DECL void SharingSession::publish_share(const Asker& asker, const RoomPtr& room, SharedItem item) {
  if (!may_share_in(room)) return fail(asker, sharing_detail::not_in_room());
  const features::KeptRoomPtr kept = room ? room->kept() : hub().kept_public_space();
  if (!kept) {
    return tell_shared(
        asker, room ? room->share(membership_in(room), std::move(item)) : hub().public_space->share(std::move(item)));
  }
  if (const auto taken = room ? room->takes_messages() : hub().public_space->takes_items(); !taken) {
    return fail(asker, taken.error());
  }
  hub().room_log->share(kept, std::move(item), [self = shared_from_this(), asker](const Result<Position>& shared) {
    self->loop()->dispatch([self, asker, shared] { self->tell_shared(asker, shared); });
  });
}

FLUX_DECL void SharingSession::tell_shared(const Asker& asker, const Result<Position>& shared) {
  if (shared) return succeed(asker, "Data uploaded.");
  fail(asker, shared.error().code() == Errc::room_not_found ? sharing_detail::room_not_found() : shared.error());
}

FLUX_DECL features::PageRequest SharingSession::page_of(const Request& request) const {
  return {request.limit, request.before, hub().config.limits.answer_bytes_max};
}

FLUX_DECL void SharingSession::public_items(const Asker& asker, const Request& request) {
  const auto page = hub().public_space->items(page_of(request));
  Answer items(true, "Public history.");
  answer(asker, std::move(items.json("data", protocol::sharing_items(page.entries)).more_before(page.before)));
}

FLUX_DECL void SharingSession::delete_last(const Asker& asker) {
  std::function<bool(const SharedItem&)> permission;
  if (hub().handlers.public_delete) {
    permission = [self = shared_from_this(), asker](const SharedItem& item) {
      PublicDelete removal(self->handle_of_this(), item);
      return self->connected() && self->permitted(asker, "public delete", self->hub().handlers.public_delete, removal);
    };
  }
  hub().delete_public_newest(loop(), permission, [self = shared_from_this(), asker](const Result<bool>& deleted) {
    self->tell_deleted(asker, deleted);
  });
}

FLUX_DECL void SharingSession::tell_deleted(const Asker& asker, const Result<bool>& deleted) {
  if (!deleted) return fail(asker, deleted.error());
  if (!*deleted) return answer(asker, Answer(false, "The public space is empty."));
  succeed(asker, "Data deleted.");
}

// --- Events, chat, presence ---

FLUX_DECL void SharingSession::publish(const Asker& asker, Request& request) {
  features::Membership* membership = member_of(asker, request.room);
  if (membership == nullptr) return;
  if (hub().handlers.event) {
    EventMessage message(handle_of_this(), request.room, std::move(request.event), std::move(request.payload));
    if (!permitted(asker, "event", hub().handlers.event, message)) return;
    request.event = std::move(message.event);
    request.payload = std::move(message.payload);
  }
  const auto known = identity();
  const SessionId sender = SessionState::id();
  const auto sent = membership->room->publish(
      membership, {request.room, sender, known ? std::string_view(known->user_id) : std::string_view(), request.event,
                   request.payload ? std::optional<std::string_view>(request.payload->text()) : std::nullopt});
  if (!sent) return fail(asker, sharing_detail::told(sent.error()));
  succeed(asker, "Event sent.");
}

FLUX_DECL void SharingSession::chat(const Asker& asker, Request& request) {
  features::Membership* membership = member_of(asker, request.room);
  if (membership == nullptr) return;
  if (hub().handlers.chat) {
    ChatDraft draft(handle_of_this(), request.room, std::move(request.message), std::move(request.metadata));
    if (!permitted(asker, "chat", hub().handlers.chat, draft)) return;
    request.message = std::move(draft.message);
    request.metadata = std::move(draft.metadata);
  }
  if (const auto taken = membership->room->takes_messages(); !taken) return fail(asker, taken.error());
  auto message = hub().chat_message(*this, request.room, std::move(request.message),
                                    request.metadata ? std::move(*request.metadata).text() : std::string());
  hub().chat->append(std::move(message), [self = shared_from_this(), asker, room = membership->room](
                                             Result<ChatMessage> stored, const features::ChatLog::Turn&) {
    if (stored) room->publish_chat(*stored);
    self->loop()->dispatch([self, asker, stored = std::move(stored)] {
      if (!stored) return self->fail(asker, stored.error());
      self->answer(asker, Answer(true, "Message sent.")
                              .string("id", stored->id)
                              .json("createdAt", std::to_string(stored->created_at))
                              .json("offset", std::to_string(stored->offset)));
    });
  });
}

FLUX_DECL void SharingSession::chat_history(const Asker& asker, const Request& request) {
  if (member_of(asker, request.room) == nullptr) return;
  hub().chat->history(
      request.room, page_of(request),
      [self = shared_from_this(), asker](Result<features::ChatPage> page, const features::ChatLog::Turn&) {
        self->loop()->dispatch([self, asker, page = std::move(page)] {
          if (!page) return self->fail(asker, page.error());
          Answer history(true, "Chat history.");
          history.json("messages", protocol::sharing_chat(page->entries)).more_before(page->before);
          self->answer(asker, std::move(history));
        });
      });
}

FLUX_DECL void SharingSession::presence(const Asker& asker, Request& request) {
  features::Membership* membership = member_of(asker, request.room);
  if (membership == nullptr) return;
  if (hub().handlers.presence) {
    PresenceChange change(handle_of_this(), request.room, std::move(request.presence));
    if (!permitted(asker, "presence", hub().handlers.presence, change)) return;
    request.presence = std::move(change.presence);
  }
  succeed(asker, "Presence updated.");
  const auto interval = hub().config.presence_throttle;
  const auto now = loop()->clock().now();
  PresenceThrottle& throttle = extras().throttle;
  if (throttle.pass(now, interval)) {
    return membership->room->update_presence(*membership, std::move(request.presence).text());
  }
  if (!throttle.hold({membership->room, std::move(request.presence).text()})) return;
  loop()->call_after(throttle.ready() - now, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->release_held_presence();
  });
}

FLUX_DECL void SharingSession::release_held_presence() {
  if (!extras_) return;
  for (auto& update : extras_->throttle.take(loop()->clock().now(), hub().config.presence_throttle)) {
    if (auto* membership = membership_in(update.room)) {
      update.room->update_presence(*membership, std::move(update.presence));
    }
  }
}

}  // namespace flux::detail
