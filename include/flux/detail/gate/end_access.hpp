// Ends or changes the access of many clients without holding up their event loops.
#pragma once

#include <flux/detail/core/grant_holder.hpp>
#include <flux/error.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace flux::gate {

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

/// Calls the first act for each client on its loop, in later turns of the loop, in the order of the list; then the second
/// one, and so on. Clients whose loop has ended are left out. Threading: any thread; never blocks.
void on_their_loops(std::vector<HolderAndEnd> clients, std::vector<HolderAct> acts);
/// Withdraws the grants of the clients, before it returns, and has the clients leave their rooms, then disconnected.
/// Threading: any thread; never blocks. Cost: O(clients), without the loops' part.
void end_access(Holders holders, CloseCode code, std::string reason);
/// The acts that disconnect a client whose grant is withdrawn.
std::vector<HolderAct> ending(CloseCode code, std::string reason);

}  // namespace flux::gate

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/end_access.ipp>
#endif
