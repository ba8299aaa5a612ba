// Worker threads for stores that may block: one call at a time per room, in order; different rooms in parallel.
#pragma once

#include <flux/detail/mode.hpp>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace flux::storage {

/// Threading: any thread.
class StoreQueue : public std::enable_shared_from_this<StoreQueue> {
 public:
  /// Held by a call until it is through, wherever it goes on; then the room's next call may begin.
  using Turn = std::shared_ptr<void>;
  using Call = std::function<void(Turn)>;

  StoreQueue(std::size_t threads, std::size_t per_room_max, std::size_t total_max);
  ~StoreQueue();

  /// Runs `call` on a worker, behind the room's earlier calls. False where a bound is reached, or the queue has stopped:
  /// the call is not made.
  bool run(const std::string& room, Call call);
  /// Waits until every call made so far is through, then ends the workers. Later calls are refused.
  void stop();

 private:
  struct Room {
    std::deque<Call> waiting;
    bool busy = false;
  };

  void work();
  void turn_over(const std::string& room);

  const std::size_t per_room_max_;
  const std::size_t total_max_;
  std::mutex mutex_;
  std::condition_variable ready_changed_, idle_changed_;
  std::unordered_map<std::string, Room> rooms_;
  std::deque<std::string> ready_;  // rooms whose next call may begin
  std::size_t total_ = 0;          // calls that wait or run
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace flux::storage

#if defined(FLUX_HEADER_ONLY)
#include <flux/impl/storage/store_queue.ipp>
#endif
