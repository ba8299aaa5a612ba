// Stores a file whose bytes are in memory: received whole, in one message, or handed in by the application.
#pragma once

#include <flux/detail/core/loop.hpp>
#include <flux/detail/features/files.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace flux::features {

/// Stores the bytes in pieces, each in a call of its own, so that no upload occupies a worker for long, nor the loop if
/// the store does not block. An upload that fails or is no longer wanted leaves nothing behind.
/// Threading: the loop's thread, except `begin`. Ownership: keeps itself alive until it is done; the bytes are not copied.
class FileWriter final : public std::enable_shared_from_this<FileWriter> {
 public:
  static constexpr std::size_t piece_bytes = 4 * 1024 * 1024;

  enum class Share : bool { no, yes };
  struct Written {
    FileInfo file;
    FileHoldPtr hold;  ///< null for `Share::no`
  };

  /// `wanted`: called before every step. `done`: called once, on the loop, unless the loop ends first. Errors: the
  /// store's; not_in_room if the file is no longer wanted. `share`: whether the file is shared from the end on, by a hold
  /// that `done` gets.
  FileWriter(std::shared_ptr<Files> files, std::shared_ptr<core::Loop> loop, FileInfo file,
             std::shared_ptr<const std::string> bytes, Share share, std::function<bool()> wanted,
             Files::Done<Written> done)
      : files_(std::move(files)),
        loop_(std::move(loop)),
        file_(std::move(file)),
        bytes_(std::move(bytes)),
        share_(share),
        wanted_(std::move(wanted)),
        done_(std::move(done)) {}

  /// Threading: any thread.
  void begin();

 private:
  /// Makes `call`; if it succeeds, `next` gets its result on the loop, in a turn of its own.
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
  const Share share_;
  const std::function<bool()> wanted_;
  const Files::Done<Written> done_;
  bool created_ = false;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/file_writer.ipp>
#endif
