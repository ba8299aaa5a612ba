// libFuzzer: the request parser. However a stream is split, it gives the same events, and their invariants hold.
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -DFLUX_HEADER_ONLY -Iinclude tests/fuzz/http_fuzz.cpp
//   ./a.out corpus_of_yours tests/fuzz/corpus/http
// The first byte of an input decides how the stream is split; the rest is the stream.
#include <flux/detail/transport/http_parser.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace {

using flux::transport::HttpHead;
using flux::transport::HttpLimits;
using flux::transport::HttpRequestParser;
using Event = HttpRequestParser::Event;

void require(bool condition) {
  if (!condition) std::abort();
}

HttpLimits small_limits() {
  HttpLimits limits;
  limits.request_line_bytes_max = 200;
  limits.field_bytes_max = 120;
  limits.fields_max = 8;
  limits.head_bytes_max = 400;
  limits.body_bytes_max = 300;
  limits.chunk_line_bytes_max = 40;
  limits.chunk_extension_bytes_max = 60;
  limits.trailer_bytes_max = 100;
  return limits;
}

bool has_control(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t') || byte == 0x7f) return true;
  }
  return false;
}

std::string check_head(const HttpHead& head) {
  require(!head.method().empty() && !has_control(head.method()) && !has_control(head.target()) &&
          !has_control(head.path()));
  require(head.path().empty() ? head.method() == "CONNECT" : head.path().front() == '/' || head.path() == "*");
  require(!(head.chunked() && head.content_length()));
  require(!head.chunked() || head.version_minor() == 1);
  std::size_t hosts = 0;
  std::string text = "head " + std::string(head.method()) + " " + std::string(head.path()) + " " +
                     std::string(head.query()) + " " + std::string(head.host()) + "\n";
  for (const auto& [name, value] : head.fields()) {
    require(!name.empty() && !has_control(name) && !has_control(value));
    require(head.header(name).has_value());
    if (flux::transport::equals_ignore_case(name, "host")) ++hosts;
    text.append(name).append(":").append(value).append("\n");
  }
  require(hosts == 1 || (hosts == 0 && head.version_minor() == 0));
  flux::transport::query_parameter(head.query(), "a");
  return text;
}

/// The events of a stream that arrives in pieces of at most `piece` bytes.
std::string run(std::string_view stream, std::size_t piece) {
  HttpRequestParser parser(small_limits());
  std::string transcript;
  std::string rest;
  std::size_t body_bytes = 0;
  bool in_body = false;
  while (!stream.empty()) {
    rest += stream.substr(0, piece);
    stream.remove_prefix(std::min(piece, stream.size()));
    const auto exact = std::make_unique<char[]>(rest.size());
    std::memcpy(exact.get(), rest.data(), rest.size());
    std::string_view in(exact.get(), rest.size());
    for (;;) {
      const std::string_view before = in;
      const Event event = parser.next(in);
      require(in.size() <= before.size() && in.data() + in.size() == before.data() + before.size());
      if (event == Event::need_more) break;
      if (event == Event::error) {
        require(parser.error_status() >= 400 && parser.error_status() <= 505 && !parser.error_text().empty());
        return transcript + "error " + std::to_string(parser.error_status()) + std::string(parser.error_text());
      }
      require(event == Event::head ? !in_body : in_body);
      if (event == Event::body) {
        require(!parser.body_chunk().empty() && parser.body_chunk().data() >= before.data() &&
                parser.body_chunk().data() + parser.body_chunk().size() <= in.data());
        body_bytes += parser.body_chunk().size();
        require(body_bytes <= 300);
        transcript += parser.body_chunk();
      } else {
        in_body = event == Event::head;
        body_bytes = 0;
        transcript += in_body ? check_head(parser.head()) : "end\n";
      }
      require(parser.in_message() == in_body);
    }
    rest = std::string(in);
    require(rest.size() <= 402);
  }
  return transcript;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = run(stream, stream.size());
  require(run(stream, 1 + data[0] % 64U) == whole);
  require(run(stream, 1) == whole);
  return 0;
}
