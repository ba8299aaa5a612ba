// The file of flux-server's channels.
#pragma once

#include <flux/channel_types.hpp>

#include <string>

/// Reads the namespaces of channels and their options from a JSON file; channels.json is an example. Errors: throws
/// std::invalid_argument, which says what is wrong in it.
flux::ChannelsOptions read_channels(const std::string& file);
