// RapidJSON as flux uses it. In the compiled mode the library's copy has its own namespace, so that it never mixes with
// an application's RapidJSON built with other macros.
#pragma once

#if !defined(FLUX_HEADER_ONLY) && !defined(RAPIDJSON_NAMESPACE)
#define RAPIDJSON_NAMESPACE flux_rapidjson
#define RAPIDJSON_NAMESPACE_BEGIN namespace flux_rapidjson {
#define RAPIDJSON_NAMESPACE_END }
#endif

// An empty stack of RapidJSON 1.1.0 adds to a null pointer when it checks its capacity: harmless, but reported by
// UBSan.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((no_sanitize("pointer-overflow"))), apply_to = function)
#endif
#include <rapidjson/allocators.h>
#include <rapidjson/encodings.h>
#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>
#if defined(__clang__)
#pragma clang attribute pop
#endif

namespace flux::detail {
namespace rj = ::RAPIDJSON_NAMESPACE;
}
