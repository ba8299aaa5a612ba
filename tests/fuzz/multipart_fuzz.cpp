// libFuzzer: the parser of multipart forms. However a body is split, it gives the same parts, and what it takes for their
// data is what stands between two boundaries.
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -DFLUX_HEADER_ONLY -Iinclude
//   tests/fuzz/multipart_fuzz.cpp ./a.out corpus_of_yours tests/fuzz/corpus/multipart
// The first byte of an input decides how the body is split; the rest is the body. Its boundary is "b".
#include <flux/detail/transport/multipart.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace {

using flux::transport::MultipartLimits;
using flux::transport::MultipartParser;
using Event = MultipartParser::Event;

constexpr MultipartLimits limits{4, 200, 60};

void require(bool condition) {
  if (!condition) std::abort();
}

/// Adds the next piece of the form to the transcript. Returns false after an error.
class Transcript {
 public:
  bool add(std::string_view piece) {
    const auto exact = std::make_unique<char[]>(piece.size());
    std::memcpy(exact.get(), piece.data(), piece.size());
    std::string_view in(exact.get(), piece.size());
    for (;;) {
      const std::size_t before = in.size();
      const Event event = parser_.next(in);
      require(in.size() <= before);
      if (event == Event::need_more) break;
      if (!take(event)) return false;
    }
    require(in.empty());
    return true;
  }
  std::string text() const { return text_ + (parser_.complete() ? "complete" : "incomplete"); }

 private:
  bool take(Event event) {
    switch (event) {
      case Event::part:
        require(!in_part_ && ++parts_ <= limits.parts_max);
        in_part_ = true;
        text_ += "part " + parser_.part().name + "\n" + parser_.part().file_name.value_or("(none)") + "\n" +
                 parser_.part().media_type + "\n";
        return true;
      case Event::data:
        require(in_part_ && !parser_.data().empty());
        data_ += parser_.data();
        return true;
      case Event::part_end:
        require(in_part_ && data_.find("\r\n--b") == std::string::npos);
        in_part_ = false;
        text_ += data_ + "\n";
        data_.clear();
        return true;
      case Event::end: require(!in_part_ && parser_.complete()); return true;
      default:
        require(!parser_.error_text().empty());
        text_ += "error " + parser_.error_text();
        return false;
    }
  }

  MultipartParser parser_{"b", limits};
  std::string text_;
  std::string data_;
  std::size_t parts_ = 0;
  bool in_part_ = false;
};

std::string run(std::string_view body, std::size_t piece) {
  Transcript transcript;
  while (!body.empty()) {
    if (!transcript.add(body.substr(0, piece))) break;
    body.remove_prefix(std::min(piece, body.size()));
  }
  return transcript.text();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = run(body, body.size());
  require(run(body, 1 + data[0] % 64U) == whole);
  require(run(body, 1) == whole);
  flux::transport::multipart_boundary(body);
  return 0;
}
