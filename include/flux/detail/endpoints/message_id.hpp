// The ids of clients' messages.
#pragma once

#include <flux/detail/core/json_scanner.hpp>
#include <flux/error.hpp>
#include <flux/json.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace flux::protocol {

/// A member of a message: its JSON.
struct MessageMember {
  std::string_view text{};  ///< empty: absent
  JsonText::Kind kind = JsonText::Kind::null;
};

/// Sets `out` to the message's id if it is valid. Errors: invalid_message.
inline Result<void> read_message_id(const MessageMember& id, std::size_t bytes_max, std::string_view& out) {
  using Kind = JsonText::Kind;
  if (id.text.empty() || id.kind == Kind::null) return {};
  if ((id.kind != Kind::string && id.kind != Kind::number) || id.text.size() > bytes_max) {
    return Error(Errc::invalid_message,
                 "id must be a string or a number of at most " + std::to_string(bytes_max) + " bytes");
  }
  out = id.text;
  if (!detail::without_lone_surrogates(id.text)) return {};
  return Error(Errc::invalid_message, "id contains a lone surrogate, which is not a character");
}

}  // namespace flux::protocol
