// JSON Web Tokens (RFC 7519) in JWS compact form: verification, signing, and the keys for both.
//
// What is trusted is a key and its algorithm, which the application sets. A token only says which of these keys it was
// signed with. Needs a build with OpenSSL (FLUX_WITH_TLS).
#pragma once

#include <flux/error.hpp>
#include <flux/json.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux::jwt {

namespace detail {
class KeyState;
struct KeyAccess;
}  // namespace detail

/// The signature algorithms of RFC 7518 (3.1) and RFC 8037. There is no `none`.
enum class Algorithm : std::uint8_t {
  hs256,  ///< HMAC with SHA-256; a secret that issuer and application share
  hs384,  ///< HMAC with SHA-384
  hs512,  ///< HMAC with SHA-512
  rs256,  ///< RSASSA-PKCS1-v1_5 with SHA-256
  rs384,  ///< RSASSA-PKCS1-v1_5 with SHA-384
  rs512,  ///< RSASSA-PKCS1-v1_5 with SHA-512
  ps256,  ///< RSASSA-PSS with SHA-256
  ps384,  ///< RSASSA-PSS with SHA-384
  ps512,  ///< RSASSA-PSS with SHA-512
  es256,  ///< ECDSA on P-256 with SHA-256
  es384,  ///< ECDSA on P-384 with SHA-384
  es512,  ///< ECDSA on P-521 with SHA-512
  eddsa,  ///< Ed25519
};

/// The name in a token's `alg`: "HS256", "EdDSA".
std::string_view to_string(Algorithm algorithm) noexcept;
/// The algorithm with this name; none if it is not one of those above. Case-sensitive, like `alg`.
std::optional<Algorithm> find_algorithm(std::string_view name) noexcept;

/// A key and the one algorithm that it is used with. Copies share the key.
/// Threading: immutable; any thread.
class Key {
 public:
  /// A secret for hs256, hs384 or hs512: random bytes, at least as many as the hash has (32, 48, 64), at most 8192.
  /// `id`: the `kid` of its tokens; empty: it may have signed tokens with any `kid`.
  /// Errors: throws `Error` (bad_config) for another length or algorithm, and for a public key or certificate (PEM, DER
  /// or JSON Web Key), because those are public.
  static Key secret(Algorithm algorithm, std::string_view bytes, std::string id = {});

  /// A public key, a certificate (of which only the key counts) or an unencrypted private key in PEM, for the other
  /// algorithms. The first block counts. RSA keys have 2048 to 8192 bits and none of the known weaknesses (an exponent of
  /// 1, ROCA); the curve of EC keys is the algorithm's.
  /// Errors: throws `Error` (bad_config) if there is no such key, or it does not fit the algorithm.
  static Key pem(Algorithm algorithm, std::string_view text, std::string id = {});

  /// The same from a file: a secret (its bytes, without the line end at the end) for the HMAC algorithms, otherwise PEM.
  /// Errors: as above; also throws `Error` (bad_config) if the file can't be read or has more than 64 KiB.
  static Key read_file(Algorithm algorithm, const std::string& file, std::string id = {});

  /// The only algorithm of this key's tokens.
  Algorithm algorithm() const noexcept;
  /// The `kid` of its tokens; empty: any.
  const std::string& id() const noexcept;
  /// Whether `sign` accepts it: a secret or a private key.
  bool can_sign() const noexcept;

 private:
  friend struct detail::KeyAccess;
  explicit Key(std::shared_ptr<const detail::KeyState> state) noexcept : state_(std::move(state)) {}
  std::shared_ptr<const detail::KeyState> state_;
};

/// The keys of a JSON Web Key Set.
struct KeySet {
  std::vector<Key> keys{};  ///< in the order of the set; may have the same id
  /// Why other keys of the set are not used, one sentence for each, for the log.
  std::vector<std::string> left_out{};
};

/// Which keys `read_jwks` accepts.
enum class JwksSecrets : std::uint8_t {
  refused,  ///< public keys only: a set that others may read holds no secrets
  allowed,  ///< also those of type `oct`
};

/// Reads a JSON Web Key Set (RFC 7517), or a single JSON Web Key. RSA, EC (P-256, P-384, P-521), OKP (Ed25519) and, if
/// allowed, oct. Without `alg` a key has the algorithm of its curve; of RSA keys, rs256; secrets need it. Left out are
/// keys for other uses (`use`, `key_ops`), and those of unknown type, curve or algorithm or wrong size. Private members
/// are ignored: these keys verify, and only secrets also sign.
/// Errors: invalid_argument if the text is over 256 KiB, holds more than 100 keys, or is no such set; invalid_json;
/// server_error in a build without OpenSSL. A set without any usable key is not an error.
Result<KeySet> read_jwks(std::string_view json, JwksSecrets secrets = JwksSecrets::refused);

/// What a token must satisfy in addition to its signature.
struct Rules {
  /// The accepted values of `iss`; empty: any issuer, or none. Name the issuer if several use the same keys.
  std::vector<std::string> issuers{};
  /// Names of this application, of which `aud` must contain one. Empty: tokens with `aud` are refused, because they are
  /// for others (RFC 7519, 4.1.3).
  std::vector<std::string> audiences{};
  /// How much the issuer's clock may differ from ours. 0 s to 24 h; other values count as the nearest of these.
  std::chrono::seconds leeway{30};
  /// Whether tokens without `exp` are refused.
  bool expiry_required = true;
  /// Longer tokens are refused before they are read. 1 to 1,048,576 bytes; other values count as the nearest of these.
  std::size_t token_bytes_max = 8192;
};

/// A verified token.
struct Token {
  JsonText claims{};                       ///< an object in which every name is unique
  std::string id{};                        ///< `jti`; empty: none
  std::string key_id{};                    ///< `kid`; empty: none
  Algorithm algorithm = Algorithm::hs256;  ///< of the key that verified it
  /// `exp` rounded down to seconds; none: never. `verify` accepts it for `Rules::leeway` longer. A time after the year
  /// 2200 is given as 2200-01-01.
  std::optional<std::chrono::system_clock::time_point> expires_at{};
  /// `iat` rounded up to seconds; none: not stated.
  std::optional<std::chrono::system_clock::time_point> issued_at{};
};

/// Why a token was refused.
enum class Refusal : std::uint8_t {
  none,           ///< it was not refused
  malformed,      ///< it is no token of this form, or its header or claims are not acceptable
  algorithm,      ///< `alg` is not the algorithm of the keys that it may be signed with
  unknown_key,    ///< there is no key with its `kid`, or no key at all: newer keys may verify it
  signature,      ///< no key verifies the signature
  expired,        ///< `exp` has passed
  not_yet_valid,  ///< `nbf` or `iat` is in the future
  issuer,         ///< `iss` is not accepted
  audience,       ///< `aud` is not accepted
};

/// Verifies a token in JWS compact form: the signature first, then what it claims. `now`: Unix time.
///
/// The keys that are tried have the token's `alg`, and the token's `kid` or no id; for a token without `kid`, or with an
/// empty one, any id. At most four are tried, those with its `kid` first.
///
/// Also refused: headers with `crit`, `jku`, `x5u`, `jwk`, `x5c`, `cty`, `b64`, `zip` or `enc`; a `typ` other than
/// "JWT" and "at+jwt"; two members with the same name; Base64 that is padded or not canonical; signatures of another
/// length than the key's (ES: r and s, not DER); more than 1536 bytes of header.
///
/// `exp`, `nbf` and `iat` are seconds since 1970, from 0 to 2^53. Fractions are allowed: `exp` is rounded down, the
/// others up. A token is valid before `exp` plus the leeway, and from `nbf` minus the leeway; `iat` may not be after now
/// plus the leeway.
///
/// `refusal`, if given, is set to the reason.
/// Errors: unauthorized. Its message is for clients: "Authentication token expired" or "Invalid authentication token";
/// its `cause` says what is wrong, for the log. server_error in a build without OpenSSL.
/// Cost: one verification by OpenSSL for each key tried, and one pass over header and claims.
Result<Token> verify(std::string_view token, std::span<const Key> keys, const Rules& rules,
                     std::chrono::system_clock::time_point now, Refusal* refusal = nullptr);
/// The same with one key.
Result<Token> verify(std::string_view token, const Key& key, const Rules& rules,
                     std::chrono::system_clock::time_point now, Refusal* refusal = nullptr);

/// Makes a token with these claims, which are written as they are: `exp` and the like are the caller's. The header has
/// `alg`, `typ` "JWT" and, if the key has an id, `kid`.
/// Errors: invalid_argument if the claims are not an object or have two members with the same name, or the key can't
/// sign; server_error if OpenSSL fails.
Result<std::string> sign(const JsonText& claims, const Key& key);

/// What a token says about itself. Its signature has not been checked.
struct UnverifiedToken {
  JsonText header{};  ///< an object
  JsonText claims{};  ///< an object
};

/// Reads a token without verifying it, to look at it: for logs and tools, never to decide what a client may do.
/// Errors: invalid_argument if it is no token in JWS compact form, or is longer than 1 MiB.
Result<UnverifiedToken> read_unverified(std::string_view token);

}  // namespace flux::jwt

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/jwt.ipp>
#include <flux/detail/gate/jwt_jwks.ipp>
#endif
