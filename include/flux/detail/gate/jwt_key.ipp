#pragma once

#include <flux/detail/gate/jwt_key.hpp>

#include <algorithm>
#include <climits>
#include <optional>
#include <type_traits>

#if defined(FLUX_WITH_TLS) && FLUX_WITH_TLS
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#endif

namespace flux::jwt::detail {

FLUX_DECL Error no_tokens(Errc code) {
  return Error(code, "this build of flux has no tokens: build it with FLUX_WITH_TLS and OpenSSL");
}

#if defined(FLUX_WITH_TLS) && FLUX_WITH_TLS

FLUX_DECL bool has_tokens() noexcept { return true; }

template <auto function>
struct OpenSslFree {
  template <class T>
  void operator()(T* object) const noexcept {
    function(object);
  }
};

struct OpenSslBytesFree {
  void operator()(unsigned char* bytes) const noexcept { OPENSSL_free(bytes); }
};

using PublicKeyPtr = std::unique_ptr<EVP_PKEY, OpenSslFree<EVP_PKEY_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, OpenSslFree<EVP_MD_CTX_free>>;

/// Removes the errors that OpenSSL adds to this thread's queue while it exists: later calls for TLS would report them.
class QuietErrors {
 public:
  QuietErrors() { ERR_set_mark(); }
  ~QuietErrors() { ERR_pop_to_mark(); }
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;
};

inline const unsigned char* bytes_of(std::string_view text) noexcept {
  return reinterpret_cast<const unsigned char*>(text.data());
}
inline unsigned char* bytes_of(std::string& text) noexcept { return reinterpret_cast<unsigned char*>(text.data()); }

inline const EVP_MD* digest_of(std::size_t hash_bytes) noexcept {
  return hash_bytes == 32 ? EVP_sha256() : hash_bytes == 48 ? EVP_sha384() : EVP_sha512();
}

inline Error openssl_failed() { return Error(Errc::server_error, "OpenSSL could not sign a token"); }

// --- Secrets ---

/// HMAC (RFC 2104). The two hashes begin with a block that depends on the key only; it is hashed once, and each code
/// continues from a copy. EVP_MAC would initialise two contexts for each code, and before OpenSSL 3.0.3 it does not
/// restart with the same key.
class HmacKey final : public KeyState {
 public:
  using KeyState::KeyState;

  /// Returns false if OpenSSL fails.
  bool prepare(std::string_view secret) {
    const EVP_MD* const digest = digest_of(hash_bytes());
    const auto block_bytes = static_cast<std::size_t>(EVP_MD_block_size(digest));
    std::string block(block_bytes, '\0');
    unsigned int size = 0;
    bool done = true;
    if (secret.size() > block_bytes) {
      done = EVP_Digest(secret.data(), secret.size(), bytes_of(block), &size, digest, nullptr) == 1;
    } else {
      std::copy(secret.begin(), secret.end(), block.begin());
    }
    done = done && begin(inner_, digest, block, '\x36') && begin(outer_, digest, block, '\x36' ^ '\x5c');
    OPENSSL_cleanse(block.data(), block.size());
    return done;
  }

  bool verifies(std::string_view text, std::string_view signature) const override {
    unsigned char code[EVP_MAX_MD_SIZE];
    return signature.size() == hash_bytes() && compute(text, code) &&
           CRYPTO_memcmp(code, signature.data(), signature.size()) == 0;
  }
  Result<std::string> sign(std::string_view text) const override {
    unsigned char code[EVP_MAX_MD_SIZE];
    if (!compute(text, code)) return openssl_failed();
    return std::string(reinterpret_cast<const char*>(code), hash_bytes());
  }
  bool can_sign() const noexcept override { return true; }

 private:
  std::size_t hash_bytes() const noexcept { return facts(algorithm).hash_bytes; }

  /// Changes `block`, which is the key's, by `pad` and hashes it.
  static bool begin(const DigestContext& context, const EVP_MD* digest, std::string& block, char pad) {
    for (char& byte : block) byte = static_cast<char>(byte ^ pad);
    return context && EVP_DigestInit_ex(context.get(), digest, nullptr) == 1 &&
           EVP_DigestUpdate(context.get(), block.data(), block.size()) == 1;
  }
  bool compute(std::string_view text, unsigned char* code) const {
    const DigestContext context(EVP_MD_CTX_new());
    return context && EVP_MD_CTX_copy_ex(context.get(), inner_.get()) == 1 &&
           EVP_DigestUpdate(context.get(), text.data(), text.size()) == 1 &&
           EVP_DigestFinal_ex(context.get(), code, nullptr) == 1 &&
           EVP_MD_CTX_copy_ex(context.get(), outer_.get()) == 1 &&
           EVP_DigestUpdate(context.get(), code, hash_bytes()) == 1 &&
           EVP_DigestFinal_ex(context.get(), code, nullptr) == 1;
  }

  DigestContext inner_{EVP_MD_CTX_new()};
  DigestContext outer_{EVP_MD_CTX_new()};
};

// --- DER (X.690): what OpenSSL reads and tokens do not have ---

inline std::string der(unsigned char tag, std::string_view content) {
  std::string out(1, static_cast<char>(tag));
  const std::size_t size = content.size();
  if (size > 255) {
    out += '\x82';
    out += static_cast<char>(size >> 8);
  } else if (size > 127) {
    out += '\x81';
  }
  out += static_cast<char>(size & 0xFF);
  return out.append(content);
}

/// A positive integer from its big-endian bytes.
inline std::string der_integer(std::string_view bytes) {
  while (bytes.size() > 1 && bytes.front() == '\0') bytes.remove_prefix(1);
  const bool high_bit = !bytes.empty() && (bytes.front() & 0x80) != 0;
  return der(0x02, (high_bit ? std::string(1, '\0') : std::string()).append(bytes));
}

/// A SubjectPublicKeyInfo (RFC 5280, 4.1). `algorithm`: the content of its AlgorithmIdentifier.
inline std::string der_public_key(std::string_view algorithm, std::string_view key) {
  return der(0x30, der(0x30, algorithm).append(der(0x03, std::string(1, '\0').append(key))));
}

inline constexpr std::string_view rsa_identifier("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", 13);
inline constexpr std::string_view ed25519_identifier("\x06\x03\x2b\x65\x70", 5);

/// id-ecPublicKey (RFC 5480, 2.1.1) and the curve of an ECDSA algorithm.
inline std::string_view curve_identifier(Algorithm algorithm) noexcept {
  using namespace std::string_view_literals;
  switch (algorithm) {
    case Algorithm::es256: return "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"sv;
    case Algorithm::es384: return "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22"sv;
    default: return "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23"sv;
  }
}

/// The key as a SubjectPublicKeyInfo in DER; empty if OpenSSL fails.
inline std::string der_of(const EVP_PKEY* key) {
  const QuietErrors quiet;
  unsigned char* bytes = nullptr;
  const int size = i2d_PUBKEY(const_cast<EVP_PKEY*>(key), &bytes);
  if (size <= 0) return {};
  const std::unique_ptr<unsigned char, OpenSslBytesFree> owner(bytes);
  return std::string(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
}

inline PublicKeyPtr read_der(std::string_view text) {
  const QuietErrors quiet;
  const unsigned char* at = bytes_of(text);
  return PublicKeyPtr(d2i_PUBKEY(nullptr, &at, static_cast<long>(text.size())));
}

// --- Public and private keys ---

/// r and s, as tokens have them, to DER (RFC 7518, 3.4); none if one of them is 0.
inline std::optional<std::string> der_signature(std::string_view raw) {
  const auto is_zero = [](std::string_view number) { return number.find_first_not_of('\0') == std::string_view::npos; };
  const std::string_view r = raw.substr(0, raw.size() / 2);
  const std::string_view s = raw.substr(raw.size() / 2);
  if (is_zero(r) || is_zero(s)) return std::nullopt;
  return der(0x30, der_integer(r).append(der_integer(s)));
}

/// The reverse; none if OpenSSL fails.
inline std::optional<std::string> raw_signature(std::string_view text, std::size_t coordinate_bytes) {
  const unsigned char* at = bytes_of(text);
  const std::unique_ptr<ECDSA_SIG, OpenSslFree<ECDSA_SIG_free>> numbers(
      d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(text.size())));
  if (!numbers) return std::nullopt;
  std::string raw(2 * coordinate_bytes, '\0');
  const auto width = static_cast<int>(coordinate_bytes);
  if (BN_bn2binpad(ECDSA_SIG_get0_r(numbers.get()), bytes_of(raw), width) != width ||
      BN_bn2binpad(ECDSA_SIG_get0_s(numbers.get()), bytes_of(raw) + width, width) != width) {
    return std::nullopt;
  }
  return raw;
}

/// Each verification continues from a copy of a context that is ready for this key.
class PublicKey final : public KeyState {
 public:
  PublicKey(Algorithm key_algorithm, std::string key_id, PublicKeyPtr key, bool is_private)
      : KeyState(key_algorithm, std::move(key_id)), key_(std::move(key)), private_(is_private) {}

  /// Returns false if OpenSSL does not accept the key for the algorithm.
  bool prepare() {
    signature_bytes_ = family() == Family::ecdsa     ? 2 * facts(algorithm).coordinate_bytes
                       : family() == Family::ed25519 ? 64
                                                     : (static_cast<std::size_t>(EVP_PKEY_bits(key_.get())) + 7) / 8;
    return ready_ && begin(ready_.get(), EVP_DigestVerifyInit);
  }

  bool verifies(std::string_view text, std::string_view signature) const override {
    if (signature.size() != signature_bytes_) return false;
    const QuietErrors quiet;
    const DigestContext context(EVP_MD_CTX_new());
    if (!context) return false;
    std::optional<std::string> converted;
    if (family() == Family::ecdsa) {
      converted = der_signature(signature);
      if (!converted) return false;
      signature = *converted;
    }
    // A context without a digest can't be copied.
    if (family() == Family::ed25519) {
      if (!begin(context.get(), EVP_DigestVerifyInit)) return false;
    } else {
      if (EVP_MD_CTX_copy_ex(context.get(), ready_.get()) != 1) return false;
      EVP_MD_CTX_set_flags(context.get(), EVP_MD_CTX_FLAG_FINALISE);  // used once: no further copy
    }
    return EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(text), text.size()) == 1;
  }

  Result<std::string> sign(std::string_view text) const override {
    const QuietErrors quiet;
    const DigestContext context(EVP_MD_CTX_new());
    if (!context || !begin(context.get(), EVP_DigestSignInit)) return openssl_failed();
    std::size_t size = 0;
    if (EVP_DigestSign(context.get(), nullptr, &size, bytes_of(text), text.size()) != 1) return openssl_failed();
    std::string signature(size, '\0');
    if (EVP_DigestSign(context.get(), bytes_of(signature), &size, bytes_of(text), text.size()) != 1) {
      return openssl_failed();
    }
    signature.resize(size);
    if (family() != Family::ecdsa) return signature;
    auto raw = raw_signature(signature, facts(algorithm).coordinate_bytes);
    if (!raw) return openssl_failed();
    return std::move(*raw);
  }
  bool can_sign() const noexcept override { return private_; }

 private:
  Family family() const noexcept { return facts(algorithm).family; }

  /// `init`: EVP_DigestVerifyInit or EVP_DigestSignInit. PSS as in RFC 7518, 3.5: MGF1 with the same hash, and a salt of
  /// its size.
  template <class Init>
  bool begin(EVP_MD_CTX* context, Init init) const {
    EVP_PKEY_CTX* parameters = nullptr;  // part of the context
    const EVP_MD* const digest = family() == Family::ed25519 ? nullptr : digest_of(facts(algorithm).hash_bytes);
    if (init(context, &parameters, digest, nullptr, key_.get()) != 1) return false;
    if (family() == Family::rsa) return EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PADDING) == 1;
    if (family() != Family::pss) return true;
    return EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(parameters, digest) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, static_cast<int>(facts(algorithm).hash_bytes)) == 1;
  }

  const PublicKeyPtr key_;
  const bool private_;
  std::size_t signature_bytes_ = 0;
  const DigestContext ready_{EVP_MD_CTX_new()};
};

inline Error bad_key(std::string what) { return Error(Errc::bad_config, std::move(what)); }

using BigNumber = std::unique_ptr<BIGNUM, OpenSslFree<BN_free>>;

/// Modulus and exponent of an RSA key; null if OpenSSL fails.
inline std::pair<BigNumber, BigNumber> rsa_numbers(const EVP_PKEY* key) {
  BIGNUM* modulus = nullptr;
  BIGNUM* exponent = nullptr;
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
  EVP_PKEY_get_bn_param(key, "n", &modulus);
  EVP_PKEY_get_bn_param(key, "e", &exponent);
#else
  const RSA* const numbers = EVP_PKEY_get0_RSA(const_cast<EVP_PKEY*>(key));
  modulus = BN_dup(RSA_get0_n(numbers));
  exponent = BN_dup(RSA_get0_e(numbers));
#endif
  return {BigNumber(modulus), BigNumber(exponent)};
}

/// Whether the key comes from a library that made its primes of powers of 65537, so that they can be found (ROCA,
/// CVE-2017-15361): the modulus is then such a power modulo every small prime. Of other keys, one in 2^27 or fewer looks
/// like that.
inline bool is_roca(const BIGNUM* modulus) {
  constexpr std::array<unsigned, 17> primes{11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157};
  return std::all_of(primes.begin(), primes.end(), [&](unsigned prime) {
    const auto rest = static_cast<unsigned>(BN_mod_word(modulus, prime));
    unsigned power = 1;
    do {
      if (power == rest) return true;
      power = power * (65537 % prime) % prime;
    } while (power != 1);
    return false;
  });
}

/// What makes the numbers of an RSA key unsafe; empty: nothing.
inline std::string unsafe_numbers(const EVP_PKEY* key) {
  const auto [modulus, exponent] = rsa_numbers(key);
  if (!modulus || !exponent) return "numbers that OpenSSL does not give";
  // With an exponent of 1 anybody can make signatures.
  if (BN_is_odd(exponent.get()) == 0 || BN_is_one(exponent.get()) != 0) return "an exponent that is even or 1";
  return is_roca(modulus.get()) ? "a modulus that can be factored (ROCA, CVE-2017-15361): replace it" : "";
}

/// What makes the key unfit for the algorithm; empty: nothing.
inline std::string unfit(Algorithm algorithm, const EVP_PKEY* key) {
  const std::string name(facts(algorithm).name);
  const int type = EVP_PKEY_base_id(key);
  switch (facts(algorithm).family) {
    case Family::rsa:
    case Family::pss: {
      const bool pss_only = type == EVP_PKEY_RSA_PSS && facts(algorithm).family == Family::pss;
      if (type != EVP_PKEY_RSA && !pss_only) return "the key for " + name + " is not an RSA key for it";
      const auto bits = static_cast<std::size_t>(std::max(EVP_PKEY_bits(key), 0));
      if (bits < rsa_bits_min || bits > rsa_bits_max) {
        return "the RSA key for " + name + " has " + std::to_string(bits) + " bits: use one with " +
               std::to_string(rsa_bits_min) + " to " + std::to_string(rsa_bits_max);
      }
      const std::string unsafe = unsafe_numbers(key);
      return unsafe.empty() ? unsafe : "the RSA key for " + name + " has " + unsafe;
    }
    case Family::ecdsa:
      if (type == EVP_PKEY_EC && der_of(key).find(curve_identifier(algorithm)) != std::string::npos) return {};
      return "the key for " + name + " is not an EC key on curve " + std::string(curve_of(algorithm));
    default: return type == EVP_PKEY_ED25519 ? "" : "the key for " + name + " is not an Ed25519 key";
  }
}

inline Result<SharedKey> public_key(Algorithm algorithm, PublicKeyPtr key, bool is_private, std::string id) {
  const QuietErrors quiet;
  if (std::string what = unfit(algorithm, key.get()); !what.empty()) return bad_key(std::move(what));
  auto state = std::make_shared<PublicKey>(algorithm, std::move(id), std::move(key), is_private);
  if (!state->prepare()) {
    return bad_key("OpenSSL does not accept the key for " + std::string(facts(algorithm).name));
  }
  return SharedKey(std::move(state));
}

// --- From text ---

/// Why these bytes are no secret; empty: they may be one.
inline std::string no_secret(std::string_view bytes) {
  if (bytes.find("-----BEGIN ") != std::string_view::npos) return "a key or certificate in PEM";
  if (bytes.starts_with("ssh-") || bytes.starts_with("ecdsa-sha2-")) return "an SSH key";
  const std::string_view text = bytes.substr(std::min(bytes.find_first_not_of(" \t\r\n"), bytes.size()));
  if (text.starts_with('{') && text.find("\"kty\"") != std::string_view::npos) return "a JSON Web Key";
  const unsigned char* at = bytes_of(bytes);
  const std::unique_ptr<X509, OpenSslFree<X509_free>> certificate(
      d2i_X509(nullptr, &at, static_cast<long>(bytes.size())));
  if (certificate) return "a certificate in DER";
  return read_der(bytes) ? "a public key in DER" : "";
}

FLUX_DECL Result<SharedKey> secret_key(Algorithm algorithm, std::string_view bytes, std::string id) {
  const AlgorithmFacts& about = facts(algorithm);
  const std::string name(about.name);
  if (about.family != Family::hmac) return bad_key(name + " needs a public or private key, not a secret: use Key::pem");
  if (bytes.size() < about.hash_bytes || bytes.size() > secret_bytes_max) {
    return bad_key("the secret for " + name + " has " + std::to_string(bytes.size()) + " bytes: use " +
                   std::to_string(about.hash_bytes) + " to " + std::to_string(secret_bytes_max) + " random ones");
  }
  const QuietErrors quiet;
  if (const std::string kind = no_secret(bytes); !kind.empty()) {
    return bad_key("the secret for " + name + " is " + kind +
                   ", which others may know: use random bytes, or the algorithm of that key");
  }
  auto state = std::make_shared<HmacKey>(algorithm, std::move(id));
  if (!state->prepare(bytes)) return bad_key("OpenSSL does not accept the secret for " + name);
  return SharedKey(std::move(state));
}

/// A block of a PEM text.
class PemBlock {
 public:
  /// Reads the next one.
  explicit PemBlock(BIO* from) : found_(PEM_read_bio(from, &name_, &header_, &content_, &size_) == 1) {}
  ~PemBlock() {
    OPENSSL_free(name_);
    OPENSSL_free(header_);
    OPENSSL_clear_free(content_, found_ ? static_cast<std::size_t>(size_) : 0);
  }
  PemBlock(const PemBlock&) = delete;
  PemBlock& operator=(const PemBlock&) = delete;

  bool found() const noexcept { return found_; }
  std::string_view name() const noexcept { return name_; }
  bool encrypted() const noexcept { return *header_ != '\0' || name() == "ENCRYPTED PRIVATE KEY"; }
  bool is_private() const noexcept { return name().ends_with("PRIVATE KEY"); }

  /// The key in it; null if there is none, or it is invalid. No call here asks for a password.
  PublicKeyPtr key() const {
    const unsigned char* at = content_;
    if (name() == "PUBLIC KEY") return PublicKeyPtr(d2i_PUBKEY(nullptr, &at, size_));
    if (name() == "RSA PUBLIC KEY") return PublicKeyPtr(d2i_PublicKey(EVP_PKEY_RSA, nullptr, &at, size_));
    if (is_private()) return PublicKeyPtr(d2i_AutoPrivateKey(nullptr, &at, size_));
    if (name() != "CERTIFICATE" && name() != "TRUSTED CERTIFICATE" && name() != "X509 CERTIFICATE") return nullptr;
    const std::unique_ptr<X509, OpenSslFree<X509_free>> certificate(d2i_X509(nullptr, &at, size_));
    return certificate ? PublicKeyPtr(X509_get_pubkey(certificate.get())) : nullptr;
  }

 private:
  char* name_ = nullptr;
  char* header_ = nullptr;
  unsigned char* content_ = nullptr;
  long size_ = 0;
  bool found_;
};

FLUX_DECL Result<SharedKey> pem_key(Algorithm algorithm, std::string_view text, std::string id) {
  const std::string name(facts(algorithm).name);
  if (facts(algorithm).family == Family::hmac) return bad_key(name + " needs a secret: use Key::secret");
  if (text.size() > INT_MAX) return bad_key("the key for " + name + " is too long");
  const QuietErrors quiet;
  const std::unique_ptr<BIO, OpenSslFree<BIO_free>> source(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  if (!source) return bad_key("OpenSSL could not read the key for " + name);
  for (;;) {
    const PemBlock block(source.get());
    if (!block.found()) {
      return bad_key("the key for " + name + " is not in PEM: it must have a line such as -----BEGIN PUBLIC KEY-----");
    }
    if (block.name() == "EC PARAMETERS") continue;
    if (block.encrypted()) return bad_key("the private key for " + name + " is encrypted: decrypt it first");
    PublicKeyPtr key = block.key();
    if (!key) {
      return bad_key("the PEM block " + std::string(block.name()) + " for " + name +
                     " holds no key that OpenSSL reads");
    }
    return public_key(algorithm, std::move(key), block.is_private(), std::move(id));
  }
}

FLUX_DECL Result<SharedKey> rsa_key(Algorithm algorithm, std::string_view modulus, std::string_view exponent,
                                    std::string id) {
  // DER's lengths are written with two bytes at most.
  if (modulus.size() > 2 * signature_bytes_max || exponent.size() > 8 || modulus.empty() || exponent.empty()) {
    return bad_key("n or e is empty or too long");
  }
  PublicKeyPtr key =
      read_der(der_public_key(rsa_identifier, der(0x30, der_integer(modulus).append(der_integer(exponent)))));
  if (!key) return bad_key("OpenSSL does not accept n and e");
  return public_key(algorithm, std::move(key), false, std::move(id));
}

FLUX_DECL Result<SharedKey> ec_key(Algorithm algorithm, std::string_view x, std::string_view y, std::string id) {
  const std::size_t width = facts(algorithm).coordinate_bytes;
  const std::string curve(curve_of(algorithm));
  if (x.size() != width || y.size() != width) {
    return bad_key("x and y of a key on " + curve + " must have " + std::to_string(width) + " bytes");
  }
  PublicKeyPtr key = read_der(der_public_key(curve_identifier(algorithm), std::string(1, '\x04').append(x).append(y)));
  if (!key) return bad_key("x and y are no point on " + curve);
  return public_key(algorithm, std::move(key), false, std::move(id));
}

FLUX_DECL Result<SharedKey> ed25519_key(std::string_view x, std::string id) {
  if (x.size() != 32) return bad_key("x of an Ed25519 key must have 32 bytes");
  PublicKeyPtr key = read_der(der_public_key(ed25519_identifier, x));
  if (!key) return bad_key("OpenSSL does not accept x as an Ed25519 key");
  return public_key(Algorithm::eddsa, std::move(key), false, std::move(id));
}

#else

FLUX_DECL bool has_tokens() noexcept { return false; }
FLUX_DECL Result<SharedKey> secret_key(Algorithm, std::string_view, std::string) { return no_tokens(Errc::bad_config); }
FLUX_DECL Result<SharedKey> pem_key(Algorithm, std::string_view, std::string) { return no_tokens(Errc::bad_config); }
FLUX_DECL Result<SharedKey> rsa_key(Algorithm, std::string_view, std::string_view, std::string) {
  return no_tokens(Errc::bad_config);
}
FLUX_DECL Result<SharedKey> ec_key(Algorithm, std::string_view, std::string_view, std::string) {
  return no_tokens(Errc::bad_config);
}
FLUX_DECL Result<SharedKey> ed25519_key(std::string_view, std::string) { return no_tokens(Errc::bad_config); }

#endif

}  // namespace flux::jwt::detail
