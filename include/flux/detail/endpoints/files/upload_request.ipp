#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/core/uuid.hpp>
#include <flux/detail/endpoints/files/upload_request.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/media_type.hpp>
#include <flux/json.hpp>

#include <utility>

namespace flux::detail {

// --- A new file ---

FLUX_DECL Result<void> UploadRequest::check_announced() const {
  if (file_.name.size() > file_name_bytes_max || file_.name.find('\0') != std::string::npos ||
      !core::valid_utf8(file_.name)) {
    return Error(Errc::invalid_argument,
                 "a file name is UTF-8 without NUL, of at most " + std::to_string(file_name_bytes_max) + " bytes");
  }
  const std::uint64_t most = call_->options().file_bytes_max;
  if (file_.length.value_or(0) > most) {
    return Error(Errc::file_too_large,
                 "a file has at most " + std::to_string(most) + " bytes here, not " + std::to_string(*file_.length));
  }
  if (announced_.upload_id.size() > upload_id_bytes_max || !core::valid_utf8(announced_.upload_id)) {
    return Error(Errc::invalid_argument,
                 "an upload_id is UTF-8 of at most " + std::to_string(upload_id_bytes_max) + " bytes");
  }
  return announced_.room.empty() ? Result<void>() : call_->hub().rooms.check_id(announced_.room);
}

FLUX_DECL Result<void> UploadRequest::read_ticket() {
  if (announced_.ticket.empty()) return {};
  const Hub& hub = call_->hub();
  auto ticket = call_->service().tickets().read(announced_.ticket, call_->files().unix_ms());
  if (!ticket) return Error(Errc::forbidden, "this ticket is invalid or has expired; request a new one in the room");
  if (!announced_.room.empty() && announced_.room != ticket->room) {
    return Error(Errc::invalid_argument, "this ticket is for another room than the one that the request names");
  }
  announced_.room = std::move(ticket->room);
  session_ = hub.member(ticket->connection, announced_.room);
  if (session_) return {};
  return Error(Errc::forbidden, "the connection that got this ticket has ended, or is no longer in its room");
}

/// Without a ticket a room is told of an upload if it comes from a user with a session in the room.
FLUX_DECL Result<void> UploadRequest::find_session(const Identity& owner) {
  if (session_ || announced_.room.empty()) return {};
  if (!owner.user_id.empty()) {
    for (auto& session : call_->hub().sessions.of_user(owner.user_id)) {
      if (!session->is_in(announced_.room)) continue;
      session_ = std::move(session);
      return {};
    }
  }
  return Error(Errc::forbidden,
               "a room is told only of its members' uploads: request a ticket in the room, and send it as ticket");
}

/// The room is told of the upload as of data that the session shares.
FLUX_DECL Result<void> UploadRequest::may_share() const {
  if (!session_ || announced_.room.empty()) return {};
  if (!call_->hub().member(session_->id(), announced_.room)) {
    return Error(Errc::forbidden, "the client of this upload has left the room");
  }
  const auto room = call_->hub().rooms.find(announced_.room);
  if (!room || room->demands() == nullptr) return {};
  const auto granted = session_->grant();
  if (room->permits(granted.get()).allow(gate::RoomAct::share)) return {};
  return gate::insufficient(granted.get(), "room", announced_.room);
}

FLUX_DECL UploadRequest::Announced UploadRequest::in_query(const transport::HttpHead& head, Announced announced) {
  const auto read = [query = head.query()](std::string_view name, std::string& into) {
    if (auto value = transport::query_parameter(query, name)) into = std::move(*value);
  };
  read("room", announced.room);
  read("ticket", announced.ticket);
  read("upload_id", announced.upload_id);
  return announced;
}

FLUX_DECL void UploadRequest::create_file() {
  if (!transport::is_media_type(file_.media_type)) file_.media_type = "application/octet-stream";
  if (!call_->count(FileAction::upload, nullptr)) return;
  if (const auto checked = check_announced(); !checked) return call_->fail(checked.error());
  if (const auto read = read_ticket(); !read) return call_->fail(read.error());
  call_->ask(FileAction::upload, file_, announced_.room, session_,
             [self = shared_from_this()](const Identity& identity) { self->make_file(identity); });
}

FLUX_DECL void UploadRequest::make_file(const Identity& owner) {
  if (const auto found = find_session(owner); !found) return call_->fail(found.error());
  if (const auto allowed = may_share(); !allowed) return call_->fail(allowed.error());
  file_.id = core::random_uuid();
  file_.owner = owner.user_id;
  if (session_) {
    const auto known = session_->identity();
    if (file_.owner.empty() && known) file_.owner = known->user_id;
    origin_ = {session_->id(), announced_.room.empty() ? nullptr : call_->hub().rooms.find(announced_.room),
               announced_.upload_id};
  }
  file_.wants_sha256 = call_->options().sha256;
  file_.created_at = file_.modified_at = call_->loop().clock().unix_ms();
  if (file_.owner.empty()) {
    const auto counted = call_->files().count_upload(file_, call_->exchange()->client().ip);
    if (!counted) return call_->fail(limit_error(counted.error()));
  }
  is_new_ = true;
  call_->files().begin_upload(file_.id);
  call_->with_store(
      file_.id, [file = file_](FileStore& store) { return store.create(file); },
      [self = shared_from_this()](const Result<void>& made) {
        if (!made) {
          self->call_->files().end_upload(self->file_.id);
          self->call_->files().uncount_upload(self->file_.id);
          return self->call_->fail(made.error());
        }
        if (self->call_->over()) return self->remove_file();
        if (self->session_) self->call_->files().note_origin(self->file_.id, self->origin_);
        self->take_turn();
        self->created();
      });
}

FLUX_DECL void UploadRequest::remove_file(std::optional<Error> why) {
  call_->with_store(
      file_.id, [id = file_.id](FileStore& store) { return store.remove(id); },
      [call = call_, id = file_.id, why = std::move(why)](const Result<void>& removed) {
        const Errc code = removed ? Errc::file_not_found : removed.error().code();
        if (code != Errc::stopped) call->files().end_upload(id);  // if stopping, `Files::stop` removes it
        if (code != Errc::stopped && code != Errc::file_not_found) {
          call->service().faults().note("upload " + id + " stays until it expires: " + removed.error().cause());
        }
        if (why) call->fail(*why);
      });
}

/// A client that has only ended its sending side may be waiting for the answer, and gets it: one that has disconnected
/// looks the same until something is sent to it, and a file whose answer is being sent must not be removed.
FLUX_DECL bool UploadRequest::keep_file() {
  if (!is_new_) return true;
  if (call_->over()) {
    remove_file();
    return false;
  }
  is_new_ = false;
  if (call_->files().end_upload(file_.id)) return true;
  call_->fail(Error(Errc::stopped, "the server is stopping"));
  return false;
}

// --- Its bytes ---

FLUX_DECL void UploadRequest::take_turn() {
  turn_ = uploads_->turns->take(file_.id, [weak = weak_from_this(), loop = call_->exchange()->loop()] {
    loop->post([weak] {
      if (const auto self = weak.lock()) self->taken_over();
    });
  });
}

FLUX_DECL void UploadRequest::taken_over() {
  if (completing_) return;  // every byte is stored: there is nothing to take over
  if (const auto upload = upload_.lock()) upload->stop();
  call_->answer(409, "a newer request has taken over this upload");
}

FLUX_DECL void UploadRequest::receive_body(std::optional<protocol::TusChecksum> checksum) {
  const auto upload = std::make_shared<FileUpload>(call_, body(), uploads_,
                                                   FileUpload::Plan{file_, origin_, std::move(checksum), turn_});
  upload_ = upload;
  upload->start([self = shared_from_this()](const FileUpload::Outcome& outcome) {
    self->file_.size = outcome.size;
    self->received(outcome);
  });
}

/// Two requests may find that all bytes are stored: the application hears of the file from one of them.
FLUX_DECL Result<UploadRequest::Completed> UploadRequest::complete_once(FileStore& store, const FileId& id, bool told) {
  if (!told) {
    const auto before = store.info(id);
    if (!before) return before.error();
    told = before->state == FileState::complete;
  }
  return store.complete(id).transform([told](FileInfo file) { return Completed{std::move(file), told}; });
}

FLUX_DECL void UploadRequest::tell_stored() const {
  const Hub& hub = call_->hub();
  const auto room = origin_.room.lock();
  const RoomId room_id = room ? room->id() : RoomId();
  hub.tell_stored(call_->loop().counters(), file_, room_id, hub.member(origin_.connection, room_id), call_->grant());
}

FLUX_DECL void UploadRequest::complete_file() {
  completing_ = true;
  call_->with_store(
      file_.id,
      [id = file_.id, told = !call_->hub().handlers.stored_file](FileStore& store) {
        return complete_once(store, id, told);
      },
      [self = shared_from_this()](Result<Completed> done) {
        if (!done) return self->not_completed(done.error());
        self->file_ = std::move(done->file);
        self->told_ = done->told;
        self->stored();
      },
      features::Files::Pace::slow);
}

FLUX_DECL void UploadRequest::settle() {
  if (!keep_file()) return;
  if (!told_) tell_stored();
  uploads_->progress.tell(call_->hub(), origin_, file_, call_->loop().clock().now());
  completed();
}

// --- POST ---

FLUX_DECL std::string file_location(const FilesOptions& options, const FileId& id) {
  const std::string path = gate::file_path(options.path, id);
  return path.substr(path.rfind('/', path.rfind('/') - 1) + 1);
}

/// The refusal of a body that is not the file itself, because storing it would create an unintended file. None if it is
/// the file.
FLUX_DECL std::optional<FileRefusal> not_the_file(const transport::HttpHead& head) {
  // Submitting a form in a page is a navigation; curl --data-binary sends the type of a form, but means a file.
  if (head.header("Sec-Fetch-Mode") == "navigate") {
    return FileRefusal{415, "a form that uploads files needs enctype=\"multipart/form-data\""};
  }
  // draft-ietf-httpbis-resumable-upload, and its earlier versions
  if (head.header("Upload-Complete") == "?0" || head.header("Upload-Incomplete") == "?1") {
    return FileRefusal{400, "upload a file in parts with tus 1.0.0, not with a draft of its successor"};
  }
  return std::nullopt;
}

FLUX_DECL void FilePost::start() {
  const transport::HttpHead& head = call().head();
  if (const auto refusal = not_the_file(head)) return call().answer(refusal->status, std::string(refusal->text));
  file_.name = transport::query_parameter(head.query(), "filename").value_or("");
  file_.media_type = head.header("Content-Type").value_or("");
  if (transport::equals_ignore_case(file_.media_type, "application/x-www-form-urlencoded")) file_.media_type.clear();
  if (head.has_body()) {
    file_.length = head.content_length();
  } else {
    file_.length = 0;
  }
  announced_ = in_query(head, {});
  create_file();
}

FLUX_DECL void FilePost::created() { receive_body({}); }

FLUX_DECL void FilePost::received(const FileUpload::Outcome& outcome) {
  if (outcome.end == FileUpload::End::whole) return complete_file();
  remove_file(outcome.error);
}

FLUX_DECL void FilePost::not_completed(const Error& error) { remove_file(error); }

FLUX_DECL std::string complete_file_json(const FileInfo& file) {
  std::string json =
      "{\"fileId\":" + JsonText::string(file.id).text() + ",\"fileName\":" + JsonText::string(file.name).text() +
      ",\"mimeType\":" + JsonText::string(file.media_type).text() + ",\"size\":" + std::to_string(file.size);
  if (!file.sha256.empty()) json += ",\"sha256\":" + JsonText::string(file.sha256).text();
  return json + "}";
}

FLUX_DECL void FilePost::completed() {
  call().answer(201, complete_file_json(file_), {{"Location", file_location(call().options(), file_.id)}},
                "application/json");
}

}  // namespace flux::detail
