// The text of generated API keys: `<prefix>_<id>_<secret><checksum>`, of letters, digits and `_` only.
//
// The checksum tells a misspelled or cut key from an unknown one without a look into the store, and scanners for leaked
// secrets find few false ones. `ApiKeysOptions::prefix` states the sizes.
#pragma once

#include <flux/detail/mode.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace flux::gate {

inline constexpr std::size_t api_key_id_digits = 12;
inline constexpr std::size_t api_key_secret_digits = 43;  // 62^43 > 2^256
inline constexpr std::size_t api_key_checksum_digits = 6;

/// Whether keys can begin with it.
bool is_api_key_prefix(std::string_view prefix) noexcept;
/// A random id.
std::string new_api_key_id();
/// A new key with this id.
std::string new_api_key_text(std::string_view prefix, std::string_view id);
/// The id in a generated key, whatever its prefix. None if the text has another form, or its checksum is wrong.
std::optional<std::string_view> id_in_api_key(std::string_view key) noexcept;
/// Whether the text has the form of a generated key, but not its checksum: it was misspelled or cut off.
bool is_misspelled_api_key(std::string_view key) noexcept;
/// What logs may show of a key: "flux_4fKx0aB2cD3e_..." of a generated one, nothing of others.
std::string shown_api_key(std::string_view key);

}  // namespace flux::gate

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/api_key_text.ipp>
#endif
