// The grant of a client without a SessionState: of a raw endpoint, an Engine.IO session or a Socket.IO namespace.
#pragma once

#include <flux/detail/core/grant_holder.hpp>
#include <flux/detail/gate/gate.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

namespace flux::gate {

/// Clients accepted with an empty grant have none of these. Threading: as for `GrantHolder`; `change` on any thread.
class HeldGrant final : public core::GrantHolder {
 public:
  using End = std::function<void(CloseCode, std::string_view reason)>;
  /// `loop`: the client's. `end`: disconnects the client; called on the loop.
  HeldGrant(std::shared_ptr<core::Loop> loop, std::shared_ptr<const Grant> grant, End end)
      : loop_(std::move(loop)), end_(std::move(end)), grant_(std::move(grant)) {}

  const std::shared_ptr<core::Loop>& loop() const noexcept override { return loop_; }
  std::shared_ptr<const Grant> grant() const override {
    const std::lock_guard lock(mutex_);
    return grant_;
  }
  /// Returns false and changes nothing if the grant has expired: the client is being disconnected.
  [[nodiscard]] bool change(std::shared_ptr<const Grant> grant) {
    const std::lock_guard lock(mutex_);
    if (expired_) return false;
    grant_.swap(grant);
    return true;
  }
  void access_expired(std::int64_t expires_at) override {
    {
      const std::lock_guard lock(mutex_);
      if (!grant_ || end_of(*grant_) != expires_at) return;  // replaced since
      expired_ = true;
    }
    end_access(CloseCode::unauthorized, "the token has expired");
  }
  void end_access(CloseCode code, std::string_view reason) override { end_(code, reason); }

 private:
  const std::shared_ptr<core::Loop> loop_;
  const End end_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Grant> grant_;
  bool expired_ = false;
};

}  // namespace flux::gate
