#pragma once

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <type_traits>

namespace flux::bench {

/// The results of a run: one flat JSON object, and the same as a readable line.
class Report {
 public:
  void add(std::string_view name, std::string_view value) {
    std::string quoted = "\"";
    for (const char c : value) {
      if (static_cast<unsigned char>(c) < 0x20) {
        quoted += ' ';
        continue;
      }
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c;
    }
    put(name, quoted + "\"", value);
  }

  template <class Integer>
  requires std::is_integral_v<Integer>
  void add(std::string_view name, Integer value) {
    const std::string text = std::to_string(value);
    put(name, text, text);
  }

  void add(std::string_view name, double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.3f", value);
    put(name, text, text);
  }

  std::string json() const { return "{" + json_ + "}"; }
  const std::string& line() const { return line_; }

 private:
  void put(std::string_view name, std::string_view json_value, std::string_view readable_value) {
    if (!json_.empty()) {
      json_ += ',';
      line_ += ' ';
    }
    json_.append("\"").append(name).append("\":").append(json_value);
    line_.append(name).append("=").append(readable_value);
  }

  std::string json_;
  std::string line_;
};

}  // namespace flux::bench
