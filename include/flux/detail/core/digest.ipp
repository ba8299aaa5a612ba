#pragma once

#include <flux/detail/core/digest.hpp>

#include <cstddef>
#include <utility>

#if defined(FLUX_WITH_TLS) && FLUX_WITH_TLS
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <climits>
#endif

namespace flux::core {

#if defined(FLUX_WITH_TLS) && FLUX_WITH_TLS

struct Digest::State {
  struct Free {
    void operator()(EVP_MD_CTX* unused) const noexcept { EVP_MD_CTX_free(unused); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};
  bool failed = false;
};

FLUX_DECL bool has_digests() noexcept { return true; }

FLUX_DECL Result<Digest> Digest::begin(DigestKind kind) {
  auto state = std::make_unique<State>();
  const EVP_MD* algorithm = kind == DigestKind::sha1 ? EVP_sha1() : EVP_sha256();
  if (!state->context || EVP_DigestInit_ex(state->context.get(), algorithm, nullptr) != 1) {
    return Error(Errc::server_error, kind == DigestKind::sha1 ? "OpenSSL refuses SHA-1" : "OpenSSL refuses SHA-256");
  }
  return Digest(std::move(state));
}

FLUX_DECL void Digest::update(std::string_view bytes) noexcept {
  if (EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) != 1) state_->failed = true;
}

FLUX_DECL Result<std::string> Digest::finish() {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  if (state_->failed ||
      EVP_DigestFinal_ex(state_->context.get(), reinterpret_cast<unsigned char*>(digest.data()), &size) != 1) {
    return Error(Errc::server_error, "OpenSSL could not compute a digest");
  }
  digest.resize(size);
  return digest;
}

FLUX_DECL Result<std::string> hmac_sha256(std::string_view key, std::string_view bytes) {
  std::string code(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  if (key.size() > INT_MAX) return Error(Errc::server_error, "an HMAC key must have less than 2 GiB");
  // For a null key OpenSSL would use the key of an earlier call.
  const void* key_bytes = key.empty() ? "" : key.data();
  if (HMAC(EVP_sha256(), key_bytes, static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(bytes.data()),
           bytes.size(), reinterpret_cast<unsigned char*>(code.data()), &size) == nullptr) {
    return Error(Errc::server_error, "OpenSSL could not compute an HMAC");
  }
  code.resize(size);
  return code;
}

#else

struct Digest::State {};

namespace digest_detail {
inline Error no_digests() {
  return Error(Errc::server_error, "this build of flux has no digests: build it with FLUX_WITH_TLS and OpenSSL");
}
}  // namespace digest_detail

FLUX_DECL bool has_digests() noexcept { return false; }
FLUX_DECL Result<Digest> Digest::begin(DigestKind) { return digest_detail::no_digests(); }
FLUX_DECL void Digest::update(std::string_view) noexcept {}
FLUX_DECL Result<std::string> Digest::finish() { return digest_detail::no_digests(); }
FLUX_DECL Result<std::string> hmac_sha256(std::string_view, std::string_view) { return digest_detail::no_digests(); }

#endif

FLUX_DECL Digest::Digest(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
FLUX_DECL Digest::Digest(Digest&& other) noexcept = default;
FLUX_DECL Digest& Digest::operator=(Digest&& other) noexcept = default;
FLUX_DECL Digest::~Digest() = default;

namespace digest_detail {
inline Result<std::string> digest_of(DigestKind kind, std::string_view bytes) {
  Result<Digest> digest = Digest::begin(kind);
  if (!digest) return digest.error();
  digest->update(bytes);
  return digest->finish();
}
}  // namespace digest_detail

FLUX_DECL Result<std::string> sha1(std::string_view bytes) { return digest_detail::digest_of(DigestKind::sha1, bytes); }
FLUX_DECL Result<std::string> sha256(std::string_view bytes) {
  return digest_detail::digest_of(DigestKind::sha256, bytes);
}

FLUX_DECL bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  // Volatile, so that the compiler can't end the loop early.
  volatile unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference =
        static_cast<unsigned char>(difference | (static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i])));
  }
  return difference == 0;
}

FLUX_DECL std::string to_hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

}  // namespace flux::core
