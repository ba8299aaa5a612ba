#pragma once

#include <flux/detail/core/members.hpp>
#include <flux/detail/features/channel_payloads.hpp>
#include <flux/detail/features/channel_requests.hpp>
#include <flux/detail/features/channel_subscriber.hpp>
#include <flux/detail/gate/content.hpp>
#include <flux/detail/mode.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace flux {

FLUX_DECL Result<void> check_changed(ChannelPublish& event, const Limits& limits) {
  event.data = detail::relayable(std::move(event.data));
  return detail::check_size("data", event.data.text().size(), limits.message_bytes_max);
}

FLUX_DECL Result<void> check_changed(ChannelStateWrite& event, const Limits& limits) {
  if (!event.value) return {};
  event.value = detail::relayable(std::move(*event.value));
  return detail::check_size("value", event.value->text().size(), limits.message_bytes_max);
}

}  // namespace flux

namespace flux::features {

namespace channel_requests_detail {

using HubPtr = std::shared_ptr<ChannelHub>;
using Done = Request::Done;
using core::Member;
using core::Members;
using Kind = Member::Kind;

FLUX_DECL JsonText answer(std::string text) { return detail::CheckedJson::text(std::move(text)); }

/// Whether the client may do this in the channel. Errors: those of the name; forbidden, unauthorized.
FLUX_DECL Result<void> may(ChannelHub& hub, const Participant& client, std::string ChannelDemands::*operation,
                           const std::string& channel) {
  if (auto checked = hub.check_name(channel); !checked) return checked;
  return hub.may(client.grant_on_loop(), hub.settings_of(channel).options.demands.*operation, channel);
}

/// The same for presence, which a channel may not have.
FLUX_DECL Result<void> may_be_present(ChannelHub& hub, const Participant& client, const std::string& channel) {
  auto allowed = may(hub, client, &ChannelDemands::presence, channel);
  if (!allowed || hub.settings_of(channel).options.presence) return allowed;
  return Error(Errc::forbidden, "channel \"" + core::shown(channel) + "\" has no presence");
}

FLUX_DECL void subscribe(const HubPtr& hub, Participant& client, const Members& members, const Done& done) {
  const std::string& channel = members.text("channel");
  const auto since = position_in(members);
  if (!since) return done(since.error());
  ChannelSought sought{*since, members.flag("state")};
  const Participant::Done<ChannelEntry> finish = [channel, done](const Result<ChannelEntry>& entry) {
    if (!entry) return done(entry.error());
    done(answer(entry_payload(channel, *entry)));
  };
  if (!members.has("accessToken")) return subscribe_client(hub, client, channel, sought, finish);
  const std::string& token = members.text("accessToken");
  std::string shown;
  detail::JsonObject(shown).string("channel", channel).string("accessToken", token).end();
  client.verify(token, answer(std::move(shown)),
                [hub, &client, channel, sought, finish](const Result<Grant>& granted) mutable {
                  if (!granted) return finish(granted.error());
                  sought.token = std::make_shared<const Grant>(*granted);
                  subscribe_client(hub, client, channel, sought, finish);
                });
}

/// Not being subscribed is success, too.
FLUX_DECL void unsubscribe(const HubPtr& hub, Participant& client, const Members& members, const Done& done) {
  if (auto* const subscriber = ChannelSubscriber::find(*hub, client)) subscriber->unsubscribe(members.text("channel"));
  done(answer("{}"));
}

enum class To : std::uint8_t { all, others };

FLUX_DECL void publish_permitted(const HubPtr& hub, Participant& client, const std::string& channel,
                                 std::string_view data, std::string_view key, To to, const Done& done) {
  const auto identity = client.identity();
  const std::string id = client.id();
  ChannelPost post{channel, data, key, id, identity ? std::string_view(identity->user_id) : std::string_view()};
  if (to == To::others) post.except.push_back(client.key());
  const Participant::Done<Published> finish = [done](const Result<Published>& published) {
    if (!published) return done(published.error());
    done(answer(published_payload(*published)));
  };
  if (const auto published = hub->publish(post, [&] { return client.on_loop(finish); })) finish(*published);
}

FLUX_DECL void publish(const HubPtr& hub, Participant& client, const Members& members, To to, const Done& done) {
  const std::string& channel = members.text("channel");
  const std::string_view data = *members.json("data");
  const std::string& key = members.text("key");
  if (const auto allowed = may(*hub, client, &ChannelDemands::publish, channel); !allowed) return done(allowed.error());
  if (const auto counted = ChannelSubscriber::count_publication(hub, client, channel); !counted) {
    return done(counted.error());
  }
  const ContentRules& rules = hub->settings_of(channel).options.content;
  if (rules != ContentRules()) {
    if (const auto checked = gate::check_content(rules, {}, data); !checked) return done(checked.error());
  }
  if (!hub->publish_handler) return publish_permitted(hub, client, channel, data, key, to, done);
  ChannelPublish event(client.session_handle(), channel, *members.copy("data"));
  client.permitted("channel publish", hub->publish_handler, event, done,
                   [hub, &client, key, to, done](const ChannelPublish& permitted) {
                     const auto allowed = may(*hub, client, &ChannelDemands::publish, permitted.channel);
                     if (!allowed) return done(allowed.error());
                     publish_permitted(hub, client, permitted.channel, permitted.data.text(), key, to, done);
                   });
}

FLUX_DECL void history(const HubPtr& hub, Participant& client, const Members& members, const Done& done) {
  const std::string& channel = members.text("channel");
  const auto since = position_in(members);
  if (!since) return done(since.error());
  if (const auto allowed = may(*hub, client, &ChannelDemands::history, channel); !allowed) return done(allowed.error());
  const auto part = hub->history(channel, *since, static_cast<std::size_t>(members.number("limit", usual_history)),
                                 hub->backend().config.limits.answer_bytes_max);
  if (!part) return done(part.error());
  done(answer(history_payload(channel, *part)));
}

FLUX_DECL void be_present(const HubPtr& hub, Participant& client, const Members& members, const Done& done) {
  const std::string& channel = members.text("channel");
  if (const auto allowed = may_be_present(*hub, client, channel); !allowed) return done(allowed.error());
  if (const auto counted = ChannelSubscriber::count_publication(hub, client, channel); !counted) {
    return done(counted.error());
  }
  ChannelSubscriber* const subscriber = ChannelSubscriber::get(hub, client);
  if (subscriber == nullptr) return;
  const auto present = subscriber->be_present(channel, std::string(members.json("data").value_or("{}")));
  if (!present) return done(present.error());
  done(answer("{}"));
}

/// Not being present is success, too.
FLUX_DECL void be_absent(const HubPtr& hub, Participant& client, const Members& members, const Done& done) {
  if (auto* const subscriber = ChannelSubscriber::find(*hub, client)) subscriber->be_absent(members.text("channel"));
  done(answer("{}"));
}

FLUX_DECL void presence(const HubPtr& hub, Participant& client, const Members& members, const Done& done) {
  const std::string& channel = members.text("channel");
  if (const auto allowed = may_be_present(*hub, client, channel); !allowed) return done(allowed.error());
  const bool counts_only = members.flag("counts");
  const auto limit = static_cast<std::size_t>(members.number("limit", no_limit));
  const auto present = hub->present(channel, counts_only ? 0 : limit, members.number("after"),
                                    hub->backend().config.limits.answer_bytes_max);
  done(answer(present_payload(channel, present, counts_only)));
}

FLUX_DECL void read_state(const HubPtr& hub, Participant& client, const Members& members, const Done& done) {
  const std::string& channel = members.text("channel");
  const ChannelSubscriber* const subscriber = ChannelSubscriber::find(*hub, client);
  if (subscriber == nullptr || !subscriber->is_subscribed(channel)) {  // who is may have a token for the channel alone
    const auto allowed = may(*hub, client, &ChannelDemands::subscribe, channel);
    if (!allowed) return done(allowed.error());
  }
  const auto part = hub->state(channel, static_cast<std::size_t>(members.number("limit", no_limit)),
                               members.text("after"), hub->backend().config.limits.answer_bytes_max);
  done(answer(state_part_payload(channel, part)));
}

FLUX_DECL void change_state_permitted(const HubPtr& hub, Participant& client, StateWish wish,
                                      const ChannelStateWrite& write, const Done& done) {
  if (const auto allowed = may(*hub, client, &ChannelDemands::state, write.channel); !allowed) {
    return done(allowed.error());
  }
  wish.key = write.key;
  if (write.value) wish.value = write.value->text();
  wish.client = client.id();
  if (wish.is_bound) {
    ChannelSubscriber* const subscriber = ChannelSubscriber::get(hub, client);
    if (subscriber == nullptr) return;
    if (const auto noted = subscriber->note_bound(write.channel); !noted) return done(noted.error());
  }
  const auto changed = hub->change_state(write.channel, wish);
  if (!changed) return done(changed.error());
  done(answer(state_change_payload(*changed)));
}

/// `wish`: without key and value. `value`: none removes the entry.
FLUX_DECL void change_state(const HubPtr& hub, Participant& client, const Members& members, StateWish wish,
                            std::optional<JsonText> value, const Done& done) {
  const std::string& channel = members.text("channel");
  if (const auto allowed = may(*hub, client, &ChannelDemands::state, channel); !allowed) return done(allowed.error());
  const std::string& key = members.text("key");
  if (key.empty()) {
    return done(Error(Errc::invalid_message, "key must have 1 to " + std::to_string(channel_key_bytes_max) + " bytes"));
  }
  if (members.has("version")) wish.version = members.number("version");
  if (const auto counted = ChannelSubscriber::count_publication(hub, client, channel); !counted) {
    return done(counted.error());
  }
  ChannelStateWrite event(client.session_handle(), channel, key, std::move(value));
  client.permitted("channel state", hub->state_handler, event, done,
                   [hub, &client, wish = std::move(wish), done](const ChannelStateWrite& permitted) {
                     change_state_permitted(hub, client, wish, permitted, done);
                   });
}

FLUX_DECL void set_state(const HubPtr& hub, Participant& client, const Members& members, const Done& done) {
  const ContentRules& rules = hub->settings_of(members.text("channel")).options.content;
  if (rules != ContentRules()) {
    if (const auto checked = gate::check_content(rules, members.text("key"), *members.json("value")); !checked) {
      return done(checked.error());
    }
  }
  StateWish wish;
  if (members.has("ttl")) {
    wish.expires_at = hub->backend().config.clock->unix_ms() + static_cast<std::int64_t>(members.number("ttl"));
  }
  wish.is_bound = members.flag("bound");
  change_state(hub, client, members, std::move(wish), members.copy("value"), done);
}

FLUX_DECL void remove_state(const HubPtr& hub, Participant& client, const Members& members, const Done& done) {
  change_state(hub, client, members, {}, std::nullopt, done);
}

inline constexpr Member channel = Member{"channel", Kind::name}.required();
inline constexpr Member epoch{"epoch", Kind::name, nullptr, nullptr, 0, 64};
inline constexpr Member offset{"offset", Kind::number};
inline constexpr Member data = Member{"data", Kind::any, &Limits::message_bytes_max}.required();
inline constexpr Member key{"key", Kind::name, nullptr, nullptr, 0, channel_key_bytes_max};
inline constexpr Member present_data{"data", Kind::json, &Limits::presence_bytes_max};
inline constexpr Member limit{"limit", Kind::number, nullptr, nullptr, 1, 1000};
inline constexpr Member after{"after", Kind::number};
inline constexpr Member counts{"counts", Kind::flag};
inline constexpr Member token{"accessToken", Kind::name, &Limits::head_bytes_max};
inline constexpr Member with_state{"state", Kind::flag};
inline constexpr Member after_key{"after", Kind::name, nullptr, nullptr, 0, channel_key_bytes_max};
inline constexpr Member value = Member{"value", Kind::any, &Limits::message_bytes_max}.required();
inline constexpr Member version{"version", Kind::number};
inline constexpr std::uint64_t year_ms = std::uint64_t{365} * 24 * 3'600'000;
inline constexpr Member ttl{"ttl", Kind::number, nullptr, nullptr, 1, year_ms};
inline constexpr Member bound{"bound", Kind::flag};
inline constexpr bool only_answers = true;

}  // namespace channel_requests_detail

FLUX_DECL Result<std::optional<Position>> position_in(const core::Members& members) {
  if (!members.has("epoch")) {
    if (members.has("offset")) return Error(Errc::invalid_message, "offset needs epoch: a position consists of both");
    return std::optional<Position>();
  }
  return std::optional<Position>({members.text("epoch"), members.number("offset")});
}

FLUX_DECL void subscribe_client(const std::shared_ptr<ChannelHub>& hub, Participant& client, const std::string& channel,
                                const ChannelSought& sought, const Participant::Done<ChannelEntry>& done) {
  const auto allowed = [hub, &client, channel, token = sought.token]() -> Result<void> {
    if (!token) return hub->may_subscribe(client.grant_on_loop(), channel);
    if (auto valid = hub->backend().gate.still_valid(token.get()); !valid) return valid;
    if (!client.may_use_token_of(token->identity.user_id)) {
      return Error(Errc::unauthorized, "the token is another user's");
    }
    return hub->may_subscribe(token.get(), channel);
  };
  if (const auto checked = allowed(); !checked) return done(checked.error());
  ChannelSubscribe event(client.session_handle(), channel);
  client.permitted("channel subscribe", hub->subscribe_handler, event, done,
                   [hub, &client, channel, sought, allowed, done](const ChannelSubscribe&) {
                     // The grant may have changed while the application decided.
                     if (const auto checked = allowed(); !checked) return done(checked.error());
                     ChannelSubscriber* const subscriber = ChannelSubscriber::get(hub, client);
                     if (subscriber == nullptr) return;
                     const auto entry = subscriber->subscribe(channel, sought);
                     done(entry);
                     if (!entry) return;
                     for (const auto& missed : entry->missed) {
                       client.tell({"channel_publish", *missed.payload, entry->position.epoch, missed.offset});
                     }
                   });
}

FLUX_DECL std::vector<Request> channel_requests(const std::shared_ptr<ChannelHub>& hub) {
  namespace d = channel_requests_detail;
  using Act = void (*)(const d::HubPtr&, Participant&, const core::Members&, const d::Done&);
  const auto act = [&hub](Act does) -> Request::Act {
    return [hub, does](Participant& client, const core::Members& members, const d::Done& done) {
      does(hub, client, members, done);
    };
  };
  const auto publish = [&hub](d::To to) -> Request::Act {
    return [hub, to](Participant& client, const core::Members& members, const d::Done& done) {
      d::publish(hub, client, members, to, done);
    };
  };
  return {
      {{"channel_subscribe", {d::channel, d::epoch, d::offset, d::with_state, d::token}}, act(d::subscribe)},
      {{"channel_unsubscribe", {d::channel}}, act(d::unsubscribe)},
      {{"channel_publish", {d::channel, d::data, d::key}}, publish(d::To::all)},
      {{"channel_broadcast", {d::channel, d::data, d::key}}, publish(d::To::others)},
      {{"channel_history", {d::channel, d::epoch, d::offset, d::limit}, d::only_answers}, act(d::history)},
      {{"channel_presence_join", {d::channel, d::present_data}}, act(d::be_present)},
      {{"channel_presence_update", {d::channel, d::present_data.required()}}, act(d::be_present)},
      {{"channel_presence_leave", {d::channel}}, act(d::be_absent)},
      {{"channel_presence", {d::channel, d::limit, d::after, d::counts}, d::only_answers}, act(d::presence)},
      {{"channel_state", {d::channel, d::limit, d::after_key}, d::only_answers}, act(d::read_state)},
      {{"channel_state_set", {d::channel, d::key.required(), d::value, d::version, d::ttl, d::bound}},
       act(d::set_state)},
      {{"channel_state_remove", {d::channel, d::key.required(), d::version}}, act(d::remove_state)},
  };
}

}  // namespace flux::features
