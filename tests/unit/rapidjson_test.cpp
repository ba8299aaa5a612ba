#include "catch.hpp"

#include <flux/rapidjson.hpp>

#include <limits>
#include <string>

namespace rapidjson_test {

using namespace flux;
using namespace flux::literals;
using namespace std::string_literals;

TEST_CASE("rapidjson: a payload becomes a document and is written back", "[rapidjson]") {
  const auto document = to_document(R"({"n":18446744073709551615,"s":"a\u0000b","l":[1,2.5,null,true]})"_json);
  REQUIRE(document.IsObject());
  CHECK(document["n"].GetUint64() == std::numeric_limits<std::uint64_t>::max());
  CHECK(std::string(document["s"].GetString(), document["s"].GetStringLength()) == "a\0b"s);
  CHECK(document["l"].Size() == 4);
  CHECK(from_value(document).value().text() == R"({"n":18446744073709551615,"s":"a\u0000b","l":[1,2.5,null,true]})");
}

TEST_CASE("rapidjson: of members with the same name the first counts, as in JsonText", "[rapidjson]") {
  const JsonText json = R"({"a":1,"a":2})"_json;
  CHECK(to_document(json)["a"].GetInt64() == json.get<std::int64_t>("/a"));
}

TEST_CASE("rapidjson: a number past 2^64 is a double, exactly", "[rapidjson]") {
  const auto document = to_document("[18446744073709551616,0.1]"_json);
  CHECK_FALSE(document[0].IsUint64());
  CHECK(document[0].GetDouble() == 18446744073709551616.0);
  CHECK(document[1].GetDouble() == 0.1);
}

TEST_CASE("rapidjson: zero with an exponent is zero", "[rapidjson]") {
  const auto document = to_document(R"([0e91,-0.0e-30,{"n":0e308},0,-7,1e2])"_json);
  REQUIRE(document.Size() == 6);
  CHECK(document[0].GetDouble() == 0.0);
  CHECK(document[1].GetDouble() == 0.0);
  CHECK(document[2]["n"].GetDouble() == 0.0);
  CHECK(document[3].GetInt() + 1 == 1);
  CHECK(document[4].GetInt() + 8 == 1);
  CHECK(document[5].GetDouble() == 100.0);
}

TEST_CASE("rapidjson: digits that round up past 64 bits are read", "[rapidjson]") {
  const auto document = to_document("[18446744073709551615999,-1.84467440737095516155]"_json);
  REQUIRE(document.Size() == 2);
  CHECK(document[0].GetDouble() == 18446744073709551615999.0);
  CHECK(document[1].GetDouble() == -1.84467440737095516155);
}

TEST_CASE("rapidjson: numbers beside the range of doubles are 0, or no document", "[rapidjson]") {
  CHECK(to_document("[24349.393329304115743782378e-335]"_json)[0].GetDouble() == 0.0);
  CHECK(to_document("[184467440737095516155e300]"_json).IsNull());
}

TEST_CASE("rapidjson: a value that can't be written as JSON is an error", "[rapidjson]") {
  rapidjson::Document document;
  document.SetArray();
  document.PushBack(rapidjson::Value(1), document.GetAllocator());
  SECTION("NaN") {
    document.PushBack(rapidjson::Value(std::numeric_limits<double>::quiet_NaN()), document.GetAllocator());
  }
  SECTION("infinity") {
    document.PushBack(rapidjson::Value(std::numeric_limits<double>::infinity()), document.GetAllocator());
  }
  SECTION("bytes that are not UTF-8") { document.PushBack(rapidjson::Value("\xFF", 1), document.GetAllocator()); }
  SECTION("a lone surrogate, which RapidJSON 1.1.0 decodes to such bytes") {
    document.Parse(R"(["\udc00"])");
    if (document.HasParseError()) return;  // newer versions refuse it
  }
  const auto result = from_value(document);
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code() == Errc::invalid_json);
}

}  // namespace rapidjson_test
