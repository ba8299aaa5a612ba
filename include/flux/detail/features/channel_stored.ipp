// The part of `ChannelHub` about histories that a store keeps.
#pragma once

#include <flux/detail/core/session_key.hpp>
#include <flux/detail/features/channel_hub.hpp>
#include <flux/detail/features/channel_payloads.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

namespace flux::features {

// --- Publishing ---

/// None: its bytes are counted as pending, until `settle`. Otherwise it is a repetition.
FLUX_DECL Result<std::optional<Published>> ChannelHub::begin_storing(const ChannelPost& post) {
  if (const auto checked = check_post(post); !checked) return checked.error();
  const auto place = place_of(post.channel);
  const auto found = get(place, post.channel);
  if (!found) return found.error();
  Channel& channel = **found;
  auto repeat = repeat_of(channel, post, publication_key(post.user_id, post.client_id, post.key));
  if (!repeat || *repeat) return repeat;
  if (const auto taken = takes_messages(channel); !taken) return taken.error();
  std::unique_lock patterns_lock(patterns_mutex_, std::defer_lock);
  const auto patterns = patterns_matching(post.channel, patterns_lock);
  if (const auto taken = takes_messages(patterns, post.channel); !taken) return taken.error();
  ChannelExtras& extras = place.shard.extras_of(channel);
  if (const auto reserved = log_->reserve(post.data.size(), extras.storing_bytes); !reserved) return reserved.error();
  extras.storing_bytes += post.data.size();
  return repeat;
}

/// What the store may drop is one turn behind the history: if this append fails, nothing is missing there.
FLUX_DECL ChannelAppend ChannelHub::next_append(const ChannelLog::Batch& pending, ChannelLog::Batch& taken,
                                                ChannelLog::Batch& repeats) {
  const std::string& name = pending.front()->channel;
  const auto place = place_of(name);
  Channel& channel = *place.channel;  // is there while something is pending
  const std::int64_t time = now();
  ChannelHistory& history = channel.extras->history;
  history.trim(time);
  ChannelAppend append{name, core::key_text(channel.epoch), {}, channel.offset + 1};
  if (!history.list().empty()) append.first_kept = history.list().front().offset;
  std::set<std::string> keys;
  for (UnstoredPublication* const one : pending) {
    const std::string key = publication_key(one->publication.user_id, one->publication.client_id, one->publication.key);
    const auto repeat = repeat_of(channel, one->post(), key);
    if (!repeat) {
      one->result = repeat.error();
    } else if (*repeat) {
      one->result = **repeat;
    } else if (!key.empty() && !keys.insert(key).second) {
      repeats.push_back(one);
    } else {
      taken.push_back(one);
      one->publication.offset = channel.offset + taken.size();
      one->publication.timestamp = time;
      append.publications.push_back(one->publication);
    }
  }
  return append;
}

FLUX_DECL Published ChannelHub::send_stored(UnstoredPublication& stored) {
  const auto place = place_of(stored.channel);
  std::unique_lock patterns_lock(patterns_mutex_, std::defer_lock);
  const auto patterns = patterns_matching(stored.channel, patterns_lock);
  return send_to_all(place.shard, place.channel, patterns, stored.post(), stored.publication.timestamp,
                     stored.scheduled);
}

FLUX_DECL void ChannelHub::settle(const UnstoredPublication& pending) {
  {
    const auto place = place_of(pending.channel);
    place.channel->extras->storing_bytes -= pending.bytes();
  }
  log_->release(pending.bytes());
  if (pending.scheduled.empty()) return;
  // Not on a worker of the store: an executor may run its task at once, and the callback may wait for the store.
  const auto on = log_->blocks() ? loop() : nullptr;
  const bool posted = on && on->post([self = shared_from_this(), list = pending.scheduled] { self->schedule(list); });
  if (!posted) schedule(pending.scheduled);
}

// --- Restoring ---

namespace channel_stored_detail {

/// The newest publications that can be used: without gaps up to the channel's offset.
FLUX_DECL std::size_t first_usable(std::vector<StoredPublication>& publications, Offset newest) {
  constexpr std::size_t any_depth = std::numeric_limits<std::size_t>::max();
  std::size_t first = publications.size();
  while (first > 0 && publications[first - 1].offset == newest &&
         JsonText::parse(publications[first - 1].data, any_depth)) {
    --first;
    --newest;
    for (std::string* text : {&publications[first].client_id, &publications[first].user_id}) mend_text(*text);
  }
  return first;
}

}  // namespace channel_stored_detail

/// A channel that is no longer to be stored stays in the store, as does what can't be used.
FLUX_DECL void ChannelHub::restore(StoredChannel stored) {
  const auto warn = [&](const std::string& what) {
    backend_.log(LogLevel::warning, "channel \"" + core::shown(stored.name) + "\" of ChannelsOptions::store " + what);
  };
  if (const auto checked = check_name(stored.name); !checked) return warn("is left out: " + checked.error().message());
  const auto epoch = core::key_from_text(stored.epoch);
  if (!settings_of(stored.name).stored) return;
  if (!epoch) return warn("is left out: its epoch is not one of flux");
  const auto place = place_of(stored.name);
  const auto found = get(place, stored.name);  // it exists already if the application has subscribed
  if (!found) return warn("is left out: " + found.error().message());
  Channel& channel = **found;
  if (channel.offset != 0) return warn("is left out: it is there twice");
  channel.epoch = *epoch;
  channel.offset = stored.offset;
  auto& publications = stored.publications;
  const std::size_t first = channel_stored_detail::first_usable(publications, stored.offset);
  if (first != 0) warn("has " + std::to_string(first) + " publications that can't be used");
  ChannelHistory& history = channel.extras->history;
  const Position position = position_of(channel);
  for (std::size_t i = first; i < publications.size(); ++i) {
    const StoredPublication& one = publications[i];
    const ChannelPost post{stored.name, one.data, one.key, one.client_id, one.user_id};
    Publication publication = encoded_publication(post, {position.epoch, one.offset}, one.timestamp);
    publication.key = publication_key(one.user_id, one.client_id, one.key);
    channel.published_at = one.timestamp;
    history.add(std::move(publication));
  }
  history.trim(now());
}

}  // namespace flux::features
