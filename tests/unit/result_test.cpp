// Result: a value or an error.
#include "catch.hpp"

#include <flux/error.hpp>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace result_test {

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

TEST_CASE("result: value_or() is the value, or what is given if there is an error") {
  const Result<std::string> good(std::string("a"));
  CHECK(good.value_or("b") == "a");
  CHECK(Result<std::string>(Error(Errc::room_full, "full")).value_or("b") == "b");
  CHECK(Result<std::unique_ptr<int>>(std::make_unique<int>(7)).value_or(nullptr) != nullptr);
}

TEST_CASE("result: of void, value() throws the error or does nothing") {
  CHECK_NOTHROW(nothing(false).value());
  CHECK_THROWS_AS(nothing(true).value(), Error);
}

TEST_CASE("result: and_then and transform go on with the value, and stop at the first error") {
  const auto half = [](int n) -> Result<int> {
    if (n % 2 != 0) return Error(Errc::invalid_argument, std::to_string(n) + " is odd");
    return n / 2;
  };
  const Result<int> twelve = 12;
  CHECK(twelve.and_then(half).and_then(half).value() == 3);
  CHECK(twelve.and_then(half).and_then(half).and_then(half).and_then(half).error().message() == "3 is odd");
  CHECK(twelve.transform([](int n) { return std::to_string(n); }).value() == "12");

  int calls = 0;
  const Result<int> failed = Error(Errc::room_full, "full");
  CHECK(failed.and_then([&](int n) { return ++calls, Result<int>(n); }).error().code() == Errc::room_full);
  CHECK(failed.transform([&](int) { ++calls; }).error().code() == Errc::room_full);
  CHECK(calls == 0);
}

TEST_CASE("result: and_then and transform move the value out of a temporary, and out of no other") {
  const auto owned = [] { return Result<std::unique_ptr<int>>(std::make_unique<int>(7)); };
  CHECK(**owned().and_then([](std::unique_ptr<int> p) { return Result<std::unique_ptr<int>>(std::move(p)); }) == 7);
  CHECK(owned().transform([](std::unique_ptr<int> p) { return *p; }).value() == 7);
  const auto texts = list();
  CHECK(texts.transform([](std::vector<std::string> all) { return all.size(); }).value() == 2);
  CHECK(texts->size() == 2);
}

TEST_CASE("result: of void, and_then and transform call a function without arguments") {
  int calls = 0;
  CHECK(nothing(false).and_then([&] { return ++calls, nothing(true); }).error().code() == Errc::room_exists);
  CHECK(nothing(false).transform([&] { return ++calls; }).value() == 2);
  CHECK(nothing(false).transform([&] { ++calls; }).ok());
  CHECK(calls == 3);
  CHECK_FALSE(nothing(true).and_then([&] { return ++calls, nothing(false); }).ok());
  CHECK_FALSE(nothing(true).transform([&] { ++calls; }).ok());
  CHECK(calls == 3);
  const Result<int> one = 1;
  CHECK(one.transform([](int) {}).ok());
  CHECK(one.and_then([](int) { return nothing(true); }).error().code() == Errc::room_exists);
}

}  // namespace result_test
