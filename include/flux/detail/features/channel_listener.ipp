#pragma once

#include <flux/detail/features/channel_listener.hpp>
#include <flux/detail/mode.hpp>

#include <exception>

namespace flux::features {

namespace channel_listener_detail {

inline std::size_t size_of(const ChannelMessage& message) {
  return message.channel.size() + message.data.text().size() + sizeof message;
}

}  // namespace channel_listener_detail

FLUX_DECL std::size_t ChannelListener::pending_size() const {
  const std::lock_guard lock(mutex_);
  return pending_size_;
}

FLUX_DECL bool ChannelListener::push(Message message) {
  const std::lock_guard lock(mutex_);
  if (!is_active_) return false;
  pending_size_ += channel_listener_detail::size_of(*message);
  queue_.push_back(std::move(message));
  return !std::exchange(is_scheduled_, true);
}

FLUX_DECL void ChannelListener::schedule(Backend& backend, const std::shared_ptr<core::Loop>& loop) {
  if (executor_) return schedule_elsewhere();
  const bool posted = loop && loop->post([self = shared_from_this(), &backend, loop] {
    const bool more = self->run([&](const ChannelMessage& message) {
      backend.guarded(loop->counters(), "channel subscription", [&] { self->callback_(message); }, {},
                      {.name = &message.channel});
    });
    if (more) self->schedule(backend, loop);
  });
  if (!posted) drop();
}

FLUX_DECL void ChannelListener::schedule_elsewhere() {
  const bool taken = returns("executor of a channel subscription", [this] {
    executor_([self = shared_from_this()] {
      const bool more = self->run([&](const ChannelMessage& message) {
        self->returns("channel subscription", [&] { self->callback_(message); });
      });
      if (more) self->schedule_elsewhere();
    });
  });
  if (!taken) drop();
}

template <class Function>
bool ChannelListener::returns(const char* what, const Function& function) const {
  std::string thrown = "threw something that is not a std::exception";
  try {
    function();
    return true;
  } catch (const std::exception& e) {
    thrown = std::string("threw: ") + e.what();
  } catch (...) {
  }
  if (const auto faults = faults_.lock()) faults->failed(what, name, Error(Errc::server_error, thrown));
  return false;
}

FLUX_DECL void ChannelListener::drop() {
  std::deque<Message> dropped;
  const std::lock_guard lock(mutex_);
  dropped.swap(queue_);
  pending_size_ = 0;
  is_scheduled_ = false;
}

FLUX_DECL ChannelListener::Message ChannelListener::next() {
  const std::lock_guard lock(mutex_);
  if (queue_.empty() || !is_active_) {
    is_scheduled_ = false;
    return nullptr;
  }
  Message message = std::move(queue_.front());
  queue_.pop_front();
  pending_size_ -= channel_listener_detail::size_of(*message);
  return message;
}

/// Returns whether messages are left: a turn handles some only, so that others get theirs.
template <class Call>
bool ChannelListener::run(const Call& call) {
  constexpr int messages_per_turn = 64;
  for (int i = 0; i < messages_per_turn; ++i) {
    const Message message = next();
    if (!message) return false;
    call(*message);
  }
  return true;
}

FLUX_DECL void ChannelListener::loops_ended() {
  if (!executor_) drop();
}

FLUX_DECL void ChannelListener::cancel() {
  std::deque<Message> dropped;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  is_active_ = false;
  dropped.swap(queue_);
  pending_size_ = 0;
}

FLUX_DECL bool ChannelListener::active() const {
  const std::lock_guard lock(mutex_);
  return is_active_;
}

}  // namespace flux::features
