#pragma once

#include <flux/detail/core/base64url.hpp>
#include <flux/detail/core/json_object.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/gate/jwt_claims.hpp>
#include <flux/detail/gate/jwt_key.hpp>
#include <flux/detail/gate/jwt_object.hpp>
#include <flux/detail/mode.hpp>
#include <flux/jwt.hpp>

#include <algorithm>
#include <array>
#include <fstream>
#include <utility>

namespace flux::jwt {

namespace detail {

inline constexpr std::size_t header_bytes_max = 1536;
inline constexpr std::size_t keys_tried_max = 4;
inline constexpr std::size_t token_bytes_limit = 1'048'576;
inline constexpr std::size_t file_bytes_max = 65'536;

/// The parts of a token in JWS compact form, still encoded.
struct Parts {
  std::string_view header;
  std::string_view claims;
  std::string_view signature;
  std::string_view signed_text;  ///< header and claims
};

/// Errors: invalid_argument.
inline Result<Parts> split(std::string_view token) {
  const auto wrong = [](const char* what) { return Error(Errc::invalid_argument, what); };
  if (token.empty()) return wrong("the token is empty");
  if (token.front() == '{') return wrong("the token is in JWS JSON form: only the compact form is accepted");
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    if (std::count(token.begin(), token.end(), '.') == 4) {
      return wrong("the token is encrypted (JWE): only signed tokens are accepted");
    }
    return wrong("the token does not have three parts with dots between them");
  }
  return Parts{token.substr(0, first), token.substr(first + 1, second - first - 1), token.substr(second + 1),
               token.substr(0, second)};
}

/// What a header says, if it is acceptable.
struct Header {
  Algorithm algorithm;
  std::string key_id;
};

/// Header parameters with which a token would choose its keys, or asks for what is not supported.
inline constexpr std::array<std::string_view, 12> header_names{"alg", "kid", "typ", "crit", "jku", "x5u",
                                                               "jwk", "x5c", "cty", "b64",  "zip", "enc"};

inline std::string not_supported(std::string_view name) {
  std::string sentence = "the header has " + std::string(name) + ": ";
  if (name == "jku" || name == "x5u" || name == "jwk" || name == "x5c") {
    return sentence + "keys are not taken from a token, nor from where it points";
  }
  if (name == "crit") return sentence + "no extensions are supported";
  return sentence + "only a signed token with plain JSON claims is accepted";
}

/// Compares ASCII text, of which `lower` has no capitals.
inline bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b; });
}

inline bool is_token_type(std::string_view type) {
  constexpr std::string_view prefix = "application/";  // may be left out (RFC 7515, 4.1.9)
  if (type.size() > prefix.size() && equals_ignoring_case(type.substr(0, prefix.size()), prefix)) {
    type.remove_prefix(prefix.size());
  }
  return equals_ignoring_case(type, "jwt") || equals_ignoring_case(type, "at+jwt");
}

inline std::optional<Refused> read_header(std::string_view text, Header& header) {
  const auto wrong = [](std::string what, Refusal why = Refusal::malformed) { return Refused{why, std::move(what)}; };
  std::array<MemberText, header_names.size()> values;
  if (const auto read = read_object("header", text, header_names, values); !read) return wrong(read.error().message());
  for (std::size_t i = 3; i < values.size(); ++i) {
    if (!values[i].empty()) return wrong(not_supported(header_names[i]));
  }
  std::string buffer;
  const auto name = string_of(values[0], buffer);
  if (!name) return wrong("the header has no alg, or alg is not a string");
  if (equals_ignoring_case(*name, "none")) return wrong("alg is none: unsigned tokens are not accepted");
  const auto algorithm = find_algorithm(*name);
  if (!algorithm) return wrong("alg " + core::shown(values[0]) + " is not supported", Refusal::algorithm);
  header.algorithm = *algorithm;
  if (!values[1].empty()) {
    const auto id = string_of(values[1], buffer);
    if (!id) return wrong("kid is " + core::shown(values[1]) + ", but must be a string");
    header.key_id = *id;
  }
  if (!values[2].empty()) {
    const auto type = string_of(values[2], buffer);
    if (!type || !is_token_type(*type)) return wrong("typ is " + core::shown(values[2]) + ", not JWT or at+jwt");
  }
  return std::nullopt;
}

/// The keys to try for a token, those with its id first.
class Candidates {
 public:
  Candidates(std::span<const Key> keys, const Header& header) {
    for (const bool with_id : {true, false}) {
      for (const Key& key : keys) add(key, header, with_id);
    }
  }
  std::span<const KeyState* const> keys() const noexcept { return {keys_.data(), count_}; }
  /// Whether a key of another algorithm would have been tried.
  bool other_algorithm() const noexcept { return other_algorithm_; }

 private:
  void add(const Key& key, const Header& header, bool with_id) {
    const KeyState& state = KeyAccess::state(key);
    const bool fits =
        with_id ? !header.key_id.empty() && state.id == header.key_id : header.key_id.empty() || state.id.empty();
    if (!fits || count_ == keys_.size()) return;
    if (state.algorithm == header.algorithm) {
      keys_[count_++] = &state;
    } else {
      other_algorithm_ = true;
    }
  }
  std::array<const KeyState*, keys_tried_max> keys_{};
  std::size_t count_ = 0;
  bool other_algorithm_ = false;
};

inline std::optional<Refused> check_signature(const Parts& parts, std::span<const Key> keys, const Header& header) {
  const Candidates candidates(keys, header);
  if (candidates.keys().empty()) {
    const std::string id =
        header.key_id.empty() ? std::string("without kid") : "with kid \"" + core::shown(header.key_id) + "\"";
    if (candidates.other_algorithm()) {
      return Refused{Refusal::algorithm, "alg is " + std::string(to_string(header.algorithm)) +
                                             ", but the keys for tokens " + id + " have other algorithms"};
    }
    return Refused{Refusal::unknown_key, "there is no key for a token " + id};
  }
  std::array<char, signature_bytes_max> buffer;
  if (core::decoded_base64url_size(parts.signature.size()) <= buffer.size()) {
    if (const auto size = core::decode_base64url(parts.signature, buffer.data())) {
      const std::string_view signature(buffer.data(), *size);
      for (const KeyState* key : candidates.keys()) {
        if (key->verifies(parts.signed_text, signature)) return std::nullopt;
      }
      return Refused{Refusal::signature, "the signature is not valid"};
    }
  }
  return Refused{Refusal::malformed,
                 "the signature is not Base64 in the form for URLs, without padding, or is too long"};
}

inline std::optional<Refused> check(std::string_view text, std::span<const Key> keys, const Rules& rules,
                                    std::chrono::system_clock::time_point now, Token& token) {
  const std::size_t size_max = std::clamp(rules.token_bytes_max, std::size_t{1}, token_bytes_limit);
  if (text.size() > size_max) {
    return Refused{Refusal::malformed, "the token has " + std::to_string(text.size()) +
                                           " bytes, more than Rules::token_bytes_max, " + std::to_string(size_max)};
  }
  const auto parts = split(text);
  if (!parts) return Refused{Refusal::malformed, parts.error().message()};
  std::array<char, header_bytes_max> buffer;
  if (core::decoded_base64url_size(parts->header.size()) > buffer.size()) {
    return Refused{Refusal::malformed, "the header has more than 1536 bytes"};
  }
  const auto header_size = core::decode_base64url(parts->header, buffer.data());
  if (!header_size)
    return Refused{Refusal::malformed, "the header is not Base64 in the form for URLs, without padding"};
  Header header{};
  if (auto refused = read_header(std::string_view(buffer.data(), *header_size), header)) return refused;
  if (auto refused = check_signature(*parts, keys, header)) return refused;
  auto claims = core::decode_base64url(parts->claims);
  if (!claims) return Refused{Refusal::malformed, "the claims are not Base64 in the form for URLs, without padding"};
  token.algorithm = header.algorithm;
  token.key_id = std::move(header.key_id);
  return check_claims(std::move(*claims), rules, now, token);
}

/// Errors: throws `Error` (bad_config) if an id of a key is not UTF-8, and so can't be in a token.
inline std::string checked_id(std::string id) {
  if (!core::valid_utf8(id)) throw Error(Errc::bad_config, "the key id \"" + core::shown(id) + "\" is not UTF-8");
  return id;
}

/// A short file. Errors: bad_config.
inline Result<std::string> read_short_file(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text(file_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || !in.is_open() || (in.fail() && !in.eof())) {
    return Error(Errc::bad_config, "the key file \"" + file + "\" can't be read");
  }
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > file_bytes_max) return Error(Errc::bad_config, "the key file \"" + file + "\" is over 64 KiB");
  return text;
}

}  // namespace detail

FLUX_DECL std::string_view to_string(Algorithm algorithm) noexcept { return detail::facts(algorithm).name; }

FLUX_DECL std::optional<Algorithm> find_algorithm(std::string_view name) noexcept {
  for (std::size_t i = 0; i < detail::algorithm_facts.size(); ++i) {
    if (detail::algorithm_facts[i].name == name) return static_cast<Algorithm>(i);
  }
  return std::nullopt;
}

FLUX_DECL Key Key::secret(Algorithm algorithm, std::string_view bytes, std::string id) {
  return Key(detail::secret_key(algorithm, bytes, detail::checked_id(std::move(id))).value());
}

FLUX_DECL Key Key::pem(Algorithm algorithm, std::string_view text, std::string id) {
  return Key(detail::pem_key(algorithm, text, detail::checked_id(std::move(id))).value());
}

FLUX_DECL Key Key::read_file(Algorithm algorithm, const std::string& file, std::string id) {
  std::string text = detail::read_short_file(file).value();
  const bool is_secret = detail::facts(algorithm).family == detail::Family::hmac;
  if (is_secret && text.ends_with('\n')) text.pop_back();
  if (is_secret && text.ends_with('\r')) text.pop_back();
  id = detail::checked_id(std::move(id));
  auto key =
      is_secret ? detail::secret_key(algorithm, text, std::move(id)) : detail::pem_key(algorithm, text, std::move(id));
  if (!key) throw Error(Errc::bad_config, "key file \"" + file + "\": " + key.error().message());
  return Key(std::move(*key));
}

FLUX_DECL Algorithm Key::algorithm() const noexcept { return state_->algorithm; }
FLUX_DECL const std::string& Key::id() const noexcept { return state_->id; }
FLUX_DECL bool Key::can_sign() const noexcept { return state_->can_sign(); }

FLUX_DECL Result<Token> verify(std::string_view token, std::span<const Key> keys, const Rules& rules,
                               std::chrono::system_clock::time_point now, Refusal* refusal) {
  if (!detail::has_tokens()) return detail::no_tokens(Errc::server_error);
  Token verified;
  auto refused = detail::check(token, keys, rules, now, verified);
  if (refusal != nullptr) *refusal = refused ? refused->why : Refusal::none;
  if (!refused) return Result<Token>(std::move(verified));
  return Error(Errc::unauthorized,
               refused->why == Refusal::expired ? "Authentication token expired" : "Invalid authentication token",
               std::move(refused->cause));
}

FLUX_DECL Result<Token> verify(std::string_view token, const Key& key, const Rules& rules,
                               std::chrono::system_clock::time_point now, Refusal* refusal) {
  return verify(token, std::span(&key, 1), rules, now, refusal);
}

FLUX_DECL Result<std::string> sign(const JsonText& claims, const Key& key) {
  const detail::KeyState& state = detail::KeyAccess::state(key);
  if (!state.can_sign()) {
    return Error(Errc::invalid_argument,
                 "the key for " + std::string(to_string(key.algorithm())) + " is public: sign with its private key");
  }
  if (const auto read = detail::read_object("claims", claims.text(), {}, {}); !read) {
    return Error(Errc::invalid_argument, read.error().message());
  }
  std::string header;
  flux::detail::JsonObject(header)
      .string("alg", to_string(state.algorithm))
      .string("typ", "JWT")
      .optional_string("kid", state.id)
      .end();
  std::string token;
  core::append_base64url(token, header);
  token += '.';
  core::append_base64url(token, claims.text());
  auto signature = state.sign(token);
  if (!signature) return signature.error();
  token += '.';
  core::append_base64url(token, *signature);
  return token;
}

FLUX_DECL Result<UnverifiedToken> read_unverified(std::string_view token) {
  if (token.size() > detail::token_bytes_limit) return Error(Errc::invalid_argument, "the token is over 1 MiB");
  const auto parts = detail::split(token);
  if (!parts) return parts.error();
  UnverifiedToken read;
  for (const bool is_header : {true, false}) {
    const std::string_view what = is_header ? "header" : "claims";
    auto text = core::decode_base64url(is_header ? parts->header : parts->claims);
    if (!text) return Error(Errc::invalid_argument, std::string(what) + ": not Base64 in the form for URLs");
    if (const auto object = detail::read_object(what, *text, {}, {}); !object) {
      return Error(Errc::invalid_argument, object.error().message());
    }
    (is_header ? read.header : read.claims) = flux::detail::CheckedJson::text(std::move(*text));
  }
  return read;
}

}  // namespace flux::jwt
