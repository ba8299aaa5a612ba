// GET and HEAD of a complete file.
#pragma once

#include <flux/detail/endpoints/files/file_call.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace flux::detail {

/// What the downloads of a server hold in memory.
/// Threading: any thread.
class DownloadMemory final : public std::enable_shared_from_this<DownloadMemory> {
 public:
  using Buffer = std::shared_ptr<std::string>;
  static constexpr std::size_t piece_bytes = 524'288;
  static constexpr std::size_t scarce_piece_bytes = 16'384;

  explicit DownloadMemory(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// There is no room for another piece.
  bool is_scarce() const noexcept { return bytes_.load(std::memory_order_relaxed) + piece_bytes > bytes_max_; }
  /// Counts as held while the buffer lives.
  Buffer take(std::size_t bytes);

 private:
  const std::size_t bytes_max_;
  std::atomic<std::size_t> bytes_{0};
};

/// Answers with the file, or the part of it that is asked for: read in pieces by the store's workers, the next one
/// while the client takes the last. A client that reads slowly holds two pieces at most (1 MiB), until it is cut off;
/// where memory is scarce, one small piece. `name`: what the client is to call it; empty: as its uploader did.
void answer_download(const std::shared_ptr<FileCall>& call, const std::shared_ptr<DownloadMemory>& memory,
                     const FileInfo& file, std::string_view name);

/// Sends `length` bytes of a file from `offset` on.
/// Ownership: by the exchange's drain callback and the calls to the store.
/// Threading: the loop of the connection.
class FileDownload final : public std::enable_shared_from_this<FileDownload> {
 public:
  FileDownload(std::shared_ptr<FileCall> call, std::shared_ptr<DownloadMemory> memory, FileId id, std::uint64_t offset,
               std::uint64_t length)
      : call_(std::move(call)),
        memory_(std::move(memory)),
        id_(std::move(id)),
        offset_(offset),
        unread_(length),
        unsent_(length) {}

  /// Begins the answer when the first piece is there.
  void start(int status, transport::HttpFields fields);

 private:
  /// Where a piece is read to. There are two, which take turns: memory that is fresh from the system costs more than
  /// to read into it.
  using Buffer = DownloadMemory::Buffer;

  void read_next();
  Buffer take_buffer();
  void read(Buffer buffer, const Result<std::size_t>& size);
  void fail(const Error& error);
  void send();

  const std::shared_ptr<FileCall> call_;
  const std::shared_ptr<DownloadMemory> memory_;
  const FileId id_;
  std::uint64_t offset_;
  std::uint64_t unread_;
  std::uint64_t unsent_;
  int status_ = 200;
  transport::HttpFields fields_;
  Buffer ready_;  // read, and not sent yet
  std::size_t ready_bytes_ = 0;
  Buffer sent_;  // the client takes it; none: it has what was sent
  Buffer spare_;
  bool reading_ = false;
  bool begun_ = false;
};

}  // namespace flux::detail
