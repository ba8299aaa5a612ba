// The part of `ChannelHub` about what channels hold besides publications: presence, shared state, statistics.
#pragma once

#include <flux/detail/core/json_object.hpp>
#include <flux/detail/features/channel_hub.hpp>
#include <flux/detail/features/channel_name.hpp>
#include <flux/detail/features/channel_payloads.hpp>
#include <flux/detail/mode.hpp>

#include <utility>

namespace flux::features {

// --- Presence ---

FLUX_DECL Result<void> ChannelHub::be_present(std::string_view name, PresentClient client) {
  const auto place = place_of(name);
  const auto found = get(place, name);
  if (!found) return found.error();
  Channel& channel = **found;
  ChannelPresence& presence = place.shard.extras_of(channel).presence;
  if (presence.size() >= options_.presence_max && !presence.has(client.client_id)) {
    remove_if_unused(place.shard, channel);
    return Error(Errc::limit_exceeded, "channel \"" + core::shown(name) + "\" is full: at most " +
                                           std::to_string(options_.presence_max) + " clients can be present");
  }
  if (auto taken = takes_messages(channel); !taken) {
    remove_if_unused(place.shard, channel);
    return taken;
  }
  client.joined_at = client.last_seen_at = now();
  const auto entered = presence.enter(std::move(client));
  if (entered.left) tell_left(channel, *entered.left);  // it is another user now
  tell_presence(channel, entered.is_new ? "channel_presence_join" : "channel_presence_update", entered.client,
                entered.first_of_user ? "first" : "");
  return {};
}

FLUX_DECL void ChannelHub::become(std::string_view name, const SessionId& id, const std::string& user) {
  const auto place = place_of(name);
  Channel* const channel = place.channel;
  if (channel == nullptr || !channel->extras) return;
  ChannelPresence& presence = channel->extras->presence;
  const PresentClient* const present = presence.find(id);
  if (present == nullptr || present->user_id == user) return;
  PresentClient changed = *present;
  changed.user_id = user;
  const auto entered = presence.enter(std::move(changed));
  if (entered.left) tell_left(*channel, *entered.left);
  tell_presence(*channel, "channel_presence_join", entered.client, entered.first_of_user ? "first" : "");
}

FLUX_DECL bool ChannelHub::is_present(std::string_view name, std::string_view client_id) const {
  const auto place = place_of(name);
  const Channel* const channel = place.channel;
  return channel != nullptr && channel->extras && channel->extras->presence.has(client_id);
}

FLUX_DECL bool ChannelHub::be_absent(std::string_view name, std::string_view client_id) {
  const auto place = place_of(name);
  Channel* const channel = place.channel;
  if (channel == nullptr || !channel->extras) return false;
  const auto left = channel->extras->presence.leave(client_id);
  if (!left) return false;
  tell_left(*channel, *left);
  remove_if_unused(place.shard, *channel);
  return true;
}

/// Under the channel's lock.
FLUX_DECL void ChannelHub::tell_presence(Channel& channel, std::string_view notice, const PresentClient& client,
                                         std::string_view flag) {
  if (!channel.settings->options.presence_notices || channel.lanes.subscribers() == 0) return;
  const std::string payload = presence_payload(channel.name, client, flag);
  channel.lanes.append({notice, payload}, core::SegmentPolicy::all, 0, {}, shard_of(channel.hash).mutex);
}

FLUX_DECL void ChannelHub::tell_left(Channel& channel, const ChannelPresence::Left& left) {
  tell_presence(channel, "channel_presence_leave", left.client, left.last_of_user ? "last" : "");
}

FLUX_DECL ChannelPresent ChannelHub::present(std::string_view name, std::size_t limit, std::uint64_t after,
                                             std::size_t bytes_max) const {
  const auto place = place_of(name);
  const Channel* const channel = place.channel;
  ChannelPresent present;
  if (channel == nullptr || !channel->extras) return present;
  const ChannelPresence& presence = channel->extras->presence;
  present.clients = presence.size();
  present.users = presence.users();
  PageSize page(bytes_max);
  std::uint64_t last = after;
  for (auto at = presence.clients().upper_bound(after); at != presence.clients().end(); ++at) {
    const PresentClient& client = at->second;
    constexpr std::size_t around = 128;  // the names of the members, and the times
    const std::size_t bytes = client.data.size() + detail::json_string_size(client.client_id) +
                              detail::json_string_size(client.user_id) + around;
    if (present.members.size() == limit || !page.takes(bytes)) {
      present.after = last;
      break;
    }
    last = at->first;
    present.members.push_back(client);
  }
  return present;
}

// --- Shared state ---

FLUX_DECL Result<ChannelStateChange> ChannelHub::change_state(std::string_view name, const StateWish& wish) {
  const auto place = place_of(name);
  const ChannelOptions& options = settings_of(name).options;
  if (options.state_max == 0) {
    return Error(Errc::forbidden, "channel \"" + core::shown(name) + "\" has no shared state");
  }
  const auto found = get(place, name);
  if (!found) return found.error();
  Channel& channel = **found;
  auto& state = place.shard.extras_of(channel).state;
  if (!state) state = std::make_unique<ChannelState>();
  if (const auto taken = takes_messages(channel); !taken) return taken.error();
  const auto outcome = state->change(wish, options.state_max, options.state_bytes_max);
  if (outcome == ChannelState::Outcome::changed) tell_state(channel, wish.key, wish.client);
  const StateEntry* const entry = state->find(wish.key);
  const ChannelStateChange change{outcome == ChannelState::Outcome::changed, entry != nullptr ? entry->version : 0};
  remove_if_unused(place.shard, channel);
  if (outcome == ChannelState::Outcome::owned) {
    return Error(Errc::forbidden, "the entry \"" + core::shown(wish.key) + "\" belongs to another client's connection");
  }
  if (outcome == ChannelState::Outcome::full) {
    return Error(Errc::limit_exceeded, "the state of channel \"" + core::shown(name) + "\" is full: at most " +
                                           std::to_string(options.state_max) + " entries and " +
                                           std::to_string(options.state_bytes_max) + " bytes");
  }
  return change;
}

/// Under the channel's lock. Tells what the entry is now.
FLUX_DECL void ChannelHub::tell_state(Channel& channel, std::string_view key, const SessionId& by) {
  if (channel.lanes.subscribers() == 0) return;
  const ChannelState& state = *channel.extras->state;
  const std::string payload = state_payload(channel.name, key, state.find(key), state.version(), by);
  channel.lanes.append({"channel_state", payload}, core::SegmentPolicy::all, 0, {}, shard_of(channel.hash).mutex);
}

FLUX_DECL void ChannelHub::remove_from_state(Channel& channel, const std::function<bool(const StateEntry&)>& is_over) {
  channel.extras->state->remove_if(is_over, [&](const std::string& key) { tell_state(channel, key, {}); });
}

FLUX_DECL void ChannelHub::unbind_state(std::string_view name, const SessionId& client) {
  const auto place = place_of(name);
  Channel* const channel = place.channel;
  if (channel == nullptr || !channel->extras || !channel->extras->state) return;
  remove_from_state(*channel, [&](const StateEntry& entry) { return entry.owner == client; });
  remove_if_unused(place.shard, *channel);
}

FLUX_DECL StatePart ChannelHub::state(std::string_view name, std::size_t limit, std::string_view after,
                                      std::size_t bytes_max) const {
  const auto place = place_of(name);
  const Channel* const channel = place.channel;
  return channel == nullptr ? StatePart() : state_of(*channel, limit, after, bytes_max);
}

/// Under the channel's lock.
FLUX_DECL StatePart ChannelHub::state_of(const Channel& channel, std::size_t limit, std::string_view after,
                                         std::size_t bytes_max) const {
  StatePart part{core::key_text(channel.epoch)};
  if (!channel.extras || !channel.extras->state) return part;
  const ChannelState& state = *channel.extras->state;
  part.version = state.version();
  const std::int64_t time = now();
  PageSize page(bytes_max);
  for (auto at = state.entries().upper_bound(after); at != state.entries().end(); ++at) {
    const auto& [key, entry] = *at;
    if (entry.expires_at != 0 && entry.expires_at <= time) continue;
    constexpr std::size_t around = 128;  // the names of the members, the version and the time
    const std::size_t bytes = detail::json_string_size(key) + entry.value.size() + entry.owner.size() + around;
    if (part.entries.size() == limit || !page.takes(bytes)) {
      part.more = true;
      break;
    }
    part.entries.emplace_back(key, entry);
  }
  return part;
}

// --- For the application ---

FLUX_DECL ChannelStats ChannelHub::stats_of(const Channel& channel) {
  ChannelStats stats;
  stats.channel = channel.name;
  stats.subscribers = channel.lanes.subscribers();
  stats.messages = channel.offset;
  stats.created_at = channel.created_at;
  stats.last_message_at = channel.published_at;
  if (channel.extras) {
    stats.subscribers += channel.extras->listeners.size();
    stats.present_clients = channel.extras->presence.size();
    stats.present_users = channel.extras->presence.users();
  }
  return stats;
}

FLUX_DECL std::optional<ChannelStats> ChannelHub::stats(std::string_view name) const {
  if (is_channel_pattern(name)) {
    const std::lock_guard lock(patterns_mutex_);
    const Channel* const pattern = patterns_.find(name);
    return pattern == nullptr ? std::nullopt : std::optional(stats_of(*pattern));
  }
  const auto place = place_of(name);
  const Channel* const channel = place.channel;
  return channel == nullptr ? std::nullopt : std::optional(stats_of(*channel));
}

FLUX_DECL std::vector<ChannelStats> ChannelHub::stats() const {
  std::vector<ChannelStats> list;
  for (const ChannelShard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    shard.each([&](const Channel& channel) { list.push_back(stats_of(channel)); });
  }
  const std::lock_guard lock(patterns_mutex_);
  patterns_.each([&](const Channel& pattern) { list.push_back(stats_of(pattern)); });
  return list;
}

}  // namespace flux::features
