// The parser of multipart/form-data: every cut of the input, names as browsers write them, limits, malformed forms.
#include "catch.hpp"

#include <flux/detail/transport/multipart.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace multipart_test {

using flux::transport::multipart_boundary;
using flux::transport::MultipartLimits;
using flux::transport::MultipartParser;
using Event = MultipartParser::Event;

namespace {

/// The events of a form whose pieces end at the given places.
std::string read_cut(std::string_view form, const std::vector<std::size_t>& cuts, const MultipartLimits& limits = {}) {
  MultipartParser parser("xyz", limits);
  std::string told;
  std::size_t from = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const std::size_t to = i < cuts.size() ? cuts[i] : form.size();
    const std::string piece(form.substr(from, to - from));  // of its own, so that a stale view is noticed
    from = to;
    std::string_view in = piece;
    for (Event event = parser.next(in); event != Event::need_more; event = parser.next(in)) {
      switch (event) {
        case Event::part:
          told += "[" + parser.part().name;
          if (parser.part().file_name) told += "|" + *parser.part().file_name;
          if (!parser.part().media_type.empty()) told += "|" + parser.part().media_type;
          told += "]";
          break;
        case Event::data: told += parser.data(); break;
        case Event::part_end: told += ";"; break;
        case Event::end: told += "end"; break;
        default: return told + "error: " + parser.error_text();
      }
    }
    CHECK(in.empty());
  }
  return told + (parser.complete() ? "" : " incomplete");
}
std::string read(std::string_view form, const MultipartLimits& limits = {}) { return read_cut(form, {}, limits); }

std::string part(std::string_view parameters, std::string_view content, std::string_view fields = "") {
  return "--xyz\r\nContent-Disposition: form-data; " + std::string(parameters) + "\r\n" + std::string(fields) + "\r\n" +
         std::string(content) + "\r\n";
}
std::string file(std::string_view name) { return part("name=f; filename=" + std::string(name), "x") + "--xyz--"; }

const std::string two_files =
    "--xyz\r\nContent-Disposition: form-data; name=\"room\"\r\n\r\nr 1\r\n" +
    part("name=\"f\"; filename=\"a.txt\"", "one\r\n--xy\r\r\n--xyother", "Content-Type: text/plain\r\n") +
    part("name=\"f\"; filename=\"b\"", "") + "--xyz--\r\n";
const std::string two_files_read = "[room]r 1;[f|a.txt|text/plain]one\r\n--xy\r\r\n--xyother;[f|b];end";

}  // namespace

TEST_CASE("multipart: fields and files, cut at any two places, give the same parts") {
  CHECK(read(two_files) == two_files_read);
  for (std::size_t first = 0; first <= two_files.size(); ++first) {
    if (read_cut(two_files, {first}) != two_files_read) FAIL("cut at " << first);
    for (std::size_t second = first; second <= std::min(first + 12, two_files.size()); ++second) {
      if (read_cut(two_files, {first, second}) != two_files_read) FAIL("cut at " << first << " and " << second);
    }
  }
  std::vector<std::size_t> everywhere(two_files.size());
  for (std::size_t i = 0; i < everywhere.size(); ++i) everywhere[i] = i;
  CHECK(read_cut(two_files, everywhere) == two_files_read);
}

TEST_CASE("multipart: any bytes are data, in pieces that do not depend on the number of line ends") {
  std::string bytes;
  for (int i = 0; i < 3 * 256; ++i) bytes += static_cast<char>(i);
  CHECK(read(part("name=f", bytes) + "--xyz--") == "[f]" + bytes + ";end");
  const std::string line_ends(100'000, '\r');
  const std::string form = part("name=f", line_ends) + "--xyz--";
  MultipartParser parser("xyz");
  std::string_view in = form;
  std::size_t events = 0;
  for (; parser.next(in) != Event::need_more; ++events) continue;
  CHECK(events == 4);
}

TEST_CASE("multipart: a boundary may be padded; what precedes the first one and follows the last one is ignored") {
  CHECK(read("hello\r\n--xyz \t\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--xyz--\r\nbye\r\n--xyz\r\n") ==
        "[a]b;end");
  MultipartLimits limits;
  limits.ignored_bytes_max = 10;
  const std::string outside =
      "error: the form has more than 10 bytes outside its parts; does the boundary match the Content-Type?";
  CHECK(read("01234567\r\n" + file("a"), limits) == "[f|a]x;end");
  CHECK(read("0123456789x\r\n" + file("a"), limits) == outside);
  CHECK(read(file("a") + "0123456789", limits) == "[f|a]x;end");
  CHECK(read(file("a") + "0123456789x", limits) == "[f|a]x;end" + outside);
  CHECK(read("--xyz           \r\n", limits) == outside);
}

TEST_CASE("multipart: names as browsers and curl write them") {
  CHECK(read(file("\"a%22b%0D%0Ac%0a.txt\"")) == "[f|a\"b\r\nc\n.txt]x;end");
  CHECK(read(file("\"100%25 %2 %\"")) == "[f|100%25 %2 %]x;end");
  CHECK(read(file(R"("a\"b\\c\d")")) == R"([f|a"b\c\d]x;end)");
  CHECK(read(file("\"\xc3\xa4;=,.png\"")) == "[f|\xc3\xa4;=,.png]x;end");
  CHECK(read(file("plain.txt")) == "[f|plain.txt]x;end");
  CHECK(read(file("\"\"")) == "[f|]x;end");
  CHECK(read(file("\"a\"; filename*=UTF-8''b")) == "[f|a]x;end");
  CHECK(read(part("FileName=\"a\" ; NAME=\"n\"", "", "content-type:  text/x \r\n") + "--xyz--") == "[n|a|text/x];end");
}

TEST_CASE("multipart: a malformed form is refused with what is wrong") {
  const auto why = [](std::string_view header) {
    return read("--xyz\r\n" + std::string(header) + "\r\n\r\nx\r\n--xyz--");
  };
  CHECK(why("Content-Type: text/plain") == "error: a part of the form has no Content-Disposition");
  CHECK(why("Content-Disposition: attachment; name=f") == "error: the Content-Disposition of a part is not form-data");
  CHECK(why("Content-Disposition: form-data") == "error: a part of the form has no name");
  CHECK(why("Content-Disposition: form-data; filename=a") == "error: a part of the form has no name");
  CHECK(why("Content-Disposition: form-data; name=a; name=b") ==
        "error: the Content-Disposition of a part has two names");
  CHECK(why("Content-Disposition: form-data; name=f; filename*=UTF-8''a") ==
        "error: a form has file names as filename=\"...\" in UTF-8, not filename*");
  CHECK(why("Content-Disposition: form-data; name=f\r\nContent-Disposition: form-data; name=f") ==
        "error: a part of the form has two Content-Dispositions");
  CHECK(why("Content-Disposition: form-data; name=f\r\nContent-Transfer-Encoding: base64") ==
        "error: a part has a Content-Transfer-Encoding: send its bytes as they are");
  CHECK(why("Content-Disposition: form-data; name=f\r\nContent-Transfer-Encoding: Binary") == "[f]x;end");
  for (const std::string_view parameters :
       {"name=\"f", "name", "name=", "=f", "name=f;", "name=f filename=a", "na me=f"}) {
    CHECK(why("Content-Disposition: form-data; " + std::string(parameters)) ==
          "error: the Content-Disposition of a part is malformed");
  }
  for (const std::string_view line : {"no colon", ": x", "a b: c", " folded", "X: a\rb", "X: \x01"}) {
    CHECK(why("Content-Disposition: form-data; name=f\r\n" + std::string(line)) ==
          "error: a part's header has a line that is not a field");
  }
  CHECK(read("--xyz\r\nContent-Disposition: form-data; name=f\n\r\n") ==
        "error: a line of a part's header does not end with CR LF");
  for (const std::string_view tail : {"x", "-x", "\n", "\rx", " x", " --"}) {
    CHECK(read("--xyz" + std::string(tail)) ==
          "error: a boundary of the form is not followed by a line end or two dashes");
  }
  for (std::size_t size = 0; size + 2 < two_files.size(); ++size) {
    const std::string told = read(std::string_view(two_files).substr(0, size));
    if (told.find("incomplete") == std::string::npos) FAIL("complete after " << size << " bytes");
  }
}

TEST_CASE("multipart: the parts and the header of each are bounded, however they are cut") {
  MultipartLimits limits;
  limits.parts_max = 2;
  CHECK(read(two_files, limits) ==
        "[room]r 1;[f|a.txt|text/plain]one\r\n--xy\r\r\n--xyother;error: a form has at most 2 fields and files");
  limits = {};
  const std::string form = part("name=f", "x") + "--xyz--";
  limits.head_bytes_max = std::string_view("Content-Disposition: form-data; name=f\r\n\r\n").size();
  CHECK(read(form, limits) == "[f]x;end");
  for (std::size_t cut = 0; cut < form.size(); ++cut) {
    if (read_cut(form, {cut}, limits) != "[f]x;end") FAIL("cut at " << cut);
  }
  --limits.head_bytes_max;
  for (std::size_t cut = 0; cut < form.size(); ++cut) {
    const std::string told = read_cut(form, {cut}, limits);
    if (told != "error: the header of a part has at most 41 bytes") FAIL("cut at " << cut << ": " << told);
  }
}

TEST_CASE("multipart: the boundary of a Content-Type") {
  CHECK(multipart_boundary("multipart/form-data; boundary=abc") == "abc");
  CHECK(multipart_boundary("multipart/form-data; charset=utf-8; Boundary=\"a b:c\"") == "a b:c");
  CHECK(multipart_boundary("multipart/form-data;boundary=" + std::string(70, 'x')) == std::string(70, 'x'));
  for (const std::string_view none :
       {"multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary",
        "multipart/form-data; boundary=\"a \"", "multipart/form-data; boundary=\"a\xc3\xa4\""}) {
    INFO(none);
    CHECK(multipart_boundary(none) == std::nullopt);
  }
  CHECK(multipart_boundary("multipart/form-data; boundary=" + std::string(71, 'x')) == std::nullopt);
}

}  // namespace multipart_test
