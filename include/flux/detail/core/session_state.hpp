// What all clients have in common, whatever their protocol, and the directory of all sessions.
#pragma once

#include <flux/detail/core/grant_holder.hpp>
#include <flux/detail/core/ip_address.hpp>
#include <flux/detail/core/listed_client.hpp>
#include <flux/detail/core/loop.hpp>
#include <flux/detail/core/secret.hpp>
#include <flux/detail/core/session_key.hpp>
#include <flux/error.hpp>
#include <flux/grant.hpp>
#include <flux/types.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace flux::features {
class Room;
}

namespace flux::detail {

/// Where the application puts a session.
struct Placement {
  RoomId room;
  std::optional<JsonText> presence;  ///< none: what it has there, or `{}`
  std::optional<RoomId> from;        ///< the room that it leaves for that; none: it leaves none
  std::string reason;                ///< why it leaves; empty: none is given
};

/// The state behind `flux::Session`. Outlives its connection, and even the server, as long as there is a handle.
/// Threading: any thread, unless stated otherwise.
class SessionState : public core::GrantHolder {
 public:
  SessionState(std::uint64_t key, std::shared_ptr<core::Loop> loop, const core::ClientAddress& remote,
               std::shared_ptr<const Grant> grant)
      : key_(key), loop_(std::move(loop)), grant_(std::move(grant)), remote_(remote) {}
  ~SessionState() override = default;

  std::uint64_t key() const noexcept { return key_; }
  SessionId id() const { return core::key_text(key_); }
  const std::shared_ptr<core::Loop>& loop() const noexcept final { return loop_; }
  const core::ClientAddress& remote() const noexcept { return remote_; }
  /// Null: an empty one.
  std::shared_ptr<const Grant> grant() const override {
    const std::lock_guard lock(loop_->sessions_mutex());
    return grant_;
  }
  /// The grant that the gate gave it, which may have another user: access ends when either is revoked.
  virtual std::shared_ptr<const Grant> gate_grant() const { return grant(); }
  /// Null: unknown.
  std::shared_ptr<const Identity> identity() const {
    auto granted = grant();
    if (!granted) return nullptr;
    const Identity& of_grant = granted->identity;
    return {std::move(granted), &of_grant};
  }

  /// Its wire protocol, named as in `ConnectedClient::protocol`.
  virtual std::string_view protocol() const noexcept = 0;
  virtual bool connected() const = 0;
  virtual ClientCounts counts() const noexcept = 0;
  virtual std::vector<RoomId> rooms() const = 0;
  bool is_in(const RoomId& room) const {
    const auto in = rooms();
    return std::find(in.begin(), in.end(), room) != in.end();
  }
  /// What the application has stored with it; null: nothing.
  JsonText data() const {
    const std::lock_guard lock(loop_->sessions_mutex());
    const auto found = loop_->session_data().find(key_);
    return found == loop_->session_data().end() ? JsonText() : found->second;
  }
  /// Null removes it. Errors: message_too_large; session_not_found.
  virtual Result<void> change_data(JsonText data) = 0;
  virtual Result<Sent> send(std::string_view event, const JsonText& payload, const RoomId& room) = 0;
  virtual void close_session(CloseCode code, std::string_view reason) = 0;
  /// Replaces the grant, from now on; memberships stay. Errors: session_not_found.
  virtual Result<void> change_grant(Grant grant) = 0;
  /// Removes the session from a room that has ended, but not from a new room with the same id. On its loop.
  virtual void leave_room(const std::shared_ptr<features::Room>& room) = 0;

  /// `done` is called once, on the session's loop or where the loop ends.
  using WhenDone = std::function<void(Result<void>)>;
  /// The application puts the session in a room, without asking its handlers. In a turn of its own: a handler may do so
  /// for the session that it is called for. Errors: session_not_found; not_in_room; those of a join.
  virtual void place(Placement placement, WhenDone done) = 0;
  /// The application removes the session from a room, likewise. Errors: session_not_found; room_not_found; not_in_room.
  virtual void put_out(RoomId room, std::string reason, WhenDone done) = 0;

 protected:
  void set_grant(std::shared_ptr<const Grant> grant) {
    const std::lock_guard lock(loop_->sessions_mutex());
    grant_.swap(grant);
  }
  void forget_data() {
    const std::lock_guard lock(loop_->sessions_mutex());
    loop_->session_data().erase(key_);
  }

 private:
  const std::uint64_t key_;
  const std::shared_ptr<core::Loop> loop_;
  std::shared_ptr<const Grant> grant_;
  const core::ClientAddress remote_;
};

}  // namespace flux::detail

namespace flux::core {

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

  /// Assigns the session to the user; does nothing if the user is empty.
  void add_user(const std::string& user, SessionPtr session) {
    if (user.empty()) return;
    const std::uint64_t key = session->key();
    const std::lock_guard lock(users_mutex_);
    users_.insert({user, key, std::move(session)});
  }
  void remove_user(const std::string& user, std::uint64_t key) {
    if (user.empty()) return;
    const std::lock_guard lock(users_mutex_);
    users_.erase({user, key, nullptr});  // the caller holds the session
  }
  std::vector<SessionPtr> of_user(std::string_view user) const {
    std::vector<SessionPtr> list;
    const std::lock_guard lock(users_mutex_);
    for (auto entry = users_.lower_bound(user); entry != users_.end() && entry->user == user; ++entry) {
      list.push_back(entry->session);
    }
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
  // Ordered, not hashed: one user may have many sessions, and each must be removed without looking at the others.
  struct UserKey {
    std::string user;
    std::uint64_t key;
    SessionPtr session;  // so that the sessions of a user with many need not be looked up one by one
  };
  struct ByUser {
    using is_transparent = void;
    bool operator()(const UserKey& a, const UserKey& b) const {
      const int order = a.user.compare(b.user);
      return order != 0 ? order < 0 : a.key < b.key;
    }
    bool operator()(const UserKey& a, std::string_view user) const { return a.user < user; }
    bool operator()(std::string_view user, const UserKey& b) const { return user < b.user; }
  };
  mutable std::mutex users_mutex_;
  std::set<UserKey, ByUser> users_;
};

}  // namespace flux::core
