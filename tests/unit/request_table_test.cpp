#include "catch.hpp"

#include <flux/detail/core/members.hpp>
#include <flux/detail/features/request_table.hpp>

#include <string>

namespace request_table_test {

using namespace flux;
using Declared = core::Member;
using Members = core::Members;

namespace {

features::Request request(std::string_view name) { return {{name}, nullptr}; }

std::string wrong_name(features::RequestTable& table, std::string_view name) {
  try {
    table.add(request(name));
  } catch (const Error& error) {
    CHECK(error.code() == Errc::bad_config);
    return error.message();
  }
  return {};
}

constexpr core::RequestShape shape{"ask",
                                   {{{"flag", Declared::Kind::flag},
                                     Declared{"value", Declared::Kind::json}.required(),
                                     {"nested", Declared::Kind::nested},
                                     {"count", Declared::Kind::number, nullptr, nullptr, 2, 5}}}};

/// The error that reading this object gives; empty: none.
std::string fault(Members& members, const std::string& json) {
  members.declare(shape.members);
  members.from(json);
  auto done = members.scan(10);
  if (done) done = members.read(Limits());
  return done ? std::string() : done.error().message();
}
std::string fault(const std::string& json) {
  Members members("data.");
  return fault(members, json);
}

}  // namespace

TEST_CASE("request table: a name can be added once, and not if it is a protocol's own") {
  features::RequestTable table;
  table.reserve("own");
  table.reserve("own");  // by two protocols
  CHECK(wrong_name(table, "own") == "a request may not be called \"own\": the name is taken");
  CHECK_FALSE(wrong_name(table, "").empty());
  CHECK(wrong_name(table, "new").empty());
  CHECK_FALSE(wrong_name(table, "new").empty());
  CHECK_THROWS_AS(table.reserve("new"), Error);
  CHECK(table.request("new")->name == "new");
  CHECK(table.request("own") == nullptr);
}

TEST_CASE("members: declared members are read, others are ignored") {
  Members members;
  const std::string json = R"({"count":5,"other":{"flag":7},"flag":true,"value":[null],"nested":{"a":"\ud83d"}})";
  CHECK(fault(members, json).empty());
  CHECK(members.flag("flag"));
  CHECK(members.number("count") == 5);
  CHECK(members.json("value") == "[null]");
  CHECK(members.json("nested") == R"({"a":"\ud83d"})");  // as received
  CHECK_FALSE(members.has("other"));
  Members few;
  CHECK(fault(few, R"({"value":0,"flag":null})").empty());
  CHECK_FALSE(few.flag("flag"));
  CHECK_FALSE(few.copy("nested"));
  CHECK(few.number("count", 3) == 3);
}

TEST_CASE("members: an error names the first wrong member, prefixed with the object's name") {
  CHECK(fault(R"({"flag":1})") == "data.flag is a number; it must be a boolean");
  CHECK(fault(R"({"value":null})") == "data.value is missing; it must be a value");
  CHECK(fault(R"({"value":1,"nested":[]})") == "data.nested is an array; it must be an object");
  CHECK(fault(R"({"value":1,"count":6})") == "data.count is 6; it must be an integer from 2 to 5");
  CHECK(fault(R"({"value":1,"value":1})") == "member \"value\" appears twice");
  CHECK(fault(R"({"value":[[[[[[[[[[]]]]]]]]]]})") == "JSON nested deeper than 10 levels");
}

}  // namespace request_table_test
