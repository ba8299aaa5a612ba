// Writes one request's body to a file.
#pragma once

#include <flux/detail/endpoints/files/file_call.hpp>
#include <flux/detail/endpoints/files/tus.hpp>
#include <flux/detail/endpoints/files/upload_progress.hpp>
#include <flux/detail/endpoints/files/upload_turns.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace flux::detail {

/// The state shared by a server's uploads. Threading: any thread.
struct UploadState {
  const std::shared_ptr<UploadTurns> turns = std::make_shared<UploadTurns>();
  UploadProgress progress;
  std::atomic<std::size_t> checked_bytes{0};  // of chunks whose checksum is pending
};

/// Writes the body of a request, or a part of it, to a file. Pieces go to the store one after the other; while the
/// store is busy they are collected, and from `enough_waits` on the client is held back. Together with one more read
/// and the piece being stored, that is 1 MiB at most. Two buffers alternate: getting new memory from the system costs
/// more than filling it. A body with a checksum is collected whole, checked, and written in one call. Ownership: by the
/// body's callbacks and the calls to the store.
/// Threading: the loop of the connection.
class FileUpload final : public std::enable_shared_from_this<FileUpload> {
 public:
  static constexpr std::size_t enough_waits = 256 * 1024;

  struct Plan {
    FileInfo file;  // as in the store: the body begins at its size
    features::FileOrigin origin;
    std::optional<protocol::TusChecksum> checksum;
    std::shared_ptr<const UploadTurn> turn;
  };
  enum class End : std::uint8_t {
    whole,   // all of the body is in the file
    broken,  // disconnected or invalid; earlier bytes are in the file, except of a body with a checksum
    failed   // see the error
  };
  struct Outcome {
    End end;
    std::uint64_t size = 0;  // of the file now
    std::optional<Error> error{};
  };

  FileUpload(std::shared_ptr<FileCall> call, std::shared_ptr<UploadBody> body, std::shared_ptr<UploadState> state,
             Plan plan);
  ~FileUpload();
  FileUpload(const FileUpload&) = delete;
  FileUpload& operator=(const FileUpload&) = delete;

  /// Reads the body. `done` gets the outcome; not called if the upload was stopped.
  void start(std::function<void(Outcome)> done);
  void stop();

 private:
  void on_piece(std::string_view piece);
  bool reserve_checked(std::size_t bytes);
  void on_body_over(bool complete);
  void write_waiting();
  void write_checked();
  void written(const Result<std::uint64_t>& size);
  void end_if_through();
  void finish(Outcome outcome);
  Result<std::uint64_t> append(FileStore& store, std::uint64_t offset, std::string_view bytes) const;

  const std::shared_ptr<FileCall> call_;
  const std::shared_ptr<UploadBody> body_;
  const std::shared_ptr<UploadState> state_;
  const Plan plan_;
  const std::uint64_t bytes_max_;  // of the file
  std::function<void(Outcome)> done_;
  std::uint64_t offset_;           // bytes in the file
  std::uint64_t received_ = 0;     // of the body
  std::string waiting_;            // received, and not being stored yet
  std::string in_store_;           // being stored; owned by the call until it has finished
  std::size_t checked_bytes_ = 0;  // reserved
  bool writing_ = false;
  bool paused_ = false;
  bool body_over_ = false;
  bool body_whole_ = false;
  bool over_ = false;
};

}  // namespace flux::detail
