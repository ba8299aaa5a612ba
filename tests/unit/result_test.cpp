// Result: a value or an error.
#include "catch.hpp"

#include <flux/error.hpp>

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using flux::Errc;
using flux::Error;
using flux::Result;

namespace {

Result<std::vector<std::string>> list() {
  return std::vector<std::string>{"a long enough text to be on the heap", "b"};
}
Result<void> nothing(bool fails) {
  if (fails) return Error(Errc::room_exists, "it is there");
  return {};
}

}  // namespace

TEST_CASE("result: value() of a temporary is safe to iterate over") {
  static_assert(!std::is_reference_v<decltype(list().value())>);
  std::string all;
  for (const auto& text : list().value()) all += text;
  CHECK(all == "a long enough text to be on the heapb");
}

TEST_CASE("result: value() of an error throws it") {
  const Result<int> failed = Error(Errc::room_full, "full");
  CHECK_FALSE(failed.ok());
  try {
    static_cast<void>(failed.value());
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.code() == Errc::room_full);
    CHECK(error.message() == "full");
  }
}

TEST_CASE("result: of void, value() throws the error or does nothing") {
  CHECK_NOTHROW(nothing(false).value());
  CHECK_THROWS_AS(nothing(true).value(), Error);
}
