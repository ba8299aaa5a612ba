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

/// How long the calls for clients of one loop may take in one turn. Then the loop serves its sockets before it continues.
inline constexpr std::chrono::milliseconds turn_for_holders{2};

/// A client, and the end of the grant that it is told about.
struct HolderAndEnd {
  std::shared_ptr<core::GrantHolder> holder;
  std::int64_t ends_at = 0;  // milliseconds since 1970
};

/// Calls `act` for each client on its loop, in later turns of the loop, in the order of the list. Clients whose loop
/// has ended are left out. Threading: any thread; never blocks.
void on_their_loops(std::vector<HolderAndEnd> clients, std::function<void(core::GrantHolder&, std::int64_t)> act);
/// The same with `GrantHolder::end_access`.
void end_access(Holders holders, CloseCode code, std::string reason);

}  // namespace flux::gate

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/end_access.ipp>
#endif
