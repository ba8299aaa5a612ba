// The endpoints that every server has.
#pragma once

#include <flux/detail/endpoints/endpoint.hpp>

#include <memory>
#include <vector>

namespace flux::detail {

struct Hub;

/// In the order in which they start. A protocol that is part of every server has a line in the definition; others are
/// added by their module (`ServerState::add_endpoint`).
std::vector<std::shared_ptr<endpoints::Endpoint>> own_endpoints(Hub& hub);

}  // namespace flux::detail
