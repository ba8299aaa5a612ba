// Token buckets by user or by address.
#pragma once

#include <flux/detail/core/ip_address.hpp>
#include <flux/detail/core/secret.hpp>
#include <flux/detail/gate/rate_limit.hpp>
#include <flux/grant.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace flux::gate {

/// The sender of a message or request. Called only for limits that need it, on the connection's loop.
class Sender {
 public:
  /// The user id of its grant; empty: unknown. Valid until the grant is replaced, which only this loop does, or as long as
  /// `kept`, if that is set.
  virtual std::string_view user(std::shared_ptr<const Grant>& kept) const = 0;
  virtual core::IpAddress address() const = 0;

 protected:
  ~Sender() = default;
};

/// A sender with the methods `grant()`, or `grant_on_loop()`, and `remote()`.
template <class Client>
class SenderOf final : public Sender {
 public:
  explicit SenderOf(const Client& client) : client_(client) {}
  std::string_view user(std::shared_ptr<const Grant>& kept) const override {
    const Grant* grant = nullptr;
    if constexpr (requires { client_.grant_on_loop(); }) {
      grant = client_.grant_on_loop();
    } else {
      kept = client_.grant();
      grant = kept.get();
    }
    return grant != nullptr ? std::string_view(grant->identity.user_id) : std::string_view();
  }
  core::IpAddress address() const override { return client_.remote().ip; }

 private:
  const Client& client_;
};

/// Token buckets that several connections share, by user or by address. A full bucket is not kept: memory is used only
/// for keys that have sent something within the time that a bucket takes to fill.
/// Threading: any thread.
class SharedRates {
 public:
  /// Without a limit nothing is kept.
  explicit SharedRates(const Pace& pace);
  /// `rate` a second; 0: unlimited.
  SharedRates(std::uint32_t rate, std::uint32_t burst) : SharedRates(Pace(rate, burst)) {}

  bool limits() const noexcept { return pace_.limits; }
  /// Takes one from the key's bucket, if there is one. Otherwise returns after how long there is one, which is more than
  /// 0. Only if there is a limit.
  Pace::Duration take(std::string_view key, Clock::TimePoint now);
  /// The same for the sender's user: 0 if there is no limit, or the sender has no user id.
  Pace::Duration take_of_user(const Sender& sender, Clock::TimePoint now);
  /// The same for the sender's network: 0 if there is no limit, or the sender is on this machine (loopback).
  Pace::Duration take_of_address(const Sender& sender, Clock::TimePoint now);
  bool allow(std::string_view key, Clock::TimePoint now) { return take(key, now).count() == 0; }
  /// The number of buckets that are kept.
  std::size_t size() const;

 private:
  using Buckets = std::unordered_map<std::string, RateLimit, core::SeededHash, std::equal_to<>>;

  void remove_full(Clock::TimePoint now);

  const Pace pace_;
  const Clock::TimePoint::duration fill_time_;
  mutable std::mutex mutex_;
  Buckets buckets_;
  Clock::TimePoint next_removal_{};
};

}  // namespace flux::gate

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/shared_rates.ipp>
#endif
