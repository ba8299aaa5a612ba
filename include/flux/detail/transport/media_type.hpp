// Media types: by file name, and as sent by clients.
#pragma once

#include <flux/detail/mode.hpp>

#include <string_view>

namespace flux::transport {

/// The Content-Type for a file: by its extension, ignoring case; text types include charset=utf-8.
/// "application/octet-stream" for unknown extensions and for names without one.
std::string_view media_type(std::string_view file_name) noexcept;

/// Whether `text` may be sent as a Content-Type: `type/subtype` of tokens, optionally with parameters (RFC 9110,
/// 8.3.1).
bool is_media_type(std::string_view text) noexcept;

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/media_type.ipp>
#endif
