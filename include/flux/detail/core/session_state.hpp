// What all clients have in common, whatever their protocol.
#pragma once

#include <flux/detail/core/grant_holder.hpp>
#include <flux/detail/core/ip_address.hpp>
#include <flux/detail/core/loop.hpp>
#include <flux/detail/core/session_key.hpp>
#include <flux/error.hpp>
#include <flux/grant.hpp>
#include <flux/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux::features {
class Room;
}

namespace flux::core {
class SessionsByUser;
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
  /// The same on its loop, without a lock: the grant is replaced only there. Valid until then, so not across a call of the
  /// application, which may replace it.
  const Grant* grant_on_loop() const noexcept { return grant_.get(); }
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
  /// On its loop.
  void set_grant(std::shared_ptr<const Grant> grant) {
    const std::lock_guard lock(loop_->sessions_mutex());
    grant_.swap(grant);
  }
  void forget_data() {
    const std::lock_guard lock(loop_->sessions_mutex());
    loop_->session_data().erase(key_);
  }

 private:
  friend class core::SessionsByUser;

  const std::uint64_t key_;
  const std::shared_ptr<core::Loop> loop_;
  std::shared_ptr<const Grant> grant_;
  const core::ClientAddress remote_;
  std::uint32_t place_ = 0;  // in the list of its user's sessions; under the mutex of `SessionsByUser`
};

}  // namespace flux::detail
