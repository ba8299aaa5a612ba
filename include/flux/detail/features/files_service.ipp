#pragma once

#include <flux/detail/core/digest.hpp>
#include <flux/detail/core/option_check.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/core/uuid.hpp>
#include <flux/detail/features/file_writer.hpp>
#include <flux/detail/features/files_service.hpp>
#include <flux/detail/gate/shown.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/storage/file_id.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

namespace flux::features {

FLUX_DECL FilesService::FilesService(Backend& backend)
    : backend_(backend),
      faults_(backend.make_faults("the file store")),
      files_(std::make_shared<Files>(options(), backend.config.limits, backend.config.clock, faults_)),
      tickets_(options().link_key),
      links_(options().link_key) {}

// --- Life ---

FLUX_DECL void FilesService::start(core::Loop& loop) {
  files_->start();
  sweep(loop);
  if (options().cleanup_interval.count() > 0) clean(loop);
}

/// Repeats for as long as the loop runs.
FLUX_DECL void FilesService::sweep(core::Loop& loop) {
  using std::chrono::seconds;
  files_->sweep(std::chrono::duration_cast<std::chrono::milliseconds>(loop.lost()));
  seconds interval(600);
  for (const seconds expires :
       {options().upload_expires, options().unstarted_upload_expires, options().unshared_expires}) {
    if (expires.count() > 0) interval = std::min(interval, std::max(expires / 4, seconds(1)));
  }
  loop.post([this, &loop, interval] { loop.call_after(interval, [this, &loop] { sweep(loop); }); });
}

/// Repeats for as long as the loop runs.
FLUX_DECL void FilesService::clean(core::Loop& loop) {
  files_->cleanup();
  loop.post([this, &loop] { loop.call_after(options().cleanup_interval, [this, &loop] { clean(loop); }); });
}

// --- Files in rooms ---

FLUX_DECL void FilesService::ask_to_share(const SessionPtr& session, const FileInfo& file, const RoomId& room,
                                          const Done<FileHolder>& done) {
  const auto known = session->identity();
  FileHolder holder{false, known ? known->user_id : std::string(), session->id(), nullptr};
  if (!backend_.gate.file) return done(std::move(holder));
  const gate::ShownInMessage shown("files", {}, JsonText(), session->remote());
  const auto granted = session->grant();
  backend_.gate.let_use(session->loop(), shown, {FileAction::share, file, room, Session(session)},
                        granted ? *granted : Grant(),
                        [done, holder = std::move(holder)](const Result<Grant>& grant) mutable {
                          if (grant) {
                            const std::string& user = grant->identity.user_id;
                            if (!user.empty()) holder.user_id = user;
                            return done(std::move(holder));
                          }
                          const Error& why = grant.error();
                          switch (why.code()) {
                            case Errc::unauthorized:
                            case Errc::forbidden: return done(Error(Errc::forbidden, why.message()));
                            case Errc::overloaded: return done(Error(Errc::overloaded, why.message() + "; try again"));
                            default: return done(Error(Errc::server_error, "the server failed to handle this message"));
                          }
                        });
}

FLUX_DECL FileInfo FilesService::new_file(std::string name, std::string media_type, std::string owner,
                                          std::uint64_t size) const {
  FileInfo file;
  file.id = core::random_uuid();
  file.name = std::move(name);
  file.media_type = std::move(media_type);
  file.owner = std::move(owner);
  file.length = size;
  file.wants_sha256 = options().sha256;
  file.created_at = file.modified_at = files_->unix_ms();
  return file;
}

FLUX_DECL void FilesService::store_whole(const SessionPtr& session, WholeFile whole, std::function<bool()> wanted,
                                         Done<FileHoldPtr> done) {
  const auto known = session->identity();
  FileInfo file = new_file(std::move(whole.name), std::move(whole.media_type), known ? known->user_id : std::string(),
                           whole.bytes->size());
  const auto held = [done = std::move(done)](const Result<FileWriter::Written>& written) {
    done(written.transform([](const FileWriter::Written& shared) { return shared.hold; }));
  };
  std::make_shared<FileWriter>(files_, session->loop(), std::move(file), std::move(whole.bytes), FileWriter::Share::yes,
                               std::move(wanted), held)
      ->begin();
}

// --- Files of the application ---

namespace files_service_detail {

/// Errors: invalid_argument; file_too_large.
FLUX_DECL Result<void> check_new(const NewFile& file, std::uint64_t bytes_max) {
  if (file.name.size() > file_name_bytes_max || file.name.find('\0') != std::string::npos ||
      !core::valid_utf8(file.name)) {
    return Error(Errc::invalid_argument, "a file name is UTF-8 without NUL, of at most " +
                                             std::to_string(file_name_bytes_max) + " bytes, not \"" +
                                             core::shown(file.name) + "\" of " + std::to_string(file.name.size()));
  }
  if (!core::valid_utf8(file.owner)) {
    return Error(Errc::invalid_argument, "a file's owner must be UTF-8; \"" + core::shown(file.owner) + "\" is not");
  }
  if (file.bytes.size() > bytes_max) {
    return Error(Errc::file_too_large, "the file has " + std::to_string(file.bytes.size()) + " bytes; at most " +
                                           std::to_string(bytes_max) + " are allowed");
  }
  return {};
}

/// Calls `done` once: with `stopped` if it is destroyed before there is a result, because the loop has ended.
class OwedFile {
 public:
  explicit OwedFile(FileFeature::Done<FileInfo> done) : done_(std::move(done)) {}
  OwedFile(const OwedFile&) = delete;
  OwedFile& operator=(const OwedFile&) = delete;
  ~OwedFile() { give(Error(Errc::stopped, "the server was stopped before the file was stored")); }
  void give(Result<FileInfo> file) {
    if (const auto done = std::exchange(done_, nullptr)) done(std::move(file));
  }

 private:
  FileFeature::Done<FileInfo> done_;
};

}  // namespace files_service_detail

FLUX_DECL void FilesService::store_new(const std::shared_ptr<core::Loop>& loop, NewFile file, Done<FileInfo> done) {
  if (const auto checked = files_service_detail::check_new(file, options().file_bytes_max); !checked) {
    return done(checked.error());
  }
  const auto owed = std::make_shared<files_service_detail::OwedFile>(std::move(done));
  const auto written = [owed](const Result<FileWriter::Written>& stored) {
    owed->give(stored.transform([](const FileWriter::Written& whole) { return whole.file; }));
  };
  FileInfo info = new_file(std::move(file.name), std::move(file.media_type), std::move(file.owner), file.bytes.size());
  std::make_shared<FileWriter>(
      files_, loop, std::move(info), std::make_shared<const std::string>(std::move(file.bytes)), FileWriter::Share::no,
      [] { return true; }, written)
      ->begin();
}

// --- Tickets and links ---

FLUX_DECL Result<SignedTicket> FilesService::upload_ticket(const detail::SessionState& session,
                                                           const RoomId& room) const {
  const std::int64_t expires_at = files_->unix_ms() + std::chrono::milliseconds(options().ticket_expires).count();
  auto text = tickets_.sign({session.id(), room, expires_at});
  if (!text) return Error(Errc::forbidden, "tickets need a build with TLS (FLUX_WITH_TLS)");
  return SignedTicket{std::move(*text), expires_at};
}

FLUX_DECL Result<std::string> FilesService::link(const FileId& file, std::chrono::seconds valid_for,
                                                 std::string_view file_name) const {
  if (!core::has_digests()) return Error(Errc::forbidden, "links need a build with TLS (FLUX_WITH_TLS)");
  if (!storage::is_file_id(file)) {
    return Error(Errc::invalid_argument, "a file's id is a UUID in lower case, not \"" + core::shown(file) + "\"");
  }
  if (valid_for < std::chrono::seconds(1) || valid_for > core::hundred_years) {
    return Error(Errc::invalid_argument,
                 "a link must be valid for 1 s to 100 years, not " + std::to_string(valid_for.count()) + " s");
  }
  const std::string name = core::repaired(std::string(file_name));
  if (name.size() > file_name_bytes_max) {
    return Error(Errc::invalid_argument, "a file name has at most " + std::to_string(file_name_bytes_max) +
                                             " bytes, not " + std::to_string(name.size()));
  }
  const std::chrono::milliseconds valid_ms = valid_for;
  return links_.query(file, files_->unix_ms() + valid_ms.count(), name).transform([&](const std::string& query) {
    return gate::file_path(options().path, file) + "?" + query;
  });
}

}  // namespace flux::features
