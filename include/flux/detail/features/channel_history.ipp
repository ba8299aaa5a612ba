#pragma once

#include <flux/detail/features/channel_history.hpp>
#include <flux/detail/mode.hpp>

#include <utility>

namespace flux::features {

FLUX_DECL std::string publication_key(std::string_view user_id, std::string_view client_id, std::string_view key) {
  if (key.empty()) return {};
  // The letter keeps them apart; NUL, which no user id contains, ends the user.
  std::string text(!user_id.empty() ? "u" : !client_id.empty() ? "c" : "a");
  text.append(user_id).append(1, '\0').append(key);
  return text;
}

FLUX_DECL void ChannelHistory::add(Publication publication) {
  bytes_ += publication.payload->size();
  if (!publication.key.empty()) keys_[publication.key] = publication.offset;
  list_.push_back(std::move(publication));
  while (list_.size() > bounds_.count_max || bytes_ > bounds_.bytes_max) remove_oldest();
}

FLUX_DECL void ChannelHistory::trim(std::int64_t now) {
  while (!list_.empty() && now - list_.front().timestamp >= bounds_.age.count()) remove_oldest();
}

FLUX_DECL void ChannelHistory::remove_oldest() {
  const Publication& oldest = list_.front();
  bytes_ -= oldest.payload->size();
  // A newer one may have the key, if this one was about to expire when that one came.
  const auto named = oldest.key.empty() ? keys_.end() : keys_.find(oldest.key);
  if (named != keys_.end() && named->second == oldest.offset) keys_.erase(named);
  list_.pop_front();
}

FLUX_DECL const Publication* ChannelHistory::find(const std::string& key) const {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return nullptr;
  return &list_[static_cast<std::size_t>(found->second - list_.front().offset)];
}

FLUX_DECL ChannelHistory::List::const_iterator ChannelHistory::after(Offset offset) const noexcept {
  if (list_.empty() || offset < list_.front().offset) return list_.begin();
  const Offset skipped = offset - list_.front().offset + 1;
  return skipped >= list_.size() ? list_.end() : list_.begin() + static_cast<std::ptrdiff_t>(skipped);
}

}  // namespace flux::features
