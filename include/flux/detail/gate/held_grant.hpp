// The grant of a client without a SessionState: of a raw endpoint, an Engine.IO session or a Socket.IO namespace.
#pragma once

#include <flux/detail/core/grant_holder.hpp>
#include <flux/detail/gate/gate.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

namespace flux::gate {

/// Clients accepted with an empty grant have none of these. Threading: as for `GrantHolder`; `change` on any thread.
class HeldGrant : public core::GrantHolder {
 public:
  /// `loop`: the client's.
  HeldGrant(std::shared_ptr<core::Loop> loop, std::shared_ptr<const Grant> grant)
      : loop_(std::move(loop)), grant_(std::move(grant)) {}

  const std::shared_ptr<core::Loop>& loop() const noexcept final { return loop_; }
  std::shared_ptr<const Grant> grant() const final {
    const std::lock_guard lock(mutex_);
    return grant_;
  }
  /// Returns false and changes nothing if the grant has expired or is withdrawn: the client is being disconnected.
  [[nodiscard]] bool change(std::shared_ptr<const Grant> grant) {
    const std::lock_guard lock(mutex_);
    if (withdrawn_) return false;
    grant_.swap(grant);
    return true;
  }
  bool access_expired(std::int64_t expires_at) final {
    {
      const std::lock_guard lock(mutex_);
      if (!grant_ || end_of(*grant_) != expires_at) return false;  // replaced since
      withdrawn_ = true;
    }
    ignore_client();
    return true;
  }
  void withdraw() noexcept final {
    {
      const std::lock_guard lock(mutex_);
      withdrawn_ = true;
    }
    ignore_client();
  }
  bool withdrawn() const noexcept final {
    const std::lock_guard lock(mutex_);
    return withdrawn_;
  }
  void leave_rooms() override {}

 private:
  /// From now on nothing that the client sends is acted on. Any thread.
  virtual void ignore_client() noexcept = 0;

  const std::shared_ptr<core::Loop> loop_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Grant> grant_;
  bool withdrawn_ = false;
};

/// The grant of a `Client` with `void ignore_input() noexcept`, for any thread, and `void end_access(CloseCode,
/// std::string_view)`, which is called on the loop.
template <class Client>
class ClientGrant final : public HeldGrant {
 public:
  ClientGrant(std::shared_ptr<core::Loop> loop, std::shared_ptr<const Grant> grant, std::weak_ptr<Client> client)
      : HeldGrant(std::move(loop), std::move(grant)), client_(std::move(client)) {}

  void end_access(CloseCode code, std::string_view reason) override {
    if (const auto client = client_.lock()) client->end_access(code, reason);
  }

 private:
  void ignore_client() noexcept override {
    if (const auto client = client_.lock()) client->ignore_input();
  }

  const std::weak_ptr<Client> client_;
};

}  // namespace flux::gate
