// The journal of a file store: torn ends, damage, rewriting, full disks.
#include "catch.hpp"
#include "support/child.hpp"
#include "support/temp_folder.hpp"

#include <flux/detail/storage/file_index_log.hpp>

#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace file_index_log_test {

using namespace flux;

namespace {

constexpr std::size_t head_bytes = 20;
constexpr std::size_t frame_head_bytes = 12;

FileInfo row(int n, std::string name = "a.txt") {
  FileInfo file;
  file.id = std::to_string(n);
  file.name = std::move(name);
  return file;
}

/// "1=a.txt 2=b.txt ", or the error.
std::string rows_in(const std::string& path) {
  FileIndexLog log(path);
  auto rows = log.load();
  if (!rows) return rows.error().message();
  std::sort(rows->begin(), rows->end(), [](const FileInfo& a, const FileInfo& b) { return a.id < b.id; });
  std::string text;
  for (const FileInfo& file : *rows) text += file.id + '=' + file.name + ' ';
  return text;
}

/// The sizes of the file after 0, 1, 2, ... rows.
std::vector<std::size_t> write_rows(const std::string& path, int count) {
  FileIndexLog log(path);
  REQUIRE(log.load().ok());
  std::vector<std::size_t> sizes = {bytes_of(path).size()};
  for (int n = 1; n <= count; ++n) {
    REQUIRE(log.save(row(n)).ok());
    sizes.push_back(bytes_of(path).size());
  }
  return sizes;
}

std::string number(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

std::uint32_t crc_on(std::uint32_t crc, const std::string& bytes) {
  return static_cast<std::uint32_t>(
      ::crc32(crc, reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<unsigned>(bytes.size())));
}

/// A frame for the end of `file`, built as the header's comment describes.
std::string frame_for(const std::string& file, const std::string& content) {
  const std::uint32_t seed = crc_on(crc_on(0, file.substr(8, 8)), number(file.size(), 8));
  const std::string size = number(content.size(), 4);
  return size + number(crc_on(seed, size), 4) + number(crc_on(seed, content), 4) + content;
}

}  // namespace

TEST_CASE("file index log: torn at any byte, all earlier rows are kept and the log continues", "[file_index_log]") {
  const TempFolder folder;
  const auto sizes = write_rows(folder / "whole", 3);
  REQUIRE(sizes[0] == head_bytes);
  const std::string whole = bytes_of(folder / "whole");
  REQUIRE(whole.size() == sizes[3]);
  for (std::size_t cut = sizes[0]; cut <= sizes[3]; ++cut) {
    INFO(cut);
    write_bytes(folder / "torn", whole.substr(0, cut));
    std::string expected;
    for (int n = 1; n <= 3 && sizes[static_cast<std::size_t>(n)] <= cut; ++n) expected += std::to_string(n) + "=a.txt ";
    {
      FileIndexLog log(folder / "torn");
      REQUIRE(log.load().ok());
      REQUIRE(log.save(row(9, "after")).ok());
    }
    CHECK(rows_in(folder / "torn") == expected + "9=after ");
  }
}

TEST_CASE("file index log: a last frame that a power loss left half written is truncated", "[file_index_log]") {
  const TempFolder folder;
  const auto sizes = write_rows(folder / "whole", 2);
  const std::string whole = bytes_of(folder / "whole");
  for (std::size_t at = sizes[1]; at < sizes[2]; ++at) {
    INFO(at);
    std::string torn = whole;
    torn[at] = static_cast<char>(torn[at] ^ 1);
    write_bytes(folder / "torn", torn);
    CHECK(rows_in(folder / "torn") == "1=a.txt ");
    CHECK(bytes_of(folder / "torn") == whole.substr(0, sizes[1]));
  }
  write_bytes(folder / "torn", whole + std::string(5000, '\0'));
  CHECK(rows_in(folder / "torn") == "1=a.txt 2=a.txt ");
}

TEST_CASE("file index log: damage before whole frames is an error with its position, and nothing is truncated",
          "[file_index_log]") {
  const TempFolder folder;
  const auto sizes = write_rows(folder / "whole", 4);
  const std::string whole = bytes_of(folder / "whole");
  for (std::size_t at = 0; at < sizes[3]; ++at) {
    INFO(at);
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    write_bytes(folder / "damaged", damaged);
    const auto next = std::upper_bound(sizes.begin(), sizes.end(), at);
    const std::size_t frame = next == sizes.begin() ? 0 : *std::prev(next);
    CHECK_THAT(rows_in(folder / "damaged"),
               Catch::Matchers::StartsWith("the file index is damaged at byte " + std::to_string(frame)));
    CHECK(bytes_of(folder / "damaged") == damaged);
  }
}

TEST_CASE("file index log: a file of another kind is refused and kept", "[file_index_log]") {
  const TempFolder folder;
  for (const std::string& content :
       {std::string(), std::string("flux"), std::string("fluxfil1"), std::string(100, 'x')}) {
    write_bytes(folder / "index", content);
    CHECK_THAT(rows_in(folder / "index"), Catch::Matchers::StartsWith("the file index is damaged at byte 0"));
    CHECK(bytes_of(folder / "index") == content);
  }
  CHECK_THAT(rows_in(folder / "missing/index"), Catch::Matchers::StartsWith("can't rewrite the file index: "));
  CHECK_THAT(rows_in(folder.path().string()), Catch::Matchers::StartsWith("can't read the file index: "));
}

TEST_CASE("file index log: frames inside a client's data are not taken for frames", "[file_index_log]") {
  const TempFolder folder;
  const auto sizes = write_rows(folder / "whole", 2);
  const std::string frames = bytes_of(folder / "whole").substr(sizes[0]);
  {
    FileIndexLog log(folder / "whole");
    REQUIRE(log.load().ok());
    REQUIRE(log.save(row(3, frames)).ok());
  }
  const std::string whole = bytes_of(folder / "whole");
  write_bytes(folder / "whole", whole.substr(0, whole.size() - 1));
  CHECK(rows_in(folder / "whole") == "1=a.txt 2=a.txt ");
}

TEST_CASE("file index log: data of a newer version is refused, not skipped", "[file_index_log]") {
  const TempFolder folder;
  write_rows(folder / "index", 1);
  const std::string file = bytes_of(folder / "index");
  const std::string erased_row = std::string("\x02") + number(1, 4) + "1";
  write_bytes(folder / "index", file + frame_for(file, erased_row));
  CHECK(rows_in(folder / "index").empty());  // the frame was built correctly
  for (const std::string& content : {std::string("\x09") + number(1, 4) + "1", std::string("\x01") + number(1, 4) + "1",
                                     std::string("\x02") + number(2, 4) + "1", std::string("\x02")}) {
    write_bytes(folder / "index", file + frame_for(file, content));
    CHECK(rows_in(folder / "index") ==
          "the file index holds at byte " + std::to_string(file.size() + frame_head_bytes) +
              " data that this version of flux does not know: was it written by a newer one?");
  }
}

TEST_CASE("file index log: obsolete rows do not make the file grow forever", "[file_index_log]") {
  const TempFolder folder;
  {
    FileIndexLog log(folder / "index");
    REQUIRE(log.load().ok());
    for (int n = 0; n < 50; ++n) REQUIRE(log.save(row(n)).ok());
    std::uintmax_t largest = 0;
    for (int i = 0; i < 3000; ++i) {
      REQUIRE(log.save(row(i % 20, "name " + std::to_string(i))).ok());
      largest = std::max(largest, std::filesystem::file_size(folder / "index"));
    }
    CHECK(largest > 60'000);
    CHECK(largest < 70'000);
    CHECK_FALSE(std::filesystem::exists(folder / "index.new"));
  }
  const std::string rows = rows_in(folder / "index");
  CHECK(std::count(rows.begin(), rows.end(), '=') == 50);
  CHECK_THAT(rows,
             Catch::Matchers::ContainsSubstring(" 19=name 2999 ") && Catch::Matchers::ContainsSubstring(" 49=a.txt "));
}

TEST_CASE("file index log: a rewritten file may have more rows than fit one frame", "[file_index_log]") {
  const TempFolder folder;
  const std::string name(100'000, 'n');
  {
    FileIndexLog log(folder / "index");
    REQUIRE(log.load().ok());
    for (int i = 0; i < 70; ++i) REQUIRE(log.save(row(i % 30 + 100, name)).ok());
    CHECK(std::filesystem::file_size(folder / "index") < 6'200'000);
  }
  const std::string rows = rows_in(folder / "index");
  CHECK(std::count(rows.begin(), rows.end(), '=') == 30);
}

TEST_CASE("file index log: a new file that a crash left half written is ignored", "[file_index_log]") {
  const TempFolder folder;
  write_rows(folder / "index", 2);
  write_bytes(folder / "index.new", "half of");
  CHECK(rows_in(folder / "index") == "1=a.txt 2=a.txt ");
  FileIndexLog log(folder / "index");
  REQUIRE(log.load().ok());
  for (int i = 0; i < 2000; ++i) REQUIRE(log.save(row(1, std::to_string(i))).ok());
  CHECK_FALSE(std::filesystem::exists(folder / "index.new"));
  CHECK(rows_in(folder / "index") == "1=1999 2=a.txt ");
}

TEST_CASE("file index log: if no new file can be made, the old one stays in use", "[file_index_log]") {
  const TempFolder folder;
  write_rows(folder / "index", 2);
  std::filesystem::create_directories(folder / "index.new/in the way");
  {
    FileIndexLog log(folder / "index");
    REQUIRE(log.load().ok());
    for (int i = 0; i < 2000; ++i) REQUIRE(log.save(row(1, std::to_string(i))).ok());
    CHECK(std::filesystem::file_size(folder / "index") > 100'000);
    std::filesystem::remove_all(folder / "index.new");
    for (int i = 2000; i < 4000; ++i) REQUIRE(log.save(row(1, std::to_string(i))).ok());
    CHECK(std::filesystem::file_size(folder / "index") < 100'000);
  }
  CHECK(rows_in(folder / "index") == "1=3999 2=a.txt ");
}

TEST_CASE("file index log: damage is not copied to a new file", "[file_index_log]") {
  const TempFolder folder;
  const auto sizes = write_rows(folder / "index", 2);
  FileIndexLog log(folder / "index");
  REQUIRE(log.load().ok());
  std::fstream(folder / "index", std::ios::in | std::ios::out | std::ios::binary)
          .seekp(static_cast<std::streamoff>(sizes[1]) - 1)
      << '!';
  for (int i = 0; i < 2000; ++i) REQUIRE(log.save(row(2, std::to_string(i))).ok());
  CHECK(std::filesystem::file_size(folder / "index") > 100'000);
  CHECK(rows_in(folder / "index") ==
        "the file index is damaged at byte " + std::to_string(sizes[0]) + ", and more of it follows");
}

TEST_CASE("file index log: saves from many threads are all kept", "[file_index_log]") {
  const TempFolder folder;
  {
    FileIndexLog log(folder / "index");
    REQUIRE(log.load().ok());
    std::vector<std::thread> threads;
    std::vector<int> good(8, 0);
    for (std::size_t t = 0; t < good.size(); ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 100; ++i) good[t] += log.save(row(static_cast<int>(t) * 100 + i)).ok() ? 1 : 0;
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(good == std::vector<int>(8, 100));
  }
  const std::string rows = rows_in(folder / "index");
  CHECK(std::count(rows.begin(), rows.end(), '=') == 800);
}

TEST_CASE("file index log: a save that finds no space fails and changes nothing", "[file_index_log]") {
  const TempFolder folder;
  write_rows(folder / "index", 2);
  const std::string before = bytes_of(folder / "index");
  const std::string verdict = in_child([&]() -> std::string {
    limit_file_size(before.size() + 300);
    FileIndexLog log(folder / "index");
    if (!log.load()) return "did not load";
    const auto failed = log.save(row(3, std::string(1000, 'x')));
    if (failed) return "was saved";
    if (bytes_of(folder / "index") != before) return "left something behind";
    if (!log.save(row(4))) return "did not go on";
    return failed.error().message();
  });
  CHECK(verdict == "can't write the file index: File too large");
  CHECK(rows_in(folder / "index") == "1=a.txt 2=a.txt 4=a.txt ");
}

TEST_CASE("file index log: misuse is an error", "[file_index_log]") {
  const TempFolder folder;
  FileIndexLog log(folder / "index");
  CHECK(log.save(row(1)).error().message() == "the file index must be opened before it is written");
  REQUIRE(log.load().ok());
  CHECK_FALSE(log.save(row(1, std::string(1024 * 1024, 'x'))).ok());
  CHECK(log.save(row(1, std::string(1000 * 1024, 'x'))).ok());
}

TEST_CASE("file index log: an index that flux wrote before it had a journal is read", "[file_index_log]") {
  // Saved "1", "2" and "3", erased "2", saved "3" again as "c2".
  static constexpr std::string_view written =
      "666c757866696c3133d368bec3be01c0cd7782e25400000048a70af0e04f95e8014f00000005010700000000000000070000000000000000"
      "68e5cf8b0100000168e5cf8b010000010000003105000000612e7478740a000000746578742f706c61696e04000000616e6e61010000006d"
      "0000000041000000ed6c9fbfc9786637013c0000000000000000000000000000000000000000000000000000000000000000000000000001"
      "00000032010000006200000000000000000000000000000000410000001942d253cf43b7ea013c0000000000000000000000000000000000"
      "00000000000000000000000000000000000000000100000033010000006300000000000000000000000000000000060000003cbaafb61bbd"
      "b87702010000003242000000b07dd953490ddcb3013d00000000000000000000000000000000000000000000000000000000000000000000"
      "000000010000003302000000633200000000000000000000000000000000";
  std::string bytes;
  for (std::size_t i = 0; i < written.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(written.substr(i, 2)), nullptr, 16));
  }
  const TempFolder folder;
  write_bytes(folder / "index", bytes);
  {
    FileIndexLog log(folder / "index");
    const auto rows = log.load();
    REQUIRE(rows.ok());
    REQUIRE(rows->size() == 2);
    const FileInfo& first = (*rows)[0].id == "1" ? (*rows)[0] : (*rows)[1];
    FileInfo expected = row(1);
    expected.media_type = "text/plain";
    expected.owner = "anna";
    expected.metadata = "m";
    expected.length = expected.size = 7;
    expected.state = FileState::complete;
    expected.shared = true;
    expected.created_at = 1'700'000'000'000;
    expected.modified_at = 1'700'000'000'001;
    CHECK(first == expected);
    CHECK(bytes_of(folder / "index") == bytes);
    REQUIRE(log.save(row(4)).ok());
  }
  CHECK(rows_in(folder / "index") == "1=a.txt 3=c2 4=a.txt ");
}

}  // namespace file_index_log_test
