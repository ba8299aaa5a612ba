// Cache prefetching.
#pragma once

namespace flux::core {

inline constexpr int cache_line_bytes = 64;

/// Begins to load the cache line at `address`. Any address is allowed.
inline void prefetch([[maybe_unused]] const void* address) noexcept {
#if defined(__GNUC__)
  __builtin_prefetch(address);
#endif
}

}  // namespace flux::core
