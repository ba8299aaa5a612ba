// Digests: SHA-1 and SHA-256 (FIPS 180-4), HMAC-SHA256 (RFC 2104). OpenSSL computes them; its headers stay out of here.
//
// Without OpenSSL in the build (FLUX_WITH_TLS is 0) there are none: what computes one gives server_error.
// Digests are raw bytes in a string; `to_hex` makes text of them. SHA-1 is for protocols that ask for it, not for
// secrets.
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

/// A digest of bytes that come piece by piece. Threading: none; one at a time.
class Digest {
 public:
  /// Errors: server_error where the build has none, or OpenSSL refuses (SHA-1 under some policies).
  static Result<Digest> begin(DigestKind kind);
  Digest(Digest&& other) noexcept;
  Digest& operator=(Digest&& other) noexcept;
  ~Digest();

  /// A failure is kept, and `finish` gives it.
  void update(std::string_view bytes) noexcept;
  /// 20 or 32 bytes. The last call.
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

/// Whether two secrets are the same, in a time that says nothing about where they differ. Their lengths are no secret.
bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

/// Two digits in lower case for each byte.
std::string to_hex(std::string_view bytes);

}  // namespace flux::core

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/digest.ipp>
#endif
