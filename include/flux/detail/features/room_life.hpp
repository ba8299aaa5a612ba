// The state machine of a room: whether it has members, which timer will end it, and whether the room store has it.
#pragma once

#include <flux/clock.hpp>

#include <cstdint>
#include <optional>

namespace flux::features {

/// Whether the room store has a room.
enum class InStore : std::uint8_t {
  no,       ///< the room was never written to it
  perhaps,  ///< a write was attempted, and may have failed; or it has the room with other options
  yes,
};

/// One life of a room: from its creation, or its restoring, to its end. A room that is created again under the same id
/// has another life.
///
///            enter                 empty_at
///   fresh ─────────> occupied <────────────> deserted     `await_members`: fresh, deserted -> awaiting
///     │                 ▲  enter                │         `enter` on awaiting -> occupied
///     │ begin_linger    │ linger_over           │ begin_linger
///     └──────────────┐  │                       │
///                    ▼  │         empty_at      ▼
///                   revisited <────────────> lingering    `linger_over`, `await_over`, `end_if_empty`: -> ended,
///                                 enter                   if nobody is in the room; `end`: any state -> ended
///
/// A permanent room ends only by `end`.
/// Threading: every method under the owner's lock.
class RoomLife {
 public:
  enum class State : std::uint8_t {
    fresh,      ///< no member has entered it yet, and no timer is running
    occupied,   ///< it has members
    revisited,  ///< it has members again, and the timer of its last linger is still running
    deserted,   ///< its members, or the client that created it, have left; no timer is running
    lingering,  ///< the same, and a timer is running that ends it
    awaiting,   ///< it was kept across a stop of the server, and a timer ends it unless a member enters
    ended,      ///< for good
  };

  explicit RoomLife(bool permanent = false) : permanent_(permanent) {}

  State state() const noexcept { return state_; }
  bool permanent() const noexcept { return permanent_; }
  bool ended() const noexcept { return state_ == State::ended; }
  bool has_members() const noexcept { return state_ == State::occupied || state_ == State::revisited; }

  // --- Members ---

  /// A member has entered the room, which has not ended.
  void enter() noexcept {
    state_ = state_ == State::lingering || state_ == State::revisited ? State::revisited : State::occupied;
  }
  /// The last member has left.
  void empty_at(Clock::TimePoint now) noexcept {
    if (!has_members()) return;
    empty_since_ = now;
    state_ = state_ == State::revisited ? State::lingering : State::deserted;
  }

  // --- The end of an empty room ---

  /// The room has no members, and its creator has left. Starts no timer: the next start of the server ends the room.
  void desert() noexcept {
    if (state_ == State::fresh) state_ = State::deserted;
  }
  /// Returns true if the caller must start a timer that calls `linger_over`; false if none is needed or one is running.
  bool begin_linger() noexcept {
    if (permanent_) return false;
    if (state_ != State::fresh && state_ != State::deserted && state_ != State::awaiting) return false;
    state_ = State::lingering;
    return true;
  }
  /// The timer of the linger has fired. Ends the room if it has been empty since `horizon`. Otherwise, if the caller
  /// must restart the timer for the remaining time, returns when the last member left.
  std::optional<Clock::TimePoint> linger_over(Clock::TimePoint horizon) noexcept {
    if (state_ == State::revisited) state_ = State::occupied;
    if (state_ != State::lingering) return std::nullopt;
    if (empty_since_ > horizon) return empty_since_;
    state_ = State::ended;
    return std::nullopt;
  }
  /// The timer of the linger has fired while the server is stopping, and the room must outlive the stop.
  void suspend_linger() noexcept {
    if (state_ == State::revisited) state_ = State::occupied;
    if (state_ == State::lingering) state_ = State::deserted;
  }
  /// Ends the room at once if it is empty. Returns false if it continues or had already ended.
  bool end_if_empty() noexcept {
    if (permanent_ || ended() || has_members()) return false;
    state_ = State::ended;
    return true;
  }
  /// Returns false if it had already ended.
  bool end() noexcept {
    if (ended()) return false;
    state_ = State::ended;
    return true;
  }

  // --- Stop and start of the server ---

  /// The loops of the last run have ended, and their timers with them.
  void forget_timers() noexcept {
    if (state_ == State::revisited) state_ = State::occupied;
    if (state_ == State::lingering || state_ == State::awaiting) state_ = State::deserted;
  }
  /// Returns true if the caller must start a timer that calls `await_over`.
  bool await_members() noexcept {
    if (permanent_ || (state_ != State::fresh && state_ != State::deserted)) return false;
    state_ = State::awaiting;
    return true;
  }
  /// Ends the room if no member has entered it since `await_members`. Returns false if one has, or it had already
  /// ended.
  bool await_over() noexcept {
    if (state_ != State::awaiting) return false;
    state_ = State::ended;
    return true;
  }

  // --- The room store ---

  InStore in_store() const noexcept { return in_store_; }
  /// The store has it, or may have it, from an earlier life of the process.
  void restored(InStore in_store) noexcept { in_store_ = in_store; }
  /// A call that writes the room to the store is about to be made. Returns false if the room has ended: then the call
  /// must not be made. The code that ends a room closes it in the store unless `in_store()` is `no`, so the store never
  /// keeps a room that has ended.
  bool enter_store() noexcept {
    if (ended()) return false;
    if (in_store_ == InStore::no) in_store_ = InStore::perhaps;
    return true;
  }
  void entered_store() noexcept { in_store_ = InStore::yes; }

 private:
  State state_ = State::fresh;
  InStore in_store_ = InStore::no;
  const bool permanent_;
  Clock::TimePoint empty_since_ = Clock::TimePoint::min();  // when the last member left; `min`: no member has left
};

}  // namespace flux::features
