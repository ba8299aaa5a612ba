#pragma once

#include <flux/detail/core/json_object.hpp>
#include <flux/detail/features/channel_payloads.hpp>
#include <flux/detail/mode.hpp>

#include <memory>
#include <utility>

namespace flux::features {

FLUX_DECL Publication encoded_publication(const ChannelPost& post, const Position& position, std::int64_t time) {
  Publication publication;
  auto payload = std::make_shared<std::string>();
  constexpr std::size_t around = 160;  // the names of the members, and the short ones
  payload->reserve(post.channel.size() + post.data.size() + around);
  detail::JsonObject object(*payload);
  object.string("channel", post.channel).key("data");
  publication.data_begin = payload->size();
  publication.data_size = post.data.size();
  *payload += post.data;
  object.optional_string("clientId", post.client_id).optional_string("userId", post.user_id);
  if (!position.epoch.empty()) object.string("epoch", position.epoch).number("offset", position.offset);
  object.number("timestamp", time).end();
  publication.payload = std::move(payload);
  publication.offset = position.offset;
  publication.timestamp = time;
  publication.client_id = post.client_id;
  publication.user_id = post.user_id;
  return publication;
}

namespace channel_payloads_detail {

/// `flag`: as for `presence_payload`.
FLUX_DECL void put_present(detail::JsonObject& object, const PresentClient& client, std::string_view flag) {
  object.string("clientId", client.client_id).optional_string("userId", client.user_id).json("data", client.data);
  object.number("joinedAt", client.joined_at).number("lastSeenAt", client.last_seen_at);
  if (!flag.empty()) object.json(flag, "true");
}

FLUX_DECL void put_position(detail::JsonObject& object, const Position& position) {
  if (!position.epoch.empty()) object.string("epoch", position.epoch).number("offset", position.offset);
}

FLUX_DECL void put_entry(detail::JsonObject& object, const StateEntry& entry) {
  object.json("value", entry.value).number("version", entry.version).optional_string("boundTo", entry.owner);
  if (entry.expires_at != 0) object.number("expiresAt", entry.expires_at);
}

FLUX_DECL void put_state(detail::JsonObject& object, std::string& text, const StatePart& part) {
  if (!part.epoch.empty()) object.string("epoch", part.epoch);
  object.number("version", part.version).key("entries");
  detail::append_json_array(text, part.entries, [&](const auto& entry) {
    detail::JsonObject member(text);
    member.string("key", entry.first);
    put_entry(member, entry.second);
    member.end();
  });
  if (part.more) object.json("more", "true").string("after", part.entries.back().first);
}

}  // namespace channel_payloads_detail

FLUX_DECL std::string presence_payload(std::string_view channel, const PresentClient& client, std::string_view flag) {
  std::string text;
  detail::JsonObject object(text);
  object.string("channel", channel);
  channel_payloads_detail::put_present(object, client, flag);
  object.end();
  return text;
}

FLUX_DECL std::string entry_payload(std::string_view channel, const ChannelEntry& entry) {
  std::string text;
  detail::JsonObject object(text);
  object.string("channel", channel);
  channel_payloads_detail::put_position(object, entry.position);
  if (entry.state) {
    object.key("state");
    detail::JsonObject state(text);
    channel_payloads_detail::put_state(state, text, *entry.state);
    state.end();
  }
  if (entry.recovered) {
    object.json("recovered", *entry.recovered ? "true" : "false").optional_string("reason", entry.reason);
  }
  object.end();
  return text;
}

FLUX_DECL std::string published_payload(const Published& published) {
  std::string text;
  detail::JsonObject object(text);
  channel_payloads_detail::put_position(object, published.position);
  if (published.is_repeat) object.json("repeat", "true");
  object.end();
  return text;
}

FLUX_DECL std::string history_payload(std::string_view channel, const ChannelPart& part) {
  std::string text;
  detail::JsonObject object(text);
  object.string("channel", channel);
  channel_payloads_detail::put_position(object, part.position);
  object.key("publications");
  detail::append_json_array(text, part.publications,
                            [&](const Publication& publication) { text += *publication.payload; });
  if (part.more) object.json("more", "true");
  object.end();
  return text;
}

FLUX_DECL std::string present_payload(std::string_view channel, const ChannelPresent& present, bool counts_only) {
  std::string text;
  detail::JsonObject object(text);
  object.string("channel", channel);
  object.number("clients", std::uint64_t{present.clients}).number("users", std::uint64_t{present.users});
  if (!counts_only) {
    object.key("members");
    detail::append_json_array(text, present.members, [&](const PresentClient& client) {
      detail::JsonObject member(text);
      channel_payloads_detail::put_present(member, client, {});
      member.end();
    });
    if (present.after) object.json("more", "true").number("after", *present.after);
  }
  object.end();
  return text;
}

FLUX_DECL std::string state_payload(std::string_view channel, std::string_view key, const StateEntry* entry,
                                    std::uint64_t version, const SessionId& by) {
  std::string text;
  detail::JsonObject object(text);
  object.string("channel", channel).string("key", key);
  if (entry != nullptr) {
    channel_payloads_detail::put_entry(object, *entry);
  } else {
    object.json("removed", "true").number("version", version);
  }
  object.optional_string("clientId", by).end();
  return text;
}

FLUX_DECL std::string state_part_payload(std::string_view channel, const StatePart& part) {
  std::string text;
  detail::JsonObject object(text);
  object.string("channel", channel);
  channel_payloads_detail::put_state(object, text, part);
  object.end();
  return text;
}

FLUX_DECL std::string state_change_payload(const ChannelStateChange& change) {
  std::string text;
  detail::JsonObject(text).json("changed", change.changed ? "true" : "false").number("version", change.version).end();
  return text;
}

FLUX_DECL ChannelMessage message_of(const Publication& publication, std::string_view channel,
                                    const Position& position) {
  return {std::string(channel),
          detail::CheckedJson::text(std::string(publication.data())),
          publication.client_id,
          publication.user_id,
          {position.epoch, publication.offset},
          publication.timestamp};
}

}  // namespace flux::features
