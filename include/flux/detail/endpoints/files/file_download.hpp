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

/// Limits the memory held by a server's downloads.
/// Threading: any thread.
class DownloadMemory final : public std::enable_shared_from_this<DownloadMemory> {
 public:
  using Buffer = std::shared_ptr<std::string>;
  static constexpr std::size_t piece_bytes = 524'288;
  static constexpr std::size_t scarce_piece_bytes = 16'384;

  explicit DownloadMemory(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// Whether there is no room for another piece.
  bool is_scarce() const noexcept { return bytes_.load(std::memory_order_relaxed) + piece_bytes > bytes_max_; }
  /// The bytes count as held while the buffer exists.
  Buffer take(std::size_t bytes);

 private:
  const std::size_t bytes_max_;
  std::atomic<std::size_t> bytes_{0};
};

/// Answers with the file, or the requested part of it: read in pieces by the store's workers, the next one while the
/// client receives the previous one. A slow client holds at most two pieces (1 MiB) until it is disconnected; if memory
/// is scarce, one small piece. `name`: the file name for the client; empty: the uploader's.
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

  /// Begins the answer when the first piece has been read.
  void start(int status, transport::HttpFields fields);

 private:
  /// The buffer for a piece. Two buffers alternate: getting new memory from the system costs more than reading into it.
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
  Buffer ready_;  // read, not sent yet
  std::size_t ready_bytes_ = 0;
  Buffer sent_;  // being sent; none: the client has received everything sent
  Buffer spare_;
  bool reading_ = false;
  bool begun_ = false;
};

}  // namespace flux::detail
