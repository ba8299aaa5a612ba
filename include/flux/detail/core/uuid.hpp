// Random UUIDs (RFC 9562, version 4).
#pragma once

#include <flux/detail/mode.hpp>

#include <string>

namespace flux::core {

/// 36 lower-case characters from the system's entropy: unpredictable.
std::string random_uuid();

}  // namespace flux::core

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/uuid.ipp>
#endif
