// What is common to the clients of every protocol, and the directory of all of them.
#pragma once

#include <flux/detail/core/grant_holder.hpp>
#include <flux/detail/core/ip_address.hpp>
#include <flux/detail/core/loop.hpp>
#include <flux/detail/core/secret.hpp>
#include <flux/detail/core/session_key.hpp>
#include <flux/error.hpp>
#include <flux/grant.hpp>
#include <flux/types.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace flux::features {
class Room;
}

namespace flux::detail {

/// Behind `flux::Session`. Outlives its connection as long as somebody holds a handle, and then the server too.
/// Threading: any thread, but where it says otherwise.
class SessionState : public core::GrantHolder {
 public:
  SessionState(std::uint64_t key, std::shared_ptr<core::Loop> loop, const core::ClientAddress& remote,
               std::shared_ptr<const Grant> grant)
      : key_(key), loop_(std::move(loop)), grant_(std::move(grant)), remote_(remote) {}
  ~SessionState() override = default;

  std::uint64_t key() const noexcept { return key_; }
  SessionId id() const { return core::key_text(key_); }
  const std::shared_ptr<core::Loop>& loop() const noexcept { return loop_; }
  const core::ClientAddress& remote() const noexcept { return remote_; }
  /// Null: an empty one.
  std::shared_ptr<const Grant> grant() const override {
    const std::lock_guard lock(loop_->sessions_mutex());
    return grant_;
  }
  /// Null: unknown.
  std::shared_ptr<const Identity> identity() const {
    auto granted = grant();
    if (!granted) return nullptr;
    const Identity& of_grant = granted->identity;
    return {std::move(granted), &of_grant};
  }

  virtual bool connected() const = 0;
  virtual std::vector<RoomId> rooms() const = 0;
  bool is_in(const RoomId& room) const {
    const auto in = rooms();
    return std::find(in.begin(), in.end(), room) != in.end();
  }
  virtual Result<Sent> send(std::string_view event, const JsonText& payload, const RoomId& room) = 0;
  virtual void close_session(CloseCode code, std::string_view reason) = 0;
  /// Gives it another grant, which counts from now on; its memberships stay. Errors: session_not_found.
  virtual Result<void> change_grant(Grant grant) = 0;
  /// Takes the session out of a room that has ended; not of one that was made under the same id. On its loop.
  virtual void leave_room(const std::shared_ptr<features::Room>& room) = 0;

 protected:
  void set_grant(std::shared_ptr<const Grant> grant) {
    const std::lock_guard lock(loop_->sessions_mutex());
    grant_.swap(grant);
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

  void add(const SessionPtr& session) {
    Shard& s = shard(session->key());
    const std::lock_guard lock(s.mutex);
    s.sessions.emplace(session->key(), session);
  }
  void remove(std::uint64_t key) {
    SessionPtr last;  // destroyed without the lock
    Shard& s = shard(key);
    const std::lock_guard lock(s.mutex);
    const auto found = s.sessions.find(key);
    if (found == s.sessions.end()) return;
    last = std::move(found->second);
    s.sessions.erase(found);
  }
  SessionPtr find(std::uint64_t key) const {
    const Shard& s = shard(key);
    const std::lock_guard lock(s.mutex);
    const auto found = s.sessions.find(key);
    return found == s.sessions.end() ? nullptr : found->second;
  }
  std::vector<SessionPtr> all() const {
    std::vector<SessionPtr> list;
    for (const Shard& s : shards_) {
      const std::lock_guard lock(s.mutex);
      for (const auto& [key, session] : s.sessions) list.push_back(session);
    }
    return list;
  }

  /// The session is the user's from now on; an empty user is nobody.
  void add_user(const std::string& user, std::uint64_t key) {
    if (user.empty()) return;
    const std::lock_guard lock(users_mutex_);
    users_.emplace(user, key);
  }
  void remove_user(const std::string& user, std::uint64_t key) {
    if (user.empty()) return;
    const std::lock_guard lock(users_mutex_);
    const auto [begin, end] = users_.equal_range(user);
    for (auto entry = begin; entry != end; ++entry) {
      if (entry->second == key) {
        users_.erase(entry);
        return;
      }
    }
  }
  std::vector<SessionPtr> of_user(std::string_view user) const {
    std::vector<std::uint64_t> keys;
    {
      const std::lock_guard lock(users_mutex_);
      const auto [begin, end] = users_.equal_range(std::string(user));
      for (auto entry = begin; entry != end; ++entry) keys.push_back(entry->second);
    }
    std::vector<SessionPtr> list;
    for (const std::uint64_t key : keys) {
      if (auto session = find(key)) list.push_back(std::move(session));
    }
    return list;
  }

 private:
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::uint64_t, SessionPtr> sessions;
  };
  // Keys are mixed already: their low bits are as good as any.
  Shard& shard(std::uint64_t key) { return shards_[key % shards_.size()]; }
  const Shard& shard(std::uint64_t key) const { return shards_[key % shards_.size()]; }

  std::array<Shard, 16> shards_;
  mutable std::mutex users_mutex_;
  std::unordered_multimap<std::string, std::uint64_t, SeededHash, std::equal_to<>> users_;
};

}  // namespace flux::core
