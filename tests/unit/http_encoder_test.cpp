// Responses, dates, and the small parsers of http_message.hpp.
#include "catch.hpp"

#include <flux/detail/transport/http_date.hpp>
#include <flux/detail/transport/http_encoder.hpp>
#include <flux/detail/transport/media_type.hpp>

#include <chrono>
#include <limits>
#include <string>

namespace http_encoder_test {

namespace {

using namespace flux::transport;
using namespace std::chrono;
using namespace std::string_literals;

constexpr sys_seconds example = sys_days(year(1994) / 11 / 6) + hours(8) + minutes(49) + seconds(37);
constexpr sys_seconds now = sys_days(year(2024) / 2 / 29);

}  // namespace

TEST_CASE("http encoder: a known length, status line, fields, date and length are written", "[http]") {
  std::string out = "before";
  HttpResponseContext context;
  context.date = "Sun, 06 Nov 1994 08:49:37 GMT";
  const auto head = append_response_head(out, 200, {{"Content-Type", "text/plain"}}, 5, context);
  CHECK(head);
  CHECK(head.framing == HttpBodyFraming::sized);
  CHECK(head.keep_alive);
  CHECK(out ==
        "beforeHTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        "Content-Length: 5\r\n\r\n");
}

TEST_CASE("http encoder: an unknown length, chunked on HTTP/1.1 and until close on HTTP/1.0", "[http]") {
  std::string out;
  const auto chunked = append_response_head(out, 200, {}, std::nullopt, {});
  CHECK(chunked.framing == HttpBodyFraming::chunked);
  CHECK(chunked.keep_alive);
  CHECK(out == "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  out.clear();
  HttpResponseContext old;
  old.version_minor = 0;
  const auto until_close = append_response_head(out, 200, {}, std::nullopt, old);
  CHECK(until_close.framing == HttpBodyFraming::until_close);
  CHECK_FALSE(until_close.keep_alive);
  CHECK(out == "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
}

TEST_CASE("http encoder: keep-alive and close, Connection is sent if it differs from the version's default", "[http]") {
  const auto encode = [](int version_minor, bool keep_alive, const HttpFields& fields) {
    std::string out;
    HttpResponseContext context;
    context.version_minor = version_minor;
    context.keep_alive = keep_alive;
    const auto head = append_response_head(out, 200, fields, 0, context);
    return std::pair(out, head.keep_alive);
  };
  CHECK(encode(1, true, {}) == std::pair("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"s, true));
  CHECK(encode(1, false, {}) == std::pair("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"s, false));
  CHECK(encode(0, true, {}) ==
        std::pair("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"s, true));
  CHECK(encode(1, true, {{"connection", "Close"}}) ==
        std::pair("HTTP/1.1 200 OK\r\nconnection: Close\r\nContent-Length: 0\r\n\r\n"s, false));
}

TEST_CASE("http encoder: statuses without a body, no framing field is sent", "[http]") {
  std::string out;
  CHECK(append_response_head(out, 204, {}, 0, {}).framing == HttpBodyFraming::none);
  CHECK(out == "HTTP/1.1 204 No Content\r\n\r\n");
  out.clear();
  CHECK(append_response_head(out, 304, {{"ETag", "\"a\""}}, std::nullopt, {}).framing == HttpBodyFraming::none);
  CHECK(out == "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n");
  out.clear();
  CHECK(append_response_head(out, 205, {}, std::nullopt, {}).framing == HttpBodyFraming::none);
  CHECK(out == "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n");
  out.clear();
  HttpResponseContext context;
  context.keep_alive = false;
  const auto upgrade =
      append_response_head(out, 101, {{"Connection", "Upgrade"}, {"Upgrade", "websocket"}}, std::nullopt, context);
  CHECK(upgrade.keep_alive);
  CHECK(out == "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  out = "kept";
  CHECK(append_response_head(out, 204, {}, 1, {}).error == HttpEncodeError::body_not_allowed);
  CHECK(out == "kept");
}

TEST_CASE("http encoder: HEAD, the length of GET and no body", "[http]") {
  std::string out;
  HttpResponseContext context;
  context.head_request = true;
  CHECK(append_response_head(out, 200, {}, 7, context).framing == HttpBodyFraming::none);
  CHECK(out == "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
  out.clear();
  CHECK(append_text_response(out, 404, "gone", context));
  CHECK(out.substr(out.size() - 4) == "\r\n\r\n");
  context.version_minor = 0;
  out.clear();
  CHECK(append_response_head(out, 200, {}, std::nullopt, context).keep_alive);
}

TEST_CASE("http encoder: names and values that would split the response, refused and nothing is written", "[http]") {
  const auto error_of = [](const std::string& name, const std::string& value) {
    std::string out = "kept";
    const auto head = append_response_head(out, 200, {{name, value}}, 0, {});
    CHECK((head.error == HttpEncodeError::none || out == "kept"));
    return head.error;
  };
  CHECK(error_of("X", "a\r\nSet-Cookie: b") == HttpEncodeError::bad_field_value);
  CHECK(error_of("X", "a\nb") == HttpEncodeError::bad_field_value);
  CHECK(error_of("X", "a\rb") == HttpEncodeError::bad_field_value);
  CHECK(error_of("X", "a\0b"s) == HttpEncodeError::bad_field_value);
  CHECK(error_of("X\r\nY", "a") == HttpEncodeError::bad_field_name);
  CHECK(error_of("X:", "a") == HttpEncodeError::bad_field_name);
  CHECK(error_of("X ", "a") == HttpEncodeError::bad_field_name);
  CHECK(error_of("", "a") == HttpEncodeError::bad_field_name);
  CHECK(error_of("content-length", "1") == HttpEncodeError::framing_field);
  CHECK(error_of("Transfer-encoding", "chunked") == HttpEncodeError::framing_field);
  CHECK(error_of("X", "a\tb \xc3\xa4") == HttpEncodeError::none);
  std::string out;
  CHECK(append_response_head(out, 99, {}, 0, {}).error == HttpEncodeError::bad_status);
  CHECK(append_response_head(out, 1000, {}, 0, {}).error == HttpEncodeError::bad_status);
  HttpResponseContext context;
  context.date = "x\r\ny";
  CHECK(append_response_head(out, 200, {}, 0, context).error == HttpEncodeError::bad_field_value);
  CHECK(out.empty());
}

TEST_CASE("http encoder: the application sets Date, it is not sent twice", "[http]") {
  std::string out;
  HttpResponseContext context;
  context.date = "ours";
  append_response_head(out, 200, {{"date", "theirs"}}, 0, context);
  CHECK(out == "HTTP/1.1 200 OK\r\ndate: theirs\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("http encoder: text responses are written in one piece", "[http]") {
  std::string out;
  HttpResponseContext context;
  context.keep_alive = false;
  CHECK(append_text_response(out, 400, "no Host field", context));
  CHECK(out ==
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
        "Content-Length: 13\r\n\r\nno Host field");
}

TEST_CASE("http encoder: chunks, sizes are hexadecimal and an empty one is not sent", "[http]") {
  std::string out;
  append_chunk(out, "");
  append_chunk(out, "hello");
  append_chunk(out, std::string(255, 'x'));
  out += http_last_chunk;
  CHECK(out == "5\r\nhello\r\nff\r\n" + std::string(255, 'x') + "\r\n0\r\n\r\n");
  CHECK(HttpChunkHead(0x1234).text() == "1234\r\n");
  CHECK(HttpChunkHead(std::numeric_limits<std::uint64_t>::max()).text() == "ffffffffffffffff\r\n");
}

TEST_CASE("http date: known times, formatted and parsed in all three forms", "[http]") {
  CHECK(http_date(example) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(http_date(sys_seconds{}) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(http_date(now) == "Thu, 29 Feb 2024 00:00:00 GMT");
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", now) == example);
  CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", now) == example);
  CHECK(parse_http_date("Sun Nov  6 08:49:37 1994", now) == example);
  for (int day = 0; day < 20000; day += 13) {
    const sys_seconds time = sys_seconds(days(day)) + seconds(day * 7 % 86400);
    CHECK(parse_http_date(http_date(time), now) == time);
  }
}

TEST_CASE("http date: anything else is not parsed", "[http]") {
  for (const auto* text :
       {"", "Sun", "Sun,", "now", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT", "Xyz, 06 Nov 1994 08:49:37 GMT", "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:-7 GMT", "Sun Nov 31 08:49:37 1994", "1994-11-06T08:49:37Z"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_http_date(text, now));
  }
}

TEST_CASE("http date: the cached text changes only with the second", "[http]") {
  HttpDateCache cache;
  const system_clock::time_point time = example;
  CHECK(cache.at(time) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(cache.at(time + milliseconds(999)) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(cache.at(time + milliseconds(1000)) == "Sun, 06 Nov 1994 08:49:38 GMT");
  CHECK(cache.at(time - milliseconds(1)) == "Sun, 06 Nov 1994 08:49:36 GMT");
}

TEST_CASE("http message: queries, names and values are decoded and the first wins", "[http]") {
  CHECK(query_parameter("a=1&b=2&a=3", "a") == "1");
  CHECK(query_parameter("x&b=%41+%2B&=e", "b") == "A +");
  CHECK(query_parameter("x&b", "x") == "");
  CHECK(query_parameter("x&=e", "") == "e");
  CHECK(query_parameter("%61=b=c", "a") == "b=c");
  CHECK_FALSE(query_parameter("", "a"));
  CHECK_FALSE(query_parameter("ab=1&A=1", "a"));
  CHECK_FALSE(query_parameter("a=%4", "a"));
  CHECK_FALSE(query_parameter("&&", ""));
}

TEST_CASE("http message: url encoding round trip, malformed escapes are refused", "[http]") {
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  CHECK(url_decode(url_encode(all)) == all);
  CHECK(url_encode("a b/~") == "a%20b%2F~");
  CHECK(url_decode("a+b") == "a+b");
  CHECK(url_decode("a+b", PlusSign::is_space) == "a b");
  for (const auto* text : {"%", "%4", "%g0", "%0g", "a%", "%%41"}) CHECK_FALSE(url_decode(text));
}

TEST_CASE("http message: lists and fields are compared case-insensitively", "[http]") {
  CHECK(header_has_token("keep-alive, Upgrade", "upgrade"));
  CHECK(header_has_token(" ,, \tclose\t", "close"));
  CHECK_FALSE(header_has_token("closed", "close"));
  CHECK_FALSE(header_has_token("a;q=1", "a"));
  CHECK_FALSE(header_has_token("", "a"));
  const HttpFields fields = {{"A", "1"}, {"b", "2"}, {"a", "3"}};
  CHECK(find_field(fields, "a") == "1");
  CHECK_FALSE(find_field(fields, "c"));
  CHECK(reason_phrase(431) == "Request Header Fields Too Large");
  CHECK(reason_phrase(299) == "Unknown");
}

TEST_CASE("media type: by extension in any case, octet-stream for all others", "[http]") {
  CHECK(media_type("a.html") == "text/html; charset=utf-8");
  CHECK(media_type("x/y.min.JS") == "text/javascript; charset=utf-8");
  CHECK(media_type("a.mjs") == "text/javascript; charset=utf-8");
  CHECK(media_type("a.aac") == "audio/aac");
  CHECK(media_type("a.zip") == "application/zip");
  CHECK(media_type("a.webmanifest") == "application/manifest+json");
  CHECK(media_type("a.svg") == "image/svg+xml");
  CHECK(media_type("a.wasm") == "application/wasm");
  CHECK(media_type("a.woff2") == "font/woff2");
  for (const auto* name : {"", "a", "a.", "js", "a.unknown", "a.html/b", "a.averylongextension", "a.html "}) {
    CHECK(media_type(name) == "application/octet-stream");
  }
}

}  // namespace http_encoder_test
