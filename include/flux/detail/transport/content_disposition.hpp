// Content-Disposition: whether a file is shown or saved, and under which name (RFC 6266, RFC 8187).
//
// Threading: free functions of their arguments.
#pragma once

#include <flux/detail/mode.hpp>

#include <string>
#include <string_view>

namespace flux::transport {

/// `name` as a file name that is safe to suggest to any system: valid UTF-8; path separators become `_`; control
/// characters, line separators and what turns the direction of the text are removed; neither empty nor `.` nor `..`,
/// nor with blanks at its ends. Names that come to nothing are "file".
std::string suggested_file_name(std::string_view name);

enum class Disposition { attachment, in_place };

/// The value of the field: `attachment; filename="na_ve.txt"; filename*=UTF-8''na%C3%AFve.txt`. The second form is
/// there where the first can't hold the name. Never holds a control character, whatever `name` is.
std::string content_disposition(Disposition disposition, std::string_view name);

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/content_disposition.ipp>
#endif
