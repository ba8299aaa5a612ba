#pragma once

#include <flux/asio.hpp>
#include <flux/server/detail/server_state.hpp>

namespace flux::detail {

FLUX_DECL void ExternalContext::use(Server& server, asio::io_context& context) { server.state_->use_context(context); }

}  // namespace flux::detail
