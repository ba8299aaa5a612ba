#pragma once

#include <flux/detail/core/digest.hpp>
#include <flux/detail/endpoints/files/tus_request.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/http_date.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace flux::detail {

namespace tus {

/// A field that is a number. Errors: invalid_argument if it is not one, or is repeated.
inline Result<std::optional<std::uint64_t>> number(const transport::HttpHead& head, std::string_view name) {
  if (!head.header(name)) return std::optional<std::uint64_t>();
  const auto value = protocol::read_tus_number(head.all_headers(name));
  if (!value) return Error(Errc::invalid_argument, std::string(name) + " must be one number of bytes");
  return value;
}

inline bool has_chunk_type(const transport::HttpHead& head) {
  const std::string_view type = head.header("Content-Type").value_or("");
  return transport::equals_ignore_case(type.substr(0, type.find(';')), protocol::tus_media_type);
}

inline Error wrong_type() {
  return Error(Errc::invalid_argument, "the Content-Type of a chunk is " + std::string(protocol::tus_media_type));
}

/// When the upload expires if nothing more is appended, in milliseconds since 1970. None: never, or it is complete.
inline std::optional<std::int64_t> expires_at(const FilesOptions& options, const FileInfo& file) {
  if (file.state != FileState::uploading) return std::nullopt;
  auto patience = options.upload_expires;
  if (const auto unstarted = options.unstarted_upload_expires; file.size == 0 && unstarted.count() != 0) {
    patience = patience.count() == 0 ? unstarted : std::min(patience, unstarted);
  }
  if (patience.count() == 0) return std::nullopt;
  return file.modified_at + std::chrono::milliseconds(patience).count();
}

inline void add_expiry(transport::HttpFields& fields, const FilesOptions& options, const FileInfo& file) {
  namespace chrono = std::chrono;
  const auto at = expires_at(options, file);
  if (!at) return;
  const auto seconds = chrono::floor<chrono::seconds>(chrono::milliseconds(*at));
  fields.emplace_back("Upload-Expires", transport::http_date(chrono::sys_seconds(seconds)));
}

}  // namespace tus

FLUX_DECL transport::HttpFields tus_abilities(const FilesOptions& options) {
  transport::HttpFields fields = {{"Tus-Version", std::string(protocol::tus_version)},
                                  {"Tus-Extension", std::string(protocol::tus_extensions)},
                                  {"Tus-Max-Size", std::to_string(options.file_bytes_max)}};
  if (core::has_digests()) fields.emplace_back("Tus-Checksum-Algorithm", "sha1,sha256");
  return fields;
}

FLUX_DECL Result<void> TusRequest::read_checksum() {
  if (!call().head().header("Upload-Checksum")) return {};
  auto checksum = protocol::read_tus_checksum(call().head().all_headers("Upload-Checksum"));
  if (!checksum) return checksum.error();
  const bool known = checksum->algorithm == "sha1" || checksum->algorithm == "sha256";
  if (!known || !core::has_digests()) {
    return Error(Errc::invalid_argument, "unsupported checksum algorithm; see Tus-Checksum-Algorithm of OPTIONS");
  }
  checksum_ = std::move(*checksum);
  return {};
}

// --- POST ---

FLUX_DECL Result<void> TusRequest::read_creation() {
  const transport::HttpHead& head = call().head();
  // Otherwise its parts would remain as separate files when the last request is refused.
  if (head.header("Upload-Concat")) {
    return Error(
        Errc::invalid_argument,
        "Upload-Concat is not supported: send one upload, not parallel parts (tus-js-client: parallelUploads: 1)");
  }
  const auto length = tus::number(head, "Upload-Length");
  if (!length) return length.error();
  const auto deferred = head.header("Upload-Defer-Length");
  if (deferred && *deferred != "1") return Error(Errc::invalid_argument, "Upload-Defer-Length can only be 1");
  if (deferred.has_value() == length->has_value()) {
    return Error(Errc::invalid_argument, "an upload begins with either Upload-Length or Upload-Defer-Length: 1");
  }
  const std::string said = head.all_headers("Upload-Metadata");
  const auto metadata = protocol::TusMetadata::read(said);
  if (!metadata) return metadata.error();
  file_.name = metadata->file_name();
  file_.media_type = metadata->media_type();
  // HEAD returns it to every client that knows the upload.
  file_.metadata = protocol::tus_metadata_without(said, protocol::tus_ticket_key);
  file_.length = *length;
  announced_ =
      in_query(head, {RoomId(metadata->room()), std::string(metadata->ticket()), std::string(metadata->upload_id())});
  return read_checksum();
}

FLUX_DECL void TusRequest::post() {
  kind_ = Kind::post;
  const transport::HttpHead& head = call().head();
  if (head.has_body() && !tus::has_chunk_type(head)) return call().answer(415, tus::wrong_type().message());
  if (const auto read = read_creation(); !read) return call().fail(read.error());
  create_file();
}

FLUX_DECL void TusRequest::created() {
  if (call().head().has_body()) return receive_body(std::move(checksum_));
  if (has_all_bytes()) return complete_file();
  answer();
}

// --- PATCH ---

FLUX_DECL Result<void> TusRequest::read_chunk() {
  const auto offset = tus::number(call().head(), "Upload-Offset");
  if (!offset) return offset.error();
  if (!*offset) return Error(Errc::invalid_argument, "PATCH needs an Upload-Offset");
  offset_ = **offset;
  const auto length = tus::number(call().head(), "Upload-Length");
  if (!length) return length.error();
  length_ = *length;
  return read_checksum();
}

FLUX_DECL void TusRequest::patch() {
  kind_ = Kind::patch;
  if (!tus::has_chunk_type(call().head())) return call().answer(415, tus::wrong_type().message());
  if (const auto read = read_chunk(); !read) return call().fail(read.error());
  find_upload(&TusRequest::append_chunk);
}

FLUX_DECL void TusRequest::know_file(const FileInfo& file) {
  file_ = file;
  origin_ = call().files().origin(file.id);
}

/// Finds the upload, asks the application, ends the request that is writing to it, and reads its offset again.
FLUX_DECL void TusRequest::find_upload(Known then) {
  const FileId id(call().id());
  const auto self = std::static_pointer_cast<TusRequest>(shared_from_this());
  call().find_file(FileAction::upload, FileCall::Entitled::by_client, [self, id, then](const FileInfo& file) {
    const auto expires_at = tus::expires_at(self->call().options(), file);
    const core::Loop& loop = self->call().loop();
    // While the server was suspended, nothing could be appended.
    const auto lost = std::chrono::duration_cast<std::chrono::milliseconds>(loop.lost()).count();
    if (expires_at && *expires_at <= loop.clock().unix_ms() - lost) {
      return self->call().answer(410, "the upload has expired");
    }
    self->know_file(file);
    const auto room = self->origin_.room.lock();
    const RoomId told = room ? room->id() : RoomId();
    auto session = self->call().hub().member(self->origin_.connection, told);
    self->call().ask(FileAction::upload, file, told, std::move(session), [self, id, then](const Identity& identity) {
      if (!self->call().may_own(self->file_, identity)) return;
      self->take_turn();
      const auto info = [id](FileStore& store) { return store.info(id); };
      self->call().with_store(id, info, [self, then](const Result<FileInfo>& now) {
        if (self->call().over()) return;
        if (self->turn_over()) return self->taken_over();
        if (!now) return self->call().fail(now.error());
        self->know_file(*now);
        ((*self).*then)();
      });
    });
  });
}

FLUX_DECL void TusRequest::append_chunk() {
  if (file_.size != offset_) return call().fail(Error(Errc::wrong_offset, {}));
  if (length_ && !file_.length) return set_length(*length_);
  if (length_ && length_ != file_.length) {
    return call().fail(Error(Errc::invalid_argument, "Upload-Length differs from the earlier one"));
  }
  receive_body(std::move(checksum_));
}

FLUX_DECL void TusRequest::set_length(std::uint64_t length) {
  const std::uint64_t most = call().options().file_bytes_max;
  if (length > most) {
    return call().fail(Error(Errc::file_too_large, "a file has at most " + std::to_string(most) + " bytes here"));
  }
  if (length < file_.size) {
    return call().fail(Error(Errc::invalid_argument, "Upload-Length is less than what is already stored"));
  }
  const auto self = std::static_pointer_cast<TusRequest>(shared_from_this());
  call().with_store(
      file_.id, [id = file_.id, length](FileStore& store) { return store.set_length(id, length); },
      [self, length](const Result<void>& set) {
        if (self->call().over()) return;
        if (self->turn_over()) return self->taken_over();
        if (!set) return self->call().fail(set.error());
        self->file_.length = length;
        self->receive_body(std::move(self->checksum_));
      });
}

FLUX_DECL void TusRequest::received(const FileUpload::Outcome& outcome) {
  const bool whole = outcome.end == FileUpload::End::whole;
  if (!whole && kind_ == Kind::post) return remove_file(outcome.error);
  if (outcome.error) return call().fail(*outcome.error);
  if (!whole) return;
  file_.modified_at = call().loop().clock().unix_ms();
  if (has_all_bytes()) return complete_file();
  answer();
}

// --- HEAD ---

FLUX_DECL void TusRequest::head() {
  kind_ = Kind::head;
  find_upload(&TusRequest::say_offset);
}

/// A client that was told that all bytes are stored must not learn later that they can't be kept.
FLUX_DECL void TusRequest::say_offset() {
  if (file_.state == FileState::uploading && has_all_bytes()) return complete_file();
  answer();
}

// --- The answer ---

FLUX_DECL void TusRequest::completed() { answer(); }

FLUX_DECL void TusRequest::not_completed(const Error& error) {
  if (kind_ == Kind::post) return remove_file(error);
  call().fail(error);
}

FLUX_DECL void TusRequest::answer() {
  if (!keep_file()) return;
  transport::HttpFields fields;
  if (kind_ != Kind::post || call().head().has_body() || file_.state == FileState::complete) {
    fields.emplace_back("Upload-Offset", std::to_string(file_.size));
  }
  tus::add_expiry(fields, call().options(), file_);
  switch (kind_) {
    case Kind::post:
      fields.emplace_back("Location", file_location(call().options(), file_.id));
      return call().answer(201, {}, std::move(fields), {});
    case Kind::patch: return call().answer(204, {}, std::move(fields));
    case Kind::head:
      if (file_.length) {
        fields.emplace_back("Upload-Length", std::to_string(*file_.length));
      } else {
        fields.emplace_back("Upload-Defer-Length", "1");
      }
      if (!file_.metadata.empty()) fields.emplace_back("Upload-Metadata", file_.metadata);
      fields.emplace_back("Cache-Control", "no-store");
      return call().answer(200, {}, std::move(fields), {});
  }
}

}  // namespace flux::detail
