// A client as a feature sees it that sends to clients by itself, such as the public space.
#pragma once

#include <flux/detail/core/audience.hpp>
#include <flux/detail/features/client_view.hpp>

#include <functional>
#include <string>
#include <utility>

namespace flux::features {

/// The place of one client among the receivers of a feature, for as long as it receives from it. Its participant calls it,
/// so that a protocol's session need not know the feature.
/// Threading: the client's loop.
class Subscriber {
 public:
  using Send = std::function<void(const core::SharedBytes& message)>;
  using Congested = std::function<bool()>;

  Subscriber() = default;
  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;

  /// Identifies the feature. A client has one subscriber of a feature at most.
  virtual const void* feature() const noexcept = 0;
  /// Sends at once what would be sent at the end of the turn.
  virtual void flush() = 0;
  /// From now on the client's messages are encoded by `view`: it has another transport. Returns what was pending in the
  /// earlier encoding, with `separator` between messages.
  virtual std::string change_view(const ClientView& view, const core::Receiver& client, char separator) = 0;
  /// Passes to `send`, as whole messages, what was held back while the client was congested, until it is `congested` again:
  /// the rest follows when its output has drained. Returns false if that is no longer known: then the client is closed. What
  /// is read must be later than all that is pending for the client (`core::Lane::lock_when_sent`), and `send`, which writes
  /// to the socket, is called without the feature's lock.
  virtual bool catch_up(const Congested& congested, const Send& send) = 0;
  /// The client's grant has been replaced: it receives no longer what that does not allow. In a turn of its own.
  virtual void grant_changed() {}
  /// Leaves the receivers. The last call: the subscriber may delete itself.
  virtual void leave() = 0;

 protected:
  ~Subscriber() = default;

 private:
  friend class Subscribers;
  Subscriber* next_ = nullptr;
};

/// The subscribers of one client; a list that runs through them. Threading: the client's loop.
class Subscribers {
 public:
  Subscribers() = default;
  Subscribers(const Subscribers&) = delete;
  Subscribers& operator=(const Subscribers&) = delete;

  bool empty() const noexcept { return first_ == nullptr; }
  /// Null: the client has none of this feature.
  Subscriber* of(const void* feature) const noexcept {
    Subscriber* at = first_;
    while (at != nullptr && at->feature() != feature) at = at->next_;
    return at;
  }
  /// The subscriber must exist until it is told to leave.
  void add(Subscriber& subscriber) noexcept { subscriber.next_ = std::exchange(first_, &subscriber); }
  /// Tells it, which must be one of these, to leave.
  void remove(Subscriber& subscriber) {
    Subscriber** at = &first_;
    while (*at != &subscriber) at = &(*at)->next_;
    *at = std::exchange(subscriber.next_, nullptr);
    subscriber.leave();
  }
  void remove_all() {
    while (first_ != nullptr) remove(*first_);
  }

  /// Calls `visit` with each, until it returns false. Returns whether none did. `visit` may remove the one that it is
  /// given, and no other.
  template <class Visit>
  bool each(const Visit& visit) const {
    for (Subscriber* at = first_; at != nullptr;) {
      Subscriber* const next = at->next_;
      if (!visit(*at)) return false;
      at = next;
    }
    return true;
  }

 private:
  Subscriber* first_ = nullptr;
};

}  // namespace flux::features
