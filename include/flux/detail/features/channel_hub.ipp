#pragma once

#include <flux/detail/core/json_object.hpp>
#include <flux/detail/core/option_check.hpp>
#include <flux/detail/features/channel_hub.hpp>
#include <flux/detail/features/channel_name.hpp>
#include <flux/detail/features/channel_payloads.hpp>
#include <flux/detail/gate/permits.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>

namespace flux::features {

// --- Life ---

FLUX_DECL ChannelHub::ChannelHub(Backend& backend, ChannelsOptions options)
    : backend_(backend),
      options_(std::move(options)),
      namespaces_(options_),
      hash_(backend.secret.derived("channel names")),
      epochs_(backend.secret.derived("channel epochs")),
      log_(options_.store ? std::make_unique<ChannelLog>(
                                options_, *this, backend.config.limits.store_queue_per_room_max,
                                backend.config.limits.store_queue_max, backend.make_faults("the channel store"))
                          : nullptr) {
  const auto require_within = [](std::size_t least, std::size_t most, std::size_t value, const char* name) {
    core::require_option(value >= least && value <= most, std::string("ChannelsOptions::") + name + " must be " +
                                                              std::to_string(least) + " to " + std::to_string(most) +
                                                              core::given(value));
  };
  constexpr std::size_t subscriptions_most = 1'000'000, name_most = 65'535;
  require_within(1, subscriptions_most, options_.subscriptions_per_client_max, "subscriptions_per_client_max");
  require_within(1, name_most, options_.name_bytes_max, "name_bytes_max");
  core::require_at_least(1, options_.channels_max, "ChannelsOptions::channels_max");
  core::require_at_least(1, options_.presence_max, "ChannelsOptions::presence_max");
  core::require_time(options_.presence_timeout, "ChannelsOptions::presence_timeout");
  require_within(1, 256, options_.worker_threads, "worker_threads");
}

/// Restores what the store has: once, because later runs of the server still have it in memory.
FLUX_DECL void ChannelHub::prepare() {
  if (!log_ || is_restored_) return;
  for (StoredChannel& stored : log_->load()) restore(std::move(stored));
  is_restored_ = true;
}

FLUX_DECL void ChannelHub::start(core::Loop& loop) {
  {
    const std::lock_guard lock(life_mutex_);
    loop_ = loop.shared_from_this();
  }
  if (log_) log_->start();
  loop.post([this, &loop] { sweep_later(loop); });
}

FLUX_DECL void ChannelHub::stop() {
  if (log_) log_->stop();
  {
    const std::lock_guard lock(life_mutex_);
    loop_.reset();
    flushers_.clear();
  }
  const auto tell = [](const Channel& channel) {
    if (!channel.extras) return;
    for (const auto& listener : channel.extras->listeners) listener->loops_ended();
  };
  for (const ChannelShard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const Channel* const channel : shard.with_extras()) tell(*channel);
  }
  const std::lock_guard lock(patterns_mutex_);
  patterns_.each(tell);
}

FLUX_DECL std::shared_ptr<core::Loop> ChannelHub::loop() const {
  const std::lock_guard lock(life_mutex_);
  return loop_;
}

FLUX_DECL void ChannelHub::add_metrics(core::MetricSet& metrics) const {
  const auto add = [&](core::MetricKind kind, const char* name, const char* help, const auto& value) {
    metrics.add(kind, name, help, [&value] { return std::uint64_t{value.load(std::memory_order_relaxed)}; });
  };
  add(core::MetricKind::gauge, "channels_now", "channels and patterns that exist", channels_);
  add(core::MetricKind::gauge, "channel_subscriptions_now", "subscriptions of clients", subscriptions_);
  add(core::MetricKind::counter, "channel_publications", "publications in channels", publications_);
  if (log_) log_->faults().add_metrics(metrics, "channels");
}

// --- What clients may do ---

FLUX_DECL Result<void> ChannelHub::may(const Grant* grant, std::string_view operation, std::string_view name) const {
  const std::string_view scope = name.substr(0, name.find(':'));
  const bool is_system = scope == "system";
  if (!is_system && (operation.empty() || !backend_.gate.knows_clients())) return {};
  // What the operation is does not matter for system channels, but there must be one.
  if (gate::meets(grant, operation.empty() ? "read" : operation, demanded_channel(name))) return {};
  return gate::insufficient(grant, "channel", name);
}

FLUX_DECL Result<void> ChannelHub::may_subscribe(const Grant* grant, std::string_view name) {
  if (auto checked = check_channel_or_pattern(name, options_.name_bytes_max); !checked) return checked;
  if (!is_channel_pattern(name)) return may(grant, settings_of(name).options.demands.subscribe, name);
  Result<void> allowed;
  namespaces_.each_in(name, [&](const ChannelSettings& settings) {
    allowed = may(grant, settings.options.demands.subscribe, name);
    return static_cast<bool>(allowed);
  });
  return allowed;
}

// --- Channels that exist ---

FLUX_DECL Result<std::unique_ptr<Channel>> ChannelHub::make(std::string_view name, std::uint32_t hash,
                                                            ChannelSettings* settings) {
  if (channels_.fetch_add(1) >= options_.channels_max) {
    channels_.fetch_sub(1);
    return Error(Errc::limit_exceeded, "too many channels: at most " + std::to_string(options_.channels_max) +
                                           " can exist (ChannelsOptions::channels_max)");
  }
  return std::make_unique<Channel>(name, hash, settings, epochs_.next(), now());
}

FLUX_DECL Result<Channel*> ChannelHub::get(const Place<ChannelShard>& place, std::string_view name) {
  if (place.channel != nullptr) return place.channel;
  auto made = make(name, place.hash, &settings_of(name));
  if (!made) return made.error();
  Channel& channel = place.shard.add(std::move(*made));
  if (channel.settings->keeps_history()) place.shard.extras_of(channel).active_at = channel.created_at;
  return &channel;
}

/// Under the patterns' lock.
FLUX_DECL Result<Channel*> ChannelHub::get_pattern(std::string_view name) {
  if (Channel* const found = patterns_.find(name)) return found;
  auto made = make(name, hash_of(name), nullptr);
  if (!made) return made.error();
  patterns_count_.fetch_add(1);
  return &patterns_.add(std::move(*made));
}

/// Under the shard's lock. A channel with a history stays until its last publication is too old, see `sweep`. Without a
/// publication, the store has nothing of it, or what it reported as failed: the next process finds that it is not used.
FLUX_DECL void ChannelHub::remove_if_unused(ChannelShard& shard, Channel& channel) {
  if (channel.lanes.subscribers() != 0) return;
  if (channel.extras) {
    ChannelExtras& extras = *channel.extras;
    if (!extras.listeners.empty() || extras.presence.size() != 0 || extras.storing_bytes != 0) return;
    if (extras.state && !extras.state->entries().empty()) return;
    if (channel.settings->keeps_history()) {
      const bool is_kept = now() - extras.active_at < channel.settings->bounds.age.count();
      if (is_kept || !extras.history.list().empty()) return;
    }
    if (channel.settings->stored && channel.offset != 0) log_->remove(channel.name, core::key_text(channel.epoch));
  }
  shard.remove(channel);
  channels_.fetch_sub(1);
}

/// Under the patterns' lock.
FLUX_DECL void ChannelHub::remove_if_unused(Channel& pattern) {
  if (pattern.lanes.subscribers() != 0 || (pattern.extras && !pattern.extras->listeners.empty())) return;
  patterns_.remove(std::string(pattern.name));
  patterns_count_.fetch_sub(1);
  channels_.fetch_sub(1);
}

FLUX_DECL void ChannelHub::sweep_later(core::Loop& loop) {
  constexpr std::chrono::seconds each(1);
  loop.call_after(each, [this, &loop] { sweep(loop, 0); });
}

/// One shard in each turn: they may have many channels.
FLUX_DECL void ChannelHub::sweep(core::Loop& loop, std::size_t shard) {
  if (shard == shards_count) {
    if (log_) log_->make_removals();
    return sweep_later(loop);
  }
  sweep(shards_[shard]);
  loop.post([this, &loop, shard] { sweep(loop, shard + 1); });
}

FLUX_DECL void ChannelHub::sweep(ChannelShard& shard) {
  const std::lock_guard lock(shard.mutex);
  const std::int64_t time = now();
  for (std::size_t i = shard.with_extras().size(); i-- > 0;) {
    Channel& channel = *shard.with_extras()[i];
    ChannelExtras& extras = *channel.extras;
    extras.history.trim(time);
    if (extras.state && extras.state->next_expiry() <= time) {
      remove_from_state(channel,
                        [time](const StateEntry& entry) { return entry.expires_at != 0 && entry.expires_at <= time; });
    }
    for (const SessionId& id : extras.presence.unseen_since(time - options_.presence_timeout.count())) {
      tell_left(channel, *extras.presence.leave(id));
    }
    remove_if_unused(shard, channel);
  }
}

// --- Publications ---

/// Null: nobody is subscribed, and nothing is kept.
FLUX_DECL Result<Channel*> ChannelHub::channel_for(const Place<ChannelShard>& place, const ChannelPost& post) {
  if (place.channel != nullptr || !settings_of(post.channel).keeps_history()) return place.channel;
  return get(place, post.channel);
}

FLUX_DECL Result<void> ChannelHub::takes_messages(const Channel& channel) const {
  std::size_t pending = channel.lanes.pending_size();
  if (channel.extras) {
    for (const auto& listener : channel.extras->listeners) pending = std::max(pending, listener->pending_size());
  }
  if (pending < backend_.config.limits.fanout_bytes_max) return {};
  return Error(Errc::overloaded, "channel \"" + core::shown(channel.name) + "\" has " + std::to_string(pending) +
                                     " bytes pending for its subscribers; try again");
}

/// The earlier publication with this key. Errors: invalid_argument, if it had other data.
FLUX_DECL Result<std::optional<Published>> ChannelHub::repeat_of(Channel& channel, const ChannelPost& post,
                                                                 const std::string& key) {
  if (key.empty() || !channel.extras) return std::optional<Published>();
  channel.extras->history.trim(now());
  const Publication* const found = channel.extras->history.find(key);
  if (found == nullptr) return std::optional<Published>();
  if (found->data() != post.data) {
    return Error(Errc::invalid_argument,
                 "the key \"" + core::shown(post.key) + "\" names an earlier publication, which had other data");
  }
  return std::optional<Published>({0, {core::key_text(channel.epoch), found->offset}, true});
}

/// If there are patterns, locks them.
FLUX_DECL std::vector<Channel*> ChannelHub::patterns_matching(std::string_view channel,
                                                              std::unique_lock<std::mutex>& patterns_lock) const {
  std::vector<Channel*> matching;
  if (patterns_count_.load(std::memory_order_acquire) == 0) return matching;
  patterns_lock.lock();
  patterns_.match(channel, [&](Channel& pattern) { matching.push_back(&pattern); });
  return matching;
}

FLUX_DECL Result<void> ChannelHub::takes_messages(const std::vector<Channel*>& patterns,
                                                  std::string_view channel) const {
  std::size_t pending = 0;
  for (const Channel* pattern : patterns) {
    if (auto taken = takes_messages(*pattern); !taken) return taken;
    pending += pattern->lanes.pending_size();
  }
  if (pending < backend_.config.limits.fanout_bytes_max) return {};
  return Error(Errc::overloaded, "the patterns that match channel \"" + core::shown(channel) + "\" have " +
                                     std::to_string(pending) + " bytes pending for their subscribers; try again");
}

FLUX_DECL Result<void> ChannelHub::check_post(const ChannelPost& post) const {
  if (auto checked = check_name(post.channel); !checked) return checked;
  return detail::check_size("the data", post.data.size(), backend_.config.limits.message_bytes_max);
}

FLUX_DECL Result<Published> ChannelHub::publish_now(const ChannelPost& post) {
  if (const auto checked = check_post(post); !checked) return checked.error();
  Published published;
  Scheduled scheduled;
  {
    const auto place = place_of(post.channel);
    const auto found = channel_for(place, post);
    if (!found) return found.error();
    Channel* const channel = *found;
    if (channel != nullptr) {
      const auto repeat = repeat_of(*channel, post, publication_key(post.user_id, post.client_id, post.key));
      if (!repeat) return repeat.error();
      if (*repeat) return **repeat;
      if (const auto taken = takes_messages(*channel); !taken) return taken.error();
    }
    std::unique_lock patterns_lock(patterns_mutex_, std::defer_lock);
    const auto patterns = patterns_matching(post.channel, patterns_lock);
    if (const auto taken = takes_messages(patterns, post.channel); !taken) return taken.error();
    published = send_to_all(place.shard, channel, patterns, post, now(), scheduled);
  }
  schedule(scheduled);
  return published;
}

/// Under the channel's lock and, if there are patterns, theirs. `channel`: null if it does not exist.
FLUX_DECL Published ChannelHub::send_to_all(ChannelShard& shard, Channel* channel,
                                            const std::vector<Channel*>& patterns, const ChannelPost& post,
                                            std::int64_t time, Scheduled& scheduled) {
  publications_.fetch_add(1, std::memory_order_relaxed);
  Published published;
  if (channel == nullptr && patterns.empty()) return published;
  Position& position = published.position;
  if (channel != nullptr) {
    ++channel->offset;
    channel->published_at = time;
    position = position_of(*channel);
  }
  Publication publication = encoded_publication(post, position, time);
  publication.key = publication_key(post.user_id, post.client_id, post.key);
  const auto has_listeners = [](const Channel* at) {
    return at != nullptr && at->extras && !at->extras->listeners.empty();
  };
  ChannelListener::Message message;
  if (has_listeners(channel) || std::any_of(patterns.begin(), patterns.end(), has_listeners)) {
    message = std::make_shared<const ChannelMessage>(message_of(publication, post.channel, position));
  }
  if (channel != nullptr) published.reached += send(*channel, publication, position, post, message, scheduled);
  for (Channel* pattern : patterns)
    published.reached += send_to_pattern(*pattern, publication, post, message, scheduled);
  if (channel != nullptr) keep(shard, *channel, post, std::move(publication));
  return published;
}

FLUX_DECL void ChannelHub::schedule(const Scheduled& scheduled) {
  if (scheduled.empty()) return;
  const auto on = loop();
  for (const auto& listener : scheduled) listener->schedule(backend_, on);
}

namespace channel_hub_detail {

/// Returns to how many.
FLUX_DECL std::size_t push_to_listeners(const Channel& channel, const ChannelListener::Message& message,
                                        std::vector<std::shared_ptr<ChannelListener>>& scheduled) {
  if (!channel.extras) return 0;
  for (const auto& listener : channel.extras->listeners) {
    if (listener->push(message)) scheduled.push_back(listener);
  }
  return channel.extras->listeners.size();
}

FLUX_DECL core::SegmentPolicy policy_of(ChannelSlowReaders slow) noexcept {
  switch (slow) {
    case ChannelSlowReaders::newest: return core::SegmentPolicy::newest;
    case ChannelSlowReaders::close: return core::SegmentPolicy::close;
    case ChannelSlowReaders::all: break;
  }
  return core::SegmentPolicy::all;
}

}  // namespace channel_hub_detail

/// Under the channel's lock. Returns how many subscriptions get it.
FLUX_DECL std::size_t ChannelHub::send(Channel& channel, const Publication& publication, const Position& position,
                                       const ChannelPost& post, const ChannelListener::Message& message,
                                       Scheduled& scheduled) {
  const auto policy = channel_hub_detail::policy_of(channel.settings->options.slow_readers);
  // Not used: a reader that was congested always gets the newest publication.
  constexpr std::uint64_t state_before = 1;
  channel.lanes.append({"channel_publish", *publication.payload, position.epoch, position.offset}, policy, state_before,
                       post.except, shard_of(channel.hash).mutex);
  return channel.lanes.subscribers() - channel.lanes.count_of(post.except) +
         channel_hub_detail::push_to_listeners(channel, message, scheduled);
}

/// The same for a pattern. Its subscribers are told which pattern it was: they may have several that match.
FLUX_DECL std::size_t ChannelHub::send_to_pattern(Channel& pattern, const Publication& publication,
                                                  const ChannelPost& post, const ChannelListener::Message& message,
                                                  Scheduled& scheduled) {
  const std::size_t listeners = channel_hub_detail::push_to_listeners(pattern, message, scheduled);
  const std::size_t subscribers = pattern.lanes.subscribers();
  if (subscribers == 0) return listeners;
  std::string payload;
  detail::JsonObject(payload).string("pattern", pattern.name);
  payload.append(1, ',').append(*publication.payload, 1);
  pattern.lanes.append({"channel_publish", payload}, core::SegmentPolicy::all, 0, post.except, patterns_mutex_);
  return subscribers - pattern.lanes.count_of(post.except) + listeners;
}

/// Under the shard's lock.
FLUX_DECL void ChannelHub::keep(ChannelShard& shard, Channel& channel, const ChannelPost& post,
                                Publication publication) {
  const ChannelSettings& settings = *channel.settings;
  if (settings.options.slow_readers == ChannelSlowReaders::newest) {
    ChannelExtras& extras = shard.extras_of(channel);
    extras.newest = publication.payload;
    extras.newest_except = post.except;
  }
  if (!settings.keeps_history()) return;
  ChannelExtras& extras = shard.extras_of(channel);
  extras.active_at = publication.timestamp;
  extras.history.trim(publication.timestamp);
  extras.history.add(std::move(publication));
}

FLUX_DECL Result<ChannelPart> ChannelHub::history(std::string_view name, const std::optional<Position>& since,
                                                  std::size_t limit, std::size_t bytes_max) const {
  if (const auto checked = check_name(name); !checked) return checked.error();
  const auto place = place_of(name);
  const Channel* const channel = place.channel;
  ChannelPart part;
  if (channel != nullptr) part.position = position_of(*channel);
  static const flux::features::ChannelHistory::List nothing;
  if (channel != nullptr && channel->extras) channel->extras->history.trim(now());
  const auto& list = channel != nullptr && channel->extras ? channel->extras->history.list() : nothing;
  PageSize page(bytes_max);
  if (since) {
    const bool is_known = channel != nullptr && since->epoch == part.position.epoch &&
                          since->offset <= part.position.offset && channel->extras &&
                          channel->extras->history.has_all_after(since->offset, channel->offset);
    if (!is_known) {
      return Error(Errc::invalid_argument, "the history of channel \"" + core::shown(name) +
                                               "\" does not have all that followed this position");
    }
    auto at = channel->extras->history.after(since->offset);
    while (at != list.end() && part.publications.size() < limit && page.takes(at->payload->size())) {
      part.publications.push_back(*at++);
    }
    part.more = at != list.end();
    return part;
  }
  auto at = list.end();
  while (at != list.begin() && limit-- != 0 && page.takes(std::prev(at)->payload->size())) --at;
  part.publications.assign(at, list.end());
  return part;
}

// --- Subscriptions ---

FLUX_DECL ChannelFlusher* ChannelHub::flusher_of(const std::shared_ptr<core::Loop>& loop) {
  const std::lock_guard lock(life_mutex_);
  for (const auto& [of, flusher] : flushers_) {
    if (of == loop) return flusher.get();
  }
  flushers_.emplace_back(loop, std::make_shared<ChannelFlusher>(loop));
  return flushers_.back().second.get();
}

FLUX_DECL Result<ChannelEntry> ChannelHub::enter(ChannelSeat& seat, std::string_view name, const ChannelSought& sought,
                                                 bool may_recover) {
  ChannelEntry entry;
  if (is_channel_pattern(name)) {
    const std::lock_guard lock(patterns_mutex_);
    const auto pattern = get_pattern(name);
    if (!pattern) return pattern.error();
    seat.channel = *pattern;
    (*pattern)->lanes.enter(seat);
    subscriptions_.fetch_add(1, std::memory_order_relaxed);
    if (sought.since) {
      entry.recovered = false;
      entry.reason = "patterns have no positions";
    }
    return entry;
  }
  const auto place = place_of(name);
  const auto found = get(place, name);
  if (!found) return found.error();
  Channel& channel = **found;
  seat.channel = &channel;
  channel.lanes.enter(seat);
  subscriptions_.fetch_add(1, std::memory_order_relaxed);
  entry.position = position_of(channel);
  if (sought.since) recover(channel, *sought.since, may_recover, entry);
  if (sought.state) entry.state = state_of(channel, no_limit, {}, backend_.config.limits.answer_bytes_max / 2);
  return entry;
}

/// Under the channel's lock.
FLUX_DECL void ChannelHub::recover(const Channel& channel, const Position& since, bool may_recover,
                                   ChannelEntry& entry) const {
  const auto refuse = [&entry](std::string_view reason) {
    entry.recovered = false;
    entry.reason = reason;
    entry.missed.clear();
  };
  const bool same_epoch = since.epoch == entry.position.epoch;
  if (same_epoch && since.offset == channel.offset) {
    entry.recovered = true;
    return;
  }
  if (!may_recover) return refuse("the history may not be read");
  const ChannelRecovery recovery = channel.settings->options.recovery;
  if (!channel.extras || !channel.settings->keeps_history() || recovery == ChannelRecovery::none) {
    return refuse("this channel has no recovery");
  }
  features::ChannelHistory& history = channel.extras->history;
  history.trim(now());
  PageSize page(backend_.config.limits.answer_bytes_max, First::if_it_fits);
  entry.recovered = true;
  if (recovery == ChannelRecovery::latest) {
    const bool has_newest = !history.list().empty() && history.list().back().offset == channel.offset;
    if (!has_newest) return refuse("the newest publication is no longer kept");
    if (!page.takes(history.list().back().payload->size())) return refuse("the newest publication is too large");
    entry.missed.push_back({history.list().back().payload, channel.offset});
    return;
  }
  if (!same_epoch) return refuse("the position is of another epoch");
  if (since.offset > channel.offset) return refuse("the position is in the future");
  if (!history.has_all_after(since.offset, channel.offset)) return refuse("the history no longer reaches so far back");
  for (auto at = history.after(since.offset); at != history.list().end(); ++at) {
    if (!page.takes(at->payload->size())) return refuse("more was missed than one answer holds");
    entry.missed.push_back({at->payload, at->offset});
  }
}

FLUX_DECL void ChannelHub::leave(ChannelSeat& seat) {
  Channel& channel = *seat.channel;
  const std::lock_guard lock(mutex_of(channel));
  channel.lanes.leave(seat);
  seat.channel = nullptr;
  subscriptions_.fetch_sub(1, std::memory_order_relaxed);
  if (channel.is_pattern()) return remove_if_unused(channel);
  if (channel.extras && channel.lanes.subscribers() == 0) channel.extras->active_at = now();
  remove_if_unused(shard_of(channel.hash), channel);
}

FLUX_DECL std::string ChannelHub::epoch_of(std::string_view name) const {
  const auto place = place_of(name);
  const Channel* const channel = place.channel;
  return channel != nullptr ? core::key_text(channel->epoch) : std::string();
}

/// What is pending for the client is sent first: it is earlier than what the answer says.
FLUX_DECL ChannelEntry ChannelHub::enter_again(const ChannelSeat& seat, bool with_state) {
  const Channel& channel = *seat.channel;
  for (;;) {
    seat.receiver->flusher->flush_now();
    const std::lock_guard lock(mutex_of(channel));
    if (channel.lanes.has_pending(seat)) continue;
    ChannelEntry entry;
    if (channel.is_pattern()) return entry;
    entry.position = position_of(channel);
    if (with_state) entry.state = state_of(channel, no_limit, {}, backend_.config.limits.answer_bytes_max / 2);
    return entry;
  }
}

FLUX_DECL std::string ChannelHub::move(ChannelSeat& seat, ChannelReceiver& next, char separator) {
  const std::lock_guard lock(mutex_of(*seat.channel));
  return seat.channel->lanes.move(seat, next, separator);
}

FLUX_DECL core::SharedBytes ChannelHub::catch_up(ChannelSeat& seat) {
  Channel& channel = *seat.channel;
  for (;;) {
    seat.receiver->flusher->flush_now();
    const std::lock_guard lock(mutex_of(channel));
    if (channel.lanes.has_pending(seat)) continue;
    seat.seat.state_known = 0;
    const auto& except = channel.extras->newest_except;
    if (std::find(except.begin(), except.end(), seat.receiver->key) != except.end()) return nullptr;
    auto frame = std::make_shared<std::string>();
    const Position position = position_of(channel);
    seat.receiver->view->notice(*frame, {"channel_publish", *channel.extras->newest, position.epoch, position.offset});
    return frame;
  }
}

FLUX_DECL Result<void> ChannelHub::add(const std::shared_ptr<ChannelListener>& listener) {
  const std::string& name = listener->name;
  if (auto checked = check_channel_or_pattern(name, options_.name_bytes_max); !checked) return checked;
  if (is_channel_pattern(name)) {
    const std::lock_guard lock(patterns_mutex_);
    const auto pattern = get_pattern(name);
    if (!pattern) return pattern.error();
    (*pattern)->pattern_extras().listeners.push_back(listener);
    return {};
  }
  const auto place = place_of(name);
  const auto channel = get(place, name);
  if (!channel) return channel.error();
  place.shard.extras_of(**channel).listeners.push_back(listener);
  return {};
}

FLUX_DECL void ChannelHub::remove(const ChannelListener& listener) {
  const auto take_out = [&listener](Channel& channel) {
    return std::erase_if(channel.extras->listeners, [&](const auto& other) { return other.get() == &listener; }) != 0;
  };
  if (is_channel_pattern(listener.name)) {
    const std::lock_guard lock(patterns_mutex_);
    Channel* const pattern = patterns_.find(listener.name);
    if (pattern != nullptr && pattern->extras && take_out(*pattern)) remove_if_unused(*pattern);
    return;
  }
  const auto place = place_of(listener.name);
  Channel* const channel = place.channel;
  if (channel != nullptr && channel->extras && take_out(*channel)) remove_if_unused(place.shard, *channel);
}

}  // namespace flux::features
