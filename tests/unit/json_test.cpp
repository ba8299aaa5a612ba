#include "catch.hpp"

#include <flux/detail/core/utf8.hpp>
#include <flux/json.hpp>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace json_test {

using namespace flux;
using namespace flux::literals;
using namespace std::string_literals;
using Kind = JsonText::Kind;

namespace {

std::string at(const JsonText& json, std::string_view pointer) {
  const auto found = json.at(pointer);
  return found ? found->text() : "none";
}

std::string repeated(std::string_view piece, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) text += piece;
  return text;
}

bool accepted(std::string text) { return JsonText::parse(std::move(text)).ok(); }

}  // namespace

TEST_CASE("json: a text is kept byte for byte", "[json]") {
  const std::string text = " {\"b\" : [1,  2.50e+1],\n\"a\":\"\\u00e9\xC3\xA9\"}\t";
  CHECK(JsonText::parse(text).value().text() == text);
  CHECK(JsonText().text() == "null");
}

TEST_CASE("json: every kind is recognised, with or without leading space", "[json]") {
  const std::map<std::string, Kind> kinds = {{"null", Kind::null}, {"true", Kind::boolean}, {"false", Kind::boolean},
                                             {"0", Kind::number},  {"-1.5", Kind::number},  {R"("")", Kind::string},
                                             {"[]", Kind::array},  {"{}", Kind::object}};
  for (const auto& [text, kind] : kinds) {
    CHECK(JsonText::parse(text).value().kind() == kind);
    CHECK(JsonText::parse(" \t\r\n" + text).value().kind() == kind);
  }
}

TEST_CASE("json: anything but a single value is refused, and the error has the position", "[json]") {
  for (const char* text : {"",           " ",        "{",   "}",    "[1",   "[1,]",     "{\"a\"}", "{\"a\":}",
                           "{\"a\":1,}", "{a:1}",    "'a'", "nul",  "True", "+1",       "01",      "1.",
                           ".5",         "1e",       "-",   "0x10", "NaN",  "Infinity", "\"",      "\"\\x\"",
                           "\"\\u12\"",  "\"a\nb\"", "1 2", "{}{}", "[] x", "//c\n1",   "[1 2]",   "\xEF\xBB\xBF{}",
                           "\"\\\""}) {
    INFO(text);
    CHECK_FALSE(accepted(text));
  }
  const auto error = JsonText::parse(R"({"a":1,"b":x})").error();
  CHECK(error.code() == Errc::invalid_json);
  CHECK_THAT(error.message(), Catch::Matchers::ContainsSubstring("byte 11"));
}

TEST_CASE("json: NUL does not end a text", "[json]") {
  CHECK_FALSE(accepted("{}\0"s));
  CHECK_FALSE(accepted("{}\0{}"s));
  CHECK_FALSE(accepted("[1]\0junk"s));
  CHECK_FALSE(accepted("\0{}"s));
  CHECK_FALSE(accepted("1\0"s));
  CHECK_FALSE(accepted("{\"a\0\":1}"s));
  CHECK_FALSE(accepted("\"a\0b\""s));
  CHECK(R"(["a\u0000b"])"_json.get<std::string>("/0") == "a\0b"s);
}

TEST_CASE("json: only UTF-8 is accepted", "[json]") {
  for (const char* bad : {"\x80", "\xC3", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF", "\xE2\x82"}) {
    CHECK_FALSE(accepted("\""s + bad + "\""));
    CHECK_FALSE(accepted("{\""s + bad + "\":1}"));
    CHECK_FALSE(accepted("{}"s + bad));
  }
  CHECK(accepted("\"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\""));
}

TEST_CASE("json: an escaped lone surrogate is never decoded to invalid UTF-8", "[json]") {
  for (const char* text : {R"("\udc00")", R"("a\udfffb")", R"("\udc00\ud800")", R"("\ud800")", R"("\ud800x")",
                           R"("\ud800\ud800")", R"("\ud800\u0041")", R"("\\\uDBFF")"}) {
    CAPTURE(text);
    const auto json = JsonText::parse(text);
    REQUIRE(json);
    CHECK(json->text() == text);
    CHECK(json->get<std::string>() == std::nullopt);
  }
  for (const char* text : {R"("\ud8")", R"("\ud80g")", R"("\u-123")", R"("\ud800)", "\"\\"})
    CHECK_FALSE(accepted(text));
  CHECK(R"({"a":["\ud83d","\\ud83d"],"b":1})"_json.get<std::string>("/a/1") == "\\ud83d");
  CHECK(R"({"\ud83d":"\ud83d","b":1})"_json.get<std::int64_t>("/b") == 1);
  CHECK(R"("\ud83d\ude00")"_json.get<std::string>() == "\xF0\x9F\x98\x80");
  // As a member's name it is not found, and does not affect others.
  CHECK(R"({"\udc00":1,"a":2})"_json.get<std::int64_t>("/a") == 2);
}

TEST_CASE("json: trusted text is repaired if it is not UTF-8", "[json]") {
  CHECK(JsonText::trusted("{\"a\":\"\xFF\"}").text() == "{\"a\":\"\xEF\xBF\xBD\"}");
  CHECK(JsonText::object({{"k\xFF", JsonText::string("v\xC3")}}).text() == "{\"k\xEF\xBF\xBD\":\"v\xEF\xBF\xBD\"}");
}

TEST_CASE("json: a number can be read as any type that it fits", "[json]") {
  const JsonText json = R"({"n":[0,-1,127,128,255,256,-129,2147483648,4294967296,1.5,1e2,1e39],"s":"1"})"_json;
  CHECK(json.get<int>("/n/2") == 127);
  CHECK(json.get<int>("/n/1") == -1);
  CHECK(json.get<int>("/n/7") == std::nullopt);
  CHECK(json.get<unsigned>("/n/7") == 2147483648u);
  CHECK(json.get<unsigned>("/n/1") == std::nullopt);
  CHECK(json.get<unsigned>("/n/8") == std::nullopt);
  CHECK(json.get<std::int8_t>("/n/2") == std::int8_t{127});
  CHECK(json.get<std::int8_t>("/n/3") == std::nullopt);
  CHECK(json.get<std::int8_t>("/n/6") == std::nullopt);
  CHECK(json.get<std::uint8_t>("/n/4") == std::uint8_t{255});
  CHECK(json.get<std::uint8_t>("/n/5") == std::nullopt);
  CHECK(json.get<short>("/n/6") == short{-129});
  CHECK(json.get<long>("/n/8") == 4294967296L);
  CHECK(json.get<long long>("/n/8") == 4294967296LL);
  CHECK(json.get<unsigned long long>("/n/8") == 4294967296ULL);
  CHECK(json.get<std::size_t>("/n/0") == std::size_t{0});
  CHECK(json.get<float>("/n/9") == 1.5f);
  CHECK(json.get<float>("/n/11") == std::nullopt);
  CHECK(json.get<double>("/n/11") == 1e39);
  for (const char* no_int : {"/n/9", "/n/10", "/s", "/n", "/none"}) CHECK(json.get<int>(no_int) == std::nullopt);
  static_assert(JsonReadable<int> && JsonReadable<long> && JsonReadable<unsigned char>);
  static_assert(!JsonReadable<const int> && !JsonReadable<const char*> && !JsonReadable<JsonText>);
}

TEST_CASE("json: a number can be read as a character type and as a long double", "[json]") {
  const JsonText json = "[65,300,55296,1114112,1e39,-1]"_json;
  CHECK(json.get<char>("/0") == 'A');
  CHECK(json.get<char>("/1") == std::nullopt);
  CHECK(json.get<char8_t>("/1") == std::nullopt);
  CHECK((json.get<char16_t>("/2") == char16_t{0xd800}));
  CHECK(json.get<char16_t>("/3") == std::nullopt);
  CHECK((json.get<char32_t>("/3") == char32_t{0x110000}));
  CHECK(json.get<char32_t>("/5") == std::nullopt);
  CHECK((json.get<wchar_t>("/0") == L'A'));
  CHECK((json.get<long double>("/4") == static_cast<long double>(1e39)));
}

TEST_CASE("json: a string is read as a view of the text, with escapes as a view of the buffer", "[json]") {
  const JsonText json = R"({"plain":"cafÃ©","escaped":"a\u0041\n","lone":"\ud83d","n":1,"empty":""})"_json;
  std::string buffer = "before";
  const auto plain = json.get<std::string_view>("/plain", buffer);
  REQUIRE(plain);
  CHECK(*plain == json.get<std::string>("/plain"));
  CHECK(plain->data() == json.text().data() + json.text().find("caf"));
  CHECK(buffer == "before");
  const auto escaped = json.get<std::string_view>("/escaped", buffer);
  REQUIRE(escaped);
  CHECK(*escaped == json.get<std::string>("/escaped"));
  CHECK(escaped->data() == buffer.data());
  CHECK(json.get<std::string_view>("/empty", buffer) == "");
  for (const char* pointer : {"/lone", "/n", "/none", ""}) {
    CHECK(json.get<std::string_view>(pointer, buffer) == std::nullopt);
  }
}

TEST_CASE("json: loops over elements and members, in order and nested", "[json]") {
  const JsonText json =
      R"( { "a" : [ 1 , "x,]}\"" , [ ] , { "b" : [ null ] } , -2.5e3,true ] , "b\u0041\ud83d" :{} ,"a":"}","":"" } )"_json;
  std::vector<std::string> elements;
  for (const JsonView element : json.elements("/a")) elements.emplace_back(element.text());
  CHECK(elements == std::vector<std::string>{"1", R"("x,]}\"")", "[ ]", R"({ "b" : [ null ] })", "-2.5e3", "true"});
  std::vector<std::pair<std::string, std::string>> members;
  for (const auto& [name, value] : json.members()) members.emplace_back(name, value.text());
  REQUIRE(members.size() == 4);
  CHECK(members[0].first == "a");
  CHECK(members[1] == std::pair<std::string, std::string>("bA\xEF\xBF\xBD", "{}"));
  CHECK(members[2] == std::pair<std::string, std::string>("a", R"("}")"));
  CHECK(members[3] == std::pair<std::string, std::string>("", R"("")"));
  std::string kinds;
  for (const JsonView element : json.elements("/a")) {
    kinds += std::to_string(static_cast<int>(element.kind())) + ' ';
    for (const auto& [name, value] : element.members()) {
      CHECK(name == "b");
      for (const JsonView inner : value.elements()) CHECK(inner.kind() == Kind::null);
      CHECK(value.get<int>("/0") == std::nullopt);
      CHECK(JsonText(value).text() == "[ null ]");
    }
  }
  CHECK(kinds == "2 3 4 5 2 1 ");
}

TEST_CASE("json: what is no array has no elements, and what is no object has no members", "[json]") {
  const JsonText json = R"({"a":[],"o":{},"s":"[1]","n":1,"z":null})"_json;
  for (const char* pointer : {"/o", "/s", "/n", "/z", "/a", "/none", "", "wrong"}) {
    CHECK(json.elements(pointer).begin() == std::default_sentinel);
  }
  for (const char* pointer : {"/o", "/s", "/n", "/z", "/a", "/none", "/o/x"}) {
    CHECK(json.members(pointer).begin() == std::default_sentinel);
  }
}

TEST_CASE("json: a loop over a text of any depth needs no recursion, and stays inside text that is no JSON", "[json]") {
  const std::size_t depth = 100'000;
  const JsonText deep = JsonText::parse(repeated("[", depth) + repeated("]", depth), depth).value();
  JsonView view = deep.view();
  std::size_t levels = 0;
  for (auto at = view.elements().begin(); at != std::default_sentinel; at = view.elements().begin()) {
    view = *at;
    if (++levels == 100) break;
  }
  CHECK(levels == 100);
  for (const char* wrong : {"[", "[1", "[\"", "[\"\\", "[[", "{\"a", "{\"a\"", "{\"a\":", "[,,", "{:", "[x]]", "{]1"}) {
    const JsonText json = JsonText::trusted(wrong);
    std::size_t steps = 0;
    for (const JsonView element : json.elements()) steps += element.text().size();
    for (const JsonMember& member : json.members()) steps += member.value.text().size();
    CHECK(steps < 5);
  }
}

TEST_CASE("json: nesting is accepted up to the limit and refused beyond it", "[json]") {
  const auto arrays = [](std::size_t depth) { return repeated("[", depth) + repeated("]", depth); };
  const auto objects = [](std::size_t depth) {
    return repeated("{\"a\":", depth - 1) + "{}" + repeated("}", depth - 1);
  };
  CHECK(JsonText::parse(arrays(128)).ok());
  CHECK_FALSE(JsonText::parse(arrays(129)).ok());
  CHECK(JsonText::parse(objects(128)).ok());
  CHECK_FALSE(JsonText::parse(objects(129)).ok());
  CHECK(JsonText::parse("1", 0).ok());
  CHECK_FALSE(JsonText::parse("[]", 0).ok());
  CHECK(JsonText::parse(arrays(100'000), 100'000).ok());
}

TEST_CASE("json: 100,000 open brackets fail at the limit, before the rest is read", "[json]") {
  for (const std::string& text : {repeated("[", 100'000), repeated("{\"a\":", 100'000), repeated("[{\"a\":", 50'000)}) {
    const auto error = JsonText::parse(text).error();
    CHECK(error.code() == Errc::invalid_json);
    CHECK_THAT(error.message(), Catch::Matchers::ContainsSubstring("deeper than 128 levels"));
  }
}

TEST_CASE("json: a pointer into a text of any depth needs no recursion", "[json]") {
  const std::size_t depth = 100'000;
  const JsonText json = JsonText::parse(repeated("[", depth) + "7" + repeated("]", depth), depth).value();
  CHECK(json.get<std::int64_t>(repeated("/0", depth)) == 7);
  CHECK(json.at(repeated("/0", depth + 1)) == std::nullopt);
}

TEST_CASE("json: pointers find what RFC 6901, section 5, lists", "[json]") {
  const JsonText json =
      R"({"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8})"_json;
  CHECK(at(json, "") == json.text());
  const std::map<std::string, std::string> found = {{"/foo", R"(["bar","baz"])"},
                                                    {"/foo/0", R"("bar")"},
                                                    {"/foo/1", R"("baz")"},
                                                    {"/", "0"},
                                                    {"/a~1b", "1"},
                                                    {"/c%d", "2"},
                                                    {"/e^f", "3"},
                                                    {"/g|h", "4"},
                                                    {"/i\\j", "5"},
                                                    {"/k\"l", "6"},
                                                    {"/ ", "7"},
                                                    {"/m~0n", "8"}};
  for (const auto& [pointer, text] : found) {
    INFO(pointer);
    CHECK(at(json, pointer) == text);
  }
}

TEST_CASE("json: a pointer to a missing value finds nothing", "[json]") {
  const JsonText json = R"({"foo":["bar",{"x":1}],"n":null,"s":"t","~":1})"_json;
  for (const char* pointer : {"foo",
                              "/fo",
                              "/fooo",
                              "/foo/2",
                              "/foo/-",
                              "/foo/00",
                              "/foo/01",
                              "/foo/0/0",
                              "/foo/+1",
                              "/foo/1 ",
                              "/foo/18446744073709551616",
                              "/foo/x",
                              "/foo/1/y",
                              "/foo/1/x/",
                              "/n/0",
                              "/s/0",
                              "/~",
                              "/~2",
                              "/foo/",
                              "//",
                              "/x"}) {
    INFO(pointer);
    CHECK(json.at(pointer) == std::nullopt);
  }
  CHECK("5"_json.at("/0") == std::nullopt);
  CHECK("[]"_json.at("/0") == std::nullopt);
}

TEST_CASE("json: ~01 is ~1, not a slash", "[json]") { CHECK(at(R"({"/":1,"~1":2})"_json, "/~01") == "2"); }

TEST_CASE("json: members are found by their unescaped names", "[json]") {
  CHECK(at(R"({"\u0061\/b":1})"_json, "/a~1b") == "1");
  CHECK(at("{\"\\u00e9\":1}"_json, "/\xC3\xA9") == "1");
  CHECK(at(R"({"a\u0000b":1})"_json, "/a\0b"s) == "1");
}

TEST_CASE("json: of members with the same name the first counts, whatever its type", "[json]") {
  CHECK(at(R"({"a":1,"a":2})"_json, "/a") == "1");
  CHECK(at(R"({"a":{"b":1},"a":{"b":2,"c":3}})"_json, "/a/b") == "1");
  CHECK(at(R"({"a":{"b":1},"a":{"b":2,"c":3}})"_json, "/a/c") == "none");
  CHECK(at(R"({"a":1,"a":{"b":2}})"_json, "/a/b") == "none");
  CHECK(at(R"({"a":null,"a":[7]})"_json, "/a/0") == "none");
  CHECK(at(R"([1,{"0":2}])"_json, "/0/0") == "none");
}

TEST_CASE("json: members with the right name elsewhere are skipped", "[json]") {
  const JsonText json =
      R"({"x":{"a":{"b":0}},"y":[{"a":0},[["a"]]],"b":0,"a":{"x":{"b":0},"b":"here"},"z":{"b":0}})"_json;
  CHECK(at(json, "/a/b") == R"("here")");
  CHECK(at(json, "/y/1/0/0") == R"("a")");
  CHECK(at(json, "/y/0/a") == "0");
}

TEST_CASE("json: values are returned without surrounding space", "[json]") {
  const JsonText json = " { \"a\" :\t[ 1 ,\n { } , \"x\" , true ] } "_json;
  CHECK(at(json, "") == "{ \"a\" :\t[ 1 ,\n { } , \"x\" , true ] }");
  CHECK(at(json, "/a/0") == "1");
  CHECK(at(json, "/a/1") == "{ }");
  CHECK(at(json, "/a/2") == R"("x")");
  CHECK(at(json, "/a/3") == "true");
  CHECK(at(" 5 "_json, "") == "5");
}

TEST_CASE("json: integers are read up to the limits of their types, and never rounded", "[json]") {
  CHECK("9223372036854775807"_json.get<std::int64_t>() == std::numeric_limits<std::int64_t>::max());
  CHECK("-9223372036854775808"_json.get<std::int64_t>() == std::numeric_limits<std::int64_t>::min());
  CHECK("9223372036854775808"_json.get<std::int64_t>() == std::nullopt);
  CHECK("-9223372036854775809"_json.get<std::int64_t>() == std::nullopt);
  CHECK("18446744073709551615"_json.get<std::uint64_t>() == std::numeric_limits<std::uint64_t>::max());
  CHECK("18446744073709551616"_json.get<std::uint64_t>() == std::nullopt);
  CHECK("-1"_json.get<std::uint64_t>() == std::nullopt);
  CHECK("1.0"_json.get<std::int64_t>() == std::nullopt);
  CHECK("1e2"_json.get<std::uint64_t>() == std::nullopt);
  CHECK("18446744073709551616"_json.get<double>() == 18446744073709551616.0);
  CHECK("123456789012345678901234567890"_json.text() == "123456789012345678901234567890");
}

TEST_CASE("json: doubles are read exactly", "[json]") {
  CHECK("0.1"_json.get<double>() == 0.1);
  CHECK("-0"_json.get<double>() == 0.0);
  CHECK("7"_json.get<double>() == 7.0);
  CHECK("9007199254740993"_json.get<double>() == 9007199254740992.0);
  for (const char* zero : {"0e91", "0.0e-30", "0.000e30", "0e308", "0E-91", "0.0", "0e0"}) {
    CHECK(JsonText::parse(zero)->get<double>() == 0.0);
    CHECK(std::signbit(JsonText::parse('-' + std::string(zero))->get<double>().value()));
  }
  CHECK("100e-2"_json.get<double>() == 1.0);
  CHECK("0.01e91"_json.get<double>() == 1e89);
  CHECK("2.2250738585072014e-308"_json.get<double>() == std::numeric_limits<double>::min());
  CHECK("1.7976931348623157e308"_json.get<double>() == std::numeric_limits<double>::max());
  for (const char* wrapping :
       {"18446744073709551615999", "18446744073709551615.5", "-1.84467440737095516159e19",
        "0.00184467440737095516155555555555e22", "18446744073709551615555555555555555555555e-20"}) {
    CHECK(JsonText::parse(wrapping)->get<double>() == std::strtod(wrapping, nullptr));
  }
  for (const char* tiny : {"1e-400", "24349.393329304115743782378e-335", "0.001e-99999999999999999999"}) {
    CHECK(JsonText::parse(tiny)->get<double>() == 0.0);
    CHECK(std::signbit(JsonText::parse('-' + std::string(tiny))->get<double>().value()));
  }
  CHECK("4.9406564584124654e-324"_json.get<double>() == std::numeric_limits<double>::denorm_min());
  for (const char* huge :
       {"1e400", "184467440737095516155e300", "-0.001e99999999999999999999", "1.7976931348623159e308"}) {
    const auto parsed = JsonText::parse(huge);  // it refuses what RapidJSON knows to be too large
    if (parsed) CHECK(parsed->get<double>() == std::nullopt);
  }
}

TEST_CASE("json: a value of another type gives none", "[json]") {
  const JsonText json = R"({"t":true,"n":1,"s":"1","o":{},"a":[],"z":null})"_json;
  CHECK(json.get<bool>("/t") == true);
  CHECK(R"([false])"_json.get<bool>("/0") == false);
  for (const char* pointer : {"/n", "/s", "/o", "/a", "/z", "/none"}) CHECK(json.get<bool>(pointer) == std::nullopt);
  for (const char* pointer : {"/t", "/s", "/o", "/a", "/z", "/none"}) {
    CHECK(json.get<std::int64_t>(pointer) == std::nullopt);
    CHECK(json.get<std::uint64_t>(pointer) == std::nullopt);
    CHECK(json.get<double>(pointer) == std::nullopt);
  }
  for (const char* pointer : {"/t", "/n", "/o", "/a", "/z", "/none"})
    CHECK(json.get<std::string>(pointer) == std::nullopt);
  CHECK(json.get<std::string>("/s") == "1");
}

TEST_CASE("json: strings are decoded", "[json]") {
  CHECK(R"("\"\\\/\b\f\n\r\t\u0041")"_json.get<std::string>() == "\"\\/\b\f\n\r\tA");
  CHECK(R"("")"_json.get<std::string>().value().empty());
}

TEST_CASE("json: string() gives text that parses back to the same string", "[json]") {
  std::string all;
  for (int c = 0; c < 128; ++c) all += static_cast<char>(c);
  all += "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";
  const JsonText json = JsonText::string(all);
  CHECK(JsonText::parse(json.text()).ok());
  CHECK(json.get<std::string>() == all);
  CHECK(JsonText::string("a\"b\\c\n\x01").text() == R"("a\"b\\c\n\u0001")");
}

TEST_CASE("json: string() replaces each byte that is not UTF-8", "[json]") {
  const std::string mark = "\xEF\xBF\xBD";
  CHECK(JsonText::string("a\xFF\x62").get<std::string>() == "a" + mark + "b");
  CHECK(JsonText::string("\xE2\x82").get<std::string>() == mark + mark);
  CHECK(JsonText::string("\xC3\xA9\xC3").get<std::string>() == "\xC3\xA9" + mark);
  CHECK(JsonText::string("\xED\xA0\x80").get<std::string>() == mark + mark + mark);
  CHECK(JsonText::string("\xF0\x9F\x98\x80\xF5").get<std::string>() == "\xF0\x9F\x98\x80" + mark);
}

TEST_CASE("json: number() gives the shortest text that parses back to the same number", "[json]") {
  CHECK(JsonText::number(0).text() == "0");
  CHECK(JsonText::number(-7).text() == "-7");
  CHECK(JsonText::number(std::uint8_t{200}).text() == "200");
  CHECK(JsonText::number(INT64_MIN).text() == "-9223372036854775808");
  CHECK(JsonText::number(UINT64_MAX).text() == "18446744073709551615");
  CHECK(JsonText::number(0.1).text() == "0.1");
  for (const double value : {-0.0, 1e300, 5e-324, 123456789.125, 1.0 / 3}) {
    const JsonText json = JsonText::number(value);
    CAPTURE(json.text());
    CHECK(JsonText::parse(json.text()).ok());
    CHECK(json.get<double>() == value);
  }
  CHECK(JsonText::number(std::numeric_limits<double>::infinity()) == JsonText());
  CHECK(JsonText::number(std::numeric_limits<double>::quiet_NaN()) == JsonText());
}

TEST_CASE("json: object() and array() join values in order, names are escaped", "[json]") {
  CHECK(JsonText::object({}).text() == "{}");
  CHECK(JsonText::array({}).text() == "[]");
  const JsonText ada = JsonText::object({{"name", JsonText::string("Ada")}, {"a \"b\"", JsonText::boolean(true)}});
  CHECK(ada.text() == R"({"name":"Ada","a \"b\"":true})");
  CHECK(JsonText::array({ada, JsonText(), JsonText::number(1), JsonText::boolean(false)}).text() ==
        "[" + ada.text() + ",null,1,false]");
  CHECK(JsonText::parse(JsonText::object({{"\xFF", JsonText::array({ada})}}).text()).ok());
}

TEST_CASE("json: object() and array() take plain values, nested", "[json]") {
  CHECK(JsonText::object({{"text", "it rains"}, {"mm", 7}}).text() == R"({"text":"it rains","mm":7})");
  const std::optional<std::string> known("Ada"), unknown;
  CHECK(JsonText::object({{"name", known}, {"email", unknown}}).text() == R"({"name":"Ada","email":null})");
  CHECK(JsonText::array({std::optional(1), std::optional<JsonText>()}).text() == "[1,null]");
  CHECK(JsonText::object({{"a", "b"}}).text() == R"({"a":"b"})");
  const std::string name = "Ada \"A\"";
  const auto numbers = "[1, 2]"_json;
  const JsonText nested = JsonText::object({{"user", JsonText::object({{"name", name}, {"admin", true}})},
                                            {"tags", JsonText::array({"x", std::string_view("y"), 1.5, nullptr})},
                                            {"copy", *numbers.elements().begin()},
                                            {"bad", "\xFF"}});
  CHECK(nested.text() == R"({"user":{"name":"Ada \"A\"","admin":true},"tags":["x","y",1.5,null],"copy":1,"bad":")"
                         "\xEF\xBF\xBD\"}");
  CHECK(JsonText::array({"a", "b"}).text() == R"(["a","b"])");
  CHECK(JsonText::array({std::int8_t{-1}, UINT64_MAX, 0.5f, false}).text() == "[-1,18446744073709551615,0.5,false]");
}

TEST_CASE("json: object() and array() take containers", "[json]") {
  CHECK(JsonText::array(std::vector<std::string>{"a", "b"}).text() == R"(["a","b"])");
  CHECK(JsonText::array(std::vector<int>()).text() == "[]");
  CHECK(JsonText::array(std::vector<bool>{true, false}).text() == "[true,false]");
  CHECK(JsonText::object(std::map<std::string, int>{{"x", 1}, {"y", 2}}).text() == R"({"x":1,"y":2})");
  const std::vector<std::pair<std::string, JsonText>> fields = {{"a", JsonText()}};
  CHECK(JsonText::object(fields).text() == R"({"a":null})");
}

TEST_CASE("json: a view of a temporary does not compile", "[json]") {
  const auto views = [](auto&& json) {
    return requires { std::forward<decltype(json)>(json).view(); };
  };
  const auto loops = [](auto&& json) {
    return requires { std::forward<decltype(json)>(json).elements(); };
  };
  const JsonText json;
  CHECK(views(json));
  CHECK_FALSE(views(JsonText()));
  CHECK(loops(json));
  CHECK_FALSE(loops(JsonText()));
  static_assert(!std::constructible_from<JsonInput, char> && !std::constructible_from<JsonInput, char32_t>);
}

TEST_CASE("json: the literal throws on bad text", "[json]") { CHECK_THROWS_AS("{"_json, Error); }

}  // namespace json_test
