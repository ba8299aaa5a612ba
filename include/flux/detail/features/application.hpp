// The application itself as a participant: the acts of `Server`'s methods in rooms.
#pragma once

#include <flux/detail/features/backend.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace flux::features {

/// Acts for the application, as `server_connection_id`, in the way that a `Participant` acts for a client: with the same
/// features and the same checks, but without a membership and without asking a handler.
/// Each `done` is called once: before the act returns, or later on a thread of the store. It may be called under the
/// chat's lock, so it must not call an act.
/// Threading: any thread.
class Application {
 public:
  template <class T>
  using Done = std::function<void(Result<T>)>;

  /// `backend` must outlive it.
  explicit Application(Backend& backend) : backend_(backend) {}

  /// Without waiting for a store that blocks or is not running yet: the room stays even if storing it fails later.
  /// Errors: those of `Rooms::create` and of the room store.
  Result<void> create_room(const RoomId& room, const RoomOptions& options) const;
  /// The same, and `done` is called when the store has it. Clients can already find the room before that.
  void create_room(const RoomId& room, const RoomOptions& options, const Done<void>& done) const;
  /// Errors: room_not_found.
  Result<void> close_room(const RoomId& room, std::string_view reason) const;

  /// Errors: invalid_argument (the event's name, the key of the delivery); message_too_large; room_not_found; overloaded.
  Result<Position> broadcast(const RoomId& room, std::string_view event, const JsonText& payload,
                             const Recipients& recipients = Recipients::all(),
                             const Delivery& delivery = Delivery::all()) const;
  /// Errors: message_too_large; room_not_found; overloaded; those of the room store.
  void share(const RoomId& room, const JsonText& data, const Done<Position>& done) const;
  /// The same in the public space.
  void public_share(const JsonText& data, const Done<Position>& done) const;
  /// Errors: forbidden without a file store; room_not_found; file_not_found; those of the stores of files and rooms.
  void share_file(const RoomId& room, const FileId& file, const Done<Position>& done) const;
  void public_share_file(const FileId& file, const Done<Position>& done) const;
  /// False: there is none. Errors: those of the room store.
  void delete_public_newest(const Done<bool>& done) const;
  /// The room need not exist. Errors: invalid_argument; overloaded; stopped; those of the chat store.
  void chat(const RoomId& room, ChatPost post, const Done<ChatMessage>& done) const;
  /// Errors: invalid_argument; those of `Backend::change_chat`. Without metadata, that of the message stays.
  void edit_chat(const RoomId& room, Offset offset, std::string_view text, std::optional<JsonText> metadata,
                 const Done<ChatMessage>& done) const;
  /// Errors: those of `Backend::change_chat`.
  void delete_chat(const RoomId& room, Offset offset, const Done<ChatMessage>& done) const;
  /// Errors: invalid_argument (the limit); stopped; those of the chat store.
  void chat_history(const RoomId& room, std::size_t limit, Offset before,
                    const Done<std::vector<ChatMessage>>& done) const;

 private:
  std::string user_of(const SessionId& session) const;
  /// `room`: null is the public space.
  void share_item(const std::shared_ptr<Room>& room, const JsonText& data, const Done<Position>& done) const;
  void hold_and_share(const std::shared_ptr<Room>& room, const FileId& file, const Done<Position>& done) const;

  Backend& backend_;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/application.ipp>
#endif
