#pragma once

#include <flux/detail/core/loop.hpp>
#include <flux/detail/core/prefetch.hpp>
#include <flux/detail/gate/end_access.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace flux::gate {

namespace detail {

/// The clients of one loop.
class HoldersOfLoop final : public std::enable_shared_from_this<HoldersOfLoop> {
 public:
  using Acts = std::vector<HolderAct>;
  HoldersOfLoop(std::shared_ptr<core::Loop> loop, std::shared_ptr<const Acts> acts)
      : loop_(std::move(loop)), acts_(std::move(acts)) {}

  const std::shared_ptr<core::Loop>& loop() const noexcept { return loop_; }
  void add(HolderAndEnd client) { clients_.push_back(std::move(client)); }
  void post() {
    loop_->post([self = shared_from_this()] { self->run(); });
  }

 private:
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
  const std::shared_ptr<const Acts> acts_;
  std::vector<HolderAndEnd> clients_;
  std::size_t act_ = 0;   // the present one
  std::size_t next_ = 0;  // the client that it is called for next
  std::size_t kept_ = 0;  // clients for which the next act will be called
};

}  // namespace detail

FLUX_DECL void on_their_loops(std::vector<HolderAndEnd> clients, std::vector<HolderAct> acts) {
  using detail::HoldersOfLoop;
  const auto shared_acts = std::make_shared<const HoldersOfLoop::Acts>(std::move(acts));
  std::vector<std::shared_ptr<HoldersOfLoop>> by_loop;  // at most 256
  for (HolderAndEnd& client : clients) {
    const auto& loop = client.holder->loop();
    auto of_loop =
        std::find_if(by_loop.begin(), by_loop.end(), [&](const auto& candidate) { return candidate->loop() == loop; });
    if (of_loop == by_loop.end()) {
      of_loop = by_loop.insert(by_loop.end(), std::make_shared<HoldersOfLoop>(loop, shared_acts));
    }
    (*of_loop)->add(std::move(client));
  }
  for (const auto& of_loop : by_loop) of_loop->post();
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

FLUX_DECL void end_access(Holders holders, CloseCode code, std::string reason) {
  std::vector<HolderAndEnd> clients;
  clients.reserve(holders.size());
  constexpr std::size_t ahead = 4;  // clients whose memory is fetched meanwhile: of many, it is not in the cache
  for (std::size_t i = 0; i < holders.size(); ++i) {
    if (i + ahead < holders.size()) core::prefetch(holders[i + ahead].get());
    holders[i]->withdraw();
    clients.push_back({std::move(holders[i])});
  }
  on_their_loops(std::move(clients), ending(code, std::move(reason)));
}

}  // namespace flux::gate
