#pragma once

#include <flux/detail/endpoints/files/file_call.hpp>
#include <flux/detail/endpoints/files/tus.hpp>
#include <flux/detail/endpoints/handshake.hpp>
#include <flux/detail/endpoints/http_refusal.hpp>
#include <flux/detail/gate/cross_origin.hpp>
#include <flux/detail/gate/operation_limits.hpp>
#include <flux/detail/gate/permits.hpp>
#include <flux/detail/gate/shown.hpp>
#include <flux/detail/mode.hpp>

#include <chrono>
#include <string>

namespace flux::detail {

/// Other error texts of the store are only logged.
FLUX_DECL FileRefusal file_refusal(Errc code) {
  switch (code) {
    case Errc::invalid_argument: return {400, {}};
    case Errc::unauthorized: return {401, {}};
    case Errc::forbidden: return {403, {}};
    case Errc::file_not_found: return {404, "no such file"};
    case Errc::wrong_offset: return {409, "the upload does not have the number of bytes in the request"};
    case Errc::file_too_large:
    case Errc::message_too_large: return {413, {}};
    case Errc::checksum_mismatch:
      return {protocol::tus_checksum_mismatch_status, "the bytes do not match the checksum"};
    case Errc::rate_limited:
    case Errc::limit_exceeded: return {429, {}};  // from `UnfinishedUploads`: errors of stores never have this code
    case Errc::overloaded: return {503, "the server is busy; try again"};
    case Errc::stopped: return {503, "the server is stopping"};
    case Errc::quota_exceeded: return {507, "there is no room left for this file"};
    case Errc::owner_quota_exceeded: return {507, "the owner of the file has no space left: delete files first"};
    default: return {500, "the server failed to store or to read the file"};
  }
}

FLUX_DECL FileCall::FileCall(Hub& hub, features::FilesService& service, std::shared_ptr<HttpExchangeState> exchange)
    : hub_(hub),
      service_(service),
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

namespace file_call_detail {

FLUX_DECL const std::string& demand_of(const FileDemands& demands, FileAction action) {
  switch (action) {
    case FileAction::upload: return demands.upload;
    case FileAction::remove: return demands.remove;
    case FileAction::share: return demands.share;
    default: return demands.download;
  }
}

FLUX_DECL std::string_view operation_of(FileAction action) {
  switch (action) {
    case FileAction::upload: return "file_upload";
    case FileAction::remove: return "file_remove";
    default: return "file_download";
  }
}

/// The client of a request, as the limits see it.
struct Requester {
  std::shared_ptr<const Grant> grant() const { return granted; }
  const core::ClientAddress& remote() const { return client; }
  const std::shared_ptr<const Grant> granted;
  const core::ClientAddress& client;
};

}  // namespace file_call_detail

FLUX_DECL bool FileCall::count(FileAction action, const Grant* grant) {
  gate::OperationLimits& limits = hub_.client_limits.operations;
  const bool only_looks = action == FileAction::upload && method() == "HEAD";
  const auto operation = file_call_detail::operation_of(only_looks ? FileAction::download : action);
  auto* const limit = limits.none() ? nullptr : limits.find(operation);
  bool& counted = grant != nullptr ? user_counted_ : address_counted_;  // a form asks about each of its files
  if (limit == nullptr || std::exchange(counted, true)) return true;
  const file_call_detail::Requester requester{grant != nullptr ? std::make_shared<const Grant>(*grant) : nullptr,
                                              exchange_->client()};
  const gate::SenderOf sender(requester);
  const auto taken = grant != nullptr ? limit->take_of_user(sender, loop()) : limit->take_of_address(sender, loop());
  if (!taken) fail(taken.error());
  return taken.ok();
}

FLUX_DECL bool FileCall::may_own(const FileInfo& file, const Identity& identity) {
  if (file.owner.empty() || identity.user_id.empty() || file.owner == identity.user_id) return true;
  fail({Errc::forbidden, "this upload belongs to another user"});
  return false;
}

FLUX_DECL void FileCall::find_file(FileAction action, Entitled entitled, std::function<void(const FileInfo&)> found) {
  if (!count(action, nullptr)) return;
  const FileId file(id());
  with_store(
      file, [file](FileStore& store) { return store.info(file); },
      [self = shared_from_this(), action, entitled, found = std::move(found)](const Result<FileInfo>& info) {
        if (self->over_) return;
        if (info) return found(*info);
        const bool unknown = info.error().code() == Errc::file_not_found && entitled == Entitled::by_client;
        unknown ? self->refuse_unknown(action, info.error()) : self->fail(info.error());
      });
}

/// The client may be told that there is no such file only if it may do this with one.
FLUX_DECL void FileCall::refuse_unknown(FileAction action, const Error& error) {
  FileInfo unknown;
  unknown.id = id();
  ask(action, std::move(unknown), {}, nullptr,
      [self = shared_from_this(), error](const Identity&) { self->fail(error); });
}

FLUX_DECL void FileCall::ask(FileAction action, FileInfo file, RoomId room, std::shared_ptr<SessionState> session,
                             std::function<void(const Identity&)> accepted) {
  if (!count(action, nullptr)) return;
  const std::string& operation = file_call_detail::demand_of(options().demands, action);
  const std::string name = room.empty() ? "files" : room;
  const auto of_session = session ? session->grant() : nullptr;
  const bool permitted = gate::meets(of_session.get(), operation, name);
  // The session of a ticket has already been accepted.
  if (!hub_.gate.file && (session || (!options().authenticated && permitted))) {
    if (!permitted) return refuse(insufficient(of_session.get(), room));
    if (of_session && !count(action, of_session.get())) return;
    granted_ = of_session;
    end_with_revocation(of_session);
    return accepted({});
  }
  auto answered = [self = shared_from_this(), action, session, of_session, operation, name, room,
                   accepted = std::move(accepted)](const Result<Grant>& grant) {
    if (self->over_) return;
    if (!grant) return self->refuse(grant.error());
    const auto at_present = session ? session->grant() : nullptr;  // the answer may have come later
    if (!gate::meets(at_present.get(), operation, name) && !gate::meets(&*grant, operation, name)) {
      return self->refuse(insufficient(&*grant, room));
    }
    if (!self->count(action, &*grant)) return;
    self->granted_ = gate::kept(*grant);
    self->end_with_revocation(of_session, self->granted_);
    accepted(grant->identity);
  };
  const gate::ShownOverHttp shown("files", head(), exchange_->client());
  if (!hub_.gate.file) return hub_.gate.let_in(exchange_->loop(), shown, std::move(answered));
  gate::FileSubject subject{action, std::move(file), std::move(room), std::nullopt};
  if (session) {
    subject.session.emplace(std::move(session));
    return ask_handler(std::move(subject), of_session ? *of_session : Grant(), answered);
  }
  hub_.gate.recognize(exchange_->loop(), shown,
                      [self = shared_from_this(), subject = std::move(subject), answered](Result<Grant> known) {
                        if (!known) return answered(known);
                        self->known_ = gate::kept(*known);
                        self->ask_handler(subject, std::move(*known), answered);
                      });
}

/// The client acts by what the application has answered, by the token or key that it has shown, and by the session whose
/// ticket it has.
FLUX_DECL void FileCall::end_with_revocation(const std::shared_ptr<const Grant>& of_session,
                                             const std::shared_ptr<const Grant>& answered) {
  endpoints::end_with_revocation(hub_, exchange_, {answered, known_, of_session});
}

FLUX_DECL void FileCall::ask_handler(gate::FileSubject subject, Grant known,
                                     std::function<void(const Result<Grant>&)> answered) {
  if (over_) return;
  const gate::ShownOverHttp shown("files", head(), exchange_->client());
  hub_.gate.let_use(exchange_->loop(), shown, std::move(subject), std::move(known), std::move(answered));
}

FLUX_DECL Error FileCall::insufficient(const Grant* grant, const RoomId& room) {
  return room.empty() ? gate::insufficient_for_files(grant) : gate::insufficient(grant, "room", room);
}

FLUX_DECL void FileCall::refuse(const Error& error) {
  auto [status, fields] = endpoints::http_refusal(error.code());
  answer(status, error.message(), std::move(fields));
}

// --- The body ---

FLUX_DECL void FileCall::read(HttpExchangeState::BodyPiece piece, HttpExchangeState::BodyDone done) {
  if (!head().has_body()) return done(true);
  exchange_->on_body(std::move(piece), [self = shared_from_this(), done = std::move(done)](bool complete) {
    self->body_read_ = complete;
    done(complete);
  });
  exchange_->resume_body();
}

// --- The answer ---

/// Adds the fields that every answer to this request has: CORS, tus. Also discards a body that is not read.
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
  if (refusal.status == 401) fields.emplace_back("WWW-Authenticate", "Bearer");
  if (refusal.status == 503) fields.emplace_back("Retry-After", "1");
  if (refusal.status == 429) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(error.retry_after()).count();
    fields.emplace_back("Retry-After", seconds > 0 ? std::to_string(seconds) : "60");
  }
  answer(refusal.status, refusal.text.empty() ? error.message() : std::string(refusal.text), std::move(fields));
}

}  // namespace flux::detail
