#pragma once

#include <flux/detail/endpoints/endpoint_list.hpp>
#include <flux/detail/mode.hpp>
#include <flux/error.hpp>

#include <utility>

namespace flux::endpoints {

FLUX_DECL void EndpointList::add(std::shared_ptr<Endpoint> endpoint, transport::Router& router) {
  endpoint->check();
  const std::vector<std::string> paths = endpoint->websocket_paths();
  for (const std::string& path : paths) {
    if (path.empty() || path.front() != '/') {
      throw Error(Errc::bad_config, "an endpoint's path must begin with \"/\", not \"" + path + "\"");
    }
    if (find(path) != nullptr) {
      throw Error(Errc::bad_config, "there is already an endpoint at \"" + path + "\"");
    }
    if (router.has(path)) throw Error(Errc::bad_config, "there is already a route at \"" + path + "\"");
  }
  endpoint->add_routes(router);
  for (const std::string& path : paths) by_path_.emplace(path, endpoint.get());
  list_.push_back(std::move(endpoint));
}

}  // namespace flux::endpoints
