#pragma once

#include <flux/detail/core/base64.hpp>
#include <flux/detail/endpoints/files/file_download.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/content_disposition.hpp>
#include <flux/detail/transport/http_chars.hpp>
#include <flux/detail/transport/media_type.hpp>
#include <flux/detail/transport/representation.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <span>
#include <utility>

namespace flux::detail {

/// Whether browsers may display this type: `allowed` contains it, or a range such as `image/*`.
FLUX_DECL bool may_be_shown(const std::vector<std::string>& allowed, std::string_view media_type) {
  const std::string_view type = transport::detail::trim_blanks(media_type.substr(0, media_type.find(';')));
  const std::string any(type.substr(0, std::min(type.find('/'), type.size())));
  return std::any_of(allowed.begin(), allowed.end(), [&](const std::string& entry) {
    return transport::equals_ignore_case(entry, type) || transport::equals_ignore_case(entry, any + "/*");
  });
}

/// The Repr-Digest field (RFC 9530). None if the text is not a SHA-256.
FLUX_DECL std::optional<std::string> repr_digest(std::string_view sha256_hex) {
  if (sha256_hex.size() != 64) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < sha256_hex.size(); i += 2) {
    const int high = transport::detail::hex_value(sha256_hex[i]);
    const int low = transport::detail::hex_value(sha256_hex[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  std::string field = "sha-256=:";
  protocol::append_base64(field, bytes);
  return field + ":";
}

/// The Content-Security-Policy of an uploaded file that a browser displays: it may run no script, whatever its type
/// claims, and load nothing. The browser's own players may load the file itself, from its own origin.
FLUX_DECL std::string_view content_policy(std::string_view media_type, bool shown) {
  const std::string_view kind = media_type.substr(0, media_type.find('/'));
  const bool played = transport::equals_ignore_case(kind, "audio") || transport::equals_ignore_case(kind, "video");
  if (shown && played) {
    return "sandbox allow-same-origin; default-src 'none'; media-src 'self'; style-src 'unsafe-inline'";
  }
  if (shown) return "sandbox; default-src 'none'; style-src 'unsafe-inline'";
  return "sandbox; default-src 'none'";
}

FLUX_DECL void add_file_fields(transport::HttpFields& fields, const FilesOptions& options, const FileInfo& file,
                               std::string_view name) {
  const std::string_view unknown = "application/octet-stream";
  const std::string_view type = transport::is_media_type(file.media_type) ? std::string_view(file.media_type) : unknown;
  const bool shown = may_be_shown(options.inline_types, type);
  const auto disposition = shown ? transport::Disposition::in_place : transport::Disposition::attachment;
  fields.emplace_back("Content-Security-Policy", content_policy(type, shown));
  fields.emplace_back("Content-Type", type);
  fields.emplace_back("Content-Disposition",
                      transport::content_disposition(disposition, name.empty() ? file.name : name));
  if (auto digest = repr_digest(file.sha256)) fields.emplace_back("Repr-Digest", std::move(*digest));
}

FLUX_DECL DownloadMemory::Buffer DownloadMemory::take(std::size_t bytes) {
  auto buffer = std::make_unique<std::string>(bytes, '\0');
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
  return Buffer(buffer.release(), [self = shared_from_this()](const std::string* taken) {
    self->bytes_.fetch_sub(taken->size(), std::memory_order_relaxed);
    delete taken;
  });
}

FLUX_DECL void answer_download(const std::shared_ptr<FileCall>& call, const std::shared_ptr<DownloadMemory>& memory,
                               const FileInfo& file, std::string_view name) {
  namespace chrono = std::chrono;
  const auto seconds = [](std::int64_t unix_ms) {
    return chrono::sys_seconds(chrono::floor<chrono::seconds>(chrono::milliseconds(unix_ms)));
  };
  // The content never changes, so the id serves as a hash.
  const transport::Representation representation{file.size, seconds(file.modified_at), "\"" + file.id + "\""};
  auto plan = transport::plan_representation(call->head(), representation, "private, no-cache",
                                             seconds(call->loop().clock().unix_ms()));
  plan.fields.emplace_back("X-Content-Type-Options", "nosniff");
  if (!plan.has_body()) {
    std::string text(plan.status == 304 ? std::string_view() : transport::reason_phrase(plan.status));
    return call->answer(plan.status, std::move(text), std::move(plan.fields));
  }
  add_file_fields(plan.fields, call->options(), file, name);
  if (call->head().method() == "HEAD" || plan.length == 0) {
    call->begin_answer(plan.status, std::move(plan.fields), plan.length);
    return call->exchange()->end();
  }
  std::make_shared<FileDownload>(call, memory, file.id, plan.offset, plan.length)
      ->start(plan.status, std::move(plan.fields));
}

FLUX_DECL void FileDownload::start(int status, transport::HttpFields fields) {
  status_ = status;
  fields_ = std::move(fields);
  read_next();
}

FLUX_DECL void FileDownload::read_next() {
  if (reading_ || ready_ || unread_ == 0 || call_->over()) return;
  if (sent_ && memory_->is_scarce()) return;  // until the client has received that piece
  reading_ = true;
  const Buffer buffer = take_buffer();
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(unread_, buffer->size()));
  call_->with_store(
      id_,
      [id = id_, offset = offset_, size, buffer](FileStore& store) {
        return store.read(id, offset, std::span<char>(buffer->data(), size));
      },
      [self = shared_from_this(), buffer, size](const Result<std::size_t>& got) {
        if (!got || *got == size || self->call_->over()) return self->read(buffer, got);
        self->read(buffer, self->call_->service().faults().misbehaved(
                               "read " + std::to_string(*got) + " bytes of file " + self->id_ + " at " +
                               std::to_string(self->offset_) + " instead of " + std::to_string(size) +
                               ": the file is shorter than it was said to be"));
      });
}

FLUX_DECL FileDownload::Buffer FileDownload::take_buffer() {
  const bool is_scarce = memory_->is_scarce();
  const std::size_t most = is_scarce ? DownloadMemory::scarce_piece_bytes : DownloadMemory::piece_bytes;
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(unread_, most));
  Buffer spare = std::exchange(spare_, nullptr);
  if (spare && (is_scarce ? spare->size() <= most : spare->size() >= size)) return spare;
  spare.reset();
  return memory_->take(size);
}

FLUX_DECL void FileDownload::read(Buffer buffer, const Result<std::size_t>& size) {
  reading_ = false;
  if (call_->over()) return;
  if (!size) return fail(size.error());
  offset_ += *size;
  unread_ -= *size;
  ready_ = std::move(buffer);
  ready_bytes_ = *size;
  if (!begun_) {
    begun_ = true;
    call_->exchange()->on_drain([self = shared_from_this()] {
      self->spare_ = std::exchange(self->sent_, nullptr);
      self->send();
      self->read_next();
    });
    call_->begin_answer(status_, std::move(fields_), unsent_);
  }
  send();
}

FLUX_DECL void FileDownload::fail(const Error& error) {
  if (!begun_) return call_->fail(error);
  if (error.code() == Errc::overloaded) {  // the client is waiting, so try again
    call_->loop().call_after(std::chrono::milliseconds(100), [self = shared_from_this()] { self->read_next(); });
    return;
  }
  call_->exchange()->cut("the download of file " + id_ + " is cut off: " + error.cause());
}

FLUX_DECL void FileDownload::send() {
  if (sent_ || !ready_) return;
  sent_ = std::exchange(ready_, nullptr);
  unsent_ -= ready_bytes_;
  if (call_->exchange()->write_shared(sent_, ready_bytes_) == Sent::dropped) return;
  if (unsent_ == 0) return call_->exchange()->end();
  call_->exchange()->ask_drained();
  read_next();
}

}  // namespace flux::detail
