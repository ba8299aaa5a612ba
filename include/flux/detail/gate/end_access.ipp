#pragma once

#include <flux/detail/core/loop.hpp>
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
  using Act = std::function<void(core::GrantHolder&, std::int64_t ends_at)>;
  HoldersOfLoop(std::shared_ptr<core::Loop> loop, std::shared_ptr<const Act> act)
      : loop_(std::move(loop)), act_(std::move(act)) {}

  const std::shared_ptr<core::Loop>& loop() const noexcept { return loop_; }
  void add(HolderAndEnd client) { clients_.push_back(std::move(client)); }
  void post() {
    loop_->post([self = shared_from_this()] { self->run(); });
  }

 private:
  /// Measured on the real clock, because that is the time which the loop's other clients wait.
  void run() {
    using Clock = std::chrono::steady_clock;
    const auto until = Clock::now() + turn_for_holders;
    do {
      const auto client = std::move(clients_[next_++]);
      (*act_)(*client.holder, client.ends_at);
    } while (next_ < clients_.size() && Clock::now() < until);
    if (next_ < clients_.size()) post();
  }

  const std::shared_ptr<core::Loop> loop_;
  const std::shared_ptr<const Act> act_;
  std::vector<HolderAndEnd> clients_;
  std::size_t next_ = 0;
};

}  // namespace detail

FLUX_DECL void on_their_loops(std::vector<HolderAndEnd> clients,
                              std::function<void(core::GrantHolder&, std::int64_t)> act) {
  using detail::HoldersOfLoop;
  const auto shared_act = std::make_shared<const HoldersOfLoop::Act>(std::move(act));
  std::vector<std::shared_ptr<HoldersOfLoop>> by_loop;  // at most 256
  for (HolderAndEnd& client : clients) {
    const auto& loop = client.holder->loop();
    auto of_loop =
        std::find_if(by_loop.begin(), by_loop.end(), [&](const auto& candidate) { return candidate->loop() == loop; });
    if (of_loop == by_loop.end()) {
      of_loop = by_loop.insert(by_loop.end(), std::make_shared<HoldersOfLoop>(loop, shared_act));
    }
    (*of_loop)->add(std::move(client));
  }
  for (const auto& of_loop : by_loop) of_loop->post();
}

FLUX_DECL void end_access(Holders holders, CloseCode code, std::string reason) {
  std::vector<HolderAndEnd> clients;
  clients.reserve(holders.size());
  for (auto& holder : holders) clients.push_back({std::move(holder)});
  on_their_loops(std::move(clients), [code, reason = std::move(reason)](core::GrantHolder& holder, std::int64_t) {
    holder.end_access(code, reason);
  });
}

}  // namespace flux::gate
