#pragma once

#include <flux/detail/core/option_check.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/raw/raw_endpoint.hpp>
#include <flux/detail/features/application.hpp>
#include <flux/detail/server/act_result.hpp>
#include <flux/detail/server/server_state.hpp>
#include <flux/detail/transport/media_type.hpp>
#include <flux/server.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace flux {

namespace detail {

FLUX_DECL features::Application application(ServerState& state) { return features::Application(state.hub()); }

FLUX_DECL Error no_session(const SessionId& id) {
  return Error(Errc::session_not_found, "no session \"" + core::shown(id) + "\"");
}

/// Passes on the result of a method of `Server`.
template <class T>
Outcome<T> noted(ServerState& state, std::string_view call, std::string_view subject, Result<T> result) {
  return core::noted(*state.hub().call_faults, call, subject, std::move(result));
}

}  // namespace detail

FLUX_DECL Server::Server(const Config& config, bool) : state_(std::make_shared<detail::ServerState>(config)) {}
// Copied, not moved: handlers that run while it stops may still call this object.
FLUX_DECL Server::~Server() { detail::ServerState::let_go(state_); }

FLUX_DECL void Server::run() {
  const auto state = state_;  // a handler may destroy this object meanwhile
  state->run();
}
FLUX_DECL void Server::start() { state_->start(); }
FLUX_DECL void Server::stop(std::chrono::milliseconds grace) { state_->stop(grace); }
FLUX_DECL void Server::wait() const {
  const auto state = state_;  // keeps the state: once the server has stopped, another thread may destroy this object
  state->wait();
}
FLUX_DECL bool Server::running() const { return state_->running(); }
FLUX_DECL std::uint16_t Server::port(std::size_t index) const { return state_->port(index); }
FLUX_DECL std::vector<std::string> Server::urls() const { return state_->urls(); }
FLUX_DECL Outcome<void> Server::reload_certificates() {
  return detail::noted(*state_, "reload_certificates", {}, state_->reload_certificates());
}
FLUX_DECL Outcome<void> Server::adopt(std::intptr_t native_socket, std::string bytes_read, AdoptOptions options) {
  return detail::noted(*state_, "adopt", {}, state_->adopt(native_socket, std::move(bytes_read), options));
}
FLUX_DECL Stats Server::stats() const { return state_->stats(); }

// --- Time ---

namespace detail {

/// `method` was given an empty function.
FLUX_DECL flux::Timer no_timer(ServerState& state, const char* method) {
  (void)noted<void>(state, method, {}, Error(Errc::invalid_argument, core::empty_function(method)));
  return {};
}

}  // namespace detail

FLUX_DECL Timer Server::call_after(std::chrono::milliseconds delay, std::function<void()> call) {
  if (!call) return detail::no_timer(*state_, "call_after");
  return state_->timers().add(delay, std::chrono::milliseconds(0), std::move(call));
}
FLUX_DECL Timer Server::call_every(std::chrono::milliseconds period, std::function<void()> call) {
  if (!call) return detail::no_timer(*state_, "call_every");
  const auto at_least = std::max(period, std::chrono::milliseconds(1));
  return state_->timers().add(at_least, at_least, std::move(call));
}

// --- Handlers and routes ---

namespace detail {

/// Returns the handler that `method` is to set. Errors: throws `Error`: already_running; bad_config if it is empty.
template <class Handler>
Handler handler_to_set(const ServerState& state, const char* method, Handler handler) {
  state.check_not_running(method);
  return core::require_function(method, std::move(handler));
}

}  // namespace detail

FLUX_DECL void Server::on_connect(ConnectHandler handler) {
  state_->hub().gate.connect = detail::handler_to_set(*state_, "on_connect", std::move(handler));
}
FLUX_DECL void Server::on_token(TokenVerifier verifier) {
  state_->hub().gate.token = detail::handler_to_set(*state_, "on_token", std::move(verifier));
}
FLUX_DECL void Server::on_disconnect(DisconnectHandler handler) {
  state_->hub().handlers.disconnect = detail::handler_to_set(*state_, "on_disconnect", std::move(handler));
}
FLUX_DECL void Server::on_join(JoinHandler handler) {
  state_->hub().handlers.join = detail::handler_to_set(*state_, "on_join", std::move(handler));
}
FLUX_DECL void Server::on_joined(JoinedHandler handler) {
  state_->hub().handlers.joined = detail::handler_to_set(*state_, "on_joined", std::move(handler));
}
FLUX_DECL void Server::on_create_room(CreateRoomHandler handler) {
  state_->hub().handlers.create_room = detail::handler_to_set(*state_, "on_create_room", std::move(handler));
}
FLUX_DECL void Server::on_leave(LeaveHandler handler) {
  state_->hub().handlers.leave = detail::handler_to_set(*state_, "on_leave", std::move(handler));
}
FLUX_DECL void Server::on_event(EventHandler handler) {
  state_->hub().handlers.event = detail::handler_to_set(*state_, "on_event", std::move(handler));
}
FLUX_DECL void Server::on_chat(ChatHandler handler) {
  state_->hub().handlers.chat = detail::handler_to_set(*state_, "on_chat", std::move(handler));
}
FLUX_DECL void Server::on_chat_edit(ChatEditHandler handler) {
  state_->hub().handlers.chat_edit = detail::handler_to_set(*state_, "on_chat_edit", std::move(handler));
}
FLUX_DECL void Server::on_chat_delete(ChatDeleteHandler handler) {
  state_->hub().handlers.chat_delete = detail::handler_to_set(*state_, "on_chat_delete", std::move(handler));
}
FLUX_DECL void Server::on_public_delete(PublicDeleteHandler handler) {
  state_->hub().handlers.public_delete = detail::handler_to_set(*state_, "on_public_delete", std::move(handler));
}

FLUX_DECL void Server::on_share(ShareHandler handler) {
  state_->hub().handlers.share = detail::handler_to_set(*state_, "on_share", std::move(handler));
}
FLUX_DECL void Server::on_presence(PresenceHandler handler) {
  state_->hub().handlers.presence = detail::handler_to_set(*state_, "on_presence", std::move(handler));
}
FLUX_DECL void Server::on_file(FileHandler handler) {
  state_->hub().gate.file = detail::handler_to_set(*state_, "on_file", std::move(handler));
}
FLUX_DECL void Server::on_file_stored(StoredFileHandler handler) {
  state_->hub().handlers.stored_file = detail::handler_to_set(*state_, "on_file_stored", std::move(handler));
}

FLUX_DECL void Server::on_call(std::string_view method, CallHandler handler, const CallOptions& options) {
  state_->hub().requests.set(method, detail::handler_to_set(*state_, "on_call", std::move(handler)),
                             state_->config().limits.event_name_bytes_max, options);
}

FLUX_DECL void Server::route(std::string_view method, std::string_view pattern, HttpHandler handler,
                             RouteOptions options) {
  state_->check_not_running("route");
  state_->check_route_path(method, pattern);
  state_->router().add(method, pattern, std::move(handler), options);
}
FLUX_DECL void Server::static_files(std::string_view prefix, std::string_view folder, StaticOptions options) {
  state_->check_not_running("static_files");
  state_->router().add_static(prefix, folder, std::move(options));
}
FLUX_DECL void Server::websocket(std::string_view path, WebSocketEndpoint endpoint) {
  state_->check_not_running("websocket");
  state_->add_endpoint(std::make_shared<detail::RawEndpoint>(state_->hub(), std::string(path), std::move(endpoint)));
}

// --- Rooms ---

FLUX_DECL Outcome<void> Server::create_room(const RoomId& room, const RoomOptions& options) {
  return detail::noted(*state_, "create_room", room, detail::application(*state_).create_room(room, options));
}

FLUX_DECL void Server::create_room(const RoomId& room, const RoomOptions& options,
                                   std::function<void(Result<void>)> done) {
  detail::perform<void>(*state_, "create_room", std::move(done),
                        [&](const auto& then) { detail::application(*state_).create_room(room, options, then); });
}

FLUX_DECL Outcome<void> Server::close_room(const RoomId& room, std::string_view reason) {
  return detail::noted(*state_, "close_room", room, detail::application(*state_).close_room(room, reason));
}

namespace detail {

/// Calls `act(session, then)` with the session of this id; `what` and `done` as for `perform`.
template <class Act>
void perform_with_session(ServerState& state, std::string_view what, const SessionId& id,
                          std::function<void(Result<void>)> done, const Act& act) {
  perform<void>(state, what, std::move(done), [&](const auto& then) {
    const auto key = core::key_from_text(id);
    const auto found = key ? state.hub().sessions.find(*key) : nullptr;
    if (!found) return then(no_session(id));
    act(*found, then);
  });
}

}  // namespace detail

FLUX_DECL void Server::join(const SessionId& session, const RoomId& room, std::optional<JsonText> presence,
                            std::function<void(Result<void>)> done) {
  detail::perform_with_session(*state_, "join", session, std::move(done), [&](auto& found, const auto& then) {
    found.place({room, std::move(presence), {}, {}}, then);
  });
}

FLUX_DECL void Server::leave(const SessionId& session, const RoomId& room, std::string_view reason,
                             std::function<void(Result<void>)> done) {
  detail::perform_with_session(*state_, "leave", session, std::move(done), [&](auto& found, const auto& then) {
    found.put_out(room, core::repaired(std::string(reason)), then);
  });
}

FLUX_DECL std::size_t Server::leave_user(std::string_view user_id, const RoomId& room, std::string_view reason) {
  const std::string told = core::repaired(std::string(reason));
  std::size_t members = 0;
  for (const auto& session : state_->hub().sessions.of_user(user_id)) {
    if (!session->is_in(room)) continue;
    session->put_out(room, told, [](const Result<void>&) {});  // an error: it has left by itself meanwhile
    ++members;
  }
  return members;
}

FLUX_DECL void Server::move(const SessionId& session, const RoomId& from, const RoomId& to, std::string_view reason,
                            std::function<void(Result<void>)> done) {
  detail::perform_with_session(*state_, "move", session, std::move(done), [&](auto& found, const auto& then) {
    found.place({to, {}, from, core::repaired(std::string(reason))}, then);
  });
}

FLUX_DECL std::vector<RoomInfo> Server::rooms() const {
  std::vector<RoomInfo> list;
  for (const auto& room : state_->hub().rooms.all()) list.push_back(room->info());
  return list;
}

FLUX_DECL std::optional<RoomInfo> Server::room(const RoomId& room) const {
  const auto found = state_->hub().rooms.find(room);
  if (!found) return std::nullopt;
  return found->info();
}

FLUX_DECL std::vector<Member> Server::presence(const RoomId& room) const {
  const auto found = state_->hub().rooms.find(room);
  return found ? found->presence() : std::vector<Member>{};
}

FLUX_DECL Result<JsonText> Server::room_data(const RoomId& room) const {
  const auto found = state_->hub().rooms.find(room);
  if (!found) return features::no_room(room);
  return found->data();
}

FLUX_DECL Outcome<void> Server::set_room_data(const RoomId& room, JsonText data) {
  const auto found = state_->hub().rooms.find(room);
  if (!found) return detail::noted<void>(*state_, "set_room_data", room, features::no_room(room));
  auto checked = detail::check_data(data, state_->config().limits);
  if (checked) found->set_data(std::move(data));
  return detail::noted(*state_, "set_room_data", room, std::move(checked));
}

FLUX_DECL Outcome<Position> Server::broadcast(const RoomId& room, std::string_view event, const JsonText& payload,
                                              const Delivery& delivery) {
  return broadcast(room, event, payload, Recipients::all(), delivery);
}

FLUX_DECL Outcome<Position> Server::broadcast(const RoomId& room, std::string_view event, const JsonText& payload,
                                              const Recipients& recipients, const Delivery& delivery) {
  return detail::noted(*state_, "broadcast", event,
                       detail::application(*state_).broadcast(room, event, payload, recipients, delivery));
}

FLUX_DECL void Server::share(const RoomId& room, const JsonText& data, std::function<void(Result<Position>)> done) {
  detail::perform<Position>(*state_, "share", std::move(done),
                            [&](const auto& then) { detail::application(*state_).share(room, data, then); });
}

FLUX_DECL Result<std::vector<SharedItem>> Server::room_items(const RoomId& room) const {
  const auto found = state_->hub().rooms.find(room);
  if (!found) return features::no_room(room);
  return found->items();
}

FLUX_DECL void Server::send_chat(const RoomId& room, std::string_view message, std::optional<JsonText> metadata,
                                 std::function<void(Result<ChatMessage>)> done) {
  detail::perform<ChatMessage>(*state_, "send_chat", std::move(done), [&](const auto& then) {
    detail::application(*state_).chat(room, {.message = std::string(message), .metadata = std::move(metadata)}, then);
  });
}

FLUX_DECL void Server::send_chat(const RoomId& room, const ChatPost& post,
                                 std::function<void(Result<ChatMessage>)> done) {
  detail::perform<ChatMessage>(*state_, "send_chat", std::move(done),
                               [&](const auto& then) { detail::application(*state_).chat(room, post, then); });
}

FLUX_DECL void Server::edit_chat(const RoomId& room, Offset offset, std::string_view message,
                                 std::optional<JsonText> metadata, std::function<void(Result<ChatMessage>)> done) {
  detail::perform<ChatMessage>(*state_, "edit_chat", std::move(done), [&](const auto& then) {
    detail::application(*state_).edit_chat(room, offset, message, std::move(metadata), then);
  });
}

FLUX_DECL void Server::delete_chat(const RoomId& room, Offset offset, std::function<void(Result<ChatMessage>)> done) {
  detail::perform<ChatMessage>(*state_, "delete_chat", std::move(done),
                               [&](const auto& then) { detail::application(*state_).delete_chat(room, offset, then); });
}

FLUX_DECL void Server::chat_history(const RoomId& room, std::size_t limit, Offset before,
                                    std::function<void(Result<std::vector<ChatMessage>>)> done) {
  detail::perform<std::vector<ChatMessage>>(*state_, "chat_history", std::move(done), [&](const auto& then) {
    detail::application(*state_).chat_history(room, limit, before, then);
  });
}

// --- The public space ---

FLUX_DECL void Server::public_share(const JsonText& data, std::function<void(Result<Position>)> done) {
  detail::perform<Position>(*state_, "public_share", std::move(done),
                            [&](const auto& then) { detail::application(*state_).public_share(data, then); });
}

FLUX_DECL std::vector<SharedItem> Server::public_items() const { return state_->hub().public_space->items(); }

FLUX_DECL void Server::public_delete_last(std::function<void(Result<bool>)> done) {
  detail::perform<bool>(*state_, "public_delete_last", std::move(done),
                        [&](const auto& then) { detail::application(*state_).delete_public_newest(then); });
}

// --- Files ---

FLUX_DECL void Server::share_file(const RoomId& room, const FileId& file, std::function<void(Result<Position>)> done) {
  detail::perform<Position>(*state_, "share_file", std::move(done),
                            [&](const auto& then) { detail::application(*state_).share_file(room, file, then); });
}

FLUX_DECL void Server::public_share_file(const FileId& file, std::function<void(Result<Position>)> done) {
  detail::perform<Position>(*state_, "public_share_file", std::move(done),
                            [&](const auto& then) { detail::application(*state_).public_share_file(file, then); });
}

FLUX_DECL void Server::store_file(NewFile file, std::function<void(Result<FileInfo>)> done) {
  detail::perform<FileInfo>(*state_, "store_file", std::move(done), [&](auto then) {
    const auto& files = state_->hub().files;
    if (!files) return then(features::no_files());
    const auto loop = state_->a_loop();
    if (!loop) return then(features::not_running());
    if (file.media_type.empty()) file.media_type = "application/octet-stream";
    if (!transport::is_media_type(file.media_type)) {
      return then(Error(Errc::invalid_argument, "a media type is like \"text/csv; charset=utf-8\", not \"" +
                                                    core::shown(file.media_type) + "\""));
    }
    files->store_new(loop, std::move(file), std::move(then));
  });
}

FLUX_DECL Result<std::string> Server::file_link(const FileId& file, std::chrono::seconds valid_for,
                                                std::string_view file_name) const {
  if (!state_->hub().files) return features::no_files();
  return state_->hub().files->link(file, valid_for, file_name);
}

FLUX_DECL void Server::file(const FileId& file, std::function<void(Result<FileInfo>)> done) const {
  detail::perform<FileInfo>(*state_, "file", std::move(done), [&](auto then) {
    const auto& files = state_->hub().files;
    if (!files) return then(features::no_files());
    files->find(file, std::move(then));
  });
}

FLUX_DECL void Server::files(FileQuery query, std::function<void(Result<FilesPage>)> done) {
  detail::perform<FilesPage>(*state_, "files", std::move(done), [&](auto then) {
    const auto& files = state_->hub().files;
    if (!files) return then(features::no_files());
    files->page(std::move(query), std::move(then));
  });
}

FLUX_DECL Result<std::vector<FileInfo>> Server::room_files(const RoomId& room) const {
  return room_items(room).transform([](const std::vector<SharedItem>& items) {
    std::vector<FileInfo> files;
    std::unordered_set<std::string_view> seen;
    for (const SharedItem& item : items) {
      if (item.file && seen.insert(item.file->info().id).second) files.push_back(item.file->info());
    }
    return files;
  });
}

FLUX_DECL void Server::cleanup_deleted_files(std::function<void(Result<FileCleanup>)> done) {
  detail::perform<FileCleanup>(*state_, "cleanup_deleted_files", std::move(done), [&](auto then) {
    const auto& files = state_->hub().files;
    if (!files) return then(features::no_files());
    files->cleanup(std::move(then));
  });
}

// --- Sessions ---

FLUX_DECL std::vector<Session> Server::sessions() const {
  std::vector<Session> list;
  for (auto& session : state_->hub().sessions.all()) list.emplace_back(std::move(session));
  return list;
}

FLUX_DECL ClientsPage Server::clients(std::size_t limit, std::string_view after) const {
  return state_->clients(std::clamp<std::size_t>(limit, 1, 10'000), after);
}

FLUX_DECL std::optional<Session> Server::session(std::string_view id) const {
  auto key = core::key_from_text(id);
  if (!key) key = state_->endpoints().session_key(id);
  auto found = key ? state_->hub().sessions.find(*key) : nullptr;
  if (!found) return std::nullopt;
  return Session(std::move(found));
}

FLUX_DECL std::vector<Session> Server::sessions_of_user(std::string_view user_id) const {
  std::vector<Session> list;
  for (auto& session : state_->hub().sessions.of_user(user_id)) list.emplace_back(std::move(session));
  return list;
}

FLUX_DECL std::size_t Server::send_to_user(std::string_view user_id, std::string_view event, const JsonText& payload) {
  std::size_t sent = 0;
  for (const Session& session : sessions_of_user(user_id)) {
    if (session.send(event, payload)) ++sent;
  }
  return sent;
}

FLUX_DECL Outcome<void> Server::disconnect(const SessionId& id, CloseCode code, std::string_view reason) {
  if (const auto found = session(id)) {
    found->close(code, reason);
    return {};
  }
  if (state_->endpoints().disconnect(id, code, reason)) return {};
  return detail::noted<void>(*state_, "disconnect", id, detail::no_session(id));
}

FLUX_DECL std::size_t Server::disconnect_user(std::string_view user_id, CloseCode code, std::string_view reason) {
  const std::vector<Session> sessions = sessions_of_user(user_id);
  for (const Session& session : sessions) session.close(code, reason);
  return sessions.size();
}

FLUX_DECL std::size_t Server::revoke_user(std::string_view user_id, std::string_view reason) {
  return state_->hub().end_access(RevocationKind::user, user_id, reason);
}

FLUX_DECL Outcome<void> Server::revoke(const SessionId& id, std::string_view reason) {
  std::shared_ptr<core::GrantHolder> client;
  if (const auto found = session(id)) {
    client = found->state();
  } else {
    client = state_->endpoints().holder(id);
  }
  if (!client) return detail::noted<void>(*state_, "revoke", id, detail::no_session(id));
  gate::AccessEnd end(CloseCode::unauthorized, std::string(reason));
  end.add(std::move(client));
  std::move(end).run();
  return {};
}

namespace detail {

FLUX_DECL std::int64_t unix_ms(Grant::TimePoint time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

FLUX_DECL void keep(ServerState& state, std::string_view call, const gate::Revocations::Key& key,
                    std::function<void(Result<void>)> done) {
  perform<void>(state, call, std::move(done), [&](const auto& then) { state.hub().revocation_log.keep(key, then); });
}

FLUX_DECL Outcome<std::size_t> revoke(ServerState& state, std::string_view call, Revocation revocation,
                                      std::function<void(Result<void>)> done) {
  const gate::Revocations::Key key{revocation.kind, revocation.name};
  const std::string reason = storable_text(std::move(revocation.reason));
  revocation.reason = core::beginning(reason, Revocation::reason_bytes_max);
  auto revoked = state.hub().revoke(std::move(revocation));
  if (revoked) keep(state, call, key, std::move(done));
  return noted<std::size_t>(state, call, key.name, std::move(revoked));
}

FLUX_DECL bool allow(ServerState& state, std::string_view call, RevocationKind kind, std::string_view name,
                     std::function<void(Result<void>)> done) {
  const gate::Revocations::Key key{kind, std::string(name)};
  if (const auto fit = gate::Revocations::check({kind, key.name, 0, {}}); !fit) {
    perform<void>(state, call, std::move(done), [&](const auto& then) { then(fit.error()); });
    return false;
  }
  const bool was_revoked = state.hub().revocations.remove(kind, name);
  keep(state, call, key, std::move(done));
  return was_revoked;
}

}  // namespace detail

FLUX_DECL Outcome<std::size_t> Server::revoke_user(std::string_view user_id, Grant::TimePoint until,
                                                   std::string_view reason, std::function<void(Result<void>)> done) {
  return detail::revoke(*state_, "revoke_user",
                        {RevocationKind::user, std::string(user_id), detail::unix_ms(until), std::string(reason)},
                        std::move(done));
}

FLUX_DECL Outcome<std::size_t> Server::revoke_credential(std::string_view credential, Grant::TimePoint until,
                                                         std::string_view reason,
                                                         std::function<void(Result<void>)> done) {
  return detail::revoke(
      *state_, "revoke_credential",
      {RevocationKind::credential, std::string(credential), detail::unix_ms(until), std::string(reason)},
      std::move(done));
}

FLUX_DECL bool Server::allow_user(std::string_view user_id, std::function<void(Result<void>)> done) {
  return detail::allow(*state_, "allow_user", RevocationKind::user, user_id, std::move(done));
}

FLUX_DECL bool Server::allow_credential(std::string_view credential, std::function<void(Result<void>)> done) {
  return detail::allow(*state_, "allow_credential", RevocationKind::credential, credential, std::move(done));
}

FLUX_DECL std::vector<Revocation> Server::revocations() const { return state_->hub().revocations.all(); }

}  // namespace flux

// The layer's definitions need all of its declarations: in header-only mode they come here, together, and the headers
// of detail/server bring none of their own.
#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/client_script.ipp>
#include <flux/detail/endpoints/live/live_endpoint.ipp>
#include <flux/detail/endpoints/live/live_requests.ipp>
#include <flux/detail/endpoints/live/live_session.ipp>
#include <flux/detail/endpoints/raw/raw_clients.ipp>
#include <flux/detail/endpoints/raw/raw_endpoint.ipp>
#include <flux/detail/endpoints/raw/raw_websocket.ipp>
#include <flux/detail/endpoints/raw/websocket.ipp>
#include <flux/detail/server/checked_config.ipp>
#include <flux/detail/server/loop_watch.ipp>
#include <flux/detail/server/own_endpoints.ipp>
#include <flux/detail/server/own_services.ipp>
#include <flux/detail/server/server_state.ipp>
#endif
