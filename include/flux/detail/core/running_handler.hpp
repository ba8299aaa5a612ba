// Which handler of the application a loop is in, for the thread that looks for blocked loops.
#pragma once

#include <flux/detail/core/ip_address.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace flux::core {

/// Written by the loop's thread, with a few plain stores for each handler; read by any thread.
class RunningHandler {
 public:
  /// The address of a client, or none, as the caller has it: neither parsed nor formatted before it is read.
  class Client {
   public:
    Client() = default;
    Client(const ClientAddress& address) noexcept : kind_(address.ip == IpAddress() ? none : binary) {
      const auto& ip = address.ip.bytes();
      std::copy(ip.begin(), ip.end(), bytes_.begin());
      bytes_[16] = static_cast<std::uint8_t>(address.port >> 8);
      bytes_[17] = static_cast<std::uint8_t>(address.port & 0xFF);
    }
    /// `text`: as of `ClientAddress::text`, which never has more than 47 bytes.
    Client(std::string_view text) noexcept : kind_(static_cast<std::uint8_t>(std::min(text.size(), bytes_.size()))) {
      std::copy_n(text.begin(), kind_, bytes_.begin());
    }
    /// Empty: none.
    std::string text() const {
      if (kind_ != binary) return {bytes_.begin(), bytes_.begin() + kind_};
      IpAddress::Bytes ip{};
      std::copy_n(bytes_.begin(), ip.size(), ip.begin());
      return ClientAddress{IpAddress(ip), static_cast<std::uint16_t>(bytes_[16] << 8 | bytes_[17])}.text();
    }

   private:
    static constexpr std::uint8_t none = 0;      // and up to 47 the size of a text
    static constexpr std::uint8_t binary = 255;  // the address, then the port

    std::array<std::uint8_t, 47> bytes_{};
    std::uint8_t kind_ = none;
  };

  struct Seen {
    std::uint64_t call = 0;  ///< a different number for each call; 0: no handler runs
    const char* what = "";   ///< a literal, such as "chat"
    Client client{};
  };

  /// A handler is running until this is destroyed. Handlers may be nested; then the inner one is seen.
  class Call {
   public:
    /// `what`: a literal.
    Call(RunningHandler& running, std::string_view what, const Client& client)
        : running_(running), outer_(running.seen()) {
      running_.set({++running_.calls_, what.data(), client});
    }
    ~Call() { running_.set(outer_); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    RunningHandler& running_;
    const Seen outer_;
  };

  /// The handler that is running. While one handler returns and another begins, the parts may be those of different
  /// handlers: only what two looks in a row see is certain.
  Seen seen() const noexcept {
    Seen seen;
    seen.call = call_.load(std::memory_order_acquire);
    seen.what = what_.load(std::memory_order_relaxed);
    Words words{};
    for (std::size_t i = 0; i < words.size(); ++i) words[i] = client_[i].load(std::memory_order_relaxed);
    seen.client = std::bit_cast<Client>(words);
    return seen;
  }

 private:
  using Words = std::array<std::uint64_t, 6>;

  void set(const Seen& seen) noexcept {
    const auto words = std::bit_cast<Words>(seen.client);
    what_.store(seen.what, std::memory_order_relaxed);
    for (std::size_t i = 0; i < words.size(); ++i) client_[i].store(words[i], std::memory_order_relaxed);
    call_.store(seen.call, std::memory_order_release);
  }

  std::uint64_t calls_ = 0;  // the loop's thread only
  std::atomic<std::uint64_t> call_{0};
  std::atomic<const char*> what_{""};
  std::array<std::atomic<std::uint64_t>, 6> client_{};
};

}  // namespace flux::core
