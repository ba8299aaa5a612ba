// The services that every server has.
#pragma once

#include <flux/detail/features/backend.hpp>
#include <flux/detail/features/service.hpp>

#include <memory>
#include <vector>

namespace flux::detail {

/// In the order in which they start. A feature that is part of every server has a line in the definition; others are
/// added by their module (`ServerState::add_service`).
std::vector<std::shared_ptr<features::Service>> own_services(features::Backend& backend);

}  // namespace flux::detail
