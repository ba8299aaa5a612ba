// Files, as rooms, participants and the server see them. They know only this interface, so that a program without a
// file store links none of its implementation.
#pragma once

#include <flux/detail/core/session_state.hpp>
#include <flux/error.hpp>
#include <flux/json.hpp>
#include <flux/storage/file_info.hpp>
#include <flux/types.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace flux::features {

class Room;

/// For whom a file is held, and where.
struct FileHolder {
  bool is_application = false;
  std::string user_id{};               ///< of the client who shares the file; empty: unknown
  SessionId connection{};              ///< likewise
  std::shared_ptr<const Room> room{};  ///< null: the public space
};

/// A file's place in a room or the public space, copied with the item that stands for the file. When the last place of
/// a file is destroyed, the file is logically deleted if it is shared by then (`FileInfo::shared`). It becomes shared
/// by a place that its owner or the application creates, or that is in the room it was uploaded to. Other places keep
/// the file while they exist but do not lead to its deletion: a client that only knows a file's id can show it to
/// others, but not have it deleted.
/// Threading: any thread.
class FileHold {
 public:
  FileHold() = default;
  FileHold(const FileHold&) = delete;
  FileHold& operator=(const FileHold&) = delete;
  virtual ~FileHold() = default;

  virtual const FileInfo& info() const noexcept = 0;
  /// `{type:"file", fileId, fileName, mimeType, size}`: what is stored and sent instead of the file.
  virtual JsonText stored_data() const = 0;
  /// The item has been stored with its room: marks the file as shared, if this place shares it.
  virtual void stored() const = 0;
};

using FileHoldPtr = std::shared_ptr<const FileHold>;

/// A file that was received whole in a message.
struct WholeFile {
  std::shared_ptr<const std::string> bytes;
  std::string name;
  std::string media_type;
};

/// Lets the bearer upload files over HTTP; see `FilesOptions`.
struct SignedTicket {
  std::string text;
  std::int64_t expires_at;  // milliseconds since 1970
};

/// Threading: any thread, unless stated otherwise. `done` is called on a worker if the store may block, otherwise
/// before the call returns. Every `done` may get overloaded, stopped and the errors of the store.
class FileFeature {
 public:
  template <class T>
  using Done = std::function<void(Result<T>)>;
  using SessionPtr = std::shared_ptr<detail::SessionState>;

  virtual ~FileFeature() = default;

  /// The complete file. Errors: file_not_found, also if it is not complete yet.
  virtual void find(const FileId& id, Done<FileInfo> done) = 0;
  virtual JsonText stored_data(const FileInfo& file) const = 0;

  /// Creates a place for the complete file. If the holder may have it deleted, the file is shared from now on.
  /// Errors: file_not_found, also if it is not complete yet.
  virtual void hold(const FileId& id, FileHolder holder, Done<FileHoldPtr> done) = 0;
  /// The same for a place that will be stored. Until then (`FileHold::stored`) the file is not shared: releasing the
  /// place changes nothing, so a client whose attempt failed may try again, and the file survives any end of the
  /// server.
  virtual void hold_to_store(const FileId& id, FileHolder holder, Done<FileHoldPtr> done) = 0;
  /// Creates a place for a stored item, on this thread, before the server starts. Who shared the item is unknown by
  /// then, so a file that is not shared yet does not become shared, and is deleted after `unshared_expires`.
  virtual Result<FileHoldPtr> hold_again(const FileId& id) = 0;

  /// Asks the application's file handler whether the session may share the complete `file` in `room` (empty: the public
  /// space). Calls `done` once, on the session's loop, with the holder, whose `room` the caller sets; at once if there
  /// is no handler.
  /// Errors: forbidden, with the application's reason; overloaded if it does not answer within
  /// `Limits::answer_timeout`; server_error if the handler throws.
  /// Threading: the session's loop.
  virtual void ask_to_share(const SessionPtr& session, const FileInfo& file, const RoomId& room,
                            const Done<FileHolder>& done) = 0;
  /// Stores a file of the session and holds it. Calls `wanted` before every step, and `done` once, on the session's
  /// loop, unless the loop ends first. Errors: not_in_room if the file is no longer wanted.
  /// Threading: the session's loop.
  virtual void store_whole(const SessionPtr& session, WholeFile whole, std::function<bool()> wanted,
                           Done<FileHoldPtr> done) = 0;

  /// Stores a file of the application: complete, not shared, without a hold. Calls `done` once. Errors: see
  /// `Server::store_file`.
  virtual void store_new(const std::shared_ptr<core::Loop>& loop, NewFile file, Done<FileInfo> done) = 0;

  /// A ticket for uploads of a session that is in the room (empty: for no room). Errors: forbidden in a build without
  /// digests.
  virtual Result<SignedTicket> upload_ticket(const detail::SessionState& session, const RoomId& room) const = 0;
  /// See `Server::file_link`.
  virtual Result<std::string> link(const FileId& file, std::chrono::seconds valid_for,
                                   std::string_view file_name) const = 0;
  /// See `Server::files`.
  virtual void page(FileQuery query, Done<FilesPage> done) = 0;
  /// Removes logically deleted files from disk.
  virtual void cleanup(Done<FileCleanup> done) = 0;
};

}  // namespace flux::features
