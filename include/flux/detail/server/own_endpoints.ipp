#pragma once

#include <flux/detail/endpoints/client_script.hpp>
#include <flux/detail/endpoints/hub.hpp>
#include <flux/detail/endpoints/live/live_endpoint.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/server/own_endpoints.hpp>

namespace flux::detail {

FLUX_DECL std::vector<std::shared_ptr<endpoints::Endpoint>> own_endpoints(Hub& hub) {
  std::vector<std::shared_ptr<endpoints::Endpoint>> list;
  list.push_back(std::make_shared<LiveEndpoint>(hub));
  list.push_back(std::make_shared<ClientScript>(hub));
  return list;
}

}  // namespace flux::detail
