// Names of channels and patterns.
#pragma once

#include <flux/detail/mode.hpp>
#include <flux/error.hpp>

#include <cstddef>
#include <string_view>
#include <vector>

namespace flux::features {

/// Whether one of its segments is `*`.
bool is_channel_pattern(std::string_view name) noexcept;
/// Errors: invalid_argument.
Result<void> check_channel_name(std::string_view name, std::size_t bytes_max);
/// A channel or a pattern. Errors: invalid_argument.
Result<void> check_channel_or_pattern(std::string_view name, std::size_t bytes_max);
/// The name that a grant must allow, so that it allows every channel that `name` can mean: `name` itself, or a pattern up to
/// its first `*`.
std::string_view demanded_channel(std::string_view name) noexcept;
/// The parts between the colons.
std::vector<std::string_view> channel_segments(std::string_view name);

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/channel_name.ipp>
#endif
