// Responses as a client receives them: complete, cut off, malformed, too large.

#include "catch.hpp"

#include <flux/detail/transport/http_response_parser.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace http_response_parser_test {

namespace {

using flux::transport::HttpResponse;
using flux::transport::HttpResponseLimits;
using flux::transport::HttpResponseParser;
using Step = HttpResponseParser::Step;

struct Outcome {
  Step step = Step::need_more;
  HttpResponse response;
  std::string error;
};

/// Parses `text` in pieces of `size` bytes; then the connection ends, if `ends`.
Outcome parse_in_pieces(std::string_view text, std::size_t size, bool ends, const HttpResponseLimits& limits) {
  HttpResponseParser parser(limits);
  Step step = Step::need_more;
  while (step == Step::need_more && !text.empty()) {
    step = parser.receive(text.substr(0, size));
    text.remove_prefix(std::min(size, text.size()));
  }
  if (step == Step::need_more && ends) step = parser.end();
  return {step, parser.response(), parser.error()};
}

/// The same in one piece and byte by byte, which must agree.
Outcome parse(std::string_view text, bool ends = true, const HttpResponseLimits& limits = {}) {
  Outcome whole = parse_in_pieces(text, text.size(), ends, limits);
  const Outcome pieces = parse_in_pieces(text, 1, ends, limits);
  INFO(text.substr(0, 200));
  CHECK(pieces.step == whole.step);
  CHECK(pieces.error == whole.error);
  CHECK(pieces.response.status == whole.response.status);
  if (whole.step == Step::done) CHECK(pieces.response.body == whole.response.body);
  return whole;
}

std::string body_of(std::string_view text, bool ends = true, const HttpResponseLimits& limits = {}) {
  const Outcome outcome = parse(text, ends, limits);
  return outcome.step == Step::done ? outcome.response.body : "error: " + outcome.error;
}

std::string error_of(std::string_view text, const HttpResponseLimits& limits = {}) {
  const Outcome outcome = parse(text, true, limits);
  CHECK((outcome.step == Step::failed));
  return outcome.error;
}

std::string response(std::string_view fields, std::string_view body = "") {
  return "HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

}  // namespace

TEST_CASE("http response: status and fields, all are there", "[http]") {
  const Outcome outcome = parse(
      "HTTP/1.1 404 Not \xc3\xa4\tFound\r\nContent-Type: text/plain\r\nX-Empty:\r\nx-two:\t a b \r\nContent-Length: "
      "2\r\n\r\nno");
  REQUIRE((outcome.step == Step::done));
  CHECK(outcome.response.status == 404);
  CHECK(outcome.response.body == "no");
  CHECK((outcome.response.fields ==
         flux::transport::HttpFields{
             {"Content-Type", "text/plain"}, {"X-Empty", ""}, {"x-two", "a b"}, {"Content-Length", "2"}}));
}

TEST_CASE("http response: each way to frame a body, the body is complete", "[http]") {
  CHECK(body_of(response("Content-Length: 5\r\n", "hello"), false) == "hello");
  CHECK(body_of(response("Content-Length: 0\r\n"), false).empty());
  CHECK(body_of(response("content-length: 0005\r\n", "helloextra"), false) == "hello");
  CHECK(body_of(response("", "until the end")) == "until the end");
  CHECK(body_of("HTTP/1.0 200 OK\r\n\r\nold") == "old");
  CHECK(body_of("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold", false) == "old");
  CHECK(body_of("HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", false) == "x");
  CHECK(body_of(response("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n"), false) ==
        "hello world");
  CHECK(body_of(response("transfer-encoding: Chunked\r\n", "00A \r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"), false) ==
        "0123456789");
  CHECK(body_of("HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n", false).empty());
  CHECK(body_of("HTTP/1.1 204 No Content\r\n\r\n", false).empty());
}

TEST_CASE("http response: interim responses come first, the final one counts", "[http]") {
  const Outcome outcome = parse(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
      false);
  REQUIRE((outcome.step == Step::done));
  CHECK(outcome.response.status == 200);
  CHECK(outcome.response.fields.size() == 1);
  std::string endless;
  while (endless.size() < 40'000) endless += "HTTP/1.1 100 Continue\r\n\r\n";
  CHECK(error_of(endless) == "the head of the response is too long");
  CHECK(error_of("HTTP/1.1 101 Switching Protocols\r\n") ==
        "the server switched to another protocol, which was not asked for");
}

TEST_CASE("http response: the connection ends early, that is an error", "[http]") {
  CHECK(error_of("") == "the connection ended before the head of the response was complete");
  CHECK(error_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n") ==
        "the connection ended before the head of the response was complete");
  CHECK(error_of(response("Content-Length: 5\r\n", "hell")) == "the connection ended within the body, after 4 bytes");
  const std::string chunks = "5\r\nhello\r\n0\r\n\r\n";
  for (std::size_t size = 0; size < chunks.size(); ++size) {
    INFO(size);
    CHECK(error_of(response("Transfer-Encoding: chunked\r\n", chunks.substr(0, size))).substr(0, 36) ==
          "the connection ended within the body");
  }
}

TEST_CASE("http response: malformed responses, each is refused", "[http]") {
  const std::string not_http = "the response does not begin with a status line of HTTP/1.1 or HTTP/1.0";
  for (const char* line : {"HTTP/2 200 OK", "HTTP/2.0 200 OK", "http/1.1 200 OK", "HTTP/1.1  200 OK", "HTTP/1.1 20 OK",
                           "HTTP/1.1 2000 OK", "HTTP/1.1 200OK", "HTTP/1.x 200 OK", "ICY 200 OK", "",
                           " HTTP/1.1 200 OK", "HTTP/1.1 +20 OK", "HTTP/1.1 200 O\x01K"}) {
    INFO(line);
    CHECK(error_of(std::string(line) + "\r\n\r\n") == not_http);
  }
  CHECK(error_of("HTTP/1.1 099 Low\r\n\r\n") == "the status is not between 100 and 599");
  CHECK(error_of("HTTP/1.1 600 High\r\n\r\n") == "the status is not between 100 and 599");
  CHECK(error_of("HTTP/1.1 200 OK\n\n") == "a line ends with LF alone, not with CRLF");
  CHECK(error_of(response("Name\r\n")) == "a header field has no colon");
  CHECK(error_of(response("Name : x\r\n")) == "a field name is not a token");
  CHECK(error_of(response(": x\r\n")) == "a field name is not a token");
  CHECK(error_of(response("A: x\r\n y\r\n")) == "a header field is folded over several lines");
  CHECK(error_of(response("A: x\ry\r\n")) == "a field value holds a control character");
  CHECK(error_of(response(std::string_view("A: x\0y\r\n", 8))) == "a field value holds a control character");
}

TEST_CASE("http response: contradictory or unknown framing, each is refused", "[http]") {
  CHECK(error_of(response("Content-Length: 5\r\nContent-Length: 5\r\n")) == "more than one Content-Length field");
  for (const char* length : {"", "-1", "+5", "5, 5", "0x5", "5 5", "5a"}) {
    INFO(length);
    CHECK(error_of(response("Content-Length: " + std::string(length) + "\r\n")) == "Content-Length is not a number");
  }
  CHECK(error_of(response("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")) ==
        "both Content-Length and Transfer-Encoding");
  CHECK(error_of(response("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n")) ==
        "both Content-Length and Transfer-Encoding");
  CHECK(error_of(response("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")) ==
        "more than one Transfer-Encoding field");
  for (const char* coding : {"gzip, chunked", "chunked, chunked", "identity", "gzip", "", "xchunked"}) {
    INFO(coding);
    CHECK(error_of(response("Transfer-Encoding: " + std::string(coding) + "\r\n")) ==
          "the transfer coding is not chunked");
  }
  CHECK(error_of("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") ==
        "Transfer-Encoding in a response of HTTP/1.0");
}

TEST_CASE("http response: malformed chunks, each is refused", "[http]") {
  const auto chunked = [](std::string_view body) { return response("Transfer-Encoding: chunked\r\n", body); };
  CHECK(error_of(chunked("\r\n")) == "a chunk size is not a hexadecimal number");
  CHECK(error_of(chunked("-1\r\n")) == "a chunk size is not a hexadecimal number");
  CHECK(error_of(chunked("0x5\r\n")) == "a chunk size is followed by something else");
  CHECK(error_of(chunked("5 5\r\n")) == "a chunk size is followed by something else");
  CHECK(error_of(chunked("5;a\x01\r\n")) == "a chunk extension holds a control character");
  CHECK(error_of(chunked("5\nhello\r\n")) == "a line ends with LF alone, not with CRLF");
  CHECK(error_of(chunked("5\r\nhello!\r\n")) == "a chunk is longer than its size says");
  CHECK(error_of(chunked("5\r\nhello\n")) == "a line ends with LF alone, not with CRLF");
  CHECK(error_of(chunked("0\r\nbad trailer\r\n\r\n")) == "a header field has no colon");
  CHECK(error_of(chunked("ffffffffffffffffffff\r\n")) == "the body has more than 262144 bytes");
}

TEST_CASE("http response: limits, a response at a limit passes and one above is refused", "[http]") {
  HttpResponseLimits limits;
  limits.body_bytes_max = 10;
  const std::string ten = "0123456789";
  CHECK(body_of(response("Content-Length: 10\r\n", ten), true, limits) == ten);
  CHECK(error_of(response("Content-Length: 11\r\n"), limits) == "the declared body has more than 10 bytes");
  CHECK(error_of(response("Content-Length: 99999999999999999999999999\r\n"), limits) ==
        "the declared body has more than 10 bytes");
  CHECK(body_of(response("", ten), true, limits) == ten);
  CHECK(error_of(response("", ten + "x"), limits) == "the body has more than 10 bytes");
  const auto chunked = [&](std::string_view body) { return response("Transfer-Encoding: chunked\r\n", body); };
  CHECK(body_of(chunked("a\r\n" + ten + "\r\n0\r\n\r\n"), true, limits) == ten);
  CHECK(error_of(chunked("a\r\n" + ten + "\r\n1\r\nx\r\n0\r\n\r\n"), limits) == "the body has more than 10 bytes");

  limits = {};
  limits.fields_max = 2;
  CHECK(body_of(response("A: 1\r\nB: 2\r\n", "x"), true, limits) == "x");
  CHECK(error_of(response("A: 1\r\nB: 2\r\nC: 3\r\n"), limits) == "the response has too many fields");
  CHECK(error_of(chunked("0\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n"), limits) == "the response has too many fields");

  limits = {};
  const std::string head = response("A: 1\r\n");
  limits.head_bytes_max = head.size();
  CHECK(body_of(head + "x", true, limits) == "x");
  limits.head_bytes_max = head.size() - 1;
  CHECK(error_of(head, limits) == "the head of the response is too long");

  limits = {};
  limits.framing_bytes_max = 100;
  CHECK(error_of(chunked("1;" + std::string(200, 'e')), limits) == "the framing of the chunked body is too long");
  std::string crumbs;
  for (int i = 0; i < 25; ++i) crumbs += "1\r\nx\r\n";
  CHECK(error_of(chunked(crumbs + "0\r\n\r\n"), limits) == "the framing of the chunked body is too long");
}

TEST_CASE("http response: the head can be read before the body is complete", "[http]") {
  HttpResponseParser parser;
  CHECK((parser.receive("HTTP/1.1 302 Found\r\nLocation: /x\r\n") == Step::need_more));
  CHECK_FALSE(parser.has_head());
  CHECK((parser.receive("\r\n") == Step::need_more));
  CHECK(parser.has_head());
  CHECK(parser.response().status == 302);
}

}  // namespace http_response_parser_test
