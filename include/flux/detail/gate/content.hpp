// What a message of a client may hold: its size, and no scripts.
#pragma once

#include <flux/config.hpp>
#include <flux/error.hpp>

#include <string_view>

namespace flux::gate {

/// Whether the text has a script tag, `javascript:` or an event attribute (`on…=`), in any case.
bool has_script(std::string_view text);
/// The same for the texts and names in a JSON value.
bool has_script_in_json(std::string_view json);

/// Checks a message that consists of `text` and of `json`; either may be empty. Errors: message_too_large; invalid_message.
Result<void> check_content(const ContentRules& rules, std::string_view text, std::string_view json);

}  // namespace flux::gate

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/content.ipp>
#endif
