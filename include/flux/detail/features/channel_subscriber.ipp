#pragma once

#include <flux/detail/core/json_object.hpp>
#include <flux/detail/features/channel_name.hpp>
#include <flux/detail/features/channel_subscriber.hpp>
#include <flux/detail/gate/held_grant.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <utility>

namespace flux::features {

// --- ChannelSeats ---

FLUX_DECL ChannelSeats::~ChannelSeats() {
  for (ChannelSeat* const seat : slots_) delete seat;
}

FLUX_DECL std::size_t ChannelSeats::home_of(const ChannelSeat& seat) const noexcept {
  return seat.channel->hash & (slots_.size() - 1);
}

FLUX_DECL ChannelSeat* ChannelSeats::find(std::string_view name, std::uint32_t hash) const noexcept {
  if (slots_.empty()) return nullptr;
  for (std::size_t at = hash & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
    ChannelSeat* const seat = slots_[at];
    if (seat == nullptr || (seat->channel->hash == hash && seat->channel->name == name)) return seat;
  }
}

FLUX_DECL void ChannelSeats::put(ChannelSeat* seat) noexcept {
  std::size_t at = home_of(*seat);
  while (slots_[at] != nullptr) at = (at + 1) & (slots_.size() - 1);
  slots_[at] = seat;
}

FLUX_DECL void ChannelSeats::add(std::unique_ptr<ChannelSeat> seat) {
  if ((count_ + 1) * 4 > slots_.size() * 3) {
    constexpr std::size_t least = 4;
    std::vector<ChannelSeat*> before(std::max(least, slots_.size() * 2));
    before.swap(slots_);
    for (ChannelSeat* const moved : before) {
      if (moved != nullptr) put(moved);
    }
  }
  put(seat.release());
  ++count_;
}

/// Those that follow without a gap are put in again, so that each is found from its home.
FLUX_DECL std::unique_ptr<ChannelSeat> ChannelSeats::take(const ChannelSeat& seat) noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = home_of(seat);
  while (slots_[at] != &seat) at = (at + 1) & mask;
  std::unique_ptr<ChannelSeat> taken(std::exchange(slots_[at], nullptr));
  --count_;
  for (at = (at + 1) & mask; slots_[at] != nullptr; at = (at + 1) & mask) put(std::exchange(slots_[at], nullptr));
  return taken;
}

// --- ChannelToken ---

/// The grant of a channel's own token, as the gate sees it: what ends is one subscription.
class ChannelToken final : public gate::HeldGrant {
 public:
  ChannelToken(std::shared_ptr<ChannelHub> in, const std::shared_ptr<Participant>& client, std::string_view name,
               std::shared_ptr<const Grant> grant)
      : HeldGrant(client->loop(), std::move(grant)), channel(name), hub_(std::move(in)), client_(client) {}

  FLUX_DECL void end_access(CloseCode, std::string_view reason) override {
    const auto client = client_.lock();
    auto* const subscriber = client && client->connected() ? ChannelSubscriber::find(*hub_, *client) : nullptr;
    if (subscriber != nullptr) subscriber->token_ended(*this, reason);
  }

  const std::string channel;

 private:
  void ignore_client() noexcept override {}

  const std::shared_ptr<ChannelHub> hub_;
  const std::weak_ptr<Participant> client_;
};

// --- ChannelSubscriber ---

FLUX_DECL ChannelSubscriber* ChannelSubscriber::find(const ChannelHub& hub, const Participant& client) {
  return static_cast<ChannelSubscriber*>(client.subscriber_of(&hub));
}

FLUX_DECL ChannelSubscriber* ChannelSubscriber::get(const std::shared_ptr<ChannelHub>& hub, Participant& client) {
  if (auto* const found = find(*hub, client)) return found;
  std::unique_ptr<ChannelSubscriber, void (*)(ChannelSubscriber*)> made(new ChannelSubscriber(hub, client),
                                                                        [](ChannelSubscriber* s) { delete s; });
  if (!client.subscribe(*made)) return nullptr;
  return made.release();  // deletes itself when it leaves
}

FLUX_DECL Result<void> ChannelSubscriber::count_publication(const std::shared_ptr<ChannelHub>& hub, Participant& client,
                                                            std::string_view channel) {
  gate::OperationLimit& rate = hub->settings_of(channel).publish_rate;
  ChannelSubscriber* const with_buckets = rate.counts_connections() ? get(hub, client) : nullptr;
  return rate.take(with_buckets != nullptr ? &with_buckets->rates_ : nullptr, gate::SenderOf(client), *client.loop());
}

FLUX_DECL ChannelSubscriber::ChannelSubscriber(std::shared_ptr<ChannelHub> hub, Participant& client)
    : hub_(std::move(hub)), client_(client) {
  const core::Receiver as = client.receiver();
  const ClientView& view = client.view();
  receiver_ = std::make_unique<ChannelReceiver>(
      ChannelReceiver{as.key, as.outlet, as.outlet->hot_memory(), hub_->flusher_of(as.loop), &view});
}

FLUX_DECL Result<ChannelEntry> ChannelSubscriber::subscribe(std::string_view channel, const ChannelSought& sought) {
  if (const ChannelSeat* const seat = seats_.find(channel, hub_->hash_of(channel))) {
    auto entry = hub_->enter_again(*seat, sought.state);
    keep_token(channel, sought.token);
    return entry;
  }
  const std::size_t most = hub_->options().subscriptions_per_client_max;
  if (seats_.size() >= most) {
    return Error(Errc::limit_exceeded, "too many subscriptions: a client may have " + std::to_string(most));
  }
  const std::size_t patterns_most = hub_->options().patterns_per_client_max;
  if (is_channel_pattern(channel) && patterns_ >= patterns_most) {
    return Error(Errc::limit_exceeded,
                 "too many subscriptions to patterns: a client may have " + std::to_string(patterns_most));
  }
  const auto granted = sought.token ? sought.token : client_.grant();
  const bool may_recover =
      static_cast<bool>(hub_->may(granted.get(), hub_->settings_of(channel).options.demands.history, channel));
  auto seat = std::make_unique<ChannelSeat>(ChannelSeat{receiver_.get()});
  auto entry = hub_->enter(*seat, channel, sought, may_recover);
  if (!entry) return entry;
  if (seat->channel->is_pattern()) ++patterns_;
  seats_.add(std::move(seat));
  keep_token(channel, sought.token);
  return entry;
}

/// Instead of an earlier one.
FLUX_DECL void ChannelSubscriber::keep_token(std::string_view channel, std::shared_ptr<const Grant> token) {
  drop_token(channel);
  if (!token) return;
  auto held = std::make_shared<ChannelToken>(hub_, client_.handle(), channel, std::move(token));
  tokens_.emplace(channel, held);
  hub_->backend().admitted.watch(held, gate::Admitted::Find::by_end_and_user);
}

FLUX_DECL void ChannelSubscriber::drop_token(std::string_view channel) {
  const auto found = tokens_.find(channel);
  if (found == tokens_.end()) return;
  hub_->backend().admitted.forget(found->second.get());
  tokens_.erase(found);
}

/// It may have been replaced since.
FLUX_DECL void ChannelSubscriber::token_ended(const ChannelToken& token, std::string_view reason) {
  const auto found = tokens_.find(token.channel);
  if (found != tokens_.end() && found->second.get() == &token) unsubscribe(token.channel, reason, Errc::unauthorized);
}

FLUX_DECL void ChannelSubscriber::end(ChannelSeat& seat) {
  const auto taken = seats_.take(seat);
  drop_token(taken->channel->name);
  if (taken->channel->is_pattern()) --patterns_;
  hub_->leave(*taken);
}

FLUX_DECL bool ChannelSubscriber::unsubscribe(std::string_view channel) {
  ChannelSeat* const seat = seats_.find(channel, hub_->hash_of(channel));
  if (seat == nullptr) return false;
  end(*seat);
  return true;
}

FLUX_DECL bool ChannelSubscriber::unsubscribe(std::string_view channel, std::string_view reason,
                                              std::optional<Errc> code) {
  const std::string name(channel);
  if (!unsubscribe(channel)) return false;
  tell_unsubscribed(client_, name, reason, code);
  return true;
}

FLUX_DECL void ChannelSubscriber::tell_unsubscribed(Participant& client, std::string_view channel,
                                                    std::string_view reason, std::optional<Errc> code) {
  std::string payload;
  detail::JsonObject object(payload);
  object.string("channel", channel).optional_string("reason", reason);
  if (code) object.string("code", to_wire_name(*code));
  object.end();
  client.tell({"channel_unsubscribed", payload});
}

FLUX_DECL Result<void> ChannelSubscriber::be_present(std::string_view channel, std::string data) {
  const bool is_new = !is_present_in(channel);
  const std::size_t most = hub_->options().subscriptions_per_client_max;
  if (is_new && present_in_.size() >= most) {
    return Error(Errc::limit_exceeded, "too many channels: a client may be present in " + std::to_string(most));
  }
  const auto identity = client_.identity();
  auto present = hub_->be_present(channel, {client_.id(), identity ? identity->user_id : "", std::move(data)});
  if (present && is_new) present_in_.emplace_back(channel);
  return present;
}

FLUX_DECL bool ChannelSubscriber::is_present_in(std::string_view channel) const {
  return std::find(present_in_.begin(), present_in_.end(), channel) != present_in_.end();
}

FLUX_DECL void ChannelSubscriber::note_present(std::string_view channel) {
  if (!is_present_in(channel)) present_in_.emplace_back(channel);
}

FLUX_DECL bool ChannelSubscriber::be_absent(std::string_view channel) {
  const auto found = std::find(present_in_.begin(), present_in_.end(), channel);
  if (found == present_in_.end()) return false;
  const std::string name = std::move(*found);
  present_in_.erase(found);
  return hub_->be_absent(name, client_.id());
}

FLUX_DECL Result<void> ChannelSubscriber::note_bound(std::string_view channel) {
  if (std::find(bound_in_.begin(), bound_in_.end(), channel) != bound_in_.end()) return {};
  const std::size_t most = hub_->options().subscriptions_per_client_max;
  if (bound_in_.size() >= most) {
    return Error(Errc::limit_exceeded, "too many channels: a client may bind state in " + std::to_string(most));
  }
  bound_in_.emplace_back(channel);
  return {};
}

FLUX_DECL ChannelClient ChannelSubscriber::info() const {
  ChannelClient info{client_.id(), {}, present_in_};
  seats_.each([&](const ChannelSeat& seat) {
    info.subscriptions.push_back(seat.channel->name);
    return true;
  });
  return info;
}

FLUX_DECL const void* ChannelSubscriber::feature() const noexcept { return hub_.get(); }

FLUX_DECL void ChannelSubscriber::flush() { receiver_->flusher->flush_now(); }

FLUX_DECL std::string ChannelSubscriber::change_view(const ClientView& view, const core::Receiver& client,
                                                     char separator) {
  auto next = std::make_unique<ChannelReceiver>(
      ChannelReceiver{client.key, client.outlet, client.outlet->hot_memory(), receiver_->flusher, &view});
  std::string pending;
  seats_.each([&](ChannelSeat& seat) {
    const std::string of_seat = hub_->move(seat, *next, separator);
    if (!pending.empty() && !of_seat.empty()) pending += separator;
    pending += of_seat;
    return true;
  });
  receiver_ = std::move(next);
  return pending;
}

FLUX_DECL bool ChannelSubscriber::catch_up(const Congested& congested, const Send& send) {
  seats_.each([&](ChannelSeat& seat) {
    if (congested()) return false;
    if (seat.seat.state_known == 0) return true;
    if (const auto newest = hub_->catch_up(seat)) send(newest);
    return true;
  });
  return true;
}

/// Whether the client, whose grant is now `granted`, may stay subscribed. A channel's own token counts while it is the client's.
FLUX_DECL Result<void> ChannelSubscriber::may_stay(const std::string& channel, const Grant* granted) const {
  const auto token = tokens_.find(channel);
  if (token == tokens_.end()) return hub_->may_subscribe(granted, channel);
  if (client_.may_use_token_of(token->second->grant()->identity.user_id)) return {};
  return Error(Errc::unauthorized, "the token is another user's");
}

FLUX_DECL void ChannelSubscriber::grant_changed() {
  const auto granted = client_.grant();
  std::vector<std::pair<std::string, Error>> ended;
  seats_.each([&](const ChannelSeat& seat) {
    const std::string& name = seat.channel->name;
    if (const auto allowed = may_stay(name, granted.get()); !allowed) ended.emplace_back(name, allowed.error());
    return true;
  });
  const auto present_in = present_in_;
  for (const std::string& channel : present_in) {
    const std::string& demanded = hub_->settings_of(channel).options.demands.presence;
    if (!hub_->may(granted.get(), demanded, channel)) {
      be_absent(channel);
    } else {
      hub_->become(channel, client_.id(), granted ? granted->identity.user_id : std::string());
    }
  }
  for (const auto& [name, why] : ended) unsubscribe(name);
  // Last, because a client that reads too slowly may be closed by it: then this subscriber is gone.
  Participant& client = client_;
  for (const auto& [name, why] : ended) tell_unsubscribed(client, name, why.message(), why.code());
}

FLUX_DECL void ChannelSubscriber::leave() {
  for (const auto& [channel, token] : tokens_) hub_->backend().admitted.forget(token.get());
  seats_.each([this](ChannelSeat& seat) {
    hub_->leave(seat);
    return true;
  });
  for (const std::string& channel : present_in_) hub_->be_absent(channel, client_.id());
  for (const std::string& channel : bound_in_) hub_->unbind_state(channel, client_.id());
  delete this;
}

}  // namespace flux::features
