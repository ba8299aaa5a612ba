// A client that uses channels.
#pragma once

#include <flux/channel_types.hpp>
#include <flux/detail/features/channel_hub.hpp>
#include <flux/detail/features/channel_lanes.hpp>
#include <flux/detail/features/participant.hpp>
#include <flux/detail/features/subscriber.hpp>
#include <flux/detail/gate/operation_limits.hpp>
#include <flux/detail/mode.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux::features {

/// The subscriptions of one client, by name. Open addressing: a server may have a million.
class ChannelSeats {
 public:
  ChannelSeats() = default;
  ~ChannelSeats();
  ChannelSeats(const ChannelSeats&) = delete;
  ChannelSeats& operator=(const ChannelSeats&) = delete;

  std::size_t size() const noexcept { return count_; }
  /// Null: there is none.
  ChannelSeat* find(std::string_view name, std::uint32_t hash) const noexcept;
  /// One whose channel is set.
  void add(std::unique_ptr<ChannelSeat> seat);
  std::unique_ptr<ChannelSeat> take(const ChannelSeat& seat) noexcept;
  /// Calls `visit` with each, until it returns false. `visit` must not add or take one.
  template <class Visit>
  bool each(const Visit& visit) const {
    for (ChannelSeat* const seat : slots_) {
      if (seat != nullptr && !visit(*seat)) return false;
    }
    return true;
  }

 private:
  std::size_t home_of(const ChannelSeat& seat) const noexcept;
  void put(ChannelSeat* seat) noexcept;

  std::vector<ChannelSeat*> slots_;  // a power of 2, or none
  std::size_t count_ = 0;
};

class ChannelToken;

/// Acts in channels for one client. Exists from its first act that needs it until the client disconnects. Threading: the
/// client's loop.
class ChannelSubscriber final : public Subscriber {
 public:
  /// Null if the client has not used channels yet.
  static ChannelSubscriber* find(const ChannelHub& hub, const Participant& client);
  /// Creates it if it does not exist. Null: the client is closing.
  static ChannelSubscriber* get(const std::shared_ptr<ChannelHub>& hub, Participant& client);

  /// Counts a publication of the client against `ChannelOptions::publish_rate`. Errors: rate_limited.
  static Result<void> count_publication(const std::shared_ptr<ChannelHub>& hub, Participant& client,
                                        std::string_view channel);

  // --- Acts. The caller has checked the name and asked the application ---

  /// Errors: limit_exceeded.
  Result<ChannelEntry> subscribe(std::string_view channel, const ChannelSought& sought);
  /// Returns false if it was not subscribed.
  bool unsubscribe(std::string_view channel);
  bool is_subscribed(std::string_view channel) const { return seats_.find(channel, hub_->hash_of(channel)) != nullptr; }
  /// The same by the server: tells the client. `code`: of the error, if it is one.
  bool unsubscribe(std::string_view channel, std::string_view reason, std::optional<Errc> code = std::nullopt);
  /// The token of a subscription has ended.
  void token_ended(const ChannelToken& token, std::string_view reason);
  /// Errors: limit_exceeded.
  Result<void> be_present(std::string_view channel, std::string data);
  bool be_absent(std::string_view channel);
  /// The application has made the client present: it leaves with its connection.
  void note_present(std::string_view channel);
  /// The application has ended that.
  void note_absent(std::string_view channel) { std::erase(present_in_, channel); }
  /// Entries of the channel's state will be bound to the client's connection. Errors: limit_exceeded.
  Result<void> note_bound(std::string_view channel);
  ChannelClient info() const;

  FLUX_DECL const void* feature() const noexcept override;
  FLUX_DECL void flush() override;
  FLUX_DECL std::string change_view(const ClientView& view, const core::Receiver& client, char separator) override;
  FLUX_DECL bool catch_up(const Congested& congested, const Send& send) override;
  FLUX_DECL void grant_changed() override;
  FLUX_DECL void leave() override;

 private:
  ChannelSubscriber(std::shared_ptr<ChannelHub> hub, Participant& client);
  ~ChannelSubscriber() = default;

  void end(ChannelSeat& seat);
  bool is_present_in(std::string_view channel) const;
  Result<void> may_stay(const std::string& channel, const Grant* granted) const;
  void keep_token(std::string_view channel, std::shared_ptr<const Grant> token);
  void drop_token(std::string_view channel);
  static void tell_unsubscribed(Participant& client, std::string_view channel, std::string_view reason,
                                std::optional<Errc> code);

  const std::shared_ptr<ChannelHub> hub_;
  Participant& client_;
  std::unique_ptr<ChannelReceiver> receiver_;
  ChannelSeats seats_;
  std::size_t patterns_ = 0;                                                  // of the seats
  std::vector<std::string> present_in_;                                       // channels
  std::vector<std::string> bound_in_;                                         // channels
  std::map<std::string, std::shared_ptr<ChannelToken>, std::less<>> tokens_;  // by channel
  gate::OperationBuckets rates_;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/channel_subscriber.ipp>
#endif
