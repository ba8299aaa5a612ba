// The life of shared files: `Files` runs while the server does, and is swept and cleaned at intervals.
#pragma once

#include <flux/detail/features/backend.hpp>
#include <flux/detail/features/service.hpp>

namespace flux::features {

class FilesService final : public Service {
 public:
  /// `backend` outlives it.
  explicit FilesService(Backend& backend) : backend_(backend) {}

  /// Also where the server takes no files.
  void check() const override;
  void start(core::Loop& loop) override;
  void stop() override;
  void add_metrics(core::MetricSet& metrics) const override { backend_.file_faults->add_metrics(metrics, "files"); }

 private:
  void sweep(core::Loop& loop);
  void clean(core::Loop& loop);

  Backend& backend_;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/files_service.ipp>
#endif
