// Digests: SHA-1 and SHA-256 (FIPS 180-4), HMAC-SHA256 (RFC 2104), computed by OpenSSL, whose headers are not included
// here.
//
// In a build without OpenSSL (FLUX_WITH_TLS is 0) these functions return server_error. Digests are raw bytes in a
// string; `to_hex` converts them to text. SHA-1 is for protocols that require it, not for secrets.
#pragma once

#include <flux/error.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace flux::core {

enum class DigestKind : std::uint8_t { sha1, sha256 };

/// Whether this build has digests.
bool has_digests() noexcept;

/// A digest computed incrementally. Threading: one thread at a time.
class Digest {
 public:
  /// Errors: server_error if the build has no digests, or OpenSSL refuses (SHA-1 under some policies).
  static Result<Digest> begin(DigestKind kind);
  Digest(Digest&& other) noexcept;
  Digest& operator=(Digest&& other) noexcept;
  ~Digest();

  /// Errors: a failure is kept and returned by `finish`.
  void update(std::string_view bytes) noexcept;
  /// Returns 20 or 32 bytes. Must be the last call.
  Result<std::string> finish();

 private:
  struct State;
  explicit Digest(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

/// 20 bytes.
Result<std::string> sha1(std::string_view bytes);
/// 32 bytes.
Result<std::string> sha256(std::string_view bytes);
/// 32 bytes.
Result<std::string> hmac_sha256(std::string_view key, std::string_view bytes);

/// Compares two secrets in a time that does not depend on where they differ. Their lengths are not secret.
bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

/// Two lower-case digits per byte.
std::string to_hex(std::string_view bytes);

}  // namespace flux::core

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/digest.ipp>
#endif
