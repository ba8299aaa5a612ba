// The keys of JSON Web Tokens, on OpenSSL, whose headers are not included here.
//
// Threading: keys are immutable; any thread.
#pragma once

#include <flux/error.hpp>
#include <flux/jwt.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace flux::jwt::detail {

enum class Family : std::uint8_t { hmac, rsa, pss, ecdsa, ed25519 };

/// What is known about an algorithm.
struct AlgorithmFacts {
  std::string_view name;
  Family family;
  std::size_t hash_bytes;
  std::size_t coordinate_bytes = 0;  ///< of ECDSA: of r and of s, and of the point's x and y
};

/// In the order of `Algorithm`.
inline constexpr std::array<AlgorithmFacts, 13> algorithm_facts{{
    {"HS256", Family::hmac, 32},
    {"HS384", Family::hmac, 48},
    {"HS512", Family::hmac, 64},
    {"RS256", Family::rsa, 32},
    {"RS384", Family::rsa, 48},
    {"RS512", Family::rsa, 64},
    {"PS256", Family::pss, 32},
    {"PS384", Family::pss, 48},
    {"PS512", Family::pss, 64},
    {"ES256", Family::ecdsa, 32, 32},
    {"ES384", Family::ecdsa, 48, 48},
    {"ES512", Family::ecdsa, 64, 66},
    {"EdDSA", Family::ed25519, 64},
}};

constexpr const AlgorithmFacts& facts(Algorithm algorithm) noexcept {
  return algorithm_facts[static_cast<std::size_t>(algorithm)];
}

/// The name of an ECDSA algorithm's curve.
constexpr std::string_view curve_of(Algorithm algorithm) noexcept {
  return algorithm == Algorithm::es256 ? "P-256" : algorithm == Algorithm::es384 ? "P-384" : "P-521";
}

/// The longest signature: of an RSA key with 8192 bits.
inline constexpr std::size_t signature_bytes_max = 1024;
inline constexpr std::size_t secret_bytes_max = 8192;
inline constexpr std::size_t rsa_bits_min = 2048;
inline constexpr std::size_t rsa_bits_max = 8192;

/// A key as `Key` shares it.
class KeyState {
 public:
  KeyState(Algorithm key_algorithm, std::string key_id) : algorithm(key_algorithm), id(std::move(key_id)) {}
  virtual ~KeyState() = default;
  KeyState(const KeyState&) = delete;
  KeyState& operator=(const KeyState&) = delete;

  /// Whether `signature` is this key's for `text`. Any bytes are safe.
  virtual bool verifies(std::string_view text, std::string_view signature) const = 0;
  /// Returns the signature, in the form that tokens have.
  /// Errors: server_error if OpenSSL fails. Requires `can_sign`.
  virtual Result<std::string> sign(std::string_view text) const = 0;
  virtual bool can_sign() const noexcept = 0;

  const Algorithm algorithm;
  const std::string id;
};

using SharedKey = std::shared_ptr<const KeyState>;

/// Whether this build has tokens.
bool has_tokens() noexcept;
/// The error of a build that has none.
Error no_tokens(Errc code);

// Errors of these: bad_config, which says what is wrong, never with any part of a secret.

/// `algorithm`: of the family hmac.
Result<SharedKey> secret_key(Algorithm algorithm, std::string_view bytes, std::string id);
/// From the first key or certificate in PEM. `algorithm`: not of the family hmac.
Result<SharedKey> pem_key(Algorithm algorithm, std::string_view text, std::string id);

/// Public keys from the numbers of a JSON Web Key: big-endian bytes. The algorithm's family must fit.
Result<SharedKey> rsa_key(Algorithm algorithm, std::string_view modulus, std::string_view exponent, std::string id);
Result<SharedKey> ec_key(Algorithm algorithm, std::string_view x, std::string_view y, std::string id);
Result<SharedKey> ed25519_key(std::string_view x, std::string id);

/// For the functions of flux::jwt.
struct KeyAccess {
  static const KeyState& state(const Key& key) noexcept { return *key.state_; }
  static Key key(SharedKey state) noexcept { return Key(std::move(state)); }
};

}  // namespace flux::jwt::detail

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/jwt_key.ipp>
#endif
