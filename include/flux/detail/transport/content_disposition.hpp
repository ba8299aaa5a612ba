// Content-Disposition: whether a file is displayed or saved, and under which name (RFC 6266, RFC 8187).
//
// Threading: any thread.
#pragma once

#include <flux/detail/mode.hpp>

#include <string>
#include <string_view>

namespace flux::transport {

/// `name` as a file name that is safe to suggest on any system: valid UTF-8; path separators become `_`; control
/// characters, line separators and characters that change the text direction are removed; never empty, `.` or `..`, and
/// no spaces at either end. A name with nothing left becomes "file".
std::string suggested_file_name(std::string_view name);

enum class Disposition { attachment, in_place };

/// The value of the field: `attachment; filename="na_ve.txt"; filename*=UTF-8''na%C3%AFve.txt`. The second form is
/// added if the first can't represent the name. Contains no control characters, whatever `name` is.
std::string content_disposition(Disposition disposition, std::string_view name);

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/content_disposition.ipp>
#endif
