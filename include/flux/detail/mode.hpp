// The library's two modes and its version.
//
// Compiled (the default): target flux::flux links the library with the definitions.
// Header-only: FLUX_HEADER_ONLY is defined (by target flux::header_only) and every definition is inline.
#pragma once

#if !defined(__cpp_exceptions)
#error \
    "flux needs exceptions: it throws at start-up, and catches what the application's handlers throw. Remove -fno-exceptions"
#endif

#define FLUX_VERSION_MAJOR 0
#define FLUX_VERSION_MINOR 1
#define FLUX_VERSION_PATCH 0
#define FLUX_VERSION_STRING "0.1.0"

#if defined(FLUX_HEADER_ONLY)
#define FLUX_DECL inline
#else
#define FLUX_DECL
#endif

// A program must not contain both modes: their definitions would silently replace one another. The symbol below is a
// thread-local variable in one mode and a function in the other, which linkers refuse; its name is the error message.
extern "C" {
#if defined(FLUX_HEADER_ONLY)
inline constinit thread_local volatile bool flux_compiled_and_header_only_modes_must_not_be_mixed = true;
#else
bool flux_compiled_and_header_only_modes_must_not_be_mixed() noexcept;
#endif
}

namespace flux::detail {
/// Ties its caller to the mode of the caller's translation unit. Not inline: of an inline function a linker keeps one
/// copy, and might never see the reference in the other, which is the one to refuse.
[[maybe_unused]] static bool link_mode() noexcept {
#if defined(FLUX_HEADER_ONLY)
  return flux_compiled_and_header_only_modes_must_not_be_mixed;
#else
  return flux_compiled_and_header_only_modes_must_not_be_mixed();
#endif
}
}  // namespace flux::detail
