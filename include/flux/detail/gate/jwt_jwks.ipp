// Defines `read_jwks` of flux/jwt.hpp.
#pragma once

#include <flux/detail/core/base64url.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/gate/jwt_key.hpp>
#include <flux/detail/gate/jwt_object.hpp>
#include <flux/detail/mode.hpp>
#include <flux/jwt.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace flux::jwt {

namespace detail {

inline constexpr std::size_t jwks_bytes_max = 262'144;
inline constexpr std::size_t jwks_keys_max = 100;

/// A JSON Web Key while it is read (RFC 7517, 4; RFC 7518, 6). The functions return bad_config for a key to leave out.
class JsonWebKey {
 public:
  /// Errors: invalid_argument, invalid_json.
  static Result<JsonWebKey> of(std::string_view json) {
    JsonWebKey key;
    if (const auto read = read_object("key", json, names, key.values_); !read) return read.error();
    return key;
  }

  /// The key's id for errors.
  std::string shown_id() const {
    const auto id = text("kid");
    return id ? "key \"" + core::shown(*id) + "\"" : "key without kid";
  }

  Result<SharedKey> key(JwksSecrets secrets) const {
    if (auto reason = other_use()) return left_out(std::move(*reason));
    if (has("kid") && !text("kid")) return left_out("kid is not a string");
    const auto type = text("kty");
    if (type == "RSA") return rsa();
    if (type == "EC") return ec();
    if (type == "OKP") return okp();
    if (type == "oct") return secret(secrets);
    return left_out("kty " + core::shown(member("kty")) + " is not supported");
  }

 private:
  static constexpr std::array<std::string_view, 11> names{"kty", "kid", "use", "key_ops", "alg", "crv",
                                                          "n",   "e",   "x",   "y",       "k"};

  static Error left_out(std::string why) { return Error(Errc::bad_config, std::move(why)); }

  MemberText member(std::string_view name) const {
    return values_[static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin())];
  }
  bool has(std::string_view name) const { return !member(name).empty(); }
  std::optional<std::string> text(std::string_view name) const {
    std::string buffer;
    const auto value = string_of(member(name), buffer);
    return value ? std::optional(std::string(*value)) : std::nullopt;
  }
  std::string id() const { return text("kid").value_or(std::string()); }
  /// The bytes of a member in Base64; empty if it is absent or invalid.
  std::string bytes(std::string_view name) const {
    const auto encoded = text(name);
    return encoded ? core::decode_base64url(*encoded).value_or(std::string()) : std::string();
  }

  /// Why the key is not for verifying signatures.
  std::optional<std::string> other_use() const {
    if (has("use") && text("use") != "sig") return "use is " + core::shown(member("use")) + ", not sig";
    if (!has("key_ops")) return std::nullopt;
    const JsonText operations = flux::detail::CheckedJson::text(std::string(member("key_ops")));
    for (const JsonView operation : operations.elements()) {
      if (operation.get<std::string>() == "verify") return std::nullopt;
    }
    return "key_ops do not contain verify";
  }

  /// The key's `alg`, or `otherwise` if it has none. Errors: bad_config if it is not in `family`.
  Result<Algorithm> algorithm(std::optional<Algorithm> otherwise, std::initializer_list<Family> families) const {
    if (!has("alg") && otherwise) return *otherwise;
    const auto name = text("alg");
    const auto found = name ? find_algorithm(*name) : std::nullopt;
    if (found && std::find(families.begin(), families.end(), facts(*found).family) != families.end()) return *found;
    return left_out(has("alg") ? "alg " + core::shown(member("alg")) + " is not one for signatures by keys of this type"
                               : "it has no alg");
  }

  Result<SharedKey> rsa() const {
    const auto used_with = algorithm(Algorithm::rs256, {Family::rsa, Family::pss});
    if (!used_with) return used_with.error();
    return rsa_key(*used_with, bytes("n"), bytes("e"), id());
  }
  Result<SharedKey> ec() const {
    const auto curve = text("crv");
    for (const Algorithm own : {Algorithm::es256, Algorithm::es384, Algorithm::es512}) {
      if (curve != curve_of(own)) continue;
      const auto used_with = algorithm(own, {Family::ecdsa});
      if (!used_with) return used_with.error();
      if (*used_with != own) return left_out("alg " + core::shown(member("alg")) + " does not use curve " + *curve);
      return ec_key(own, bytes("x"), bytes("y"), id());
    }
    return left_out("crv " + core::shown(member("crv")) + " is not supported");
  }
  Result<SharedKey> okp() const {
    if (text("crv") != "Ed25519") return left_out("crv " + core::shown(member("crv")) + " is not supported");
    // RFC 9864 calls EdDSA on this curve Ed25519.
    if (text("alg") != "Ed25519") {
      if (const auto used_with = algorithm(Algorithm::eddsa, {Family::ed25519}); !used_with) return used_with.error();
    }
    return ed25519_key(bytes("x"), id());
  }
  Result<SharedKey> secret(JwksSecrets secrets) const {
    if (secrets == JwksSecrets::refused) return left_out("secrets (kty oct) are not allowed in this set");
    const auto used_with = algorithm(std::nullopt, {Family::hmac});
    if (!used_with) return used_with.error();
    return secret_key(*used_with, bytes("k"), id());
  }

  std::array<MemberText, names.size()> values_{};
};

/// Adds a key of a set, or the reason why it is left out.
inline void add_key(std::string_view json, JwksSecrets secrets, KeySet& to) {
  const auto read = JsonWebKey::of(json);
  if (!read) {
    to.left_out.push_back(read.error().message());
  } else if (auto key = read->key(secrets); !key) {
    to.left_out.push_back(read->shown_id() + ": " + key.error().message());
  } else {
    to.keys.push_back(KeyAccess::key(std::move(*key)));
  }
}

}  // namespace detail

FLUX_DECL Result<KeySet> read_jwks(std::string_view json, JwksSecrets secrets) {
  using namespace detail;
  if (!has_tokens()) return no_tokens(Errc::server_error);
  const auto wrong = [](const std::string& what) { return Error(Errc::invalid_argument, "JSON Web Key Set: " + what); };
  if (json.size() > jwks_bytes_max) return wrong("over 256 KiB");
  static constexpr std::array<std::string_view, 2> names{"keys", "kty"};
  std::array<MemberText, names.size()> values;
  if (const auto read = read_object("JSON Web Key Set", json, names, values); !read) return read.error();
  KeySet set;
  if (values[0].empty() && !values[1].empty()) {
    add_key(json, secrets, set);
    return set;
  }
  if (!values[0].starts_with('[')) return wrong("it has no array \"keys\"");
  const JsonText keys = flux::detail::CheckedJson::text(std::string(values[0]));
  std::size_t count = 0;
  for (const JsonView key : keys.elements()) {
    if (++count > jwks_keys_max) return wrong("more than 100 keys");
    add_key(key.text(), secrets, set);
  }
  return set;
}

}  // namespace flux::jwt
