// All connected sessions, by key and by user.
#pragma once

#include <flux/detail/core/listed_client.hpp>
#include <flux/detail/core/prefetch.hpp>
#include <flux/detail/core/secret.hpp>
#include <flux/detail/core/session_key.hpp>
#include <flux/detail/core/session_state.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace flux::core {

/// The sessions of each user. Those of one user are one after the other, since ending the access of a user visits them
/// all, and each is removed without looking at the others. Threading: any thread.
class SessionsByUser {
 public:
  using SessionPtr = std::shared_ptr<detail::SessionState>;

  /// Assigns the session, which has no user yet, to the user; does nothing if the user is empty.
  void add(std::string_view user, SessionPtr session) {
    if (user.empty()) return;
    const std::lock_guard lock(mutex_);
    auto found = users_.find(user);
    if (found == users_.end()) found = users_.emplace(std::string(user), Sessions()).first;
    Sessions& list = found->second;
    if (list.first == nullptr) {
      session->place_ = 0;
      list.first = std::move(session);
      return;
    }
    if (!list.others) list.others = std::make_unique<std::vector<SessionPtr>>();
    session->place_ = static_cast<std::uint32_t>(list.others->size() + 1);
    list.others->push_back(std::move(session));
  }
  /// Does nothing if the session is not assigned to the user.
  void remove(std::string_view user, const detail::SessionState& session) {
    SessionPtr removed, last;  // destroyed without the lock
    const std::lock_guard lock(mutex_);
    const auto found = users_.find(user);
    if (found == users_.end()) return;
    Sessions& list = found->second;
    SessionPtr* const place = list.at(session.place_);
    if (place == nullptr || place->get() != &session) return;
    removed = std::move(*place);
    if (!list.others) {
      users_.erase(found);
      return;
    }
    last = std::move(list.others->back());
    list.others->pop_back();
    if (list.others->empty()) list.others.reset();
    if (last == nullptr) return;  // it was the one that is removed
    last->place_ = session.place_;
    *place = std::move(last);
  }
  /// Calls `visit(session)` for each session of the user, under the lock.
  template <class Visit>
  void visit(std::string_view user, const Visit& visit) const {
    const std::lock_guard lock(mutex_);
    const auto found = users_.find(user);
    if (found == users_.end()) return;
    const Sessions& list = found->second;
    const std::size_t others = list.others ? list.others->size() : 0;
    visit(list.first);
    constexpr std::size_t ahead = 8;  // sessions whose memory is fetched meanwhile: of many, it is not in the cache
    for (std::size_t i = 0; i < others; ++i) {
      if (i + ahead < others) prefetch((*list.others)[i + ahead].get());
      visit((*list.others)[i]);
    }
  }

 private:
  /// Most users have one session, which needs no list.
  struct Sessions {
    SessionPtr first{};
    std::unique_ptr<std::vector<SessionPtr>> others{};  // null: none

    /// Null if there is no such place.
    SessionPtr* at(std::size_t place) {
      if (place == 0) return &first;
      return others && place <= others->size() ? &(*others)[place - 1] : nullptr;
    }
  };
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Sessions, SeededHash, std::equal_to<>> users_;
};

/// Every connected session, by key and by user. Threading: any thread.
class SessionDirectory {
 public:
  using SessionPtr = std::shared_ptr<detail::SessionState>;
  struct Entry {
    SessionPtr session;
    std::uint32_t connected_at;  // seconds since 1970; stored here because the allocator would leave the space unused
  };

  void add(const SessionPtr& session, std::int64_t unix_ms) {
    Shard& s = shard(session->key());
    const std::lock_guard lock(s.mutex);
    s.sessions.emplace(session->key(), Entry{session, static_cast<std::uint32_t>(unix_ms / 1000)});
  }
  void remove(std::uint64_t key) {
    SessionPtr last;  // destroyed without the lock
    Shard& s = shard(key);
    const std::lock_guard lock(s.mutex);
    const auto found = s.sessions.find(key);
    if (found == s.sessions.end()) return;
    last = std::move(found->second.session);
    s.sessions.erase(found);
  }
  SessionPtr find(std::uint64_t key) const {
    const Shard& s = shard(key);
    const std::lock_guard lock(s.mutex);
    const auto found = s.sessions.find(key);
    return found == s.sessions.end() ? nullptr : found->second.session;
  }
  std::vector<SessionPtr> all() const {
    std::vector<SessionPtr> list;
    for (const Shard& s : shards_) {
      const std::lock_guard lock(s.mutex);
      for (const auto& [key, entry] : s.sessions) list.push_back(entry.session);
    }
    return list;
  }
  /// At most `limit` sessions after the one with the id `after`, which may have ended; empty: from the first one.
  std::vector<ListedClient> page(std::string_view after, std::size_t limit) const {
    const std::size_t first = key_from_text(after).value_or(0) % shards_.size();
    return list_shards(shards_, first, limit, [&](const Shard& of, std::vector<ListedClient>& list) {
      for (const auto& [key, entry] : of.sessions) {
        ListedClient client{entry.session->id(), entry.session->protocol(), entry.connected_at, entry.session->counts(),
                            entry.session};
        if (&of != &shards_[first] || client.id > after) list.push_back(std::move(client));
      }
    });
  }

  /// By user. Not a part of this list of all: a session's user may change.
  SessionsByUser& by_user() noexcept { return by_user_; }
  std::vector<SessionPtr> of_user(std::string_view user) const {
    std::vector<SessionPtr> list;
    by_user_.visit(user, [&](const SessionPtr& session) { list.push_back(session); });
    return list;
  }

 private:
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::uint64_t, Entry> sessions;
  };
  // Keys are already random, so their low bits select a shard.
  Shard& shard(std::uint64_t key) { return shards_[key % shards_.size()]; }
  const Shard& shard(std::uint64_t key) const { return shards_[key % shards_.size()]; }

  std::array<Shard, 16> shards_;
  SessionsByUser by_user_;
};

}  // namespace flux::core
