// What every participant shares: the features of one server, the application's handlers, and the clients connected to it.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/core/call_faults.hpp>
#include <flux/detail/core/secret.hpp>
#include <flux/detail/core/session_directory.hpp>
#include <flux/detail/features/chat_log.hpp>
#include <flux/detail/features/file_feature.hpp>
#include <flux/detail/features/handed_in.hpp>
#include <flux/detail/features/handled_names.hpp>
#include <flux/detail/features/public_space.hpp>
#include <flux/detail/features/request_table.hpp>
#include <flux/detail/features/revocation_log.hpp>
#include <flux/detail/features/room_log.hpp>
#include <flux/detail/features/rooms.hpp>
#include <flux/detail/gate/admitted.hpp>
#include <flux/detail/gate/client_limits.hpp>
#include <flux/detail/gate/gate.hpp>
#include <flux/detail/gate/revocations.hpp>
#include <flux/events.hpp>

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux::features {

/// The application's handlers, except those of the gate; set before the server starts.
struct Handlers {
  DisconnectHandler disconnect;
  JoinHandler join;
  JoinedHandler joined;
  LeaveHandler leave;
  CreateRoomHandler create_room;
  EventHandler event;
  ChatHandler chat;
  ChatEditHandler chat_edit;
  ChatDeleteHandler chat_delete;
  ShareHandler share;
  PublicDeleteHandler public_delete;
  PresenceHandler presence;
  StoredFileHandler stored_file;
};

inline Error no_files() { return Error(Errc::forbidden, "this server accepts no files"); }
inline Error no_room(const RoomId& room) {
  return Error(Errc::room_not_found, "no room \"" + core::shown(room) + "\"");
}
inline Error no_chat_message(Offset offset) {
  return Error(Errc::chat_message_not_found, "no chat message with offset " + std::to_string(offset));
}
inline Error chat_not_editable() {
  return Error(Errc::forbidden, "messages can't be edited or deleted: the chat store of this server can't do it");
}
inline Error not_running() { return Error(Errc::stopped, "the server is not running"); }

/// Knows no protocol. Unit tests create one without a server.
/// Threading: any thread; handlers are called on the loop of the connection that they concern.
struct Backend {
  /// `settings` must outlive it.
  explicit Backend(const Config& settings)
      : config(settings),
        secret(settings.seed),
        keys(secret.derived("keys")),
        revocations(settings.clock, settings.revocations.count_max),
        gate(
            settings,
            [this](core::LoopCounters& counters, std::string_view what, const std::function<void()>& handler,
                   const core::ClientAddress& client) { return guarded(counters, what, handler, client); },
            [this](LogLevel level, std::string_view message) { log(level, message); }, &revocations),
        admitted(settings.clock, settings.expiry_notice, &revocations),
        client_limits(settings.limits, settings.clock, [this](std::string_view what) { log(LogLevel::warning, what); }),
        call_faults(std::make_shared<core::CallFaults>(settings.clock, settings.log, settings.log_level)),
        chat_faults(make_faults("the chat store")),
        room_faults(make_faults("the room store")),
        revocation_faults(make_faults("the revocation store")),
        revocation_log(settings.revocations, revocations, revocation_faults),
        room_log(make_room_log(settings)),
        rooms(settings, secret.derived("epochs").first(), room_log.get()),
        public_space(
            std::make_shared<PublicSpace>(settings.limits, core::key_text(secret.derived("public space").first()))) {
    if (room_log && settings.limits.public_history_items_max > 0) {
      public_space->keep_in_store({{}, new_room_life(), RoomMode::history, 0, true}, {}, {}, InStore::no);
    }
  }

  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  const Config& config;
  Handlers handlers;
  RequestTable requests;
  std::atomic<std::uint64_t> errors_elsewhere{0};  // exceptions thrown by callbacks outside the loops
  const core::Secret secret;
  core::KeySequence keys;  // of sessions and messages
  core::SessionDirectory sessions;
  gate::Revocations revocations;
  gate::Gate gate;
  gate::Admitted admitted;
  gate::ClientLimits client_limits;
  const std::shared_ptr<core::CallFaults> call_faults;
  const std::shared_ptr<StoreFaults> chat_faults, room_faults, revocation_faults;
  RevocationLog revocation_log;
  std::shared_ptr<FileFeature> files;       // null: the server has no file store. Set before the server starts
  const std::unique_ptr<RoomLog> room_log;  // null: rooms end with the process
  Rooms rooms;
  std::shared_ptr<PublicSpace> public_space;
  std::mutex chat_mutex;
  std::shared_ptr<ChatLog> chat;  // while the server runs; changed under the mutex, only when no loop runs

  std::uint64_t new_key() { return keys.next(); }
  /// An id for a chat message: 22 letters and digits.
  std::string new_chat_id() { return core::timed_key_text(config.clock->unix_ms(), new_key()); }

  /// Ends the access of the user's clients, or of those with the credential; returns their number.
  std::size_t end_access(RevocationKind kind, std::string_view name, std::string_view reason) {
    gate::AccessEnd end(CloseCode::unauthorized, std::string(reason));
    for (auto& client : kind == RevocationKind::user ? admitted.of_user(name) : admitted.of_credential(name)) {
      end.add(std::move(client));
    }
    if (kind == RevocationKind::user) {
      sessions.by_user().visit(name, [&](const auto& session) { end.add(session); });
    }
    return std::move(end).run();
  }
  /// Refuses grants for a time, and ends the access of the clients that have one; returns their number. To be followed by
  /// `revocation_log.keep`. Errors: those of `Revocations::add`; after limit_exceeded clients were disconnected
  /// nonetheless.
  Result<std::size_t> revoke(Revocation revocation) {
    const gate::Revocations::Key key{revocation.kind, revocation.name};
    const std::string reason = revocation.reason;
    std::vector<gate::Revocations::Key> ended;
    const auto added = revocations.add(std::move(revocation), ended);
    for (const auto& past : ended) revocation_log.keep(past, [](const Result<void>&) {});
    if (!added && added.error().code() == Errc::invalid_argument) return added.error();
    const std::size_t count = end_access(key.kind, key.name, reason);
    if (!added) return added.error();
    return count;
  }

  /// While the server runs; else null.
  std::shared_ptr<ChatLog> running_chat() {
    const std::lock_guard lock(chat_mutex);
    return chat;
  }

  /// Stores a chat message, then publishes it: in `room` or, if that is null, in the room with the message's `room` id
  /// that exists by then. Its time is set here. `retry`: whether its id may be stored already; then it is not published
  /// again, and `done` gets the stored one. `done` is called in the message's turn (`ChatLog::append`).
  /// Errors: overloaded; stopped; those of the chat store.
  void store_chat(ChatMessage message, Retry retry, const std::shared_ptr<Room>& room,
                  const std::function<void(Result<ChatMessage>)>& done) {
    if (room) {
      if (const auto taken = room->takes_messages(); !taken) return done(taken.error());
    }
    const auto log = running_chat();
    if (!log) return done(not_running());
    message.created_at = config.clock->unix_ms();
    log->append(std::move(message), retry, [this, room, done](Result<StoredChat> stored, const ChatLog::Turn&) {
      if (!stored) return done(stored.error());
      const auto audience = stored->is_repeat ? nullptr : room ? room : rooms.find(stored->message.room);
      if (audience) audience->publish_chat(stored->message);
      done(std::move(stored->message));
    });
  }

  /// Has `change` alter a message that is stored and not deleted, stores it, then publishes it, as `store_chat` does.
  /// Errors: chat_message_not_found; forbidden if the store can't edit; overloaded; stopped; those of the chat store.
  void change_chat(const RoomId& id, Offset offset, ChatLog::Change change,
                   const std::function<void(Result<ChatMessage>)>& done) {
    if (const auto room = rooms.find(id)) {
      if (const auto taken = room->takes_messages(); !taken) return done(taken.error());
    }
    const auto log = running_chat();
    if (!log) return done(not_running());
    if (!log->can_edit()) return done(chat_not_editable());
    log->change(id, offset, std::move(change),
                [this, offset, done](Result<std::optional<ChatMessage>> changed, const ChatLog::Turn&) {
                  if (!changed) return done(changed.error());
                  if (!*changed) return done(no_chat_message(offset));
                  if (const auto room = rooms.find((*changed)->room)) room->publish_chat(**changed);
                  done(std::move(**changed));
                });
  }
  /// The two changes, as of now.
  ChatLog::Change chat_edit(std::string message, std::string metadata) const {
    return [now = config.clock->unix_ms(), message = std::move(message),
            metadata = std::move(metadata)](ChatMessage& stored) {
      stored.message = message;
      if (!metadata.empty()) stored.metadata = metadata;
      stored.edited_at = now;
    };
  }
  ChatLog::Change chat_deletion() const {
    return [now = config.clock->unix_ms()](ChatMessage& stored) {
      stored.message.clear();
      stored.metadata.clear();
      stored.deleted_at = now;
    };
  }

  /// For `room_log`; null if the public space ends with the process.
  KeptRoomPtr kept_public_space() const { return room_log ? public_space->kept() : nullptr; }

  /// Whether the room's items are stored; null is the public space.
  bool is_kept(const std::shared_ptr<const Room>& room) const {
    return room ? room->is_kept() : kept_public_space() != nullptr;
  }

  /// Shares an item in the room, or in the public space if `room` is null. `sender`: null is the application. `done` is
  /// called on a worker of the room store if the item is kept in one that blocks, otherwise at once.
  void share(const std::shared_ptr<Room>& room, const Membership* sender, SharedItem item,
             const RoomLog::Shared& done) {
    const KeptRoomPtr kept = room ? room->kept() : kept_public_space();
    if (!kept) return done(room ? room->share(sender, std::move(item)) : public_space->share(std::move(item)));
    if (const auto taken = room ? room->takes_messages() : public_space->takes_items(); !taken) {
      return done(taken.error());
    }
    room_log->share(kept, std::move(item), done);
  }

  /// Removes the newest item of the public space if it is still `only` (default-constructed: any). `done`: as for
  /// `share`.
  void remove_public_newest(const SharedItem& only, const RoomLog::Removed& done) {
    if (const auto kept = kept_public_space()) return room_log->remove_newest(kept, done, only.number);
    done(public_space->delete_newest(only.offset));
  }

  /// Takes a hold on a file for `holder.room`; see `FileFeature::hold_to_store`. `files` must not be null.
  void hold_file(const FileId& file, FileHolder holder, FileFeature::Done<FileHoldPtr> done) {
    const bool is_stored = is_kept(holder.room);
    if (is_stored) return files->hold_to_store(file, std::move(holder), std::move(done));
    files->hold(file, std::move(holder), std::move(done));
  }

  /// Tells the application that a client has uploaded a file. `session`: null if there is none. `grant`: what the client
  /// was accepted with; null: what the session has.
  void tell_stored(core::LoopCounters& counters, const FileInfo& file, const RoomId& room,
                   core::SessionDirectory::SessionPtr session, std::shared_ptr<const Grant> grant) const {
    if (!handlers.stored_file) return;
    if (!grant && session) grant = session->grant();
    StoredFile stored{file, room, {}, grant ? *grant : Grant()};
    if (session) stored.session.emplace(std::move(session));
    guarded(counters, "stored file", [&] { handlers.stored_file(stored); });
  }

  /// The session of this connection if it is in the room (empty: in any or none), and its grant is not withdrawn;
  /// otherwise null.
  core::SessionDirectory::SessionPtr member(const SessionId& connection, const RoomId& room) const {
    const auto key = core::key_from_text(connection);
    auto session = key ? sessions.find(*key) : nullptr;
    return session && !session->withdrawn() && (room.empty() || session->is_in(room)) ? session : nullptr;
  }

  /// Completes the creation of a room. `done` is called when the store has it, at once if it is not kept; or with the
  /// reason why the store does not have it, and then the room has ended. Meanwhile clients can already find the room.
  void open_room(const std::shared_ptr<Room>& room, RoomLog::Opened done) {
    if (!room->is_kept()) return done({});
    room_log->open(room->kept(), [this, room, done = std::move(done)](const Result<void>& opened) {
      if (!opened && rooms.take_out(room, "it could not be stored")) clear_room(room);
      done(opened);
    });
  }
  /// The same without waiting for a store that blocks or is not running yet: the room stays even if that fails later.
  Result<void> open_room(const std::shared_ptr<Room>& room) {
    if (!room->is_kept()) return {};
    Result<void> result;
    if (room_log->blocks() || !room_log->runs()) {
      room_log->open(room->kept());
    } else {
      open_room(room, [&](const Result<void>& opened) { result = opened; });
    }
    return result;
  }

  /// Completes the removal of a room: removes it from its store, and its members from it, on their loops.
  void clear_room(const std::shared_ptr<Room>& room) const {
    if (room->is_kept()) room_log->close(room->kept());
    for (const core::SessionKey key : room->member_keys()) {
      if (const auto session = sessions.find(key)) {
        session->loop()->post([session, room] { session->leave_room(room); });
      }
    }
  }

  void log(LogLevel level, std::string_view message) const {
    if (config.log && level != LogLevel::off && level <= config.log_level) config.log(level, message);
  }

  /// Logs what an operator needs to follow one client. `line` makes it, and is called only if level debug is logged.
  template <class Line>
  void debug(const Line& line) const {
    if (config.log && config.log_level >= LogLevel::debug) config.log(LogLevel::debug, line());
  }

  /// Runs a handler. Returns false if it threw, which is logged and counted. `what`: a literal. `client`: whose
  /// message, request or disconnection it handles. `about`: for the log; may be changed by the handler.
  template <class F>
  bool guarded(core::LoopCounters& counters, std::string_view what, F&& handler,
               const core::RunningHandler::Client& client = {}, const HandledNames& about = {}) const {
    const core::RunningHandler::Call call(counters.running, what, client,
                                          about.name != nullptr ? std::string_view(*about.name) : std::string_view());
    const bool returned = returns(what, handler, client, about);
    if (!returned) counters.handler_errors.add();
    return returned;
  }
  /// Checks `event` as a handler has left it. An error is the application's: logged and counted.
  template <class Event>
  Result<void> check_handled(core::LoopCounters& counters, std::string_view what, Event& event,
                             const core::RunningHandler::Client& client) const {
    using detail::check_changed;  // a module's event has its own, which is found by the event's type
    auto checked = check_changed(event, config.limits);
    if (!checked) {
      counters.handler_errors.add();
      log(LogLevel::error,
          std::string(what).append(" handler: ").append(checked.error().message()) + names_in(event).text(client));
    }
    return checked;
  }
  /// The same for a callback that runs on no particular loop.
  template <class F>
  void guarded_elsewhere(std::string_view what, F&& callback) {
    if (!returns(what, callback, {}, {})) errors_elsewhere.fetch_add(1, std::memory_order_relaxed);
  }

  /// Counts and logs the failures of `store`, "the chat store" for example.
  std::shared_ptr<StoreFaults> make_faults(const char* store) const {
    return std::make_shared<StoreFaults>(store, config.clock,
                                         [this](std::string_view line) { log(LogLevel::error, line); });
  }

 private:
  std::unique_ptr<RoomLog> make_room_log(const Config& settings) {
    if (!settings.rooms.store) return nullptr;
    return std::make_unique<RoomLog>(settings.rooms, settings.limits, room_faults);
  }

  template <class F>
  bool returns(std::string_view what, F& handler, const core::RunningHandler::Client& client,
               const HandledNames& about) const {
    std::string thrown;
    try {
      handler();
      return true;
    } catch (const std::exception& e) {
      thrown = std::string(": ").append(e.what());
    } catch (...) {
      thrown = " something that is not a std::exception";
    }
    log(LogLevel::error, std::string(what).append(" handler threw").append(thrown) + about.text(client));
    return false;
  }
};

}  // namespace flux::features
