// RapidJSON as flux uses it. In the compiled mode the library's copy has a namespace of its own, so that an
// application's RapidJSON, with other macros, is never mixed with it.
#pragma once

#if !defined(FLUX_HEADER_ONLY) && !defined(RAPIDJSON_NAMESPACE)
#define RAPIDJSON_NAMESPACE flux_rapidjson
#define RAPIDJSON_NAMESPACE_BEGIN namespace flux_rapidjson {
#define RAPIDJSON_NAMESPACE_END }
#endif

// An empty stack of RapidJSON 1.1.0 adds to a null pointer to see that it has no room: harmless, and UBSan stops there.
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
