#pragma once

#include <flux/asio.hpp>
#include <flux/detail/server/server_state.hpp>

namespace flux::detail {

FLUX_DECL void use_context(Server& server, asio::io_context& context) {
  ServerAccess::state(server).use_context(context);
}

}  // namespace flux::detail
