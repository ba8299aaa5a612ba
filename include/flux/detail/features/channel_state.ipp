#pragma once

#include <flux/detail/features/channel_state.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <utility>

namespace flux::features {

FLUX_DECL const StateEntry* ChannelState::find(std::string_view key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second;
}

FLUX_DECL ChannelState::Outcome ChannelState::change(const StateWish& wish, std::size_t count_max,
                                                     std::size_t bytes_max) {
  auto found = entries_.find(wish.key);
  const bool exists = found != entries_.end();
  if (wish.version && *wish.version != (exists ? found->second.version : 0)) return Outcome::unchanged;
  const bool is_anothers = exists && !found->second.owner.empty() && found->second.owner != wish.client;
  if (is_anothers && !wish.client.empty()) return Outcome::owned;
  if (!wish.value) {
    if (!exists) return Outcome::unchanged;
    remove(found);
    return Outcome::changed;
  }
  const std::size_t before = exists ? found->second.value.size() : 0;
  const std::size_t after = bytes_ - before + wish.value->size() + (exists ? 0 : wish.key.size());
  if (after > bytes_max || (!exists && entries_.size() >= count_max)) return Outcome::full;
  bytes_ = after;
  if (!exists) found = entries_.emplace(std::string(wish.key), StateEntry{}).first;
  StateEntry& entry = found->second;
  if (entry.expires_at != 0) --expiring_;
  entry = {std::string(*wish.value), ++version_, wish.is_bound ? wish.client : SessionId(), wish.expires_at};
  if (entry.expires_at != 0) ++expiring_;
  return Outcome::changed;
}

FLUX_DECL void ChannelState::remove(Entries::iterator entry) {
  bytes_ -= entry->first.size() + entry->second.value.size();
  if (entry->second.expires_at != 0) --expiring_;
  entries_.erase(entry);
  ++version_;
}

FLUX_DECL std::int64_t ChannelState::next_expiry() const noexcept {
  std::int64_t next = never;
  if (expiring_ == 0) return next;
  for (const auto& [key, entry] : entries_) {
    if (entry.expires_at != 0) next = std::min(next, entry.expires_at);
  }
  return next;
}

FLUX_DECL void ChannelState::remove_if(const std::function<bool(const StateEntry&)>& is_over,
                                       const std::function<void(const std::string& key)>& removed) {
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto entry = at++;
    if (!is_over(entry->second)) continue;
    const std::string key = entry->first;
    remove(entry);
    removed(key);
  }
}

}  // namespace flux::features
