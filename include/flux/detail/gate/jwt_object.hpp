// Reads the top-level members of a token's header or claims in one pass, and refuses duplicate names.
#pragma once

#include <flux/detail/core/json_scanner.hpp>
#include <flux/error.hpp>
#include <flux/json.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flux::jwt::detail {

/// The names of the objects that are open during a scan.
class OpenNames {
 public:
  OpenNames();
  void open();
  void add(std::string_view name);
  /// Ends the innermost object. Returns whether its names are unique.
  bool close();

 private:
  struct Name {
    std::uint64_t start;  // the first seven bytes and the size, which tell most names apart
    std::size_t begin;
    std::size_t size;
  };
  std::string text_;  // the names, one after the other
  std::vector<Name> names_;
  std::vector<std::size_t> objects_;  // where in `names_` each open object begins
};

/// A member's value as JSON text; empty if it is absent.
using MemberText = std::string_view;

/// Scans `text`, which must be an object, and stores the values of the members called `names` in `values`, which refer
/// to `text`. `what`: how errors call the object.
/// Errors: invalid_argument if it is no object, is nested deeper than 32 levels, or has two members with the same name,
/// at any depth; invalid_json.
Result<void> read_object(std::string_view what, std::string_view text, std::span<const std::string_view> names,
                         std::span<MemberText> values);

/// The string that a member holds; a view of its text, or of `buffer` if it has escapes. None if it is another kind of
/// value or has a lone surrogate.
std::optional<std::string_view> string_of(MemberText member, std::string& buffer);

}  // namespace flux::jwt::detail

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/jwt_object.ipp>
#endif
