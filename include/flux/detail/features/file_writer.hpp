// A file that came whole, in one message, on its way into the store.
#pragma once

#include <flux/detail/core/loop.hpp>
#include <flux/detail/features/files.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace flux::features {

/// Stores the bytes in pieces, each a call of its own, so that no upload holds a worker for long, nor the loop where
/// the store does not block. What can't be stored, or is no longer wanted, leaves nothing behind.
/// Threading: the loop's thread. Ownership: keeps itself until it is done; the bytes are not copied.
class FileWriter final : public std::enable_shared_from_this<FileWriter> {
 public:
  static constexpr std::size_t piece_bytes = 4 * 1024 * 1024;

  /// `wanted`: asked before every step. `done`: called once, on the loop, but not where the loop ends before. Errors:
  /// the store's; not_in_room where it was not wanted any more.
  FileWriter(std::shared_ptr<Files> files, std::shared_ptr<core::Loop> loop, FileInfo file,
             std::shared_ptr<const std::string> bytes, std::function<bool()> wanted, Files::Done<FileHoldPtr> done)
      : files_(std::move(files)),
        loop_(std::move(loop)),
        file_(std::move(file)),
        bytes_(std::move(bytes)),
        wanted_(std::move(wanted)),
        done_(std::move(done)) {}

  void begin();

 private:
  /// Has `call` made; `next` gets its result on the loop, in a turn of its own, where it is no error.
  template <class Call, class Next>
  void step(Call call, Next next);
  void append_next(std::uint64_t stored);
  void complete();
  void hold();
  void fail(const Error& error);

  const std::shared_ptr<Files> files_;
  const std::shared_ptr<core::Loop> loop_;
  const FileInfo file_;
  const std::shared_ptr<const std::string> bytes_;
  const std::function<bool()> wanted_;
  const Files::Done<FileHoldPtr> done_;
  bool created_ = false;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/file_writer.ipp>
#endif
