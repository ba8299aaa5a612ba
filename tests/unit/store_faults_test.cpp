#include "catch.hpp"

#include <flux/detail/features/guarded_file_store.hpp>
#include <flux/testing/manual_clock.hpp>

#include <stdexcept>
#include <string>
#include <vector>

namespace store_faults_test {

using namespace flux;
using namespace flux::features;
using namespace std::chrono_literals;

namespace {

struct Scene {
  std::vector<std::string> lines;
  std::shared_ptr<testing::ManualClock> clock = std::make_shared<testing::ManualClock>();
  StoreFaults faults{"the chat store", clock, [this](std::string_view line) { lines.emplace_back(line); }};
};

Error told(Scene& s, Errc code, const std::string& message) {
  return s.faults.guarded([&]() -> Result<int> { return Error(code, message); }).error();
}

}  // namespace

TEST_CASE("store faults: success is passed through and not logged", "[store_faults]") {
  Scene s;
  CHECK(s.faults.guarded([]() -> Result<int> { return 7; }).value() == 7);
  CHECK(s.faults.guarded([]() -> Result<void> { return {}; }).ok());
  CHECK(s.lines.empty());
  CHECK(s.faults.count() == 0);
}

TEST_CASE("store faults: an error is returned with our message and the store's as its cause, logged and counted",
          "[store_faults]") {
  Scene s;
  const Error failed = told(s, Errc::store_failed, "no route to db7");
  CHECK(failed.code() == Errc::store_failed);
  CHECK(failed.message() == "the chat store failed");
  CHECK(failed.cause() == "no route to db7");
  CHECK(told(s, Errc::overloaded, "db7 is busy").message() == "the chat store is overloaded; try again");
  CHECK(told(s, Errc::quota_exceeded, "/var is full").message() == "the chat store is full");
  const Error odd = told(s, Errc::room_not_found, "table rooms");  // not a code that stores return
  CHECK(odd.code() == Errc::store_failed);
  CHECK(odd.message() == "the chat store failed");
  CHECK(s.lines == std::vector<std::string>{"the chat store failed: no route to db7",
                                            "the chat store failed: db7 is busy", "the chat store failed: /var is full",
                                            "the chat store failed: table rooms"});
  CHECK(s.faults.count() == 4);
}

TEST_CASE("store faults: an owner without space left is no failure of the store: neither logged nor counted",
          "[store_faults]") {
  Scene s;
  const Error refused = told(s, Errc::owner_quota_exceeded, "ann has 5 files");
  CHECK(refused.code() == Errc::owner_quota_exceeded);
  CHECK(refused.message() == "the owner of the file has no space left");
  CHECK(refused.cause() == "ann has 5 files");
  CHECK(s.lines.empty());
  CHECK(s.faults.count() == 0);
}

TEST_CASE("store faults: an exception is an error", "[store_faults]") {
  Scene s;
  const auto thrown = s.faults.guarded([]() -> Result<int> { throw std::runtime_error("db7 has gone"); });
  CHECK(thrown.error().message() == "the chat store failed");
  CHECK(thrown.error().cause() == "db7 has gone");
  CHECK(s.faults.guarded([]() -> Result<int> { throw 7; }).error().code() == Errc::store_failed);
  CHECK(s.lines == std::vector<std::string>{"the chat store threw: db7 has gone",
                                            "the chat store threw: something that is not a std::exception"});
  CHECK(s.faults.count() == 2);
}

TEST_CASE("store faults: a caller's mistake is not counted as the store's, and has our message", "[store_faults]") {
  Scene s;
  for (const Errc code : {Errc::file_not_found, Errc::wrong_offset, Errc::file_too_large, Errc::invalid_argument}) {
    const Error error = told(s, code, "/var/lib/files/7");
    CHECK(error.code() == code);
    CHECK_THAT(error.message(), !Catch::Matchers::ContainsSubstring("/var"));
    CHECK(error.cause() == "/var/lib/files/7");
  }
  CHECK(s.lines.empty());
  CHECK(s.faults.count() == 0);
}

TEST_CASE("store faults: a limited number of lines is logged per period, then how many were left out",
          "[store_faults]") {
  Scene s;
  for (std::size_t i = 0; i < core::LogLimit::lines_max + 30; ++i) told(s, Errc::store_failed, "down");
  CHECK(s.lines.size() == core::LogLimit::lines_max);
  CHECK(s.faults.count() == core::LogLimit::lines_max + 30);
  s.clock->advance(core::LogLimit::window - 1ms);
  told(s, Errc::store_failed, "down");
  CHECK(s.lines.size() == core::LogLimit::lines_max);
  s.lines.clear();
  s.clock->advance(1ms);
  told(s, Errc::store_failed, "down again");
  told(s, Errc::store_failed, "down again");
  CHECK(s.lines == std::vector<std::string>{"31 lines about the chat store were left out",
                                            "the chat store failed: down again", "the chat store failed: down again"});
}

TEST_CASE("store faults: text that is not UTF-8 is repaired", "[store_faults]") {
  std::string text = "cut \xf0\x9f\x98 \"here\"\n";
  CHECK(mend_text(text));
  CHECK_THAT(text, Catch::Matchers::StartsWith("cut \xef\xbf\xbd") && Catch::Matchers::EndsWith(" \"here\"\n"));
  const std::string mended = text;
  CHECK_FALSE(mend_text(text));
  CHECK(text == mended);
}

TEST_CASE("store faults: a file store's facts about a file are passed on as far as they can be represented",
          "[store_faults]") {
  struct OddFiles final : public FileStore {
    FileInfo file;
    Result<void> create(const FileInfo&) override { return {}; }
    Result<void> set_length(const FileId&, std::uint64_t) override { return {}; }
    Result<std::uint64_t> append(const FileId&, std::uint64_t, std::string_view) override { return 0; }
    Result<FileInfo> complete(const FileId&) override { return file; }
    Result<FileInfo> info(const FileId&) override { return file; }
    Result<std::size_t> read(const FileId&, std::uint64_t, std::span<char>) override { return 0; }
    Result<void> mark_shared(const FileId&) override { return {}; }
    Result<void> mark_deleted(const FileId&) override { return {}; }
    Result<void> remove(const FileId&) override { return {}; }
    Result<std::vector<FileInfo>> list() override { return std::vector<FileInfo>(); }
    Result<FileCleanup> cleanup_deleted() override { return FileCleanup(); }
    Result<FileSweep> sweep(std::int64_t) override { return FileSweep(); }
  };
  Scene s;
  const auto odd = std::make_shared<OddFiles>();
  UnfinishedUploads unfinished(0, 0);
  GuardedFileStore store(odd, std::shared_ptr<StoreFaults>(&s.faults, [](StoreFaults*) {}), unfinished);
  odd->file.id = "f";
  odd->file.name = "caf\xc3";
  odd->file.media_type = "text/html\r\nSet-Cookie: a=b";
  odd->file.metadata = "a b\nc";
  const auto file = store.info("f");
  REQUIRE(file.ok());
  CHECK(file->name == "caf\xef\xbf\xbd");
  CHECK(file->media_type.empty());
  CHECK(file->metadata.empty());
  const auto another = store.complete("g");
  CHECK(another.error().code() == Errc::store_failed);
  CHECK_THAT(another.error().cause(), Catch::Matchers::ContainsSubstring("gave file f"));
  CHECK(s.faults.count() == 1);
}

}  // namespace store_faults_test
