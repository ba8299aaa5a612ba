#pragma once

#include <flux/detail/core/loop.hpp>
#include <flux/detail/gate/end_access.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <utility>

namespace flux::gate {

namespace detail {

/// The clients of one loop.
class HoldersOfLoop final : public std::enable_shared_from_this<HoldersOfLoop> {
 public:
  using Acts = std::vector<HolderAct>;
  explicit HoldersOfLoop(std::shared_ptr<core::Loop> loop) : loop_(std::move(loop)) {}

  const std::shared_ptr<core::Loop>& loop() const noexcept { return loop_; }
  void add(HolderAndEnd client) { clients_.push_back(std::move(client)); }
  void post(std::shared_ptr<const Acts> acts) {
    acts_ = std::move(acts);
    post();
  }

 private:
  void post() {
    loop_->post([self = shared_from_this()] { self->run(); });
  }
  /// Measured on the real clock, because that is the time which the loop's other clients wait. It continues after a timer,
  /// not at once: a timer that is due is called after all sockets that were ready before it.
  void run() {
    using Clock = std::chrono::steady_clock;
    const auto until = Clock::now() + turn_for_holders;
    while (act_next()) {
      if (Clock::now() < until) continue;
      loop_->call_after({}, [self = shared_from_this()] { self->post(); });
      return;
    }
  }

  /// Returns whether there is more to do. Clients that need no further act are dropped, others are moved to the front.
  bool act_next() {
    if (next_ == clients_.size()) {
      clients_.resize(kept_);
      next_ = kept_ = 0;
      ++act_;
    }
    if (act_ == acts_->size() || clients_.empty()) return false;
    HolderAndEnd client = std::move(clients_[next_++]);
    if ((*acts_)[act_](*client.holder, client.ends_at)) clients_[kept_++] = std::move(client);
    return true;
  }

  const std::shared_ptr<core::Loop> loop_;
  std::shared_ptr<const Acts> acts_;
  std::deque<HolderAndEnd> clients_;  // not a vector, which moves all of them when it grows
  std::size_t act_ = 0;               // the present one
  std::size_t next_ = 0;              // the client that it is called for next
  std::size_t kept_ = 0;              // clients for which the next act will be called
};

}  // namespace detail

FLUX_DECL void HoldersByLoop::add(HolderAndEnd client) {
  const auto& loop = client.holder->loop();
  auto of_loop =
      std::find_if(by_loop_.begin(), by_loop_.end(), [&](const auto& candidate) { return candidate->loop() == loop; });
  if (of_loop == by_loop_.end()) {
    of_loop = by_loop_.insert(by_loop_.end(), std::make_shared<detail::HoldersOfLoop>(loop));
  }
  (*of_loop)->add(std::move(client));
}

FLUX_DECL void HoldersByLoop::post(std::vector<HolderAct> acts) && {
  if (by_loop_.empty()) return;
  const auto shared_acts = std::make_shared<const detail::HoldersOfLoop::Acts>(std::move(acts));
  for (const auto& of_loop : std::exchange(by_loop_, {})) of_loop->post(shared_acts);
}

FLUX_DECL std::vector<HolderAct> ending(CloseCode code, std::string reason) {
  const auto leave = [](core::GrantHolder& holder, std::int64_t) {
    holder.leave_rooms();
    return true;
  };
  auto end = [code, reason = std::move(reason)](core::GrantHolder& holder, std::int64_t) {
    holder.end_access(code, reason);
    return false;
  };
  return {leave, std::move(end)};
}

FLUX_DECL void AccessEnd::add(std::shared_ptr<core::GrantHolder> client) {
  client->withdraw();
  clients_.add({std::move(client)});
  ++count_;
}

FLUX_DECL std::size_t AccessEnd::run() && {
  std::move(clients_).post(ending(code_, std::move(reason_)));
  return count_;
}

}  // namespace flux::gate
