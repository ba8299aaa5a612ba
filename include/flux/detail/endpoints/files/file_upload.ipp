#pragma once

#include <flux/detail/core/digest.hpp>
#include <flux/detail/endpoints/files/file_upload.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <utility>

namespace flux::detail {

FLUX_DECL FileUpload::FileUpload(std::shared_ptr<FileCall> call, std::shared_ptr<UploadBody> body,
                                 std::shared_ptr<UploadState> state, Plan plan)
    : call_(std::move(call)),
      body_(std::move(body)),
      state_(std::move(state)),
      plan_(std::move(plan)),
      bytes_max_(plan_.file.length.value_or(call_->options().file_bytes_max)),
      offset_(plan_.file.size) {}

FLUX_DECL FileUpload::~FileUpload() { state_->checked_bytes.fetch_sub(checked_bytes_, std::memory_order_relaxed); }

FLUX_DECL void FileUpload::start(std::function<void(Outcome)> done) {
  done_ = std::move(done);
  const auto self = shared_from_this();
  const std::uint64_t announced = body_->length().value_or(0);
  if (announced > bytes_max_ - std::min(offset_, bytes_max_)) {
    return finish({End::failed, offset_, Error(Errc::file_too_large, "the body is longer than the file may become")});
  }
  body_->read([self](std::string_view piece) { self->on_piece(piece); },
              [self](bool complete) { self->on_body_over(complete); });
}

FLUX_DECL void FileUpload::on_piece(std::string_view piece) {
  if (over_) return;
  received_ += piece.size();
  if (received_ > bytes_max_ - std::min(plan_.file.size, bytes_max_)) {
    return finish(
        {End::failed, offset_,
         Error(Errc::file_too_large, "the file becomes longer than " + std::to_string(bytes_max_) + " bytes")});
  }
  if (plan_.checksum && !reserve_checked(piece.size())) return;
  waiting_.append(piece);
  if (plan_.checksum) return;
  write_waiting();
  if (waiting_.size() < enough_waits || paused_) return;
  paused_ = true;
  body_->pause();
}

/// A chunk must be checked before any of it counts, so all of it is collected here.
FLUX_DECL bool FileUpload::reserve_checked(std::size_t bytes) {
  const std::size_t most = call_->options().checked_chunk_bytes_max;
  if (received_ > most) {
    finish({End::failed, offset_,
            Error(Errc::file_too_large,
                  "a chunk with a checksum has at most " + std::to_string(most) + " bytes; send it in smaller ones")});
    return false;
  }
  constexpr std::size_t chunks_at_once = 16;
  checked_bytes_ += bytes;
  const std::size_t sum = state_->checked_bytes.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  if (sum <= most * chunks_at_once) return true;
  finish({End::failed, offset_, Error(Errc::overloaded, "too many chunks wait for their checksums")});
  return false;
}

FLUX_DECL void FileUpload::on_body_over(bool complete) {
  if (over_) return;
  body_over_ = true;
  body_whole_ = complete;
  if (plan_.checksum && complete) return write_checked();
  if (plan_.checksum) waiting_.clear();
  write_waiting();
  end_if_through();
}

FLUX_DECL Result<std::uint64_t> FileUpload::append(FileStore& store, std::uint64_t offset,
                                                   std::string_view bytes) const {
  if (plan_.turn->over()) return Error(Errc::wrong_offset, "a newer request writes to this upload");
  return store.append(plan_.file.id, offset, bytes);
}

FLUX_DECL void FileUpload::write_waiting() {
  if (writing_ || waiting_.empty()) return;
  writing_ = true;
  waiting_.swap(in_store_);
  const auto self = shared_from_this();
  call_->with_store(
      plan_.file.id,
      [self, offset = offset_](FileStore& store) { return self->append(store, offset, self->in_store_); },
      [self](const Result<std::uint64_t>& size) { self->written(size); }, features::Files::Pace::slow);
}

FLUX_DECL void FileUpload::write_checked() {
  writing_ = true;
  waiting_.swap(in_store_);
  const auto self = shared_from_this();
  call_->with_store(
      plan_.file.id,
      [self, offset = offset_](FileStore& store) -> Result<std::uint64_t> {
        const std::string& bytes = self->in_store_;
        const protocol::TusChecksum& checksum = *self->plan_.checksum;
        const auto digest = checksum.algorithm == "sha1" ? core::sha1(bytes) : core::sha256(bytes);
        if (!digest) return digest.error();
        if (*digest != checksum.digest) return Error(Errc::checksum_mismatch, "the bytes do not match the checksum");
        return bytes.empty() ? Result<std::uint64_t>(offset) : self->append(store, offset, bytes);
      },
      [self](const Result<std::uint64_t>& size) { self->written(size); }, features::Files::Pace::slow);
}

FLUX_DECL void FileUpload::written(const Result<std::uint64_t>& size) {
  writing_ = false;
  in_store_.clear();
  if (over_) return;
  if (!size) return finish({End::failed, offset_, size.error()});
  offset_ = *size;
  FileInfo now = plan_.file;
  now.size = offset_;
  state_->progress.tell(call_->hub(), plan_.origin, now, call_->loop().clock().now());
  write_waiting();
  if (paused_) {
    paused_ = false;
    body_->resume();
  }
  end_if_through();
}

FLUX_DECL void FileUpload::end_if_through() {
  if (body_over_ && !writing_ && !over_) finish({body_whole_ ? End::whole : End::broken, offset_});
}

FLUX_DECL void FileUpload::finish(Outcome outcome) {
  if (over_) return;
  over_ = true;
  const auto done = std::exchange(done_, nullptr);
  if (done) done(std::move(outcome));
}

FLUX_DECL void FileUpload::stop() {
  over_ = true;
  done_ = nullptr;
}

}  // namespace flux::detail
