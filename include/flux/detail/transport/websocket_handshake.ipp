#pragma once

#include <flux/detail/transport/websocket_handshake.hpp>

#include <algorithm>
#include <array>
#include <optional>

#include <websocketpp/base64/base64.hpp>
#include <websocketpp/sha1/sha1.hpp>

namespace flux::transport {

namespace handshake_detail {

inline bool is_alphanumeric(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// A character of a token (RFC 9110, section 5.6.2).
inline bool is_token_char(char c) noexcept {
  return is_alphanumeric(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

struct ExtensionParameter {
  std::string_view name;
  std::optional<std::string> value;
};

// Parses a Sec-WebSocket-Extensions value (RFC 6455, section 9.1) token by token. A malformed element sets `malformed`,
// and the rest must be ignored.
//   extension = token *( ";" token [ "=" ( token | quoted-string ) ] )
class ExtensionReader {
 public:
  explicit ExtensionReader(std::string_view text) noexcept : rest_(text) {}

  bool malformed = false;

  // The next extension's name; none at the end. Empty list elements are skipped (RFC 9110, section 5.6.1).
  std::optional<std::string_view> extension() {
    skip_space();
    if (!first_ && !rest_.empty() && rest_.front() != ',') return fail();
    while (take(',')) skip_space();
    if (rest_.empty()) return std::nullopt;
    first_ = false;
    return token();
  }

  // The next parameter of the current extension; none at its end.
  std::optional<ExtensionParameter> parameter() {
    skip_space();
    if (malformed || !take(';')) return std::nullopt;
    skip_space();
    const auto name = token();
    if (!name) return std::nullopt;
    ExtensionParameter parameter{*name, std::nullopt};
    skip_space();
    if (take('=')) {
      skip_space();
      parameter.value = value();
      if (!parameter.value) return std::nullopt;
    }
    return parameter;
  }

 private:
  std::nullopt_t fail() {
    malformed = true;
    return std::nullopt;
  }

  bool take(char c) noexcept {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void skip_space() noexcept {
    while (take(' ') || take('\t')) {
    }
  }

  std::optional<std::string_view> token() {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_token_char);
    const auto size = static_cast<std::size_t>(end - rest_.begin());
    if (size == 0) return fail();
    const std::string_view token = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return token;
  }

  // A token, optionally quoted: the quoted text must be a token after its escapes are removed.
  std::optional<std::string> value() {
    if (!take('"')) {
      const auto unquoted = token();
      if (!unquoted) return std::nullopt;
      return std::string(*unquoted);
    }
    std::string unquoted;
    while (!take('"')) {
      take('\\');
      if (rest_.empty() || !is_token_char(rest_.front())) return fail();
      unquoted.push_back(rest_.front());
      rest_.remove_prefix(1);
    }
    if (unquoted.empty()) return fail();
    return unquoted;
  }

  std::string_view rest_;
  bool first_ = true;
};

// An offer of permessage-deflate: whether it can be met, and the parameter that the response must repeat.
struct DeflateOffer {
  bool acceptable = true;
  int server_window_bits = 0;  // 0: not given
};

// "8" to "15", without leading zeros (RFC 7692, sections 7.1.2.1 and 7.1.2.2).
inline bool is_window_bits(std::string_view value) noexcept {
  if (value.size() == 1) return value[0] == '8' || value[0] == '9';
  return value.size() == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5';
}

inline DeflateOffer read_deflate_offer(ExtensionReader& reader) {
  constexpr std::array<std::string_view, 4> names = {"server_no_context_takeover", "client_no_context_takeover",
                                                     "server_max_window_bits", "client_max_window_bits"};
  std::array<bool, names.size()> seen{};
  DeflateOffer offer;
  while (const auto parameter = reader.parameter()) {
    const auto known = static_cast<std::size_t>(std::find(names.begin(), names.end(), parameter->name) - names.begin());
    if (known == names.size() || seen[known]) {
      offer.acceptable = false;
      continue;
    }
    seen[known] = true;
    const auto& value = parameter->value;
    switch (known) {
      case 0:
      case 1:
        if (value) offer.acceptable = false;
        break;
      case 2:
        if (value && is_window_bits(*value)) {
          offer.server_window_bits = std::stoi(*value);
        } else {
          offer.acceptable = false;
        }
        break;
      case 3:  // a limit that the client sets itself; its value is optional
        if (value && !is_window_bits(*value)) offer.acceptable = false;
        break;
    }
  }
  return offer;
}

}  // namespace handshake_detail

FLUX_DECL bool valid_key(std::string_view sec_websocket_key) noexcept {
  // 16 bytes are 22 digits and two padding characters. The unused bits of the last digit are not checked.
  if (sec_websocket_key.size() != 24 || !sec_websocket_key.ends_with("==")) return false;
  const std::string_view digits = sec_websocket_key.substr(0, 22);
  return std::all_of(digits.begin(), digits.end(),
                     [](char c) { return handshake_detail::is_alphanumeric(c) || c == '+' || c == '/'; });
}

FLUX_DECL std::string accept_key(std::string_view sec_websocket_key) {
  std::string text(sec_websocket_key);
  text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455, section 1.3
  std::array<unsigned char, 20> digest;
  websocketpp::sha1::calc(text.data(), text.size(), digest.data());
  return websocketpp::base64_encode(digest.data(), digest.size());
}

FLUX_DECL DeflateAgreement negotiate_deflate(std::string_view sec_websocket_extensions, const DeflateOptions& options) {
  if (!options.enabled) return {};
  DeflateAgreement agreement;
  handshake_detail::ExtensionReader reader(sec_websocket_extensions);
  while (const auto extension = reader.extension()) {
    const handshake_detail::DeflateOffer offer = handshake_detail::read_deflate_offer(reader);
    if (agreement.enabled || *extension != "permessage-deflate" || !offer.acceptable) continue;
    agreement.enabled = true;
    agreement.response_header = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    // Accepting this parameter means repeating it (RFC 7692, section 7.1.2.1).
    if (offer.server_window_bits == 0) continue;
    agreement.window_bits = offer.server_window_bits;
    agreement.response_header += "; server_max_window_bits=" + std::to_string(offer.server_window_bits);
  }
  if (reader.malformed) return {};
  return agreement;
}

}  // namespace flux::transport
