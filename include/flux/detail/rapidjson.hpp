// RapidJSON as flux uses it. In the compiled mode the library's copy has a namespace of its own, so that an application's
// RapidJSON, with other macros, is never mixed with it.
#pragma once

#if !defined(FLUX_HEADER_ONLY) && !defined(RAPIDJSON_NAMESPACE)
#define RAPIDJSON_NAMESPACE flux_rapidjson
#define RAPIDJSON_NAMESPACE_BEGIN namespace flux_rapidjson {
#define RAPIDJSON_NAMESPACE_END }
#endif

#include <rapidjson/allocators.h>
#include <rapidjson/encodings.h>
#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

namespace flux::detail {
namespace rj = ::RAPIDJSON_NAMESPACE;
}
