#include "catch.hpp"

#include <flux/detail/gate/content.hpp>

#include <string>
#include <string_view>

namespace content_test {

using namespace flux;
using flux::gate::check_content;

namespace {

std::string verdict(const ContentRules& rules, std::string_view text, std::string_view json) {
  const auto checked = check_content(rules, text, json);
  return checked ? "yes" : std::string(to_string(checked.error().code())) + ": " + checked.error().message();
}
bool is_refused(std::string_view text, std::string_view json) {
  const auto checked = check_content({.refuse_scripts = true}, text, json);
  return !checked && checked.error().code() == Errc::invalid_message;
}

}  // namespace

TEST_CASE("content: a message may have the bytes that are allowed, text and JSON together", "[gate]") {
  CHECK(verdict({}, std::string(100'000, 'x'), "\"<script>\"") == "yes");
  CHECK(verdict({.message_bytes_max = 7}, "12345", "{}") == "yes");
  const auto checked = check_content({.message_bytes_max = 7}, "123456", "{}");
  REQUIRE_FALSE(checked.ok());
  CHECK(checked.error().code() == Errc::message_too_large);
  CHECK(checked.error().message() == "Message too large: it has 8 bytes; at most 7 are allowed");
}

TEST_CASE("content: scripts are refused in text and in JSON, with escapes too, and other texts are not", "[gate]") {
  for (const std::string_view text : {"<script>", "a <SCRIPT src=x>", "see javascript:x()",
                                      "JavaScript:", "<b onClick =x>", "onload\t=1", "x\nonerror=\"y\""}) {
    CAPTURE(text);
    CHECK(is_refused(text, {}));
  }
  for (const std::string_view json :
       {R"("<script>")", R"({"a":["\u003cscript>"]})", R"({"a":"\u003CSc\u0072ipt"})", R"({"<script":1})",
        R"("java\u0073cript:x")", R"("<b on\u0063lick=\"x\">")", R"("onload\n=1")", R"("onload\u0020=1")",
        R"("\\\u003cscript")", R"("<\u0073cript")"}) {
    CAPTURE(json);
    CHECK(is_refused({}, json));
    CHECK(is_refused("harmless", json));
  }
  for (const std::string_view text : {"", "on the table = x", "common = javascript", "a script", "< script", "on=1"}) {
    CAPTURE(text);
    CHECK_FALSE(is_refused(text, {}));
  }
  for (const std::string_view json : {R"({})", R"({"on":"=","once":1})", R"("\u00e9\ud83d\ude00 \\ \" \/")",
                                      R"("\u3cscript")", R"("\\u003cscript")", R"("\\")"}) {
    CAPTURE(json);
    CHECK_FALSE(is_refused({}, json));
  }
}

}  // namespace content_test
