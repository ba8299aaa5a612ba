#pragma once

#include <flux/detail/endpoints/files/file_call.hpp>
#include <flux/detail/endpoints/files/tus.hpp>
#include <flux/detail/gate/cross_origin.hpp>
#include <flux/detail/gate/shown.hpp>
#include <flux/detail/mode.hpp>

namespace flux::detail {

/// Other sentences of the store's are for the log.
FLUX_DECL FileRefusal file_refusal(Errc code) {
  switch (code) {
    case Errc::invalid_argument: return {400, {}};
    case Errc::forbidden: return {403, {}};
    case Errc::file_not_found: return {404, "no such file"};
    case Errc::wrong_offset: return {409, "the upload has another number of bytes than the request says"};
    case Errc::file_too_large:
    case Errc::message_too_large: return {413, {}};
    case Errc::checksum_mismatch:
      return {protocol::tus_checksum_mismatch_status, "the bytes are not those of the checksum"};
    case Errc::limit_exceeded: return {429, {}};  // of `UnfinishedUploads`: stores' errors never have this code
    case Errc::overloaded: return {503, "the server is busy; try again"};
    case Errc::stopped: return {503, "the server stops"};
    case Errc::quota_exceeded: return {507, "there is no room left for this file"};
    default: return {500, "the server failed to store or to read the file"};
  }
}

FLUX_DECL FileCall::FileCall(Hub& hub, std::shared_ptr<HttpExchangeState> exchange)
    : hub_(hub),
      exchange_(std::move(exchange)),
      speaks_tus_(exchange_->head().header("Tus-Resumable").has_value()),
      body_read_(!exchange_->head().has_body()) {}

FLUX_DECL void FileCall::begin() {
  if (!body_read_) exchange_->pause_body();
  exchange_->on_abort([self = shared_from_this()] { self->over_ = true; });
}

FLUX_DECL std::string_view FileCall::method() const noexcept {
  const auto instead = speaks_tus_ ? head().header("X-HTTP-Method-Override") : std::nullopt;
  return instead.value_or(head().method());
}

// --- Permission ---

/// The status that tells a client why the gate does not let it in or do what it asks.
FLUX_DECL FileRefusal gate_refusal(Errc code) {
  switch (code) {
    case Errc::unauthorized: return {403, {}};
    case Errc::overloaded: return {503, {}};
    default: return {500, {}};
  }
}

FLUX_DECL void FileCall::ask(FileAction action, FileInfo file, RoomId room, std::shared_ptr<SessionState> session,
                             std::function<void(const Identity&)> accepted) {
  // The session of a ticket has been let in before.
  if (!hub_.gate.file && (session || !options().authenticated)) return accepted({});
  auto answered = [self = shared_from_this(), accepted = std::move(accepted)](const Result<Grant>& grant) {
    if (self->over_) return;
    if (grant) return accepted(grant->identity);
    const int status = gate_refusal(grant.error().code()).status;
    transport::HttpFields fields;
    if (status == 503) fields.emplace_back("Retry-After", "1");
    self->answer(status, grant.error().message(), std::move(fields));
  };
  const gate::ShownOverHttp shown("files", head(), exchange_->client());
  if (hub_.gate.file) {
    auto handle = session ? std::optional(Session(std::move(session))) : std::nullopt;
    return hub_.gate.let_use(exchange_->loop(), shown, {action, std::move(file), std::move(room), std::move(handle)},
                             std::move(answered));
  }
  hub_.gate.let_in(exchange_->loop(), shown, std::move(answered));
}

// --- The body ---

FLUX_DECL void FileCall::read_body(HttpExchangeState::BodyPiece piece, HttpExchangeState::BodyDone done) {
  exchange_->on_body(std::move(piece), [self = shared_from_this(), done = std::move(done)](bool complete) {
    self->body_read_ = complete;
    done(complete);
  });
  exchange_->resume_body();
}

// --- The answer ---

/// What every answer to this request has: CORS, tus. Sees to the body that nobody reads.
FLUX_DECL void FileCall::complete_fields(transport::HttpFields& fields) {
  for (auto& field : gate::cors_fields(options().cors_origins, head())) {
    if (field.first == "Access-Control-Allow-Origin") {
      fields.emplace_back(
          "Access-Control-Expose-Headers",
          "Location, Accept-Ranges, Content-Disposition, Content-Range, ETag, Repr-Digest, Retry-After, Tus-Resumable, "
          "Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm, Upload-Offset, Upload-Length, "
          "Upload-Defer-Length, Upload-Metadata, Upload-Expires");
    }
    fields.push_back(std::move(field));
  }
  if (speaks_tus_) fields.emplace_back("Tus-Resumable", protocol::tus_version);
  if (body_read_) return;
  exchange_->ignore_body();
  fields.emplace_back("Connection", "close");
}

FLUX_DECL void FileCall::answer(int status, std::string text, transport::HttpFields fields, std::string_view type) {
  if (over_) return;
  over_ = true;
  complete_fields(fields);
  exchange_->respond(status, std::move(text), type, std::move(fields));
}

FLUX_DECL void FileCall::begin_answer(int status, transport::HttpFields fields, std::uint64_t length) {
  complete_fields(fields);
  exchange_->begin(status, std::move(fields), length);
}

FLUX_DECL void FileCall::fail(const Error& error) {
  const FileRefusal refusal = file_refusal(error.code());
  transport::HttpFields fields;
  if (refusal.status == 503) fields.emplace_back("Retry-After", "1");
  if (refusal.status == 429) fields.emplace_back("Retry-After", "60");
  answer(refusal.status, refusal.text.empty() ? error.message() : std::string(refusal.text), std::move(fields));
}

}  // namespace flux::detail
