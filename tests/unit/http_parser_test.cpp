// The request parser: what it accepts, what it refuses and with which status, and that splitting the stream changes
// nothing.
#include "catch.hpp"

#include <flux/detail/transport/http_parser.hpp>

#include <array>
#include <cstring>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace http_parser_test {

namespace {

using flux::transport::HttpHead;
using flux::transport::HttpLimits;
using flux::transport::HttpRequestParser;
using Event = HttpRequestParser::Event;

/// One line per event, with bodies joined, so that two runs can be compared.
struct Transcript {
  std::string text;
  int status = 0;
  std::size_t requests = 0;

  friend bool operator==(const Transcript&, const Transcript&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Transcript& transcript) { return out << transcript.text; }
};

std::string describe(const HttpHead& head) {
  std::string text = "head " + std::string(head.method()) + " " + std::string(head.path()) + " ?" +
                     std::string(head.query()) + " @" + std::string(head.host()) + " 1." +
                     std::to_string(head.version_minor()) + (head.keep_alive() ? " keep-alive" : " close");
  for (const auto& [name, value] : head.fields()) {
    text.append("\n  ").append(name).append("=[").append(value).append("]");
  }
  return text + "\n";
}

/// Feeds a stream as a connection would: bytes that are not consumed are presented again, followed by more. Every
/// presentation is an allocation of exactly its size, so that the sanitizers detect a read past the end.
class Feeder {
 public:
  explicit Feeder(const HttpLimits& limits) : parser_(limits) {}

  void feed(std::string_view bytes) {
    const std::string joined = rest_ + std::string(bytes);
    const auto exact = std::make_unique<char[]>(joined.size());
    std::memcpy(exact.get(), joined.data(), joined.size());
    std::string_view in(exact.get(), joined.size());
    bool go_on = true;
    while (go_on) go_on = take(in);
    rest_ = std::string(in);
  }

  Transcript result() {
    flush_body();
    return transcript_;
  }

 private:
  bool take(std::string_view& in) {
    const Event event = parser_.next(in);
    if (event == Event::body) {
      body_ += parser_.body_chunk();
      return true;
    }
    if (event == Event::need_more) return false;
    flush_body();
    if (event == Event::head) transcript_.text += describe(parser_.head());
    if (event == Event::end) {
      transcript_.text += "end\n";
      ++transcript_.requests;
    }
    if (event == Event::error) {
      if (transcript_.status == 0) {
        transcript_.status = parser_.error_status();
        transcript_.text +=
            "error " + std::to_string(transcript_.status) + " " + std::string(parser_.error_text()) + "\n";
      }
      return false;
    }
    return true;
  }

  void flush_body() {
    if (!body_.empty()) transcript_.text += "body [" + body_ + "]\n";
    body_.clear();
  }

  HttpRequestParser parser_;
  Transcript transcript_;
  std::string rest_;
  std::string body_;
};

Transcript run(std::string_view stream, const HttpLimits& limits = {}) {
  Feeder feeder(limits);
  feeder.feed(stream);
  return feeder.result();
}

Transcript run_in_two(std::string_view stream, std::size_t cut, const HttpLimits& limits) {
  Feeder feeder(limits);
  feeder.feed(stream.substr(0, cut));
  feeder.feed(stream.substr(cut));
  return feeder.result();
}

Transcript run_by_byte(std::string_view stream, const HttpLimits& limits) {
  Feeder feeder(limits);
  for (std::size_t i = 0; i < stream.size(); ++i) feeder.feed(stream.substr(i, 1));
  return feeder.result();
}

void check_every_cut(std::string_view stream, const HttpLimits& limits = {}) {
  const Transcript whole = run(stream, limits);
  CHECK(run_by_byte(stream, limits) == whole);
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    const Transcript cut_once = run_in_two(stream, cut, limits);
    if (cut_once == whole) continue;
    CAPTURE(stream, cut);
    CHECK(cut_once == whole);
    return;
  }
}

HttpHead parse_head(std::string_view text) {
  HttpRequestParser parser;
  const Event event = parser.next(text);
  INFO(parser.error_text());
  REQUIRE(event == Event::head);
  return parser.take_head();
}

std::string get(std::string_view fields) { return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n"; }
std::string post(std::string_view fields, std::string_view body) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(body);
}
std::string chunked(std::string_view body) { return post("Transfer-Encoding: chunked\r\n", body); }

struct Refused {
  const char* what;
  std::string stream;
  int status;
};

using namespace std::string_literals;

const std::vector<Refused>& refused() {
  static const std::vector<Refused> table = {
      // The request line
      {"TLS ClientHello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s, 400},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"HTTP/0.9", "GET /\r\n", 505},
      {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"HTTP/0.9 with version", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505},
      {"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
      {"version without a dot", "GET / HTTP/11\r\nHost: a\r\n\r\n", 400},
      {"version with more digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
      {"space behind the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
      {"two spaces before the target", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"two spaces before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"tab between the parts", "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", 505},
      {"method alone", "GET\r\n\r\n", 400},
      {"leading space", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"leading NUL", "\0GET / HTTP/1.1\r\nHost: a\r\n\r\n"s, 400},
      {"byte-order mark", "\xef\xbb\xbfGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"method with a bracket", "GE[T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"method with a colon", "GET: / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"bare LF first", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"bare CR first", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
      {"bare CR in the request line", "GET / HTTP/1.1\rX: y\r\nHost: a\r\n\r\n", 400},
      {"CR CR LF", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400},
      {"NUL in the target", "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"s, 400},
      {"DEL in the target", "GET /a\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"raw UTF-8 in the target", "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"fragment in the target", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"relative target", "GET a/b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"target that begins with a query", "GET ?a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"star for GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"authority for GET", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"path for CONNECT", "CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"CONNECT without a port", "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"URL with another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"URL without a host", "GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"URL with a port alone", "GET http://:80/a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"URL with user information", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"escape cut short", "GET /a%4 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"escape at the end", "GET /a% HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"escape that is not hexadecimal", "GET /a%4g HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"escaped NUL", "GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"escaped line feed", "GET /a%0ab HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"escaped slash", "GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"escaped slash in a URL", "GET http://a/..%2F..%2Fetc HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      // Fields
      {"space before the colon", get("X : y\r\n"), 400},
      {"tab before the colon", get("X\t: y\r\n"), 400},
      {"no colon", get("X\r\n"), 400},
      {"empty name", get(": y\r\n"), 400},
      {"name with a space", get("X Y: z\r\n"), 400},
      {"name with NUL", get("X\0: z\r\n"s), 400},
      {"name beyond ASCII", get("X\xc3\xa4: z\r\n"), 400},
      {"folded line", get("X: y\r\n z\r\n"), 400},
      {"folded line with a tab", get("X: y\r\n\tz\r\n"), 400},
      {"folded first line", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
      {"bare LF between fields", get("X: y\nZ: a\r\n"), 400},
      {"bare CR in a value", get("X: y\rZ: a\r\n"), 400},
      {"NUL in a value", get("X: y\0z\r\n"s), 400},
      {"escape character in a value", get("X: \x1b[2J\r\n"), 400},
      {"DEL in a value", get("X: \x7f\r\n"), 400},
      {"bare LF ends the head", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
      {"LF LF ends the head", "GET / HTTP/1.1\r\nHost: a\n\n", 400},
      // Host
      {"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"no Host beside a URL", "GET http://a/ HTTP/1.1\r\n\r\n", 400},
      {"two Hosts", get("Host: a\r\n"), 400},
      {"two Hosts that differ in case", get("hOST: b\r\n"), 400},
      {"two Hosts on HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
      {"Host with user information", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
      {"Host list", "GET / HTTP/1.1\r\nHost: a, b c\r\n\r\n", 400},
      {"Host with a word as port", "GET / HTTP/1.1\r\nHost: a:http\r\n\r\n", 400},
      {"Host with a long port", "GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n", 400},
      {"Host with two ports", "GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", 400},
      {"Host with an open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
      {"Host with empty brackets", "GET / HTTP/1.1\r\nHost: []\r\n\r\n", 400},
      {"Host with text behind brackets", "GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", 400},
      {"Host with a bad escape", "GET / HTTP/1.1\r\nHost: a%zz\r\n\r\n", 400},
      // Content-Length
      {"plus sign", post("Content-Length: +5\r\n", "hello"), 400},
      {"minus sign", post("Content-Length: -5\r\n", "hello"), 400},
      {"hexadecimal length", post("Content-Length: 0x5\r\n", "hello"), 400},
      {"length with a fraction", post("Content-Length: 5.0\r\n", "hello"), 400},
      {"length with an exponent", post("Content-Length: 1e1\r\n", "hello"), 400},
      {"empty length", post("Content-Length: \r\n", "hello"), 400},
      {"length with a space inside", post("Content-Length: 5 5\r\n", "hello"), 400},
      {"list of equal lengths", post("Content-Length: 5, 5\r\n", "hello"), 400},
      {"equal lengths twice", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 400},
      {"different lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), 400},
      {"length and length in other case", post("Content-Length: 5\r\ncontent-length: 0\r\n", "hello"), 400},
      {"length of 2^64 + 5", post("Content-Length: 18446744073709551621\r\n", "hello"), 413},
      {"length over the limit", post("Content-Length: 1048577\r\n", "hello"), 413},
      // Smuggling
      {"CL.TE", post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG"), 400},
      {"TE.CL", post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "5c\r\nGPOST / HTTP/1.1\r\n"), 400},
      {"CL.TE with unknown coding", post("Content-Length: 6\r\nTransfer-Encoding: xchunked\r\n", "0\r\n\r\nG"), 400},
      {"CL 0 and TE", post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
      {"TE.TE: second unknown", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n", "0\r\n\r\n"), 400},
      {"TE.TE: first unknown", post("Transfer-Encoding: cow\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
      {"TE.TE: the same twice", post("Transfer-Encoding: chunked\r\nTransfer-encoding: chunked\r\n", "0\r\n\r\n"), 400},
      {"TE: xchunked", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 400},
      {"TE: identity", post("Transfer-Encoding: identity\r\n", ""), 400},
      {"TE: gzip alone", post("Transfer-Encoding: gzip\r\n", ""), 400},
      {"TE: empty", post("Transfer-Encoding:\r\n", "0\r\n\r\n"), 400},
      {"TE: quoted", post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), 400},
      {"TE: apostrophes", post("Transfer-Encoding: 'chunked'\r\n", "0\r\n\r\n"), 400},
      {"TE: with a parameter", post("Transfer-Encoding: chunked;a=b\r\n", "0\r\n\r\n"), 400},
      {"TE: vertical tab",
       post("Transfer-Encoding: \x0b"
            "chunked\r\n",
            "0\r\n\r\n"),
       400},
      {"TE: form feed behind", post("Transfer-Encoding: chunked\x0c\r\n", "0\r\n\r\n"), 400},
      {"TE: NUL behind", post("Transfer-Encoding: chunked\0\r\n"s, "0\r\n\r\n"), 400},
      {"TE: folded value", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), 400},
      {"TE: space before the colon", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400},
      {"TE: leading space in the name", post(" Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
      {"TE: behind a bare LF", post("X: y\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
      {"TE: behind a bare CR", post("X: y\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
      {"TE: chunked not last", post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), 400},
      {"TE: chunked twice in one list", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 400},
      {"TE: trailing comma", post("Transfer-Encoding: chunked,\r\n", "0\r\n\r\n"), 400},
      {"TE: gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501},
      {"TE: on HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      // Chunks
      {"negative size", chunked("-1\r\n"), 400},
      {"size with a plus", chunked("+5\r\nhello\r\n0\r\n\r\n"), 400},
      {"size with 0x", chunked("0x5\r\nhello\r\n0\r\n\r\n"), 400},
      {"size with a leading space", chunked(" 5\r\nhello\r\n0\r\n\r\n"), 400},
      {"size with a trailing space", chunked("5 \r\nhello\r\n0\r\n\r\n"), 400},
      {"size with an underscore", chunked("1_0\r\n"), 400},
      {"empty size", chunked("\r\nhello\r\n"), 400},
      {"extension without a size", chunked(";a\r\n"), 400},
      {"size that is no number", chunked("G\r\n"), 400},
      {"size of 2^64 + 5", chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"), 400},
      {"size with many zeros", chunked("00000000000000005\r\nhello\r\n0\r\n\r\n"), 400},
      {"size of 2^64 - 1", chunked("ffffffffffffffff\r\nhello"), 413},
      {"size over the limit", chunked("100001\r\nhello"), 413},
      {"sizes whose sum wraps", chunked("5\r\nhello\r\nfffffffffffffffb\r\n"), 413},
      {"size line that ends with LF", chunked("5\nhello\r\n0\r\n\r\n"), 400},
      {"bare LF in an extension", chunked("5;\nhello\r\n0\r\n\r\n"), 400},
      {"bare CR in an extension", chunked("5;a\rb\r\nhello\r\n0\r\n\r\n"), 400},
      {"NUL in an extension", chunked("5;\0\r\nhello\r\n0\r\n\r\n"s), 400},
      {"data longer than its size", chunked("4\r\nhello\r\n0\r\n\r\n"), 400},
      {"data shorter than its size", chunked("7\r\nhello\r\n0\r\n\r\n"), 400},
      {"data that ends with LF", chunked("5\r\nhello\n0\r\n\r\n"), 400},
      {"data that ends with CR", chunked("5\r\nhello\r0\r\n\r\n"), 400},
      {"data that ends with two other bytes", chunked("5\r\nhelloXX0\r\n\r\n"), 400},
      {"last chunk that ends with LF", chunked("0\n\n"), 400},
      {"size line over its cap", chunked("5;" + std::string(300, 'x') + "\r\nhello\r\n0\r\n\r\n"), 400},
      {"trailer without a colon", chunked("0\r\nX\r\n\r\n"), 400},
      {"trailer with a space before its colon", chunked("0\r\nX : y\r\n\r\n"), 400},
      {"trailer with a control character", chunked("0\r\nX: \x01\r\n\r\n"), 400},
      {"trailer that ends with LF", chunked("0\r\nX: y\n\r\n"), 400},
      {"folded trailer", chunked("0\r\nX: y\r\n z\r\n\r\n"), 400},
  };
  return table;
}

}  // namespace

TEST_CASE("http parser: a GET, every part of its head is available", "[http]") {
  const HttpHead head = parse_head(
      "GET /a%20b/%C3%A4?x=%31&y HTTP/1.1\r\nHost: example.com:8080\r\nAccept: a\r\nX-Empty:\r\naccept: \t b "
      "\t\r\n\r\n");
  CHECK(head.method() == "GET");
  CHECK(head.target() == "/a%20b/%C3%A4?x=%31&y");
  CHECK(head.path() == "/a b/\xc3\xa4");
  CHECK(head.query() == "x=%31&y");
  CHECK(head.version_minor() == 1);
  CHECK(head.host() == "example.com:8080");
  CHECK(head.header("ACCEPT") == "a");
  CHECK(head.all_headers("Accept") == "a, b");
  CHECK(head.header("x-empty") == "");
  CHECK_FALSE(head.header("x-missing"));
  CHECK(head.all_headers("x-missing").empty());
  CHECK(head.fields().size() == 4);
  CHECK(head.keep_alive());
  CHECK_FALSE(head.content_length());
  CHECK_FALSE(head.has_body());
}

TEST_CASE("http parser: forms of the target, path, query and host follow", "[http]") {
  struct Case {
    const char* line;
    const char* path;
    const char* query;
    const char* host;
  };
  const auto cases = std::to_array<Case>({
      {"GET / HTTP/1.1", "/", "", "a"},
      {"GET /? HTTP/1.1", "/", "", "a"},
      {"GET /x?y?z HTTP/1.1", "/x", "y?z", "a"},
      {"GET //b/c HTTP/1.1", "//b/c", "", "a"},
      {"GET /../x HTTP/1.1", "/../x", "", "a"},
      {"GET /%2e%2E/x HTTP/1.1", "/../x", "", "a"},
      {"GET /%5c%252f HTTP/1.1", "/\\%2f", "", "a"},
      {"GET /%41%42 HTTP/1.1", "/AB", "", "a"},
      {"GET /a+b HTTP/1.1", "/a+b", "", "a"},
      {"GET http://b HTTP/1.1", "/", "", "b"},
      {"GET HTTPS://b:1/%41?q HTTP/1.1", "/A", "q", "b:1"},
      {"GET http://b?q/r HTTP/1.1", "/", "q/r", "b"},
      {"GET http://[::1]:80/x HTTP/1.1", "/x", "", "[::1]:80"},
      {"OPTIONS * HTTP/1.1", "*", "", "a"},
      {"OPTIONS http://b HTTP/1.1", "*", "", "b"},
      {"OPTIONS http://b/ HTTP/1.1", "/", "", "b"},
      {"CONNECT b:443 HTTP/1.1", "", "", "b:443"},
      {"BREW /pot HTTP/1.1", "/pot", "", "a"},
  });
  for (const Case& c : cases) {
    CAPTURE(c.line);
    const HttpHead head = parse_head(std::string(c.line) + "\r\nHost: a\r\n\r\n");
    CHECK(head.path() == c.path);
    CHECK(head.query() == c.query);
    CHECK(head.host() == c.host);
  }
}

TEST_CASE("http parser: valid hosts are accepted", "[http]") {
  for (const std::string host :
       {"a", "a.b-c_d", "127.0.0.1:1", "[::ffff:1.2.3.4]:80", "a%2Db", "a:", "", "xn--bcher-kva.example"}) {
    CAPTURE(host);
    CHECK(parse_head("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n").host() == host);
  }
}

TEST_CASE("http parser: version and Connection, keep_alive follows", "[http]") {
  CHECK(parse_head("GET / HTTP/1.1\r\nHost: a\r\n\r\n").keep_alive());
  CHECK(parse_head("GET / HTTP/1.7\r\nHost: a\r\n\r\n").version_minor() == 1);
  CHECK_FALSE(parse_head("GET / HTTP/1.1\r\nHost: a\r\nConnection: TE, Close\r\n\r\n").keep_alive());
  CHECK_FALSE(parse_head("GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close\r\n\r\n").keep_alive());
  CHECK_FALSE(parse_head("GET / HTTP/1.0\r\n\r\n").keep_alive());
  CHECK(parse_head("GET / HTTP/1.0\r\n\r\n").version_minor() == 0);
  CHECK(parse_head("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive());
  CHECK_FALSE(parse_head("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n").keep_alive());
}

TEST_CASE("http parser: Expect, honoured only with a body and HTTP/1.1", "[http]") {
  const std::string rest = "Host: a\r\nExpect: 100-Continue\r\n";
  CHECK(parse_head("PUT / HTTP/1.1\r\n" + rest + "Content-Length: 1\r\n\r\n").expects_continue());
  CHECK(parse_head("PUT / HTTP/1.1\r\n" + rest + "Transfer-Encoding: chunked\r\n\r\n").expects_continue());
  CHECK_FALSE(parse_head("PUT / HTTP/1.1\r\n" + rest + "Content-Length: 0\r\n\r\n").expects_continue());
  CHECK_FALSE(parse_head("PUT / HTTP/1.0\r\n" + rest + "Content-Length: 1\r\n\r\n").expects_continue());
}

TEST_CASE("http parser: a WebSocket upgrade, the bytes after the head are not consumed", "[http]") {
  const std::string fields = "Host: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n";
  const std::string stream = "GET /live HTTP/1.1\r\n" + fields + "\r\n\x81\x80";
  HttpRequestParser parser;
  std::string_view in = stream;
  REQUIRE(parser.next(in) == Event::head);
  CHECK(parser.head().upgrade_websocket());
  CHECK(in == "\x81\x80");
  CHECK_FALSE(parse_head("POST / HTTP/1.1\r\n" + fields + "\r\n").upgrade_websocket());
  CHECK_FALSE(parse_head("GET / HTTP/1.0\r\n" + fields + "\r\n").upgrade_websocket());
  CHECK_FALSE(parse_head("GET / HTTP/1.1\r\n" + fields + "Content-Length: 2\r\n\r\n").upgrade_websocket());
  CHECK_FALSE(parse_head("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n").upgrade_websocket());
  CHECK_FALSE(
      parse_head("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n").upgrade_websocket());
}

TEST_CASE("http parser: pipelined bodies of both kinds, the same events wherever the stream is split", "[http]") {
  const std::string stream =
      "\r\nPOST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
      "\r\nGET /b%20c?d HTTP/1.1\r\nHost: a\r\nX: y \r\n\r\n"
      "PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "5\r\nhello\r\n006 ; a=b\r\n world\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nContent-Length: 7\r\nX: y\r\n\r\n"
      "POST /d HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
      "GET /e HTTP/1.0\r\n\r\n";
  const Transcript whole = run(stream);
  CHECK(
      whole.text ==
      "head POST /a ? @a 1.1 keep-alive\n  Host=[a]\n  Content-Length=[5]\nbody [hello]\nend\n"
      "head GET /b c ?d @a 1.1 keep-alive\n  Host=[a]\n  X=[y]\nend\n"
      "head PUT /c ? @a 1.1 keep-alive\n  Host=[a]\n  Transfer-Encoding=[Chunked]\nbody [hello world0123456789]\nend\n"
      "head POST /d ? @a 1.1 keep-alive\n  Host=[a]\n  Content-Length=[0]\nend\n"
      "head GET /e ? @ 1.0 close\nend\n");
  check_every_cut(stream);
}

TEST_CASE("http parser: malformed requests, each is refused with its status wherever it is split", "[http]") {
  for (const Refused& refusal : refused()) {
    CAPTURE(refusal.what);
    const Transcript transcript = run(refusal.stream);
    CHECK(transcript.status == refusal.status);
    CHECK(transcript.requests == 0);
    check_every_cut(refusal.stream);
  }
}

TEST_CASE("http parser: limits of a head, values at a limit pass and values above it are refused", "[http]") {
  HttpLimits limits;
  limits.request_line_bytes_max = 20;
  limits.field_bytes_max = 12;
  limits.fields_max = 3;
  limits.head_bytes_max = 64;
  const std::string line = "GET / HTTP/1.1\r\nHost: a\r\n";
  const std::vector<std::pair<std::string, int>> cases = {
      {"GET /" + std::string(6, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 0},
      {"GET /" + std::string(7, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
      {"GET /" + std::string(500, 'a'), 414},
      {line + "X: 456789012\r\n\r\n", 0},
      {line + "X: 4567890123\r\n\r\n", 431},
      {line + "X: " + std::string(500, 'a'), 431},
      {line + "A:\r\nB:\r\n\r\n", 0},
      {line + "A:\r\nB:\r\nC:\r\n\r\n", 431},
      {"GET /aaaaaa HTTP/1.1\r\nHost: abcdef\r\nX: 456789012\r\nY: 456789012\r\n\r\n", 0},  // 22 + 14 + 14 + 14
  };
  for (const auto& [stream, status] : cases) {
    CAPTURE(stream);
    CHECK(run(stream, limits).status == status);
    check_every_cut(stream, limits);
  }
  limits.head_bytes_max = 63;
  CHECK(run(cases.back().first, limits).status == 431);
  check_every_cut(cases.back().first, limits);
}

TEST_CASE("http parser: limits of a body, values at a limit pass and values above it are refused", "[http]") {
  HttpLimits limits;
  limits.fields_max = 2;
  limits.body_bytes_max = 8;
  limits.chunk_line_bytes_max = 6;
  limits.chunk_extension_bytes_max = 7;
  limits.trailer_bytes_max = 14;
  const std::vector<std::pair<std::string, int>> cases = {
      {post("Content-Length: 8\r\n", "12345678"), 0},
      {post("Content-Length: 9\r\n", "123456789"), 413},
      {chunked("5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n"), 0},
      {chunked("5\r\nhello\r\n4\r\nabcd\r\n0\r\n\r\n"), 413},
      {chunked("1;3456\r\na\r\n0\r\n\r\n"), 0},
      {chunked("1;34567\r\na\r\n0\r\n\r\n"), 400},
      {chunked("1;345\r\na\r\n1;3\r\nb\r\n0;\r\n\r\n"), 0},
      {chunked("1;345\r\na\r\n1;34\r\nb\r\n0;\r\n\r\n"), 400},
      {chunked("0\r\nA: bcdefghij\r\n\r\n"), 0},
      {chunked("0\r\nA: bcdefghijk\r\n\r\n"), 431},
      {chunked("0\r\nA: b\r\nC: def\r\n\r\n"), 0},
      {chunked("0\r\nA: b\r\nC: defg\r\n\r\n"), 431},
      {chunked("0\r\nA:\r\nB:\r\n\r\n"), 0},
      {chunked("0\r\nA:\r\nB:\r\nC:\r\n\r\n"), 431},
  };
  for (const auto& [stream, status] : cases) {
    CAPTURE(stream);
    CHECK(run(stream, limits).status == status);
    check_every_cut(stream, limits);
  }
}

TEST_CASE("http parser: the limit is changed after a request's head, it applies to that body only", "[http]") {
  HttpLimits limits;
  limits.body_bytes_max = 4;
  const std::string request = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
  const std::string stream = request + request;
  HttpRequestParser parser(limits);
  std::string_view in = stream;
  REQUIRE(parser.next(in) == Event::head);
  parser.set_body_bytes_max(5);
  CHECK(parser.next(in) == Event::body);
  CHECK(parser.body_chunk() == "hello");
  CHECK(parser.next(in) == Event::end);
  REQUIRE(parser.next(in) == Event::head);
  CHECK(parser.next(in) == Event::error);
  CHECK(parser.error_status() == 413);
}

TEST_CASE("http parser: a head with Expect: 100, need_more says when to send 100, and 413 comes without the body",
          "[http]") {
  const auto next_after_head = [](std::string_view length) {
    const std::string text =
        "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: " + std::string(length) + "\r\n\r\n";
    HttpRequestParser parser;
    std::string_view in = text;
    REQUIRE(parser.next(in) == Event::head);
    return parser.next(in);
  };
  CHECK(next_after_head("5") == Event::need_more);
  CHECK(next_after_head("99999999999") == Event::error);
}

TEST_CASE("http parser: the largest announced body, nothing is reserved and bytes pass through", "[http]") {
  HttpLimits limits;
  limits.body_bytes_max = ~std::uint64_t{0};
  const std::string stream = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\nab";
  HttpRequestParser parser(limits);
  std::string_view in = stream;
  REQUIRE(parser.next(in) == Event::head);
  CHECK(parser.in_message());
  CHECK(parser.next(in) == Event::body);
  CHECK(parser.body_chunk().data() == stream.data() + stream.size() - 2);
  CHECK(parser.next(in) == Event::need_more);
  CHECK(parser.in_message());
}

TEST_CASE("http parser: after an error, it reports the same error and consumes nothing", "[http]") {
  HttpRequestParser parser;
  std::string_view in = "\n";
  REQUIRE(parser.next(in) == Event::error);
  in = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  CHECK(parser.next(in) == Event::error);
  CHECK(in.size() == 27);
  CHECK(parser.error_status() == 400);
  CHECK_FALSE(parser.error_text().empty());
  CHECK_FALSE(parser.in_message());
}

TEST_CASE("http parser: an unfinished head presented again with bytes missing, refused without a read past the end",
          "[http]") {
  HttpRequestParser parser;
  std::string_view in = "GET / HTTP/1.1\r\nHost";
  CHECK(parser.next(in) == Event::need_more);
  in = "GET";
  CHECK(parser.next(in) == Event::error);
}

TEST_CASE("http parser: the head remains valid while the parser continues", "[http]") {
  const std::string stream = "GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\nHost: b\r\n\r\n";
  HttpRequestParser parser;
  std::string_view in = stream;
  REQUIRE(parser.next(in) == Event::head);
  const HttpHead first = parser.take_head();
  CHECK(parser.head().method().empty());
  CHECK(parser.next(in) == Event::end);
  REQUIRE(parser.next(in) == Event::head);
  HttpHead copy = first;
  const HttpHead moved = std::move(copy);
  CHECK(moved.path() == "/first");
  CHECK(moved.header("host") == "a");
  CHECK(parser.head().path() == "/second");
}

}  // namespace http_parser_test
