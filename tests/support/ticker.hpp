// A feature as a module adds one: its clients receive numbers. It changes nothing in a protocol.
#pragma once

#include <flux/detail/core/members.hpp>
#include <flux/detail/features/participant.hpp>
#include <flux/detail/features/request_table.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace flux_test {

/// Threading: any thread, except where a client is passed: its loop's.
class Ticker : public std::enable_shared_from_this<Ticker> {
 public:
  /// The requests "ticks" and "no_ticks", which have no members.
  flux::features::Request subscribing() {
    return {{"ticks"}, [self = shared_from_this()](flux::features::Participant& client, const auto&, const auto& done) {
              self->subscribe(client);
              done(flux::JsonText());
            }};
  }
  flux::features::Request unsubscribing() {
    return {{"no_ticks"}, [self = shared_from_this()](auto& client, const auto&, const auto& done) {
              self->unsubscribe(client);
              done(flux::JsonText());
            }};
  }

  void subscribe(flux::features::Participant& client) {
    if (client.subscriber_of(this) != nullptr) return;
    auto added = std::make_unique<Place>(shared_from_this());
    if (!client.subscribe(*added)) return;
    auto* const place = added.release();  // deletes itself when it leaves
    const std::lock_guard lock(mutex_);
    place->lane = audience_.enter(client.receiver(), as_view(client.view()), place->seat);
    ++receivers_;
  }
  void unsubscribe(flux::features::Participant& client) {
    if (auto* const place = client.subscriber_of(this)) client.unsubscribe(*place);
  }
  /// Sends the next number. A slow reader gets only the newest.
  void tick() {
    const std::lock_guard lock(mutex_);
    const std::uint64_t state_before = ++number_;  // never 0: one more than the number before
    audience_.append([this](const void* view, std::string& out) { write(view, out); }, shared_from_this(),
                     flux::core::SegmentPolicy::newest, state_before);
  }
  std::size_t receivers() const {
    const std::lock_guard lock(mutex_);
    return receivers_;
  }
  /// Whether it no longer knows what slow readers have missed.
  std::atomic<bool> forgetful{false};

 private:
  struct Place final : flux::features::Subscriber {
    explicit Place(std::shared_ptr<Ticker> of) : ticker(std::move(of)) {}
    const void* feature() const noexcept override { return ticker.get(); }
    void flush() override { lane->flush_now(); }
    std::string change_view(const flux::features::ClientView& view, const flux::core::Receiver& client,
                            char separator) override {
      const std::lock_guard lock(ticker->mutex_);
      return ticker->audience_.change_view(lane, seat, as_view(view), client.key, *client.outlet, separator);
    }
    bool catch_up(const Congested&, const Send& send) override {
      if (seat.state_known == 0) return true;
      if (ticker->forgetful) return false;
      auto newest = std::make_shared<std::string>();
      {
        const auto lock = lane->lock_when_sent();
        seat.state_known = 0;
        ticker->write(lane->view(), *newest);
      }
      send(newest);
      return true;
    }
    void leave() override {
      const auto keep = ticker;
      const std::lock_guard lock(keep->mutex_);
      keep->audience_.leave(*lane, seat);
      --keep->receivers_;
      delete this;
    }

    const std::shared_ptr<Ticker> ticker;
    std::shared_ptr<flux::core::Lane> lane;
    flux::core::LaneSeat seat;
  };

  static const flux::features::NoticeView* as_view(const flux::features::ClientView& view) { return &view; }
  void write(const void* view, std::string& out) const {
    static_cast<const flux::features::NoticeView*>(view)->notice(out, {"tick", std::to_string(number_)});
  }

  mutable std::mutex mutex_;
  flux::core::Audience audience_{mutex_};
  std::uint64_t number_ = 0;
  std::size_t receivers_ = 0;
};

}  // namespace flux_test
