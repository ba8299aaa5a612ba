// Worker threads for stores that may block: one call at a time per room, in order; different rooms in parallel.
#pragma once

#include <flux/detail/core/secret.hpp>
#include <flux/detail/mode.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
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
  /// Held by a call until it has finished, on whatever thread it continues; then the room's next call may begin.
  using Turn = std::shared_ptr<void>;
  using Call = std::function<void(Turn)>;
  /// Slow calls are, for example, those that write much to disk. If there is more than one worker, slow calls never take
  /// the last one.
  enum class Pace : std::uint8_t { quick, slow };

  /// A part of a batch: done together with others in one call.
  struct Part {
    virtual ~Part() = default;
  };
  struct PartInTurn {
    std::unique_ptr<Part> part;
    Turn turn;  // the room's, shared by all its parts in the batch
  };
  /// The parts of one room are in the order in which they were added.
  using BatchCall = std::function<void(std::vector<PartInTurn>)>;

  StoreQueue(std::size_t threads, std::size_t per_room_max, std::size_t total_max);
  ~StoreQueue();

  /// Sets how parts are done: `make` gets up to `batch_max` (at least 1) of them. Call it before the first `add`.
  void collect(std::size_t batch_max, BatchCall make);

  /// Runs `call` on a worker, after the room's earlier calls and parts. Returns false if a limit is reached or the queue
  /// has stopped; then the call is not made.
  bool run(const std::string& room, Call call, Pace pace = Pace::quick);
  /// Adds `part` to a batch, after the room's earlier calls and parts. One batch runs at a time, so that the next one
  /// fills meanwhile; rooms take turns in it. If fewer parts are pending than the last batch held, the next one waits for
  /// half the time that the last one took, at most 1 ms: clients that wait for a reply before they send again thus get
  /// into one batch. Returns false as `run` does; `part` is then unchanged.
  bool add(const std::string& room, std::unique_ptr<Part>& part);
  /// Waits until every call accepted so far has finished, then ends the workers. Later calls are refused.
  void stop();

 private:
  /// A call or a part.
  struct Entry {
    Call call;
    std::unique_ptr<Part> part;
    Pace pace = Pace::quick;
  };
  /// A room whose next call may begin, and its position among all of them.
  struct Ready {
    std::string room;
    std::uint64_t place;
  };
  struct Room {
    std::deque<Entry> waiting;
    bool busy = false;
  };

  Room* room_with_space(const std::string& room);
  void push(const std::string& name, Room& room, Entry entry);
  void make_ready(const std::string& name, const Room& room);
  Turn turn_of(const std::string& room, std::size_t calls);
  void turn_over(const std::string& room, std::size_t calls);

  bool batch_may_begin() const { return !batch_runs_ && !ready_for_batch_.empty(); }
  bool slow_may_begin() const { return slow_running_ < slow_max_ && !ready_slow_.empty(); }
  bool call_may_begin() const { return !ready_.empty() || slow_may_begin(); }
  void work();
  void run_next_call(std::unique_lock<std::mutex>& lock);
  void run_call(std::unique_lock<std::mutex>& lock, std::deque<Ready>& from);
  void run_batch(std::unique_lock<std::mutex>& lock);
  void let_fill(std::unique_lock<std::mutex>& lock);
  bool is_filled() const { return stopping_ || parts_waiting_ >= last_batch_; }
  std::vector<PartInTurn> take_batch();

  const std::size_t per_room_max_;
  const std::size_t total_max_;
  const std::size_t slow_max_;  // at the same time
  std::size_t batch_max_ = 1;
  BatchCall make_batch_;
  std::mutex mutex_;
  std::condition_variable ready_changed_, idle_changed_;
  std::unordered_map<std::string, Room, core::SeededHash, std::equal_to<>> rooms_;
  std::deque<Ready> ready_, ready_slow_;     // rooms whose next entry is a call, quick or slow
  std::deque<std::string> ready_for_batch_;  // rooms whose next entry is a part
  std::condition_variable filled_;
  std::uint64_t next_place_ = 0;
  std::size_t slow_running_ = 0;
  std::size_t parts_waiting_ = 0;
  std::size_t last_batch_ = 0;  // parts in it
  std::chrono::steady_clock::duration last_batch_time_{};
  bool batch_fills_ = false;
  bool batch_runs_ = false;     // or fills
  bool batch_is_next_ = false;  // if both may begin, calls and batches alternate
  std::size_t total_ = 0;       // calls and parts that are pending or running
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace flux::storage

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/storage/store_queue.ipp>
#endif
