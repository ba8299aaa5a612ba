#pragma once

#include <flux/detail/core/option_check.hpp>
#include <flux/detail/features/chat_service.hpp>
#include <flux/detail/mode.hpp>

#include <mutex>
#include <string>

namespace flux::features {

FLUX_DECL void ChatService::check() const {
  using core::given, core::require_option;
  const Config& config = backend_.config;
  require_option(config.worker_threads >= 1 && config.worker_threads <= 256,
                 "Config::worker_threads must be 1 to 256" + given(config.worker_threads));
  require_option(config.chat.join_history <= 1000,
                 "Config::chat.join_history must be 0 to 1000" + given(config.chat.join_history));
  require_option(config.chat.join_history_timeout.count() >= 1,
                 "Config::chat.join_history_timeout must be at least 1 ms, not " +
                     std::to_string(config.chat.join_history_timeout.count()));
}

FLUX_DECL void ChatService::start(core::Loop&) {
  const Config& config = backend_.config;
  if (config.chat.store->may_block()) {
    queue_ = std::make_shared<storage::StoreQueue>(config.worker_threads, config.limits.store_queue_per_room_max,
                                                   config.limits.store_queue_max);
  }
  const std::lock_guard lock(backend_.chat_mutex);
  backend_.chat = std::make_shared<ChatLog>(config.chat.store, queue_, config.limits, backend_.chat_faults);
}

FLUX_DECL void ChatService::stop() {
  if (queue_) queue_->stop();
  queue_.reset();
  const std::lock_guard lock(backend_.chat_mutex);
  backend_.chat.reset();
}

}  // namespace flux::features
