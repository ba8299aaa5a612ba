// How the contracts of stores report what they have checked. They need no test framework: each calls a function of the
// caller for every check. Without a framework:
//
//     int failures = 0;
//     flux::testing::chat_store_contract(
//         [&](const flux::testing::Check& check) {
//           if (!check.passed) std::cerr << check.text() << '\n', ++failures;
//         },
//         [] { return my_new_empty_store(); });
//
// With Catch2 the function is one line, and likewise with any other framework:
//
//     [](const flux::testing::Check& check) { INFO(check.text()); CHECK(check.passed); }
#pragma once

#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace flux::testing {

/// One check of a contract. Valid during the call.
struct Check {
  std::string_view duty;       ///< what the contract demands: "offsets start at 1 and have no gaps"
  std::string_view condition;  ///< what was checked, as C++: "store.append(\"r\", message).value() == 2"
  bool passed = false;         ///< whether the condition holds
  std::string values;          ///< what was compared, "3 == 2"; empty if the check has passed
  std::string_view file;       ///< of the contract's source
  int line = 0;                ///< in that file

  /// The whole check on one line.
  std::string text() const {
    std::string all = std::string(file) + ':' + std::to_string(line) + ": " + std::string(duty) +
                      (passed ? ": passed: " : ": FAILED: ") + std::string(condition);
    if (!values.empty()) all += ", with " + values;
    return all;
  }
};

/// Called for each check, on the thread that runs the contract. May throw: the exception ends the contract.
using CheckFunction = std::function<void(const Check&)>;

/// For flux itself: a value for people: text and numbers, else "(value)".
template <class T>
std::string shown(const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    constexpr std::size_t shown_max = 200;
    const std::string_view text = value;
    return '"' + std::string(text.substr(0, shown_max)) + (text.size() > shown_max ? "...\"" : "\"");
  } else if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_arithmetic_v<T>) {
    return std::to_string(value);
  } else if constexpr (std::is_enum_v<T>) {
    return std::to_string(static_cast<std::underlying_type_t<T>>(value));
  } else {
    return "(value)";
  }
}

/// For flux itself: the outcome of a condition, and what it compared.
struct Comparison {
  bool holds = false;
  std::string values;
};

/// For flux itself: the left side of a comparison.
template <class Left>
class Compared {
 public:
  explicit Compared(const Left& left) : left_(left) {}

  operator Comparison() const { return {static_cast<bool>(left_), {}}; }
  template <class Right>
  friend Comparison operator==(const Compared& left, const Right& right) {
    return left.outcome(equal(left.left_, right), " == ", right);
  }
  template <class Right>
  friend Comparison operator!=(const Compared& left, const Right& right) {
    return left.outcome(!equal(left.left_, right), " != ", right);
  }
  template <class Right>
  friend Comparison operator>(const Compared& left, const Right& right) {
    return left.outcome(left.left_ > right, " > ", right);
  }

 private:
  template <class T>
  static constexpr bool is_integer = std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char>;

  template <class Right>
  static bool equal(const Left& left, const Right& right) {
    if constexpr (is_integer<Left> && is_integer<Right>) {
      return std::cmp_equal(left, right);
    } else {
      return left == right;
    }
  }
  template <class Right>
  Comparison outcome(bool holds, std::string_view how, const Right& right) const {
    return {holds, holds ? std::string() : shown(left_) + std::string(how) + shown(right)};
  }

  const Left& left_;
};

/// For flux itself: begins a condition: `ConditionBegin() ->* a == b` is a `Comparison`.
struct ConditionBegin {
  template <class Left>
  Compared<Left> operator->*(const Left& left) const {
    return Compared<Left>(left);
  }
};

/// For flux itself: runs the duties of a contract, one after the other, and reports their checks.
class Contract {
 public:
  explicit Contract(CheckFunction report) : report_(std::move(report)) {}

  /// Runs the checks of one duty. One that throws has failed, and the next duty follows.
  template <class Checks>
  void duty(std::string_view name, const Checks& checks) {
    duty_ = name;
    try {
      checks();
    } catch (const Unmet&) {
    } catch (const std::exception& error) {
      if (reporting_) throw;  // the check function's own
      report({duty_, "nothing is thrown", false, shown(error.what()), {}, 0});
    }
  }

  /// For the macros below. Returns whether the check has passed.
  bool check(Comparison outcome, std::string_view condition, std::string_view file, int line) const {
    const bool holds = outcome.holds;
    report({duty_, condition, holds, std::move(outcome.values), file, line});
    return holds;
  }
  void require(Comparison outcome, std::string_view condition, std::string_view file, int line) const {
    if (!check(std::move(outcome), condition, file, line)) throw Unmet();
  }

 private:
  struct Unmet {};

  void report(const Check& check) const {
    reporting_ = true;
    report_(check);
    reporting_ = false;
  }

  CheckFunction report_;
  mutable bool reporting_ = false;  // stays set if the check function throws
  std::string_view duty_;
};

}  // namespace flux::testing

/// For flux itself: a check in a function that has a `Contract& contract`.
#define FLUX_CHECK(...) \
  contract.check(::flux::testing::ConditionBegin()->*__VA_ARGS__, #__VA_ARGS__, __FILE__, __LINE__)
/// For flux itself: the same; if it fails, the duty ends.
#define FLUX_REQUIRE(...) \
  contract.require(::flux::testing::ConditionBegin()->*__VA_ARGS__, #__VA_ARGS__, __FILE__, __LINE__)
