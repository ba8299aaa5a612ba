// Starts and stops rooms, the public space, and the log of the store that keeps them.
#pragma once

#include <flux/detail/features/backend.hpp>
#include <flux/detail/features/service.hpp>
#include <flux/detail/mode.hpp>

namespace flux::features {

/// `Config::rooms.store`, if the application set one.
class RoomLogService final : public Service {
 public:
  /// `backend` outlives it.
  explicit RoomLogService(Backend& backend) : backend_(backend) {}

  FLUX_DECL void check() const override;
  FLUX_DECL void prepare() override;
  FLUX_DECL void start(core::Loop& loop) override;
  FLUX_DECL void stop() override;
  void add_metrics(core::MetricSet& metrics) const override { backend_.room_faults->add_metrics(metrics, "rooms"); }

 private:
  void restore(RestoredRoom room);
  void retry_closes(core::Loop& loop);

  Backend& backend_;
  bool is_restored_ = false;
};

class RoomsService final : public Service {
 public:
  /// `backend` outlives it.
  explicit RoomsService(Backend& backend) : backend_(backend) {}

  FLUX_DECL void check() const override;
  void start(core::Loop& loop) override { backend_.rooms.start(loop); }
  void begin_stop() override { backend_.rooms.begin_stop(); }
  FLUX_DECL void add_metrics(core::MetricSet& metrics) const override;

 private:
  Backend& backend_;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/room_services.ipp>
#endif
