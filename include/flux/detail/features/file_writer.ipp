#pragma once

#include <flux/detail/features/file_writer.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <string_view>
#include <utility>

namespace flux::features {

template <class Call, class Next>
void FileWriter::step(Call call, Next next) {
  auto done = [self = shared_from_this(), next](auto result) {
    self->loop_->post([self, next, result = std::move(result)] {
      if (!result) return self->fail(result.error());
      self->created_ = true;
      if (!self->wanted_()) return self->fail(Error(Errc::not_in_room, "the uploader has left"));
      next(*self, result);
    });
  };
  files_->run(file_.id, std::move(call), std::move(done), Files::Pace::slow);
}

FLUX_DECL void FileWriter::begin() {
  files_->begin_upload(file_.id);
  step([file = file_](FileStore& store) { return store.create(file); },
       [](FileWriter& self, const Result<void>&) { self.append_next(0); });
}

FLUX_DECL void FileWriter::append_next(std::uint64_t stored) {
  if (stored == bytes_->size()) return complete();
  const auto piece = std::string_view(*bytes_).substr(static_cast<std::size_t>(stored), piece_bytes);
  step([id = file_.id, bytes = bytes_, stored, piece](FileStore& store) { return store.append(id, stored, piece); },
       [](FileWriter& self, const Result<std::uint64_t>& now) { self.append_next(*now); });
}

FLUX_DECL void FileWriter::complete() {
  step(
      [files = files_, id = file_.id, share = share_](FileStore& store) -> Result<FileInfo> {
        auto completed = store.complete(id);
        if (!completed) return completed;
        if (share == Share::yes) {
          // In one call: if the server stops now, it deletes the shared file at its next start.
          if (const auto marked = store.mark_shared(id); !marked) return marked.error();
        }
        files->end_upload(id);
        return completed;
      },
      [](FileWriter& self, const Result<FileInfo>& file) {
        self.share_ == Share::yes ? self.hold() : self.done_(Written{*file, nullptr});
      });
}

/// Takes a hold on the file. The file counts as shared, so it is deleted when its last hold is released.
FLUX_DECL void FileWriter::hold() {
  files_->hold(file_.id, {}, [self = shared_from_this()](Result<FileHoldPtr> hold) {
    self->loop_->post([self, hold = std::move(hold)] {
      if (!hold) return self->fail(hold.error());
      self->done_(Written{(*hold)->info(), *hold});
    });
  });
}

FLUX_DECL void FileWriter::fail(const Error& error) {
  if (created_) {
    // If that fails too, the store's sweep finds the file.
    files_->run(
        file_.id, [id = file_.id](FileStore& store) { return store.remove(id); },
        [files = files_, id = file_.id](const Result<void>& removed) {
          if (removed || removed.error().code() != Errc::stopped) files->end_upload(id);
        });
  } else {
    files_->end_upload(file_.id);
  }
  done_(error);
}

}  // namespace flux::features
