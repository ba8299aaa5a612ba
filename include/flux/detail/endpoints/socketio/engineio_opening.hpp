// The parts of the request that opened an Engine.IO session which are kept while it is open.
#pragma once

#include <flux/detail/core/ip_address.hpp>
#include <flux/detail/core/secret.hpp>
#include <flux/detail/transport/http_message.hpp>
#include <flux/http.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

namespace flux::detail {

/// Header fields that depend on the browser and its page only, so that many clients send the same: they share one text.
/// Threading: any thread.
class EngineIoCommonFields {
 public:
  static constexpr std::size_t texts_max = 1'024;  // once this many are in use, further ones are not shared
  static constexpr std::size_t text_bytes_max = 4'096;

  std::shared_ptr<const std::string> share(std::string text);

 private:
  using Text = std::shared_ptr<const std::string>;
  struct Same {
    using is_transparent = void;
    static std::string_view view(const Text& text) noexcept { return *text; }
    static std::string_view view(std::string_view text) noexcept { return text; }
    bool operator()(const auto& a, const auto& b) const noexcept { return view(a) == view(b); }
  };
  struct Hash {
    using is_transparent = void;
    core::SeededHash hash;
    std::size_t operator()(const auto& of) const { return hash(Same::view(of)); }
  };

  std::mutex mutex_;
  std::unordered_set<Text, Hash, Same> texts_;
};

/// Immutable, and small: idle clients keep it.
class EngineIoOpening {
 public:
  EngineIoOpening(const transport::HttpHead& head, std::string_view remote_address, EngineIoCommonFields& common);
  EngineIoOpening(const EngineIoOpening&) = delete;
  EngineIoOpening& operator=(const EngineIoOpening&) = delete;

  std::string_view query() const noexcept { return own().substr(0, query_end_); }
  std::string_view remote_address() const noexcept { return own().substr(query_end_, fields_begin_ - query_end_); }
  core::ClientAddress client() const {
    return core::ClientAddress::parse(remote_address()).value_or(core::ClientAddress());
  }
  /// The bytes that are kept. Those that are shared count for each session.
  std::size_t bytes() const noexcept { return size_ + common_->size(); }
  /// The first field of that name, ignoring case. Fields of the WebSocket handshake are not kept.
  std::optional<std::string_view> header(std::string_view name) const;
  /// All fields; those with the same name keep their order.
  HttpFields headers() const;

 private:
  std::string_view own() const noexcept { return {own_.get(), size_}; }
  template <class Visit>
  void for_each_field(const Visit& visit) const;

  // For each field: its name, NUL, its value, NUL.
  std::shared_ptr<const std::string> common_;
  std::unique_ptr<char[]> own_;  // the query, the address, and the fields that are not shared
  std::uint32_t query_end_;
  std::uint32_t fields_begin_;
  std::uint32_t size_;
};

}  // namespace flux::detail
