// Decides which request writes to an upload.
#pragma once

#include <flux/detail/core/secret.hpp>
#include <flux/storage/file_info.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace flux::detail {

class UploadTurns;

/// A request's turn at an upload: it may write until a newer one takes the turn.
/// Threading: any thread.
class UploadTurn {
 public:
  UploadTurn(std::shared_ptr<UploadTurns> turns, FileId id, std::function<void()> on_over)
      : turns_(std::move(turns)), id_(std::move(id)), on_over_(std::move(on_over)) {}
  UploadTurn(const UploadTurn&) = delete;
  UploadTurn& operator=(const UploadTurn&) = delete;
  ~UploadTurn();

  bool over() const noexcept { return over_.load(); }

 private:
  friend class UploadTurns;
  const std::shared_ptr<UploadTurns> turns_;
  const FileId id_;
  const std::function<void()> on_over_;
  std::atomic<bool> over_{false};
};

/// The newest request has the turn: a client sends another request because its last one is lost, long before the server
/// can notice that.
/// Threading: any thread.
class UploadTurns : public std::enable_shared_from_this<UploadTurns> {
 public:
  /// When this returns, the previous turn is over and its `on_over` has been called, on this thread: it writes nothing
  /// more once the store's present call has finished.
  std::shared_ptr<UploadTurn> take(const FileId& id, std::function<void()> on_over);

 private:
  friend class UploadTurn;
  void leave(const FileId& id, const UploadTurn* turn);

  struct Entry {
    std::weak_ptr<UploadTurn> turn;
    const UploadTurn* key = nullptr;
  };
  std::mutex mutex_;
  std::unordered_map<FileId, Entry, core::SeededHash, std::equal_to<>> newest_;
};

}  // namespace flux::detail
