#pragma once

#include <flux/channels.hpp>
#include <flux/detail/core/call_faults.hpp>
#include <flux/detail/core/option_check.hpp>
#include <flux/detail/endpoints/realtime/api_endpoint.hpp>
#include <flux/detail/endpoints/realtime/realtime_endpoint.hpp>
#include <flux/detail/endpoints/realtime/sse_endpoint.hpp>
#include <flux/detail/features/channel_acts.hpp>
#include <flux/detail/features/channel_hub.hpp>
#include <flux/detail/features/channel_payloads.hpp>
#include <flux/detail/features/channel_requests.hpp>
#include <flux/detail/features/channel_subscriber.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/server/act_result.hpp>
#include <flux/detail/server/server_state.hpp>

#include <utility>

namespace flux {

namespace channels_detail {

inline std::vector<core::SessionKey> keys_of(const std::vector<SessionId>& clients) {
  std::vector<core::SessionKey> keys;
  for (const SessionId& id : clients) {
    if (const auto key = core::key_from_text(id)) keys.push_back(*key);
  }
  return keys;
}

inline Result<void> check_publication_key(const std::string& key) {
  constexpr std::size_t most = features::channel_key_bytes_max;
  if (key.size() <= most && core::valid_utf8(key)) return {};
  return Error(Errc::invalid_argument, "the key of a publication must be UTF-8 of at most " + std::to_string(most) +
                                           " bytes, not \"" + core::shown(key) + "\"");
}

}  // namespace channels_detail

// --- ChannelSubscription ---

FLUX_DECL ChannelSubscription::ChannelSubscription(std::weak_ptr<features::ChannelHub> hub,
                                                   std::shared_ptr<features::ChannelListener> listener)
    : hub_(std::move(hub)), listener_(std::move(listener)) {}
FLUX_DECL ChannelSubscription::~ChannelSubscription() { cancel(); }
FLUX_DECL ChannelSubscription::ChannelSubscription(ChannelSubscription&&) noexcept = default;
FLUX_DECL ChannelSubscription& ChannelSubscription::operator=(ChannelSubscription&& other) noexcept {
  if (this == &other) return *this;
  cancel();
  hub_ = std::move(other.hub_);
  listener_ = std::move(other.listener_);
  return *this;
}

FLUX_DECL void ChannelSubscription::cancel() {
  const auto listener = std::move(listener_);
  if (!listener) return;
  listener->cancel();
  if (const auto hub = hub_.lock()) hub->remove(*listener);
}

// --- Channels ---

FLUX_DECL Channels::Channels(Server& server, ChannelsOptions options) : server_(&detail::ServerAccess::state(server)) {
  server_->check_not_running("flux::Channels");
  hub_ = std::make_shared<features::ChannelHub>(server_->hub(), std::move(options));
  for (auto& request : features::channel_requests(hub_)) server_->add_request(std::move(request));
  server_->add_service(hub_);
  const std::string& path = hub_->options().path;
  if (path.empty()) return;
  server_->add_endpoint(std::make_shared<detail::RealtimeEndpoint>(server_->hub(), path));
  server_->add_endpoint(std::make_shared<detail::SseEndpoint>(server_->hub(), hub_));
  server_->add_endpoint(std::make_shared<detail::ApiEndpoint>(server_->hub(), hub_));
}
FLUX_DECL Channels::~Channels() = default;

FLUX_DECL void Channels::on_subscribe(SubscribeHandler handler) {
  server_->check_not_running("Channels::on_subscribe");
  hub_->subscribe_handler = std::move(handler);
}
FLUX_DECL void Channels::on_publish(PublishHandler handler) {
  server_->check_not_running("Channels::on_publish");
  hub_->publish_handler = std::move(handler);
}

FLUX_DECL void Channels::on_state(StateHandler handler) {
  server_->check_not_running("Channels::on_state");
  hub_->state_handler = std::move(handler);
}

namespace channels_detail {

/// As `ChannelHub::publish`, for the application.
template <class MakeLater>
std::optional<Result<Published>> publish(features::ChannelHub& hub, std::string_view channel, const JsonText& data,
                                         const PublishOptions& options, const MakeLater& make_later) {
  if (const auto checked = check_publication_key(options.key); !checked) return Result<Published>(checked.error());
  const detail::Relayed relayed(data);
  return hub.publish({channel, relayed.text(), options.key, {}, {}, keys_of(options.except_clients)}, make_later);
}

}  // namespace channels_detail

FLUX_DECL void Channels::publish(std::string_view channel, const JsonText& data, const PublishOptions& options,
                                 std::function<void(Result<Published>)> done) {
  detail::perform<Published>(*server_, "Channels::publish", std::move(done), [&](const auto& then) {
    auto published = channels_detail::publish(*hub_, channel, data, options,
                                              [&]() -> features::UnstoredPublication::Done { return then; });
    if (published) then(std::move(*published));
  });
}

FLUX_DECL Outcome<Published> Channels::publish(std::string_view channel, const JsonText& data,
                                               const PublishOptions& options) {
  std::optional<Result<Published>> at_once;  // of a store that does not block
  const auto make_later = [&]() -> features::UnstoredPublication::Done {
    if (hub_->store_blocks()) {
      return [faults = hub_->backend().call_faults, name = std::string(channel)](const Result<Published>& result) {
        if (!result) faults->failed("Channels::publish", name, result.error());
      };
    }
    return [&at_once](Result<Published> result) { at_once = std::move(result); };
  };
  auto published = channels_detail::publish(*hub_, channel, data, options, make_later);
  if (!published) published = at_once ? std::move(at_once) : Published{.is_pending = true};
  return core::noted(*hub_->backend().call_faults, "Channels::publish", channel, std::move(*published));
}

FLUX_DECL void Channels::publish_from_client(const SessionId& client, std::string_view channel, JsonText data,
                                             const std::function<void(Result<Published>)>& done) {
  const auto act = [hub = hub_, channel = std::string(channel), data = detail::relayable(std::move(data))](
                       features::Participant& from, const std::function<void(Result<Published>)>& give) {
    if (const auto checked = hub->check_name(channel); !checked) return give(checked.error());
    const auto& demands = hub->settings_of(channel).options.demands;
    if (const auto allowed = hub->may(from.grant().get(), demands.publish, channel); !allowed) {
      return give(allowed.error());
    }
    const auto identity = from.identity();
    const std::string id = from.id();
    const auto published =
        hub->publish({channel, data.text(), {}, id, identity ? std::string_view(identity->user_id) : ""},
                     [&] { return from.on_loop<Published>(give); });
    if (published) give(*published);
  };
  features::with_client<Published>(*hub_, client, done, act);
}

FLUX_DECL Result<ChannelPublications> Channels::history(std::string_view channel, std::size_t limit) const {
  const auto part = hub_->history(channel, std::nullopt, limit, features::no_limit);
  if (!part) return part.error();
  ChannelPublications publications{{}, part->position};
  for (const auto& publication : part->publications) {
    publications.messages.push_back(features::message_of(publication, channel, part->position));
  }
  return publications;
}

FLUX_DECL ChannelSubscription Channels::subscribe(std::string_view pattern, Callback callback, Executor executor) {
  auto listener = std::make_shared<features::ChannelListener>(
      std::string(pattern), core::require_function("Channels::subscribe", std::move(callback)), std::move(executor),
      hub_->backend().call_faults);
  if (const auto added = hub_->add(listener); !added) throw Error(added.error());
  return {hub_, std::move(listener)};
}

FLUX_DECL void Channels::subscribe_client(const SessionId& client, std::string_view channel,
                                          const std::function<void(Result<void>)>& done) {
  const auto act = [hub = hub_, channel = std::string(channel)](features::Participant& who) {
    return features::subscribe_unasked(hub, who, channel);
  };
  features::with_client<void>(*hub_, client, done, act);
}

FLUX_DECL void Channels::unsubscribe_client(const SessionId& client, std::string_view channel, std::string_view reason,
                                            const std::function<void(Result<bool>)>& done) {
  const auto act = [hub = hub_, channel = std::string(channel),
                    reason = core::repaired(std::string(reason))](features::Participant& who) -> Result<bool> {
    auto* const subscriber = features::ChannelSubscriber::find(*hub, who);
    return subscriber != nullptr && subscriber->unsubscribe(channel, reason);
  };
  features::with_client<bool>(*hub_, client, done, act);
}

FLUX_DECL std::vector<ChannelMember> Channels::presence(std::string_view channel) const {
  std::vector<ChannelMember> members;
  for (auto& present : hub_->present(channel, features::no_limit, 0, features::no_limit).members) {
    members.push_back({std::move(present.client_id), std::move(present.user_id),
                       detail::CheckedJson::text(std::move(present.data)), present.joined_at, present.last_seen_at});
  }
  return members;
}

FLUX_DECL Outcome<void> Channels::update_presence(const SessionId& client, std::string_view channel,
                                                  const JsonText& data) {
  return core::noted(*hub_->backend().call_faults, "Channels::update_presence", channel,
                     features::update_presence(hub_, client, channel, data));
}

FLUX_DECL bool Channels::leave_presence(const SessionId& client, std::string_view channel) {
  return features::leave_presence(hub_, client, channel);
}

namespace channels_detail {

inline Result<ChannelStateChange> change_state(features::ChannelHub& hub, std::string_view channel,
                                               const features::StateWish& wish) {
  if (const auto checked = hub.check_name(channel); !checked) return checked.error();
  constexpr std::size_t most = features::channel_key_bytes_max;
  if (wish.key.empty() || wish.key.size() > most || !core::valid_utf8(wish.key)) {
    return Error(Errc::invalid_argument, "the key of an entry must be UTF-8 of 1 to " + std::to_string(most) +
                                             " bytes, not \"" + core::shown(wish.key) + "\"");
  }
  return hub.change_state(channel, wish);
}

}  // namespace channels_detail

FLUX_DECL Outcome<ChannelStateChange> Channels::set_state(std::string_view channel, std::string_view key,
                                                          const JsonText& value, const ChannelStateOptions& options) {
  const auto set = [&]() -> Result<ChannelStateChange> {
    if (options.ttl.count() < 0 || options.ttl > core::hundred_years) {
      return Error(Errc::invalid_argument, "ChannelStateOptions::ttl must be 0 to 100 years, not " +
                                               std::to_string(options.ttl.count()) + " ms");
    }
    const detail::Relayed relayed(value);
    const std::size_t most = hub_->backend().config.limits.message_bytes_max;
    if (const auto checked = detail::check_size("the value", relayed.text().size(), most); !checked) {
      return checked.error();
    }
    features::StateWish wish{key, relayed.text(), options.version};
    if (options.ttl.count() != 0) wish.expires_at = hub_->backend().config.clock->unix_ms() + options.ttl.count();
    return channels_detail::change_state(*hub_, channel, wish);
  };
  return core::noted(*hub_->backend().call_faults, "Channels::set_state", channel, set());
}

FLUX_DECL Outcome<ChannelStateChange> Channels::remove_state(std::string_view channel, std::string_view key,
                                                             std::optional<std::uint64_t> version) {
  return core::noted(*hub_->backend().call_faults, "Channels::remove_state", channel,
                     channels_detail::change_state(*hub_, channel, {key, std::nullopt, version}));
}

FLUX_DECL ChannelStateMap Channels::state(std::string_view channel) const {
  auto part = hub_->state(channel, features::no_limit, {}, features::no_limit);
  ChannelStateMap map{{}, part.version};
  for (auto& [key, entry] : part.entries) {
    map.entries.push_back({std::move(key), detail::CheckedJson::text(std::move(entry.value)), entry.version,
                           std::move(entry.owner), entry.expires_at});
  }
  return map;
}

FLUX_DECL std::optional<ChannelStats> Channels::stats(std::string_view channel) const { return hub_->stats(channel); }
FLUX_DECL std::vector<ChannelStats> Channels::stats() const { return hub_->stats(); }

FLUX_DECL void Channels::client_info(const SessionId& client,
                                     const std::function<void(Result<ChannelClient>)>& done) const {
  const auto act = [hub = hub_](const features::Participant& who) -> Result<ChannelClient> {
    const auto* const subscriber = features::ChannelSubscriber::find(*hub, who);
    return subscriber != nullptr ? subscriber->info() : ChannelClient{who.id(), {}, {}};
  };
  features::with_client<ChannelClient>(*hub_, client, done, act);
}

}  // namespace flux
