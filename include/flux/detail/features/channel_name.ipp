#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/features/channel_name.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <string>

namespace flux::features {

FLUX_DECL bool is_channel_pattern(std::string_view name) noexcept { return name.find('*') != std::string_view::npos; }

FLUX_DECL Result<void> check_channel_or_pattern(std::string_view name, std::size_t bytes_max) {
  const auto wrong = [&](const std::string& why) {
    return Error(Errc::invalid_argument, "Invalid channel name format: \"" + core::shown(name) + "\" " + why);
  };
  if (name.empty() || name.size() > bytes_max) {
    return Error(Errc::invalid_argument, "Invalid channel name format: a name has 1 to " + std::to_string(bytes_max) +
                                             " bytes, not " + std::to_string(name.size()));
  }
  if (!core::valid_utf8(name)) return wrong("is not UTF-8");
  if (core::has_control_characters(name)) return wrong("has a control character");
  if (name.find('/') != std::string_view::npos) return wrong("has a \"/\"");
  if (name.find("..") != std::string_view::npos) return wrong("has \"..\"");
  if (!is_channel_pattern(name)) return {};
  constexpr std::size_t segments_most = 16;  // matching may visit two patterns for each
  if (channel_segments(name).size() > segments_most) {
    return wrong("has more than " + std::to_string(segments_most) + " segments, which a pattern may not");
  }
  for (const std::string_view segment : channel_segments(name)) {
    if (segment != "*" && is_channel_pattern(segment)) return wrong("has a \"*\" that is not a whole segment");
  }
  return {};
}

FLUX_DECL Result<void> check_channel_name(std::string_view name, std::size_t bytes_max) {
  auto checked = check_channel_or_pattern(name, bytes_max);
  if (!checked || !is_channel_pattern(name)) return checked;
  return Error(Errc::invalid_argument, "Invalid channel name format: \"" + core::shown(name) +
                                           "\" is a pattern, which only subscriptions may be");
}

FLUX_DECL std::string_view demanded_channel(std::string_view name) noexcept {
  return name.substr(0, std::min(name.find('*'), name.size() - 1) + 1);
}

FLUX_DECL std::vector<std::string_view> channel_segments(std::string_view name) {
  std::vector<std::string_view> segments;
  for (;;) {
    const std::size_t colon = std::min(name.find(':'), name.size());
    segments.push_back(name.substr(0, colon));
    if (colon == name.size()) return segments;
    name.remove_prefix(colon + 1);
  }
}

}  // namespace flux::features
