// Where large blocks of memory end.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace flux::core {

/// Gives large strings back to the system on a thread of its own: for 100 MB that takes ten milliseconds and more, which
/// no event loop should spend at once. The thread begins with the first of them.
/// Threading: any thread. Ownership: by those who may have something to give it, `share`d strings among them.
class Reclaimer : public std::enable_shared_from_this<Reclaimer> {
 public:
  static constexpr std::size_t large_bytes = 1'000'000;

  Reclaimer() = default;
  Reclaimer(const Reclaimer&) = delete;
  Reclaimer& operator=(const Reclaimer&) = delete;
  ~Reclaimer() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

  /// Frees `bytes`: here where they are few.
  void take(std::string bytes) noexcept {
    if (bytes.capacity() < large_bytes) return;
    try {
      const std::lock_guard lock(mutex_);
      if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
      waiting_.push_back(std::move(bytes));
    } catch (const std::exception&) {  // no thread: here, then
      return;
    }
    wake_.notify_one();
  }

  /// Bytes that end in `take`, whoever lets go of them last.
  std::shared_ptr<const std::string> share(std::string bytes) {
    if (bytes.capacity() < large_bytes) return std::make_shared<const std::string>(std::move(bytes));
    return std::shared_ptr<std::string>(new std::string(std::move(bytes)),
                                        [self = shared_from_this()](std::string* ended) {
                                          self->take(std::move(*ended));
                                          delete ended;
                                        });
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!ended_ || !waiting_.empty()) {
      std::vector<std::string> taken;
      taken.swap(waiting_);
      lock.unlock();
      taken.clear();
      lock.lock();
      wake_.wait(lock, [this] { return ended_ || !waiting_.empty(); });
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::string> waiting_;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace flux::core
