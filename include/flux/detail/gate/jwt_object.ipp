#pragma once

#include <flux/detail/gate/jwt_object.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>

namespace flux::jwt::detail {

FLUX_DECL OpenNames::OpenNames() {
  // Enough for most tokens.
  text_.reserve(256);
  names_.reserve(32);
}

FLUX_DECL void OpenNames::open() { objects_.push_back(names_.size()); }

FLUX_DECL void OpenNames::add(std::string_view name) {
  std::uint64_t start = name.size();
  for (const char c : name.substr(0, 7)) start = start << 8 | static_cast<unsigned char>(c);
  names_.push_back({start, text_.size(), name.size()});
  text_ += name;
}

FLUX_DECL bool OpenNames::close() {
  const auto first = names_.begin() + static_cast<std::ptrdiff_t>(objects_.back());
  objects_.pop_back();
  if (first == names_.end()) return true;
  const std::size_t begin = first->begin;
  const auto name = [this](const Name& at) { return std::string_view(text_).substr(at.begin, at.size); };
  std::sort(first, names_.end(),
            [&](const Name& a, const Name& b) { return a.start != b.start ? a.start < b.start : name(a) < name(b); });
  const bool unique = std::adjacent_find(first, names_.end(), [&](const Name& a, const Name& b) {
                        return a.start == b.start && name(a) == name(b);
                      }) == names_.end();
  names_.erase(first, names_.end());
  text_.resize(begin);
  return unique;
}

/// The visitor of a scan.
class ObjectVisitor {
 public:
  ObjectVisitor(std::string_view text, std::span<const std::string_view> names, std::span<MemberText> values)
      : text_(text), wanted_(names), values_(values) {}

  bool key(std::size_t depth, std::string_view name) {
    names_.add(name);
    if (depth == 1) {
      const auto is_name = [&](std::string_view wanted) {
        return wanted.size() == name.size() && wanted.front() == name.front() && wanted == name;
      };
      next_ = static_cast<std::size_t>(std::find_if(wanted_.begin(), wanted_.end(), is_name) - wanted_.begin());
    }
    return true;
  }
  bool open(std::size_t depth, JsonKind kind, std::size_t) {
    if (depth == 0) is_object_ = kind == JsonKind::object;
    if (kind == JsonKind::object) names_.open();
    return depth != 0 || is_object_;
  }
  bool value(std::size_t depth, JsonKind kind, std::size_t begin, std::size_t end) {
    if (depth == 1 && next_ < wanted_.size()) values_[next_] = text_.substr(begin, end - begin);
    if (kind != JsonKind::object) return true;
    unique_ = names_.close();
    return unique_;
  }

  bool is_object() const noexcept { return is_object_; }
  bool unique() const noexcept { return unique_; }

 private:
  std::string_view text_;
  std::span<const std::string_view> wanted_;
  std::span<MemberText> values_;
  OpenNames names_;
  std::size_t next_ = 0;
  bool is_object_ = false;
  bool unique_ = true;
};

FLUX_DECL Result<void> read_object(std::string_view what, std::string_view text,
                                   std::span<const std::string_view> names, std::span<MemberText> values) {
  constexpr std::size_t depth_max = 32;
  ObjectVisitor visitor(text, names, values);
  if (const auto scanned = flux::detail::scan_json(text, depth_max, visitor); !scanned) {
    return Error(Errc::invalid_json, std::string(what) + ": " + scanned.error().message());
  }
  if (!visitor.is_object()) return Error(Errc::invalid_argument, std::string(what) + ": not a JSON object");
  if (!visitor.unique()) return Error(Errc::invalid_argument, std::string(what) + ": two members with the same name");
  return {};
}

FLUX_DECL std::optional<std::string_view> string_of(MemberText member, std::string& buffer) {
  if (!member.starts_with('"')) return std::nullopt;
  if (member.find('\\') == std::string_view::npos) return member.substr(1, member.size() - 2);
  auto decoded = flux::detail::decode_json_string(member);
  if (!decoded) return std::nullopt;
  buffer = std::move(*decoded);
  return buffer;
}

}  // namespace flux::jwt::detail
