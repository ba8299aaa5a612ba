#pragma once

#include <flux/detail/gate/admitted.hpp>
#include <flux/detail/gate/gate.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace flux::gate {

FLUX_DECL void Admitted::start(const std::shared_ptr<core::Loop>& loop) {
  const std::lock_guard lock(mutex_);
  loop_ = loop;
  checking_ = false;
  check_soon();
}

FLUX_DECL void Admitted::watch(const std::shared_ptr<core::GrantHolder>& holder, Find find) {
  const auto grant = holder->grant();
  const std::lock_guard lock(mutex_);
  if (const auto before = entries_.find(holder.get()); before != entries_.end()) remove(before);
  if (!grant) return;
  const bool ends = grant->expires_at.has_value();
  const bool found_by_user = find == Find::by_end_and_user && !grant->identity.user_id.empty();
  if (!ends && !found_by_user) return;
  Entry entry{holder, ends_.end(), users_.end()};
  if (ends) entry.end = ends_.emplace(end_of(*grant), holder.get());
  if (found_by_user) entry.user = users_.emplace(grant->identity.user_id, holder.get());
  entries_.emplace(holder.get(), std::move(entry));
  if (ends) check_soon();
}

FLUX_DECL void Admitted::remove(Entries::iterator entry) {
  if (entry->second.end != ends_.end()) ends_.erase(entry->second.end);
  if (entry->second.user != users_.end()) users_.erase(entry->second.user);
  entries_.erase(entry);
}

FLUX_DECL void Admitted::forget(const core::GrantHolder* holder) {
  const std::lock_guard lock(mutex_);
  if (const auto entry = entries_.find(holder); entry != entries_.end()) remove(entry);
}

FLUX_DECL std::size_t Admitted::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

FLUX_DECL std::size_t Admitted::revoke_user(std::string_view user, CloseCode code, std::string_view reason) {
  std::vector<std::shared_ptr<core::GrantHolder>> revoked;
  {
    const std::lock_guard lock(mutex_);
    const auto [begin, end] = users_.equal_range(std::string(user));
    for (auto entry = begin; entry != end; ++entry) {
      if (auto holder = entries_.at(entry->second).holder.lock()) revoked.push_back(std::move(holder));
    }
  }
  for (const auto& holder : revoked) holder->end_access(code, reason);
  return revoked.size();
}

/// Under the lock.
FLUX_DECL void Admitted::check_soon() {
  const auto loop = loop_.lock();
  if (checking_ || ends_.empty() || !loop) return;
  checking_ = loop->post([this, loop] { check_in(loop, std::chrono::milliseconds(0)); });
}

FLUX_DECL void Admitted::check_in(const std::shared_ptr<core::Loop>& loop, std::chrono::milliseconds delay) {
  loop->call_after(delay, [this] { check(); });
}

FLUX_DECL void Admitted::check() {
  const std::int64_t now = clock_->unix_ms();
  std::vector<std::shared_ptr<core::GrantHolder>> ended;
  {
    const std::lock_guard lock(mutex_);
    while (!ends_.empty() && ends_.begin()->first <= now) {
      const auto entry = entries_.find(ends_.begin()->second);
      if (auto holder = entry->second.holder.lock()) ended.push_back(std::move(holder));
      remove(entry);
    }
    const auto loop = loop_.lock();
    checking_ = !ends_.empty() && loop;
    if (checking_) {
      const std::chrono::milliseconds until_next(ends_.begin()->first - now);
      check_in(loop, std::min(until_next, check_interval));
    }
  }
  for (const auto& holder : ended) holder->end_access(CloseCode::unauthorized, "the token has expired");
}

}  // namespace flux::gate
