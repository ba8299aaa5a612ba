// Media types by file name.
#pragma once

#include <flux/detail/mode.hpp>

#include <string_view>

namespace flux::transport {

/// The Content-Type for a file: by its extension, without regard to case; text types say charset=utf-8.
/// "application/octet-stream" for unknown extensions and for names without one.
std::string_view media_type(std::string_view file_name) noexcept;

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/impl/transport/media_type.ipp>
#endif
