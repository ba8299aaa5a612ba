// The settings of a server.
#pragma once

#include <flux/config.hpp>

namespace flux::detail {

/// Checks the settings that belong to no service or endpoint, and completes those that all of them use. Errors: throws
/// `Error`: bad_config, which names the setting and what is allowed.
Config checked(Config config);

}  // namespace flux::detail
