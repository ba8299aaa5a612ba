// The grant of a client that has no SessionState: of a raw endpoint or of a Socket.IO namespace.
#pragma once

#include <flux/detail/core/grant_holder.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

namespace flux::gate {

/// Clients that are let in with an empty grant have none of these. Threading: any thread.
class HeldGrant final : public core::GrantHolder {
 public:
  using End = std::function<void(CloseCode, std::string_view reason)>;
  /// `end`: disconnects the client; called on any thread.
  HeldGrant(std::shared_ptr<const Grant> grant, End end) : end_(std::move(end)), grant_(std::move(grant)) {}

  std::shared_ptr<const Grant> grant() const override {
    const std::lock_guard lock(mutex_);
    return grant_;
  }
  void change(std::shared_ptr<const Grant> grant) {
    const std::lock_guard lock(mutex_);
    grant_.swap(grant);
  }
  void end_access(CloseCode code, std::string_view reason) override { end_(code, reason); }

 private:
  const End end_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Grant> grant_;
};

}  // namespace flux::gate
