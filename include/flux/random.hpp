// Text that nobody can guess: ids of users, session tokens, keys in links.
#pragma once

#include <flux/detail/mode.hpp>

#include <cstddef>
#include <string>

namespace flux {

/// A new token from `bytes` bytes of the system's entropy, in the characters A-Z, a-z, 0-9, "-" and "_" (base64url, RFC
/// 4648 section 5, without padding), which URLs, file names, cookies and JSON take as they are. The default has 128 bits
/// in 22 characters: nobody guesses it, and no two are the same.
/// `bytes`: 1 to 1,024; less counts as 1, more as 1,024.
/// Threading: any thread. Errors: throws std::exception if the system has no entropy.
std::string random_token(std::size_t bytes = 16);

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/random.ipp>
#endif
