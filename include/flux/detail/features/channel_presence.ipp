#pragma once

#include <flux/detail/features/channel_presence.hpp>
#include <flux/detail/mode.hpp>

#include <utility>

namespace flux::features {

FLUX_DECL ChannelPresence::Entered ChannelPresence::enter(PresentClient client) {
  if (const auto found = numbers_.find(client.client_id); found != numbers_.end()) {
    PresentClient& present = clients_.at(found->second);
    // The client logged in as another user: count it there.
    if (present.user_id != client.user_id) {
      const std::int64_t joined_at = present.joined_at;
      auto left = leave(client.client_id);
      client.joined_at = joined_at;
      Entered entered = enter(std::move(client));
      return {entered.client, true, entered.first_of_user, std::move(left)};
    }
    present.data = std::move(client.data);
    present.last_seen_at = client.last_seen_at;
    present.is_connected = client.is_connected;
    return {present, false, false};
  }
  const bool first = client.user_id.empty() ? ++without_user_ != 0 : ++users_[client.user_id] == 1;
  numbers_.emplace(client.client_id, next_);
  const auto placed = clients_.emplace(next_++, std::move(client)).first;
  return {placed->second, true, first};
}

FLUX_DECL std::optional<ChannelPresence::Left> ChannelPresence::leave(std::string_view client_id) {
  const auto found = numbers_.find(client_id);
  if (found == numbers_.end()) return std::nullopt;
  const auto at = clients_.find(found->second);
  Left left{std::move(at->second), true};
  clients_.erase(at);
  numbers_.erase(found);
  if (left.client.user_id.empty()) {
    --without_user_;
  } else if (const auto user = users_.find(left.client.user_id); --user->second == 0) {
    users_.erase(user);
  } else {
    left.last_of_user = false;
  }
  return left;
}

FLUX_DECL const PresentClient* ChannelPresence::find(std::string_view client_id) const {
  const auto found = numbers_.find(client_id);
  return found == numbers_.end() ? nullptr : &clients_.at(found->second);
}

FLUX_DECL std::vector<SessionId> ChannelPresence::unseen_since(std::int64_t time) const {
  std::vector<SessionId> ids;
  for (const auto& [number, client] : clients_) {
    if (!client.is_connected && client.last_seen_at <= time) ids.push_back(client.client_id);
  }
  return ids;
}

}  // namespace flux::features
