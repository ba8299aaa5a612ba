// Appends JSON objects and arrays to a text.
#pragma once

#include <flux/detail/core/json_scanner.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace flux::detail {

/// Writes the members of one object.
class JsonObject {
 public:
  explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }
  JsonObject(const JsonObject&) = delete;
  JsonObject& operator=(const JsonObject&) = delete;

  JsonObject& string(std::string_view name, std::string_view value) {
    key(name);
    append_json_string(out_, value);
    return *this;
  }
  JsonObject& optional_string(std::string_view name, std::string_view value) {
    return value.empty() ? *this : string(name, value);
  }
  JsonObject& json(std::string_view name, std::string_view text) {
    key(name);
    out_ += text;
    return *this;
  }
  JsonObject& optional_json(std::string_view name, std::string_view text) {
    return text.empty() ? *this : json(name, text);
  }
  JsonObject& number(std::string_view name, std::int64_t value) { return json(name, std::to_string(value)); }
  JsonObject& number(std::string_view name, std::uint64_t value) { return json(name, std::to_string(value)); }
  /// The value is what the caller appends to the text next.
  JsonObject& key(std::string_view name) {
    if (!first_) out_ += ',';
    first_ = false;
    out_ += '"';
    out_ += name;
    out_ += "\":";
    return *this;
  }
  void end() { out_ += '}'; }

 private:
  std::string& out_;
  bool first_ = true;
};

template <class List, class Put>
void append_json_array(std::string& out, const List& list, const Put& put) {
  out += '[';
  bool first = true;
  for (const auto& element : list) {
    if (!first) out += ',';
    first = false;
    put(element);
  }
  out += ']';
}

}  // namespace flux::detail
