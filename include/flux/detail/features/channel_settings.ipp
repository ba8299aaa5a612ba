#pragma once

#include <flux/detail/core/option_check.hpp>
#include <flux/detail/features/channel_name.hpp>
#include <flux/detail/features/channel_settings.hpp>
#include <flux/detail/features/rate_service.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <tuple>
#include <utility>

namespace flux::features {

namespace channel_settings_detail {

FLUX_DECL void check(const ChannelOptions& options, const std::string& name) {
  constexpr std::size_t history_most = 1'000'000;
  core::require_option(
      options.history_max <= history_most,
      name + ".history_max must be at most " + std::to_string(history_most) + core::given(options.history_max));
  core::require_time(options.history_age, name + ".history_age");
  core::require_option(options.history_age <= core::hundred_years, name + ".history_age must be at most 100 years");
  const ChannelDemands& demands = options.demands;
  for (const std::string* operation :
       {&demands.subscribe, &demands.publish, &demands.history, &demands.presence, &demands.state}) {
    core::require_option(
        operation->find_first_of(":*") == std::string::npos,
        name + ".demands holds operations without scope, such as \"read\", not \"" + core::shown(*operation) + "\"");
  }
  check_rates(options.publish_rate, name + ".publish_rate");
}

/// Whether a channel of the namespace can match the pattern.
FLUX_DECL bool can_match(std::string_view pattern, std::string_view prefix) {
  const auto wanted = channel_segments(pattern), had = channel_segments(prefix);
  for (std::size_t i = 0; i < had.size(); ++i) {
    if (i == wanted.size()) return wanted.back() == "*";
    if (wanted[i] != "*" && wanted[i] != had[i]) return false;
  }
  return true;
}

}  // namespace channel_settings_detail

FLUX_DECL ChannelNamespaces::ChannelNamespaces(const ChannelsOptions& options)
    : defaults_(options.defaults, options.store != nullptr, 0) {
  channel_settings_detail::check(options.defaults, "ChannelsOptions::defaults");
  for (const ChannelNamespace& space : options.namespaces) {
    const std::string name = "ChannelsOptions::namespaces[\"" + core::shown(space.prefix) + "\"]";
    if (const auto checked = check_channel_name(space.prefix, options.name_bytes_max); !checked) {
      throw Error(Errc::bad_config, name + ": " + checked.error().message());
    }
    channel_settings_detail::check(space.options, name);
    const bool is_new = spaces_
                            .emplace(std::piecewise_construct, std::forward_as_tuple(space.prefix),
                                     std::forward_as_tuple(space.options, options.store != nullptr, spaces_.size() + 1))
                            .second;
    core::require_option(is_new, name + " appears twice");
  }
  if (!options.store) return;
  const bool is_used = defaults_.stored || std::any_of(spaces_.begin(), spaces_.end(),
                                                       [](const auto& space) { return space.second.stored; });
  core::require_option(is_used,
                       "ChannelsOptions::store is set, but no channels keep a history in it: set history_max in the "
                       "defaults or a namespace");
}

FLUX_DECL ChannelSettings& ChannelNamespaces::of(std::string_view channel) {
  if (spaces_.empty()) return defaults_;
  for (std::string_view prefix = channel;;) {
    if (const auto found = spaces_.find(prefix); found != spaces_.end()) return found->second;
    const std::size_t colon = prefix.rfind(':');
    if (colon == std::string_view::npos) return defaults_;
    prefix = prefix.substr(0, colon);
  }
}

FLUX_DECL bool ChannelNamespaces::each_in(std::string_view pattern,
                                          const std::function<bool(ChannelSettings&)>& visit) {
  for (auto& [prefix, settings] : spaces_) {
    if (channel_settings_detail::can_match(pattern, prefix) && !visit(settings)) return false;
  }
  return visit(defaults_);
}

}  // namespace flux::features
