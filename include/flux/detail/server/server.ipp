#pragma once

#include <flux/detail/core/digest.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/files/upload_request.hpp>
#include <flux/detail/endpoints/raw/raw_endpoint.hpp>
#include <flux/detail/server/server_state.hpp>
#include <flux/detail/storage/file_id.hpp>
#include <flux/server.hpp>

#include <functional>
#include <memory>
#include <utility>

namespace flux {

namespace detail {

FLUX_DECL Error no_room(const RoomId& room) {
  return Error(Errc::room_not_found, "no room \"" + core::shown(room) + "\"");
}

FLUX_DECL std::shared_ptr<features::ChatLog> running_chat(Hub& hub) {
  const std::lock_guard lock(hub.chat_mutex);
  return hub.chat;
}

/// A callback of the application's.
template <class T>
std::function<void(Result<T>)> told(Hub& hub, std::string_view what, std::function<void(Result<T>)> then) {
  return [&hub, what, then = std::move(then)](Result<T> result) {
    if (then) hub.guarded_elsewhere(what, [&] { then(std::move(result)); });
  };
}

/// A callback of the application with its result. It is called once: by `call`, or when the task that would call it is
/// dropped because its loop has ended.
template <class T>
class PendingCallback {
 public:
  PendingCallback(ServerState& state, std::function<void(Result<T>)> done, Result<T> result)
      : state_(state), done_(std::move(done)), result_(std::move(result)) {}
  PendingCallback(const PendingCallback&) = delete;
  PendingCallback& operator=(const PendingCallback&) = delete;
  ~PendingCallback() {
    if (done_) state_.call_here([this] { call(); });
  }
  void call() { std::exchange(done_, nullptr)(std::move(result_)); }

 private:
  ServerState& state_;
  std::function<void(Result<T>)> done_;
  Result<T> result_;
};

/// Calls `done` on the loop rather than on a thread of the store; where the loop has ended, on whichever thread finds
/// that out.
template <class T>
void call_on(ServerState& state, core::Loop& loop, const std::function<void(Result<T>)>& done, Result<T> result) {
  loop.post([pending = std::make_shared<PendingCallback<T>>(state, done, std::move(result))] { pending->call(); });
}

/// Where a store blocks: `then`, on a loop.
template <class T>
std::function<void(Result<T>)> on_a_loop(ServerState& state, bool blocks, std::function<void(Result<T>)> then) {
  const auto loop = blocks ? state.a_loop() : nullptr;
  if (!loop) return then;
  return [&state, loop, then = std::move(then)](Result<T> result) { call_on(state, *loop, then, std::move(result)); };
}

/// `room`: null is the public space.
FLUX_DECL void share_item(ServerState& state, const std::shared_ptr<features::Room>& room, SharedItem item,
                          std::function<void(Result<Position>)> told) {
  Hub& hub = state.hub();
  const bool blocks = hub.is_kept(room) && hub.room_log->blocks();
  hub.share(room, nullptr, std::move(item), on_a_loop(state, blocks, std::move(told)));
}

}  // namespace detail

FLUX_DECL Server::Server(const Config& config, bool) : state_(std::make_shared<detail::ServerState>(config)) {}
// Not moved: handlers that run while it stops may still call this object.
FLUX_DECL Server::~Server() { detail::ServerState::let_go(state_); }

FLUX_DECL void Server::run() {
  const auto state = state_;  // a handler may destroy this object meanwhile
  state->run();
}
FLUX_DECL void Server::start() { state_->start(); }
FLUX_DECL void Server::stop(std::chrono::milliseconds grace) { state_->stop(grace); }
FLUX_DECL bool Server::running() const { return state_->running(); }
FLUX_DECL std::uint16_t Server::port(std::size_t index) const { return state_->port(index); }
FLUX_DECL Result<void> Server::reload_certificates() { return state_->reload_certificates(); }
FLUX_DECL Result<void> Server::adopt(std::intptr_t native_socket, std::string bytes_read) {
  return state_->adopt(native_socket, std::move(bytes_read));
}
FLUX_DECL Stats Server::stats() const { return state_->stats(); }

// --- Handlers and routes ---

FLUX_DECL void Server::on_connect(ConnectHandler handler) {
  state_->check_not_running("on_connect");
  state_->hub().gate.connect = std::move(handler);
}
FLUX_DECL void Server::on_token(TokenVerifier verifier) {
  state_->check_not_running("on_token");
  state_->hub().gate.token = std::move(verifier);
}
FLUX_DECL void Server::on_disconnect(DisconnectHandler handler) {
  state_->check_not_running("on_disconnect");
  state_->hub().handlers.disconnect = std::move(handler);
}
FLUX_DECL void Server::on_join(JoinHandler handler) {
  state_->check_not_running("on_join");
  state_->hub().handlers.join = std::move(handler);
}
FLUX_DECL void Server::on_leave(LeaveHandler handler) {
  state_->check_not_running("on_leave");
  state_->hub().handlers.leave = std::move(handler);
}
FLUX_DECL void Server::on_event(EventHandler handler) {
  state_->check_not_running("on_event");
  state_->hub().handlers.event = std::move(handler);
}
FLUX_DECL void Server::on_chat(ChatHandler handler) {
  state_->check_not_running("on_chat");
  state_->hub().handlers.chat = std::move(handler);
}
FLUX_DECL void Server::on_public_delete(PublicDeleteHandler handler) {
  state_->check_not_running("on_public_delete");
  state_->hub().handlers.public_delete = std::move(handler);
}

FLUX_DECL void Server::on_share(ShareHandler handler) {
  state_->check_not_running("on_share");
  state_->hub().handlers.share = std::move(handler);
}
FLUX_DECL void Server::on_presence(PresenceHandler handler) {
  state_->check_not_running("on_presence");
  state_->hub().handlers.presence = std::move(handler);
}
FLUX_DECL void Server::on_file(FileHandler handler) {
  state_->check_not_running("on_file");
  state_->hub().gate.file = std::move(handler);
}

FLUX_DECL void Server::on_call(std::string_view method, CallHandler handler) {
  state_->check_not_running("on_call");
  state_->hub().requests.set(method, std::move(handler), state_->config().limits.event_name_bytes_max);
}

FLUX_DECL void Server::route(std::string_view method, std::string_view pattern, HttpHandler handler,
                             RouteOptions options) {
  state_->check_not_running("route");
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

FLUX_DECL Result<void> Server::create_room(const RoomId& room, RoomOptions options) {
  detail::Hub& hub = state_->hub();
  const auto made = hub.rooms.create(room, options);
  if (!made) return made.error();
  return hub.open_room(*made);
}

FLUX_DECL void Server::create_room(const RoomId& room, RoomOptions options, std::function<void(Result<void>)> done) {
  detail::Hub& hub = state_->hub();
  auto told = detail::told(hub, "create_room", std::move(done));
  const auto made = hub.rooms.create(room, options);
  if (!made) return told(made.error());
  const bool blocks = (*made)->is_kept() && hub.room_log->blocks();
  hub.open_room(*made, detail::on_a_loop(*state_, blocks, std::move(told)));
}

FLUX_DECL Result<void> Server::close_room(const RoomId& room, std::string_view reason) {
  detail::Hub& hub = state_->hub();
  const auto ended = hub.rooms.take_out(room, core::repaired(std::string(reason)));
  if (!ended) return detail::no_room(room);
  hub.clear_room(ended);
  return {};
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

FLUX_DECL Result<Position> Server::broadcast(const RoomId& room, std::string_view event, const JsonText& payload) {
  if (const auto checked = detail::check_event(event, payload, state_->config().limits); !checked)
    return checked.error();
  const auto found = state_->hub().rooms.find(room);
  if (!found) return detail::no_room(room);
  return found->publish(nullptr, {room, server_connection_id, {}, event, detail::Relayed(payload).text()});
}

FLUX_DECL void Server::share(const RoomId& room, const JsonText& data, std::function<void(Result<Position>)> done) {
  detail::Hub& hub = state_->hub();
  auto told = detail::told(hub, "share", std::move(done));
  if (const auto checked =
          detail::check_size("the data", data.text().size(), state_->config().limits.message_bytes_max);
      !checked)
    return told(checked.error());
  const auto found = hub.rooms.find(room);
  if (!found) return told(detail::no_room(room));
  detail::share_item(*state_, found, {server_connection_id, detail::relayable(data), 0}, std::move(told));
}

FLUX_DECL Result<std::vector<SharedItem>> Server::room_items(const RoomId& room) const {
  const auto found = state_->hub().rooms.find(room);
  if (!found) return detail::no_room(room);
  return found->items();
}

FLUX_DECL void Server::send_chat(const RoomId& room, std::string_view message, std::optional<JsonText> metadata,
                                 std::function<void(Result<ChatMessage>)> done) {
  detail::Hub& hub = state_->hub();
  done = [&hub, then = std::move(done)](Result<ChatMessage> stored) {
    if (then) hub.guarded_elsewhere("send_chat", [&] { then(std::move(stored)); });
  };
  if (const auto checked = hub.rooms.check_id(room); !checked) return done(checked.error());
  const Limits& limits = state_->config().limits;
  if (message.size() > limits.chat_bytes_max || message.find('\0') != std::string_view::npos ||
      !core::valid_utf8(message)) {
    return done(Error(Errc::invalid_argument, "a chat message is UTF-8 without NUL, of at most " +
                                                  std::to_string(limits.chat_bytes_max) + " bytes, not \"" +
                                                  core::shown(message) + "\" of " + std::to_string(message.size())));
  }
  if (metadata) metadata = detail::relayable(std::move(*metadata));
  if (metadata && metadata->text().size() > limits.metadata_bytes_max) {
    return done(Error(Errc::invalid_argument, "metadata has at most " + std::to_string(limits.metadata_bytes_max) +
                                                  " bytes, not " + std::to_string(metadata->text().size())));
  }
  if (const auto found = hub.rooms.find(room)) {
    if (const auto taken = found->takes_messages(); !taken) return done(taken.error());
  }
  const auto chat = detail::running_chat(hub);
  const auto loop = state_->a_loop();
  if (!chat || !loop) return done(Error(Errc::stopped, "the server does not run"));
  const std::int64_t now = state_->config().clock->unix_ms();
  ChatMessage draft{core::timed_key_text(now, hub.new_key()),
                    room,
                    server_connection_id,
                    {},
                    std::string(message),
                    metadata ? std::move(*metadata).text() : std::string(),
                    now,
                    0};
  std::optional<Result<ChatMessage>> at_once;
  chat->append(std::move(draft), [&state = *state_, &hub, &at_once, room, done, loop, blocks = chat->blocks()](
                                     Result<ChatMessage> stored, const features::ChatLog::Turn&) {
    if (const auto found = stored ? hub.rooms.find(room) : nullptr) found->publish_chat(*stored);
    if (blocks) {
      detail::call_on(state, *loop, done, std::move(stored));
    } else {
      at_once.emplace(std::move(stored));  // `done` is called outside the chat's lock
    }
  });
  if (at_once) done(std::move(*at_once));
}

FLUX_DECL void Server::chat_history(const RoomId& room, std::size_t limit, Offset before,
                                    std::function<void(Result<std::vector<ChatMessage>>)> done) {
  detail::Hub& hub = state_->hub();
  done = [&hub, then = std::move(done)](Result<std::vector<ChatMessage>> page) {
    if (then) hub.guarded_elsewhere("chat_history", [&] { then(std::move(page)); });
  };
  if (limit < 1 || limit > 1000) {
    return done(Error(Errc::invalid_argument, "limit must be 1 to 1000, not " + std::to_string(limit)));
  }
  const auto chat = detail::running_chat(hub);
  const auto loop = state_->a_loop();
  if (!chat || !loop) return done(Error(Errc::stopped, "the server does not run"));
  std::optional<Result<std::vector<ChatMessage>>> at_once;
  chat->history(room, {limit, before},
                [&state = *state_, &at_once, done, loop, blocks = chat->blocks()](Result<features::ChatPage> page,
                                                                                  const features::ChatLog::Turn&) {
                  using Messages = Result<std::vector<ChatMessage>>;
                  Messages messages = page ? Messages(std::move(page->entries)) : Messages(page.error());
                  if (blocks) {
                    detail::call_on(state, *loop, done, std::move(messages));
                  } else {
                    at_once.emplace(std::move(messages));
                  }
                });
  if (at_once) done(std::move(*at_once));
}

// --- The public space ---

FLUX_DECL void Server::public_share(const JsonText& data, std::function<void(Result<Position>)> done) {
  detail::Hub& hub = state_->hub();
  auto told = detail::told(hub, "public_share", std::move(done));
  if (const auto checked =
          detail::check_size("the data", data.text().size(), state_->config().limits.message_bytes_max);
      !checked)
    return told(checked.error());
  detail::share_item(*state_, nullptr, {server_connection_id, detail::relayable(data), 0}, std::move(told));
}

FLUX_DECL std::vector<SharedItem> Server::public_items() const { return state_->hub().public_space->items(); }

FLUX_DECL void Server::public_delete_last(std::function<void(Result<bool>)> done) {
  detail::Hub& hub = state_->hub();
  auto told = detail::told(hub, "public_delete_last", std::move(done));
  const bool blocks = hub.is_kept(nullptr) && hub.room_log->blocks();
  hub.remove_public_newest({}, detail::on_a_loop(*state_, blocks, std::move(told)));
}

// --- Files ---

namespace detail {

/// `then`, where what `files` calls goes on: for a store that blocks, on a loop.
template <class T>
std::function<void(Result<T>)> told_of_files(ServerState& state, std::string_view what,
                                             std::function<void(Result<T>)> then) {
  const auto& store = state.config().files.store;
  return on_a_loop(state, store && store->may_block(), told(state.hub(), what, std::move(then)));
}

}  // namespace detail

FLUX_DECL void Server::share_file(const RoomId& room, const FileId& file, std::function<void(Result<Position>)> done) {
  detail::Hub& hub = state_->hub();
  auto told = detail::told_of_files(*state_, "share_file", std::move(done));
  if (!hub.files) return told(features::no_files());
  const auto found = hub.rooms.find(room);
  if (!found) return told(detail::no_room(room));
  hub.hold_file(file, {.is_application = true, .room = found},
                [&state = *state_, found, told](Result<features::FileHoldPtr> hold) {
                  if (!hold) return told(hold.error());
                  detail::share_item(state, found, {server_connection_id, (*hold)->stored_data(), 0, *hold}, told);
                });
}

FLUX_DECL void Server::public_share_file(const FileId& file, std::function<void(Result<Position>)> done) {
  detail::Hub& hub = state_->hub();
  auto told = detail::told_of_files(*state_, "public_share_file", std::move(done));
  if (!hub.files) return told(features::no_files());
  hub.hold_file(file, {.is_application = true}, [&state = *state_, told](Result<features::FileHoldPtr> hold) {
    if (!hold) return told(hold.error());
    detail::share_item(state, nullptr, {server_connection_id, (*hold)->stored_data(), 0, *hold}, told);
  });
}

FLUX_DECL Result<std::string> Server::file_link(const FileId& file, std::chrono::seconds valid_for,
                                                std::string_view file_name) const {
  if (!state_->hub().files) return features::no_files();
  if (!core::has_digests()) return Error(Errc::forbidden, "links need a build with TLS (FLUX_WITH_TLS)");
  if (!storage::is_file_id(file)) {
    return Error(Errc::invalid_argument, "a file's id is a UUID in lower case, not \"" + core::shown(file) + "\"");
  }
  constexpr std::chrono::hours hundred_years(24 * 36'525);
  if (valid_for > hundred_years || valid_for < -hundred_years) {
    return Error(Errc::invalid_argument,
                 "a link is good for at most 100 years, not " + std::to_string(valid_for.count()) + " s");
  }
  const std::string name = core::repaired(std::string(file_name));
  if (name.size() > file_name_bytes_max) {
    return Error(Errc::invalid_argument, "a file name has at most " + std::to_string(file_name_bytes_max) +
                                             " bytes, not " + std::to_string(name.size()));
  }
  const std::int64_t now = state_->config().clock->unix_ms() / 1000;
  const auto query = state_->hub().file_links.query(file, now + valid_for.count(), name);
  if (!query) return query.error();
  return detail::file_path(state_->config().files, file) + "?" + *query;
}

FLUX_DECL void Server::cleanup_deleted_files(std::function<void(Result<FileCleanup>)> done) {
  detail::Hub& hub = state_->hub();
  auto told = detail::told_of_files(*state_, "cleanup_deleted_files", std::move(done));
  if (!hub.files) return told(features::no_files());
  hub.files->cleanup(std::move(told));
}

// --- Sessions ---

FLUX_DECL std::vector<Session> Server::sessions() const {
  std::vector<Session> list;
  for (auto& session : state_->hub().sessions.all()) list.emplace_back(std::move(session));
  return list;
}

FLUX_DECL std::optional<Session> Server::session(const SessionId& id) const {
  const auto key = core::key_from_text(id);
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

FLUX_DECL Result<void> Server::disconnect(const SessionId& id, CloseCode code, std::string_view reason) {
  const auto found = session(id);
  if (!found) return Error(Errc::session_not_found, "no session " + id);
  found->close(code, reason);
  return {};
}

FLUX_DECL std::size_t Server::disconnect_user(std::string_view user_id, CloseCode code, std::string_view reason) {
  const std::vector<Session> sessions = sessions_of_user(user_id);
  for (const Session& session : sessions) session.close(code, reason);
  return sessions.size();
}

FLUX_DECL std::size_t Server::revoke_user(std::string_view user_id, std::string_view reason) {
  detail::Hub& hub = state_->hub();
  const auto sessions = hub.sessions.of_user(user_id);
  for (const auto& session : sessions) session->end_access(CloseCode::unauthorized, reason);
  return sessions.size() + hub.admitted.revoke_user(user_id, CloseCode::unauthorized, reason);
}

FLUX_DECL Result<void> Server::revoke(const SessionId& id, std::string_view reason) {
  const auto found = session(id);
  if (!found) return Error(Errc::session_not_found, "no session " + id);
  found->state()->end_access(CloseCode::unauthorized, reason);
  return {};
}

}  // namespace flux

// The layer's definitions need all of its declarations: in header-only mode they come here, together, and the headers
// of server/detail bring none of their own.
#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/files/file_call.ipp>
#include <flux/detail/endpoints/files/file_download.ipp>
#include <flux/detail/endpoints/files/file_routes.ipp>
#include <flux/detail/endpoints/files/file_upload.ipp>
#include <flux/detail/endpoints/files/tus_request.ipp>
#include <flux/detail/endpoints/files/upload_progress.ipp>
#include <flux/detail/endpoints/files/upload_request.ipp>
#include <flux/detail/endpoints/files/upload_turns.ipp>
#include <flux/detail/endpoints/live/live_endpoint.ipp>
#include <flux/detail/endpoints/live/live_session.ipp>
#include <flux/detail/endpoints/raw/raw_endpoint.ipp>
#include <flux/detail/endpoints/raw/raw_websocket.ipp>
#include <flux/detail/endpoints/raw/websocket.ipp>
#include <flux/detail/server/own_endpoints.ipp>
#include <flux/detail/server/own_services.ipp>
#include <flux/detail/server/server_state.ipp>
#endif
