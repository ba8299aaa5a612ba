#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/gate/grant_source.hpp>
#include <flux/detail/gate/revocations.hpp>
#include <flux/detail/mode.hpp>

#include <mutex>
#include <utility>

namespace flux {

FLUX_DECL std::string_view to_string(RevocationKind kind) noexcept {
  return kind == RevocationKind::user ? "user" : "credential";
}

namespace gate {

FLUX_DECL Result<void> Revocations::check(const Revocation& revocation) {
  const std::string what(to_string(revocation.kind));
  const std::string& name = revocation.name;
  if (name.empty()) return Error(Errc::invalid_argument, "the " + what + " to revoke is empty; name one");
  if (name.size() > Revocation::name_bytes_max) {
    return Error(Errc::invalid_argument, "the " + what + " to revoke has " + std::to_string(name.size()) +
                                             " bytes; at most " + std::to_string(Revocation::name_bytes_max));
  }
  if (!core::valid_utf8(name) || name.find('\0') != std::string::npos) {
    return Error(Errc::invalid_argument,
                 "the " + what + " to revoke must be UTF-8 without NUL; \"" + core::shown(name) + "\" is not");
  }
  if (revocation.reason.size() > Revocation::reason_bytes_max) {
    return Error(Errc::invalid_argument, "the reason of a revocation has " + std::to_string(revocation.reason.size()) +
                                             " bytes; at most " + std::to_string(Revocation::reason_bytes_max));
  }
  if (!core::valid_utf8(revocation.reason) || revocation.reason.find('\0') != std::string::npos) {
    return Error(Errc::invalid_argument, "the reason of a revocation must be UTF-8 without NUL; \"" +
                                             core::shown(revocation.reason) + "\" is not");
  }
  return {};
}

FLUX_DECL const Revocations::Entry* Revocations::current(RevocationKind kind, std::string_view name,
                                                         std::int64_t now) const {
  if (name.empty()) return nullptr;
  const auto found = names(kind).find(name);
  return found == names(kind).end() || found->second.until <= now ? nullptr : &found->second;
}

FLUX_DECL std::optional<std::string> Revocations::refusal(const Grant& grant) const {
  if (const auto& source = GrantSource::of(grant)) {
    if (auto refused = source->refusal()) return refused;
  }
  if (size() == 0) return std::nullopt;
  const std::int64_t now = clock_->unix_ms();
  const std::shared_lock lock(mutex_);
  const Entry* found = current(RevocationKind::user, grant.identity.user_id, now);
  if (found == nullptr) found = current(RevocationKind::credential, grant.credential, now);
  if (found == nullptr) return std::nullopt;
  return found->reason;
}

FLUX_DECL Result<void> Revocations::add(Revocation revocation, std::vector<Key>& ended) {
  if (auto fit = check(revocation); !fit) return fit;
  const std::int64_t now = clock_->unix_ms();
  const std::unique_lock lock(mutex_);
  take_ended(now, ended);
  Names& of_kind = names(revocation.kind);
  if (const auto before = of_kind.find(revocation.name); before != of_kind.end()) erase(before);
  Result<void> result;
  if (revocation.until > now && ends_.size() >= count_max_) {
    result = Error(Errc::limit_exceeded, std::to_string(count_max_) +
                                             " users and credentials are revoked already, which is the most "
                                             "(Config::revocations.count_max)");
  } else if (revocation.until > now) {
    const auto entry = of_kind
                           .emplace(std::move(revocation.name),
                                    Entry{revocation.kind, revocation.until, std::move(revocation.reason), ends_.end()})
                           .first;
    entry->second.end = ends_.emplace(revocation.until, &*entry);
  }
  count();
  return result;
}

FLUX_DECL bool Revocations::remove(RevocationKind kind, std::string_view name) {
  const std::unique_lock lock(mutex_);
  const auto found = names(kind).find(name);
  if (found == names(kind).end()) return false;
  erase(found);
  count();
  return true;
}

FLUX_DECL std::vector<Revocations::Key> Revocations::remove_ended() {
  std::vector<Key> ended;
  if (size() == 0) return ended;
  const std::unique_lock lock(mutex_);
  take_ended(clock_->unix_ms(), ended);
  count();
  return ended;
}

FLUX_DECL void Revocations::erase(Names::iterator entry) {
  ends_.erase(entry->second.end);
  names(entry->second.kind).erase(entry);
}

FLUX_DECL void Revocations::take_ended(std::int64_t now, std::vector<Key>& ended) {
  while (!ends_.empty() && ends_.begin()->first <= now) {
    const auto& [name, entry] = *ends_.begin()->second;
    ended.push_back({entry.kind, name});
    erase(names(entry.kind).find(ended.back().name));
  }
}

FLUX_DECL std::optional<Revocation> Revocations::find(RevocationKind kind, std::string_view name) const {
  const std::shared_lock lock(mutex_);
  const auto found = names(kind).find(name);
  if (found == names(kind).end()) return std::nullopt;
  return Revocation{kind, found->first, found->second.until, found->second.reason};
}

FLUX_DECL std::vector<Revocation> Revocations::all() const {
  const std::int64_t now = clock_->unix_ms();
  const std::shared_lock lock(mutex_);
  std::vector<Revocation> list;
  for (auto end = ends_.upper_bound(now); end != ends_.end(); ++end) {
    const auto& [name, entry] = *end->second;
    list.push_back({entry.kind, name, entry.until, entry.reason});
  }
  return list;
}

}  // namespace gate
}  // namespace flux
