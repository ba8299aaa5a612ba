// The end of grants while clients are connected.
#pragma once

#include <flux/detail/features/backend.hpp>
#include <flux/detail/features/service.hpp>

namespace flux::features {

class GrantService final : public Service {
 public:
  /// `backend` outlives it.
  explicit GrantService(Backend& backend) : backend_(backend) {}

  /// Watches the clock on `loop` until that ends.
  void start(core::Loop& loop) override { backend_.admitted.start(loop.shared_from_this()); }

 private:
  Backend& backend_;
};

}  // namespace flux::features
