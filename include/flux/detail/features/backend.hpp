// What every participant shares: the features of one server, the application's handlers, and the clients connected to it.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/core/secret.hpp>
#include <flux/detail/core/session_state.hpp>
#include <flux/detail/features/chat_log.hpp>
#include <flux/detail/features/files.hpp>
#include <flux/detail/features/handed_in.hpp>
#include <flux/detail/features/public_space.hpp>
#include <flux/detail/features/request_table.hpp>
#include <flux/detail/features/room_log.hpp>
#include <flux/detail/features/rooms.hpp>
#include <flux/detail/gate/admitted.hpp>
#include <flux/detail/gate/file_link.hpp>
#include <flux/detail/gate/gate.hpp>
#include <flux/detail/gate/upload_ticket.hpp>
#include <flux/events.hpp>

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace flux::features {

/// The application's handlers, but those of the gate; set before the server starts.
struct Handlers {
  DisconnectHandler disconnect;
  JoinHandler join;
  LeaveHandler leave;
  EventHandler event;
  ChatHandler chat;
  ShareHandler share;
  PublicDeleteHandler public_delete;
  PresenceHandler presence;
};

inline Error no_files() { return Error(Errc::forbidden, "this server takes no files"); }

struct SignedTicket {
  std::string text;
  std::int64_t expires_at;  // milliseconds since 1970
};

/// Knows no protocol. Unit tests make one without a server.
/// Threading: any thread; handlers are called on the loop of the connection that they are about.
struct Backend {
  /// `settings` outlives it.
  explicit Backend(const Config& settings)
      : config(settings),
        secret(settings.seed),
        keys(secret.derived("keys")),
        gate(
            settings,
            [this](core::LoopCounters& counters, std::string_view what, const std::function<void()>& handler) {
              return guarded(counters, what, handler);
            },
            [this](LogLevel level, std::string_view message) { log(level, message); }),
        admitted(settings.clock),
        upload_tickets(settings.files.link_key),
        file_links(settings.files.link_key),
        chat_faults(make_faults("the chat store")),
        room_faults(make_faults("the room store")),
        file_faults(make_faults("the file store")),
        files(make_files(settings)),
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
  std::atomic<std::uint64_t> errors_elsewhere{0};  // exceptions out of callbacks, on no loop
  const core::Secret secret;
  core::KeySequence keys;  // of sessions and messages
  core::SessionDirectory sessions;
  gate::Gate gate;
  gate::Admitted admitted;
  const gate::UploadTickets upload_tickets;
  const gate::FileLinks file_links;
  const std::shared_ptr<StoreFaults> chat_faults, room_faults, file_faults;
  const std::shared_ptr<Files> files;       // null: the server takes none. Outlives what rooms hold of it
  const std::unique_ptr<RoomLog> room_log;  // null: rooms end with the process
  Rooms rooms;
  std::shared_ptr<PublicSpace> public_space;
  std::mutex chat_mutex;
  std::shared_ptr<ChatLog> chat;  // while the server runs; changed under the mutex, only when no loop runs

  std::uint64_t new_key() { return keys.next(); }

  /// What a session says now, for the store to keep.
  ChatMessage chat_message(const detail::SessionState& from, const RoomId& room, std::string text,
                           std::string metadata) {
    const auto known = from.identity();
    const std::int64_t now = from.loop()->clock().unix_ms();
    return {core::timed_key_text(now, new_key()),
            room,
            from.id(),
            known ? known->user_id : std::string(),
            std::move(text),
            std::move(metadata),
            now,
            0};
  }

  /// For `room_log`; null where the public space ends with the process.
  KeptRoomPtr kept_public_space() const { return room_log ? public_space->kept() : nullptr; }

  /// Whether what is shared there is stored; null is the public space.
  bool is_kept(const std::shared_ptr<const Room>& room) const {
    return room ? room->is_kept() : kept_public_space() != nullptr;
  }

  /// Shares an item in the room, or, where that is null, in the public space. `sender`: null is the application. `done`
  /// is told on a thread of the store where it is kept in one that blocks, else at once.
  void share(const std::shared_ptr<Room>& room, const Membership* sender, SharedItem item,
             const RoomLog::Shared& done) {
    const KeptRoomPtr kept = room ? room->kept() : kept_public_space();
    if (!kept) return done(room ? room->share(sender, std::move(item)) : public_space->share(std::move(item)));
    if (const auto taken = room ? room->takes_messages() : public_space->takes_items(); !taken) {
      return done(taken.error());
    }
    room_log->share(kept, std::move(item), done);
  }

  /// Removes the newest item of the public space if it is still `only`; a default one: whichever it is. `done` as for
  /// `share`.
  void remove_public_newest(const SharedItem& only, const RoomLog::Removed& done) {
    if (const auto kept = kept_public_space()) return room_log->remove_newest(kept, done, only.number);
    done(public_space->delete_newest(only.offset));
  }

  /// `files` is there. For a place in `holder.room`; see `Files::hold_to_store`.
  void hold_file(const FileId& file, FileHolder holder, Files::Done<FileHoldPtr> done) {
    const bool is_stored = is_kept(holder.room);
    if (is_stored) return files->hold_to_store(file, std::move(holder), std::move(done));
    files->hold(file, std::move(holder), std::move(done));
  }

  /// The session of this connection while it is in the room (empty: anywhere); else null.
  core::SessionDirectory::SessionPtr member(const SessionId& connection, const RoomId& room) const {
    const auto key = core::key_from_text(connection);
    auto session = key ? sessions.find(*key) : nullptr;
    return session && (room.empty() || session->is_in(room)) ? session : nullptr;
  }

  /// A ticket for uploads of a session that is in the room (empty: for no room); see `FilesOptions`. Errors: forbidden where the server takes
  /// no files, or signs nothing.
  Result<SignedTicket> upload_ticket(const detail::SessionState& session, const RoomId& room) const {
    if (!files) return no_files();
    const std::int64_t expires_at = files->unix_ms() + std::chrono::milliseconds(config.files.ticket_expires).count();
    auto text = upload_tickets.sign({session.id(), room, expires_at});
    if (!text) return Error(Errc::forbidden, "tickets need a build with TLS (FLUX_WITH_TLS)");
    return SignedTicket{std::move(*text), expires_at};
  }

  /// What is left to do when a room was made. `done` is told when its store has it, at once where it is not kept; or
  /// why it has not: then the room has ended. Until then it is there for those who find it.
  void open_room(const std::shared_ptr<Room>& room, RoomLog::Opened done) {
    if (!room->is_kept()) return done({});
    room_log->open(room->kept(), [this, room, done = std::move(done)](const Result<void>& opened) {
      if (!opened && rooms.take_out(room, "it could not be stored")) clear_room(room);
      done(opened);
    });
  }
  /// The same where nobody waits for a store that blocks, or that is not called yet: the room stays whatever becomes of
  /// that.
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

  /// What is left to do when a room was taken out: it goes from its store, and its members leave it on their loops.
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

  /// Runs a handler. False where it threw: logged and counted.
  template <class F>
  bool guarded(core::LoopCounters& counters, std::string_view what, F&& handler) const {
    const bool returned = returns(what, handler);
    if (!returned) counters.handler_errors.add();
    return returned;
  }
  /// Checks what a handler that returned has made of `event`. On an error, which is the application's: logged and counted.
  template <class Event>
  Result<void> check_handled(core::LoopCounters& counters, std::string_view what, Event& event) const {
    auto checked = detail::check_changed(event, config.limits);
    if (!checked) {
      counters.handler_errors.add();
      log(LogLevel::error, std::string(what).append(" handler: ").append(checked.error().message()));
    }
    return checked;
  }
  /// The same for a callback that is on no particular loop.
  template <class F>
  void guarded_elsewhere(std::string_view what, F&& callback) {
    if (!returns(what, callback)) errors_elsewhere.fetch_add(1, std::memory_order_relaxed);
  }

 private:
  std::shared_ptr<StoreFaults> make_faults(const char* store) const {
    return std::make_shared<StoreFaults>(store, config.clock,
                                         [this](std::string_view line) { log(LogLevel::error, line); });
  }

  std::shared_ptr<Files> make_files(const Config& settings) {
    if (!settings.files.store) return nullptr;
    return std::make_shared<Files>(settings.files, settings.limits, settings.clock, file_faults);
  }

  std::unique_ptr<RoomLog> make_room_log(const Config& settings) {
    if (!settings.rooms.store) return nullptr;
    return std::make_unique<RoomLog>(settings.rooms, settings.limits, room_faults);
  }

  template <class F>
  bool returns(std::string_view what, F& handler) const {
    try {
      handler();
      return true;
    } catch (const std::exception& e) {
      log(LogLevel::error, std::string(what).append(" handler threw: ").append(e.what()));
    } catch (...) {
      log(LogLevel::error, std::string(what).append(" handler threw something that is no std::exception"));
    }
    return false;
  }
};

}  // namespace flux::features
