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

  /// What the handler was called about: the beginning of the event's or method's name, or of the request's path.
  class Subject {
   public:
    Subject() = default;
    explicit Subject(std::string_view text) noexcept
        : size_(static_cast<std::uint8_t>(std::min(text.size(), bytes_.size()))) {
      std::copy_n(text.begin(), size_, bytes_.begin());
    }
    /// As the client has sent it. Empty: nothing that has a name.
    std::string_view text() const noexcept { return {bytes_.data(), size_}; }

   private:
    std::array<char, 47> bytes_{};
    std::uint8_t size_ = 0;
  };

  struct Seen {
    std::uint64_t call = 0;  ///< a different number for each call; 0: no handler runs
    const char* what = "";   ///< a literal, such as "chat"
    Client client{};
    Subject subject{};
  };

  /// A handler is running until this is destroyed. Handlers may be nested; then the inner one is seen.
  class Call {
   public:
    /// `what`: a literal.
    Call(RunningHandler& running, std::string_view what, const Client& client, std::string_view subject = {})
        : running_(running), outer_(running.seen()) {
      running_.set({++running_.calls_, what.data(), client, Subject(subject)});
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
    seen.client = client_.load<Client>();
    seen.subject = subject_.load<Subject>();
    return seen;
  }

 private:
  /// 48 bytes, each word of them atomic.
  class Words {
   public:
    template <class T>
    T load() const noexcept {
      Plain plain{};
      for (std::size_t i = 0; i < plain.size(); ++i) plain[i] = words_[i].load(std::memory_order_relaxed);
      return std::bit_cast<T>(plain);
    }
    template <class T>
    void store(const T& value) noexcept {
      const auto plain = std::bit_cast<Plain>(value);
      for (std::size_t i = 0; i < plain.size(); ++i) words_[i].store(plain[i], std::memory_order_relaxed);
    }

   private:
    using Plain = std::array<std::uint64_t, 6>;
    std::array<std::atomic<std::uint64_t>, 6> words_{};
  };

  void set(const Seen& seen) noexcept {
    what_.store(seen.what, std::memory_order_relaxed);
    client_.store(seen.client);
    subject_.store(seen.subject);
    call_.store(seen.call, std::memory_order_release);
  }

  std::uint64_t calls_ = 0;  // the loop's thread only
  std::atomic<std::uint64_t> call_{0};
  std::atomic<const char*> what_{""};
  Words client_, subject_;
};

}  // namespace flux::core
