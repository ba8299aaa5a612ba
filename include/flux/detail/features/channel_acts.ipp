#pragma once

#include <flux/detail/features/channel_acts.hpp>
#include <flux/detail/features/channel_subscriber.hpp>
#include <flux/detail/mode.hpp>

#include <optional>

namespace flux::features {

namespace channel_acts_detail {

FLUX_DECL Result<void> check_client_id(const SessionId& id) {
  constexpr std::size_t most = 255;
  if (!id.empty() && id.size() <= most && core::valid_utf8(id) && !core::has_control_characters(id)) return {};
  return Error(Errc::invalid_argument, "the id of a client must be UTF-8 of 1 to " + std::to_string(most) +
                                           " bytes without control characters, not \"" + core::shown(id) + "\"");
}

}  // namespace channel_acts_detail

FLUX_DECL Result<void> subscribe_unasked(const std::shared_ptr<ChannelHub>& hub, Participant& client,
                                         std::string_view channel) {
  if (auto allowed = hub->may_subscribe(client.grant().get(), channel); !allowed) return allowed;
  if (!client.takes_subscriptions()) {
    return Error(Errc::forbidden, "this client gets only the channels that it has asked for itself");
  }
  auto* const subscriber = ChannelSubscriber::get(hub, client);
  if (subscriber == nullptr) return Error(Errc::session_not_found, "session " + client.id() + " is closing");
  const auto entry = subscriber->subscribe(channel, {});
  return entry ? Result<void>() : entry.error();
}

FLUX_DECL Result<void> update_presence(const std::shared_ptr<ChannelHub>& hub, const SessionId& client,
                                       std::string_view channel, const JsonText& data) {
  if (auto checked = hub->check_name(channel); !checked) return checked;
  if (auto checked = channel_acts_detail::check_client_id(client); !checked) return checked;
  const detail::Relayed relayed(data);
  const std::size_t most = hub->backend().config.limits.presence_bytes_max;
  if (auto checked = detail::check_size("the presence", relayed.text().size(), most); !checked) return checked;
  if (!hub->settings_of(channel).options.presence) {
    return Error(Errc::forbidden, "channel \"" + core::shown(channel) + "\" has no presence");
  }
  const auto key = core::key_from_text(client);
  const auto found = key ? hub->backend().sessions.find(*key) : nullptr;
  const auto participant = std::dynamic_pointer_cast<Participant>(found);
  PresentClient present{client, {}, std::string(relayed.text())};
  present.is_connected = participant != nullptr;
  if (participant) {
    if (const auto identity = participant->identity()) present.user_id = identity->user_id;
  }
  auto done = hub->be_present(channel, std::move(present));
  if (!done || !participant) return done;
  // It leaves with its connection: at once, if that has ended meanwhile.
  const auto leave_with = [hub, participant, channel = std::string(channel)] {
    auto* const subscriber = participant->connected() ? ChannelSubscriber::get(hub, *participant) : nullptr;
    if (subscriber == nullptr) {
      hub->be_absent(channel, participant->id());
    } else {
      subscriber->note_present(channel);
    }
  };
  if (!participant->loop()->dispatch(leave_with)) hub->be_absent(channel, client);
  return {};
}

/// The client's own list is changed on its loop, and only if the client has not come back meanwhile.
FLUX_DECL bool leave_presence(const std::shared_ptr<ChannelHub>& hub, const SessionId& client,
                              std::string_view channel) {
  const bool was_present = hub->be_absent(channel, client);
  const auto act = [hub, client, channel = std::string(channel)](const Participant& who) -> Result<void> {
    auto* const subscriber = ChannelSubscriber::find(*hub, who);
    if (subscriber != nullptr && !hub->is_present(channel, client)) subscriber->note_absent(channel);
    return {};
  };
  if (was_present) with_client<void>(*hub, client, {}, act);
  return was_present;
}

}  // namespace flux::features
