// Files of a folder: which file is served, that nothing outside is reached, preconditions and ranges.
#include "catch.hpp"

#include <flux/detail/transport/http_date.hpp>
#include <flux/detail/transport/http_parser.hpp>
#include <flux/detail/transport/static_folder.hpp>
#include <flux/error.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

namespace static_folder_test {

namespace {

namespace fs = std::filesystem;
using namespace flux::transport;
using namespace std::string_literals;

void write_file(const fs::path& path, std::string_view content) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

/// A folder with files, a secret beside it and links between the two; removed with the test.
class Site {
 public:
  Site() : base_(fs::temp_directory_path() / ("flux_static_" + std::to_string(std::random_device()()))) {
    write_file(base_ / "secret.txt", "secret");
    write_file(root() / "index.html", "<p>home");
    write_file(root() / "app.js", "0123456789");
    write_file(root() / "empty.txt", "");
    write_file(root() / "a b" / "index.html", "<p>spaced");
    write_file(root() / "docs" / "page.html", "<p>page");
    write_file(root() / ".hidden", "hidden");
    write_file(root() / ".git" / "config", "hidden");
    write_file(base_ / "public_too" / "x.txt", "outside");
    fs::create_symlink(base_ / "secret.txt", root() / "leak.txt");
    fs::create_directory_symlink(base_, root() / "up");
    fs::create_directory_symlink(base_ / "public_too", root() / "beside");
    fs::create_symlink(root() / ".git" / "config", root() / "config.txt");
    fs::create_symlink("app.js", root() / "alias.css");
    fs::create_symlink("loop", root() / "loop");
  }
  ~Site() {
    std::error_code error;
    fs::remove_all(base_, error);
  }
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  fs::path base() const { return base_; }
  fs::path root() const { return base_ / "public"; }

 private:
  fs::path base_;
};

HttpHead request(std::string_view method, std::string_view fields = "", std::string_view target = "/") {
  const std::string text =
      std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
  std::string_view in = text;
  HttpRequestParser parser;
  REQUIRE(parser.next(in) == HttpRequestParser::Event::head);
  return parser.take_head();
}

std::string field(const StaticPlan& plan, std::string_view name) {
  return std::string(find_field(plan.fields, name).value_or("(none)"));
}

}  // namespace

TEST_CASE("static folder: a file, its plan has everything a response needs", "[http]") {
  const Site site;
  const StaticFolder folder(site.root().string());
  const StaticPlan plan = folder.plan(request("GET"), "app.js");
  CHECK(plan.status == 200);
  CHECK(fs::equivalent(plan.file, site.root() / "app.js"));
  CHECK(plan.offset == 0);
  CHECK(plan.length == 10);
  CHECK(field(plan, "Content-Type") == "text/javascript; charset=utf-8");
  CHECK(field(plan, "X-Content-Type-Options") == "nosniff");
  CHECK(field(plan, "Cache-Control") == "no-cache");
  CHECK(field(plan, "Accept-Ranges") == "bytes");
  CHECK(field(plan, "ETag").size() == 18);
  CHECK(field(plan, "Last-Modified").size() == 29);
  CHECK(folder.plan(request("HEAD"), "app.js").length == 10);
  CHECK(folder.plan(request("GET"), "empty.txt").status == 200);
  CHECK(folder.plan(request("GET"), "alias.css").status == 200);
  CHECK(field(folder.plan(request("GET"), "alias.css"), "Content-Type") == "text/css; charset=utf-8");
  CHECK(field(StaticFolder(site.root().string(), "").plan(request("GET"), "app.js"), "Cache-Control") == "(none)");
}

TEST_CASE("static folder: folders, index.html with a slash and a relative redirect without", "[http]") {
  const Site site;
  const StaticFolder folder(site.root().string());
  CHECK(fs::equivalent(folder.plan(request("GET"), "").file, site.root() / "index.html"));
  CHECK(field(folder.plan(request("GET"), ""), "Content-Type") == "text/html; charset=utf-8");
  CHECK(folder.plan(request("GET"), "a b/").status == 200);
  CHECK(folder.plan(request("GET"), "docs/").status == 404);
  CHECK(folder.plan(request("GET"), "app.js/").status == 404);
  const StaticPlan plan = folder.plan(request("GET", "", "/x/a%20b?q=1"), "a b");
  CHECK(plan.status == 308);
  CHECK(plan.file.empty());
  CHECK(field(plan, "Location") == "./a%20b/?q=1");
}

TEST_CASE("static folder: paths that lead outside or are hidden, 404 and no file", "[http]") {
  const Site site;
  const StaticFolder folder(site.root().string());
  for (const std::string& path : {"../secret.txt"s,
                                  ".."s,
                                  "../"s,
                                  "docs/../../secret.txt"s,
                                  "docs/../app.js"s,
                                  "./app.js"s,
                                  "/app.js"s,
                                  "//app.js"s,
                                  "docs//page.html"s,
                                  "leak.txt"s,
                                  "up/secret.txt"s,
                                  "up"s,
                                  "up/"s,
                                  "beside/x.txt"s,
                                  "up/public/app.js/"s,
                                  "config.txt"s,
                                  "..\\secret.txt"s,
                                  "docs\\page.html"s,
                                  ".hidden"s,
                                  ".git/config"s,
                                  ".git"s,
                                  "docs/."s,
                                  "docs/.."s,
                                  "loop"s,
                                  "missing"s,
                                  "app.js\0"s,
                                  "app.js\n"s,
                                  "/etc/passwd"s,
                                  (site.base() / "secret.txt").string(),
                                  std::string(5000, 'a'),
                                  "docs/" + std::string(3000, '/')}) {
    CAPTURE(path);
    const StaticPlan plan = folder.plan(request("GET"), path);
    CHECK(plan.status == 404);
    CHECK(plan.file.empty());
    CHECK(plan.fields.empty());
  }
}

TEST_CASE("static folder: other methods, 405 that names the allowed ones", "[http]") {
  const Site site;
  const StaticPlan plan = StaticFolder(site.root().string()).plan(request("POST"), "app.js");
  CHECK(plan.status == 405);
  CHECK(field(plan, "Allow") == "GET, HEAD");
}

TEST_CASE("static folder: a missing folder, or a bad Cache-Control, throws bad_config", "[http]") {
  const Site site;
  CHECK_THROWS_AS(StaticFolder((site.root() / "missing").string()), flux::Error);
  CHECK_THROWS_AS(StaticFolder((site.root() / "app.js").string()), flux::Error);
  CHECK_THROWS_AS(StaticFolder(""), flux::Error);
  CHECK_THROWS_AS(StaticFolder(site.root().string(), "a\r\nb"), flux::Error);
}

TEST_CASE("static folder: the ETag changes with size, time and file", "[http]") {
  const Site site;
  const StaticFolder folder(site.root().string());
  const auto etag = [&](const char* path) { return field(folder.plan(request("GET"), path), "ETag"); };
  const std::string first = etag("app.js");
  CHECK(etag("app.js") == first);
  const auto time = fs::last_write_time(site.root() / "app.js");
  fs::last_write_time(site.root() / "app.js", time + std::chrono::nanoseconds(1000));
  CHECK(etag("app.js") != first);
  fs::last_write_time(site.root() / "app.js", time);
  CHECK(etag("app.js") == first);
  write_file(site.root() / "app.js", "longer than it was");
  fs::last_write_time(site.root() / "app.js", time);
  CHECK(etag("app.js") != first);
  write_file(site.root() / "new.js", "0123456789");
  fs::last_write_time(site.root() / "new.js", time);
  fs::rename(site.root() / "new.js", site.root() / "app.js");
  CHECK(etag("app.js") != first);
}

TEST_CASE("static folder: preconditions are applied in the order of RFC 9110", "[http]") {
  const Site site;
  const StaticFolder folder(site.root().string());
  const StaticPlan plain = folder.plan(request("GET"), "app.js");
  const std::string etag = field(plain, "ETag");
  const std::string modified = field(plain, "Last-Modified");
  const std::string earlier = "Sun, 06 Nov 1994 08:49:37 GMT";
  const auto status = [&](const std::string& fields, std::string_view method = "GET") {
    return folder.plan(request(method, fields), "app.js").status;
  };
  CHECK(status("If-None-Match: " + etag + "\r\n") == 304);
  CHECK(status("If-None-Match: " + etag + "\r\n", "HEAD") == 304);
  CHECK(status("If-None-Match: W/" + etag + "\r\n") == 304);
  CHECK(status("If-None-Match: \"x,y\", W/\"z\" ," + etag + "\r\n") == 304);
  CHECK(status("If-None-Match: \"x\"\r\nIf-None-Match: " + etag + "\r\n") == 304);
  CHECK(status("If-None-Match: *\r\n") == 304);
  CHECK(status("If-None-Match: \"x\"\r\n") == 200);
  CHECK(status("If-None-Match: x\r\n") == 200);
  CHECK(status("If-None-Match: \"\r\n") == 200);
  CHECK(status("If-None-Match: " + etag.substr(1) + "\r\n") == 200);
  CHECK(status("If-Modified-Since: " + modified + "\r\n") == 304);
  CHECK(status("If-Modified-Since: " + earlier + "\r\n") == 200);
  CHECK(status("If-Modified-Since: yesterday\r\n") == 200);
  CHECK(status("If-None-Match: \"x\"\r\nIf-Modified-Since: " + modified + "\r\n") == 200);
  CHECK(status("If-Match: " + etag + "\r\n") == 200);
  CHECK(status("If-Match: *\r\n") == 200);
  CHECK(status("If-Match: \"x\"\r\n") == 412);
  CHECK(status("If-Match: W/" + etag + "\r\n") == 412);
  CHECK(status("If-Unmodified-Since: " + modified + "\r\n") == 200);
  CHECK(status("If-Unmodified-Since: " + earlier + "\r\n") == 412);
  CHECK(status("If-Match: " + etag + "\r\nIf-Unmodified-Since: " + earlier + "\r\n") == 200);
  CHECK(status("If-None-Match: " + etag + "\r\nRange: bytes=0-1\r\n") == 304);

  const StaticPlan unchanged = folder.plan(request("GET", "If-None-Match: *\r\n"), "app.js");
  CHECK(unchanged.file.empty());
  CHECK(unchanged.length == 0);
  CHECK(field(unchanged, "ETag") == etag);
  CHECK(field(unchanged, "Cache-Control") == "no-cache");
  CHECK(field(unchanged, "Content-Type") == "(none)");
}

TEST_CASE("static folder: ranges, the part, its place and 416", "[http]") {
  const Site site;
  const StaticFolder folder(site.root().string());
  const std::string etag = field(folder.plan(request("GET"), "app.js"), "ETag");
  const std::string modified = field(folder.plan(request("GET"), "app.js"), "Last-Modified");
  const auto range = [&](const std::string& value, const std::string& more = "", std::string_view path = "app.js") {
    const StaticPlan plan = folder.plan(request("GET", "Range: " + value + "\r\n" + more), path);
    return std::to_string(plan.status) + " " + std::to_string(plan.offset) + "+" + std::to_string(plan.length) + " " +
           field(plan, "Content-Range");
  };
  const std::string whole = "200 0+10 (none)";
  CHECK(range("bytes=0-0") == "206 0+1 bytes 0-0/10");
  CHECK(range("bytes=2-5") == "206 2+4 bytes 2-5/10");
  CHECK(range("Bytes= 2-5 ") == "206 2+4 bytes 2-5/10");
  CHECK(range("bytes=2-") == "206 2+8 bytes 2-9/10");
  CHECK(range("bytes=9-9") == "206 9+1 bytes 9-9/10");
  CHECK(range("bytes=5-500") == "206 5+5 bytes 5-9/10");
  CHECK(range("bytes=0-10") == "206 0+10 bytes 0-9/10");
  CHECK(range("bytes=1-10") == "206 1+9 bytes 1-9/10");
  CHECK(range("bytes=0-18446744073709551615") == "206 0+10 bytes 0-9/10");
  CHECK(range("bytes=0-99999999999999999999999") == "206 0+10 bytes 0-9/10");
  CHECK(range("bytes=-3") == "206 7+3 bytes 7-9/10");
  CHECK(range("bytes=-30") == "206 0+10 bytes 0-9/10");
  CHECK(range("bytes=10-") == "416 0+0 bytes */10");
  CHECK(range("bytes=99999999999999999999999-") == "416 0+0 bytes */10");
  CHECK(range("bytes=-0") == "416 0+0 bytes */10");
  CHECK(range("bytes=0-", "", "empty.txt") == "416 0+0 bytes */0");
  CHECK(range("bytes=-5", "", "empty.txt") == "200 0+0 (none)");
  for (const auto* value : {"bytes=5-2", "bytes=0-1,3-4", "bytes=", "bytes=-", "bytes=a-b", "bytes=1-b", "bytes=1",
                            "lines=0-1", "bytes 0-1", "bytes=--1", "bytes=+1-2", "bytes=1 - 2", "bytes=0x1-2"}) {
    CAPTURE(value);
    CHECK(range(value) == whole);
  }
  CHECK(range("bytes=0-0", "Range: bytes=1-1\r\n") == whole);
  CHECK(range("bytes=0-0", "If-Range: " + etag + "\r\n") == "206 0+1 bytes 0-0/10");
  CHECK(range("bytes=0-0", "If-Range: W/" + etag + "\r\n") == whole);
  CHECK(range("bytes=0-0", "If-Range: \"x\"\r\n") == whole);
  CHECK(range("bytes=0-0", "If-Range: " + modified + "\r\n") == "206 0+1 bytes 0-0/10");
  CHECK(range("bytes=0-0", "If-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n") == whole);
  CHECK(range("bytes=99-", "If-Range: \"x\"\r\n") == whole);
  CHECK(folder.plan(request("HEAD", "Range: bytes=0-0\r\n"), "app.js").status == 200);
}

}  // namespace static_folder_test
