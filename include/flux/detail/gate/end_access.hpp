// Ends or changes the access of many clients without holding up their event loops.
#pragma once

#include <flux/detail/core/grant_holder.hpp>
#include <flux/error.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace flux::gate {

namespace detail {
class HoldersOfLoop;
}

using Holders = std::vector<std::shared_ptr<core::GrantHolder>>;

/// How long the calls for clients of one loop may take in one turn. Before it continues, the loop serves the sockets that
/// are ready by then, so that the ends of many connections do not queue up before other clients' messages.
inline constexpr std::chrono::milliseconds turn_for_holders{1};

/// A client, and the end of the grant that it is told about.
struct HolderAndEnd {
  std::shared_ptr<core::GrantHolder> holder;
  std::int64_t ends_at = 0;  // milliseconds since 1970
};

/// One act for each client. Returns whether the next act is to be called for it.
using HolderAct = std::function<bool(core::GrantHolder&, std::int64_t ends_at)>;

/// Clients, sorted by loop. Threading: one thread at a time; never blocks.
class HoldersByLoop {
 public:
  void add(HolderAndEnd client);
  /// Calls the first act for each client on its loop, in later turns of the loop, in the order in which they were added;
  /// then the second one, and so on. Clients whose loop has ended are left out.
  void post(std::vector<HolderAct> acts) &&;

 private:
  std::vector<std::shared_ptr<detail::HoldersOfLoop>> by_loop_;  // at most 256
};
/// The acts that disconnect a client whose grant is withdrawn.
std::vector<HolderAct> ending(CloseCode code, std::string reason);

/// Ends the access of clients that are added one after the other. Threading: one thread at a time; never blocks.
class AccessEnd {
 public:
  AccessEnd(CloseCode code, std::string reason) : code_(code), reason_(std::move(reason)) {}

  /// Withdraws the client's grant. Cost: O(1).
  void add(std::shared_ptr<core::GrantHolder> client);
  /// Has the clients leave their rooms, then disconnected, in later turns of their loops. Returns their number.
  std::size_t run() &&;

 private:
  const CloseCode code_;
  std::string reason_;
  HoldersByLoop clients_;
  std::size_t count_ = 0;
};

}  // namespace flux::gate

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/end_access.ipp>
#endif
