// Starts and stops chat: the log and its workers exist while the server runs.
#pragma once

#include <flux/detail/features/backend.hpp>
#include <flux/detail/features/service.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/storage/store_queue.hpp>

#include <memory>

namespace flux::features {

class ChatService final : public Service {
 public:
  /// `backend` must outlive it.
  explicit ChatService(Backend& backend) : backend_(backend) {}

  FLUX_DECL void check() const override;
  FLUX_DECL void start(core::Loop& loop) override;
  FLUX_DECL void stop() override;
  void add_metrics(core::MetricSet& metrics) const override { backend_.chat_faults->add_metrics(metrics, "chat"); }

 private:
  Backend& backend_;
  std::shared_ptr<storage::StoreQueue> queue_;  // null: the store does not block
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/chat_service.ipp>
#endif
