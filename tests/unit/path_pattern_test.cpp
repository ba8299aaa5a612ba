// Route patterns: what they match, what they capture, and their precedence.
#include "catch.hpp"

#include <flux/detail/transport/path_pattern.hpp>
#include <flux/error.hpp>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

namespace path_pattern_test {

namespace {

using flux::transport::PathCaptures;
using flux::transport::PathPattern;
using flux::transport::PathTable;

/// The captures as "name=value,", or "no".
std::string match(const char* pattern, std::string_view path) {
  const PathPattern compiled(pattern);
  PathCaptures captures;
  if (!compiled.match(path, captures)) {
    CHECK(captures.all().empty());
    return "no";
  }
  std::string text;
  for (const auto& [name, value] : captures.all()) text.append(name).append("=").append(value).append(",");
  return text;
}

}  // namespace

TEST_CASE("path pattern: matching and non-matching paths", "[http]") {
  struct Case {
    const char* pattern;
    const char* path;
    const char* result;
  };
  const auto cases = std::to_array<Case>({
      {"/", "/", ""},
      {"/", "", "no"},
      {"/", "//", "no"},
      {"/", "*", "no"},
      {"/a", "/a", ""},
      {"/a", "/A", "no"},
      {"/a", "/a/", "no"},
      {"/a/", "/a/", ""},
      {"/a/", "/a", "no"},
      {"/a", "/ab", "no"},
      {"/a/b", "/a", "no"},
      {"/a b", "/a b", ""},
      {"/f/{id}", "/f/1", "id=1,"},
      {"/f/{id}", "/f/", "no"},
      {"/f/{id}", "/f", "no"},
      {"/f/{id}", "/f/1/2", "no"},
      {"/f/{id}", "/f/..", "id=..,"},
      {"/f/{id}/", "/f/1/", "id=1,"},
      {"/{a}/x/{b_2}", "/1/x/2", "a=1,b_2=2,"},
      {"/{a}/x/{b_2}", "/1/y/2", "no"},
      {"/s/*rest", "/s/", "rest=,"},
      {"/s/*rest", "/s", "no"},
      {"/s/*rest", "/s/a", "rest=a,"},
      {"/s/*rest", "/s/a//b/", "rest=a//b/,"},
      {"/*all", "/", "all=,"},
      {"/*all", "//x", "all=/x,"},
      {"/*all", "", "no"},
      {"/{a}/*b", "/1/2/3", "a=1,b=2/3,"},
      {"/{a}/*b", "//2/3", "no"},
  });
  for (const Case& c : cases) {
    CAPTURE(c.pattern, c.path);
    CHECK(match(c.pattern, c.path) == c.result);
  }
}

TEST_CASE("path pattern: captures are found by name", "[http]") {
  const PathPattern pattern("/{a}/{b}");
  PathCaptures captures;
  REQUIRE(pattern.match("/1/2", captures));
  CHECK(captures.find("b") == "2");
  CHECK_FALSE(captures.find("c"));
}

TEST_CASE("path pattern: malformed patterns, each throws bad_config that names it", "[http]") {
  for (const std::string text :
       {"",        "a",  "//",    "/a//b", "/{}", "/{a",  "/a}",   "/x{a}", "/{a}x", "/{a-b}", "/{a}/{a}",
        "/{a}/*a", "/*", "/*a/b", "/*a/",  "/a*", "/*a*", "/*{a}", "/{*a}", "/a?b",  "/a#b",   "/a\nb"}) {
    CAPTURE(text);
    try {
      const PathPattern pattern(text);
      FAIL("accepted");
    } catch (const flux::Error& error) {
      CHECK(error.code() == flux::Errc::bad_config);
      CHECK(error.message().find("\"" + text + "\"") != std::string::npos);
    }
  }
}

TEST_CASE("path pattern: a parameter of another library's syntax is refused with ours", "[http]") {
  CHECK_THROWS_WITH(PathPattern("/rooms/:room/x"), "path pattern \"/rooms/:room/x\": a parameter is written {room}");
  CHECK_NOTHROW(PathPattern("/v1/rooms:all/:"));
}

TEST_CASE("path table: added in any order, text precedes {name} and {name} precedes *name", "[http]") {
  std::vector<std::string> patterns = {"/a/b",    "/a/{x}", "/a/*r",    "/{x}/b", "/{x}/{y}",
                                       "/{x}/*r", "/*r",    "/a/{x}/c", "/"};
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    std::shuffle(patterns.begin(), patterns.end(), random);
    PathTable<std::string> table;
    for (const std::string& pattern : patterns) table[PathPattern(pattern)] = pattern;
    REQUIRE(table.size() == patterns.size());
    const auto found = [&table](std::string_view path) {
      PathCaptures captures;
      const std::string* value = table.find(path, captures);
      return value == nullptr ? std::string("none") : *value;
    };
    CHECK(found("/a/b") == "/a/b");
    CHECK(found("/a/c") == "/a/{x}");
    CHECK(found("/a/") == "/a/*r");
    CHECK(found("/a/b/c") == "/a/{x}/c");
    CHECK(found("/a/b/d") == "/a/*r");
    CHECK(found("/z/b") == "/{x}/b");
    CHECK(found("/z/c") == "/{x}/{y}");
    CHECK(found("/z/c/d") == "/{x}/*r");
    CHECK(found("/z") == "/*r");
    CHECK(found("/") == "/");
    CHECK(found("") == "none");
  }
}

TEST_CASE("path table: same paths with other names share a value; if it is not accepted, the next pattern is tried",
          "[http]") {
  PathTable<int> table;
  table[PathPattern("/f/{id}")] = 1;
  table[PathPattern("/f/{name}")] += 1;
  table[PathPattern("/*rest")] = 7;
  CHECK(table.size() == 2);
  PathCaptures captures;
  REQUIRE(table.find("/f/x", captures) != nullptr);
  CHECK(*table.find("/f/x", captures) == 2);
  CHECK(captures.find("id") == "x");
  const int* odd = table.find("/f/x", captures, [](int value) { return value % 2 == 1; });
  REQUIRE(odd != nullptr);
  CHECK(*odd == 7);
  CHECK(captures.find("rest") == "f/x");
  CHECK_FALSE(captures.find("id"));
  CHECK(table.find("/f/x", captures, [](int) { return false; }) == nullptr);
  CHECK(captures.all().empty());
}

}  // namespace path_pattern_test
