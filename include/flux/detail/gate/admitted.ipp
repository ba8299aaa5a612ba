#pragma once

#include <flux/detail/gate/admitted.hpp>
#include <flux/detail/gate/gate.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <utility>

namespace flux::gate {

FLUX_DECL void Admitted::start(const std::shared_ptr<core::Loop>& loop) {
  const std::lock_guard lock(mutex_);
  loop_ = loop;
  checking_ = false;
  if (!due_.empty()) check_by(due_.begin()->first);
}

FLUX_DECL bool Admitted::needs_entry(const Grant* grant, Find find) noexcept {
  if (grant == nullptr) return false;
  const bool found_by_user = find == Find::by_end_and_user && !grant->identity.user_id.empty();
  return grant->expires_at || !grant->credential.empty() || found_by_user;
}

FLUX_DECL void Admitted::watch(const std::shared_ptr<core::GrantHolder>& holder, Find find) {
  const auto grant = holder->grant();
  {
    const std::lock_guard lock(mutex_);
    if (const auto before = entries_.find(holder.get()); before != entries_.end()) remove(before);
    if (needs_entry(grant.get(), find)) {
      Entry entry{holder, end_of(*grant), due_.end(), users_.end(), credentials_.end()};
      if (find == Find::by_end_and_user && !grant->identity.user_id.empty()) {
        entry.user = users_.emplace(grant->identity.user_id, holder.get());
      }
      if (!grant->credential.empty()) entry.credential = credentials_.emplace(grant->credential, holder.get());
      if (grant->expires_at) {
        entry.due = due_.emplace(entry.ends_at - notice_.count(), holder.get());
        check_by(entry.due->first);
      }
      entries_.emplace(holder.get(), std::move(entry));
    }
  }
  // After the entry: whichever comes first, a revocation finds the client, or the client finds the revocation.
  if (!grant || revocations_ == nullptr) return;
  if (auto refused = revocations_->refusal(*grant)) {
    AccessEnd end(CloseCode::unauthorized, std::move(*refused));
    end.add(holder);
    std::move(end).run();
  }
}

FLUX_DECL void Admitted::remove(Entries::iterator entry) {
  if (entry->second.due != due_.end()) due_.erase(entry->second.due);
  if (entry->second.user != users_.end()) users_.erase(entry->second.user);
  if (entry->second.credential != credentials_.end()) credentials_.erase(entry->second.credential);
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

FLUX_DECL Holders Admitted::of_user(std::string_view user) const { return find(users_, user); }
FLUX_DECL Holders Admitted::of_credential(std::string_view credential) const { return find(credentials_, credential); }

FLUX_DECL Holders Admitted::find(const Names& names, std::string_view name) const {
  Holders found;
  const std::lock_guard lock(mutex_);
  const auto [begin, end] = names.equal_range(name);
  for (auto entry = begin; entry != end; ++entry) {
    if (auto holder = entries_.at(entry->second).holder.lock()) found.push_back(std::move(holder));
  }
  return found;
}

/// Under the lock. Has a check made at `due`, or within `check_interval` if that is earlier.
FLUX_DECL void Admitted::check_by(std::int64_t due) {
  const auto loop = loop_.lock();
  if (!loop || (checking_ && check_at_ <= due)) return;
  check_at_ = clock_->unix_ms() + until(due).count();
  checking_ = loop->post(
      [this, loop, due, number = ++checks_] { loop->call_after(until(due), [this, number] { check(number); }); });
}

/// At most `check_interval`.
FLUX_DECL std::chrono::milliseconds Admitted::until(std::int64_t due) const {
  const std::int64_t now = clock_->unix_ms();
  if (due <= now) return std::chrono::milliseconds(0);
  return std::min(std::chrono::milliseconds(due - now), check_interval);
}

FLUX_DECL void Admitted::check(std::uint64_t number) {
  const std::int64_t now = clock_->unix_ms();
  HoldersByLoop expiring, expired;
  {
    const std::lock_guard lock(mutex_);
    if (number != checks_) return;  // an earlier one was scheduled since
    checking_ = false;
    while (!due_.empty() && due_.begin()->first <= now) {
      const auto entry = entries_.find(due_.begin()->second);
      auto holder = entry->second.holder.lock();
      const std::int64_t ends_at = entry->second.ends_at;
      if (!holder) {
        remove(entry);
      } else if (ends_at <= now) {
        expired.add({std::move(holder), ends_at});
        remove(entry);
      } else {
        due_.erase(entry->second.due);
        entry->second.due = due_.emplace(ends_at, holder.get());
        expiring.add({std::move(holder), ends_at});
      }
    }
    if (!due_.empty()) check_by(due_.begin()->first);
  }
  std::move(expiring).post({[](core::GrantHolder& holder, std::int64_t end) {
    holder.access_expiring(end);
    return false;
  }});
  auto acts = ending(CloseCode::unauthorized, "the token has expired");
  acts.insert(acts.begin(), [](core::GrantHolder& holder, std::int64_t end) { return holder.access_expired(end); });
  std::move(expired).post(std::move(acts));
}

}  // namespace flux::gate
