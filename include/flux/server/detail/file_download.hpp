// GET and HEAD of a complete file.
#pragma once

#include <flux/server/detail/file_call.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace flux::detail {

/// Answers with the file, or the part of it that is asked for: read in pieces by the store's workers, the next one
/// while the client takes the last. A client that reads slowly holds two pieces at most, until it is cut off.
/// `name`: what the client is to call it; empty: as its uploader did.
void answer_download(const std::shared_ptr<FileCall>& call, const FileInfo& file, std::string_view name);

/// Sends `length` bytes of a file from `offset` on.
/// Ownership: by the exchange's drain callback and the calls to the store.
/// Threading: the loop of the connection.
class FileDownload final : public std::enable_shared_from_this<FileDownload> {
 public:
  static constexpr std::uint64_t piece_bytes = 256 * 1024;

  FileDownload(std::shared_ptr<FileCall> call, FileId id, std::uint64_t offset, std::uint64_t length)
      : call_(std::move(call)), id_(std::move(id)), offset_(offset), unread_(length), unsent_(length) {}

  /// Begins the answer when the first piece is there.
  void start(int status, transport::HttpFields fields);

 private:
  void read_next();
  void read(Result<std::string> piece);
  void fail(const Error& error);
  void send();

  const std::shared_ptr<FileCall> call_;
  const FileId id_;
  std::uint64_t offset_;
  std::uint64_t unread_;
  std::uint64_t unsent_;
  int status_ = 200;
  transport::HttpFields fields_;
  std::optional<std::string> ready_;
  bool reading_ = false;
  bool begun_ = false;
  bool taken_ = true;  // the client has what was sent
};

}  // namespace flux::detail
