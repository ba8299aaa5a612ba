// A subscription of the application.
#pragma once

#include <flux/channel_types.hpp>
#include <flux/detail/features/backend.hpp>
#include <flux/detail/mode.hpp>

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace flux::features {

class ChannelHub;

/// Messages queue here until its callback is called for them, one at a time. Threading: any thread.
class ChannelListener : public std::enable_shared_from_this<ChannelListener> {
 public:
  using Callback = std::function<void(const ChannelMessage&)>;
  using Task = std::function<void()>;
  using Executor = std::function<void(Task)>;
  using Message = std::shared_ptr<const ChannelMessage>;

  /// `executor`: empty: an event loop of the server. Its tasks may outlive the server.
  ChannelListener(std::string pattern, Callback callback, Executor executor, std::weak_ptr<core::CallFaults> faults)
      : name(std::move(pattern)),
        callback_(std::move(callback)),
        executor_(std::move(executor)),
        faults_(std::move(faults)) {}
  ChannelListener(const ChannelListener&) = delete;
  ChannelListener& operator=(const ChannelListener&) = delete;

  const std::string name;  // of the channel or pattern

  /// Bytes of the queued messages.
  std::size_t pending_size() const;
  /// Queues a message. Returns whether `schedule` must be called next; never calls the application.
  bool push(Message message);
  /// Has the queue emptied. `loop`: where, without an executor; null: the server does not run, and the queue is dropped.
  /// Must be called without a lock, because an executor may run its tasks at once.
  void schedule(Backend& backend, const std::shared_ptr<core::Loop>& loop);
  /// The loops have ended, and dropped the tasks that were to empty the queue.
  void loops_ended();
  void cancel();
  bool active() const;

 private:
  void schedule_elsewhere();
  template <class Call>
  bool run(const Call& call);
  template <class Function>
  bool returns(const char* what, const Function& function) const;
  Message next();
  void drop();

  const Callback callback_;
  const Executor executor_;
  const std::weak_ptr<core::CallFaults> faults_;
  mutable std::mutex mutex_;  // guards everything below
  std::deque<Message> queue_;
  std::size_t pending_size_ = 0;
  bool is_scheduled_ = false;
  bool is_active_ = true;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/channel_listener.ipp>
#endif
