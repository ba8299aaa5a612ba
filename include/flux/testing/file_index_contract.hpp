// The duties of every FileIndex as a test suite, for flux's indexes and those of applications, with any test framework
// (contract.hpp says how). With Catch2:
//
//     TEST_CASE("file index: mine fulfills the contract") {
//       flux::testing::file_index_contract(
//           [](const flux::testing::Check& check) { INFO(check.text()); CHECK(check.passed); },
//           [&] { return my_index_on(a_new_table); }, [&] { return my_index_on(that_table); });
//     }
#pragma once

#include <flux/storage/file_index.hpp>
#include <flux/testing/contract.hpp>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace flux::testing {

/// Returns an index.
using OpenFileIndex = std::function<std::shared_ptr<FileIndex>()>;

/// For flux itself: a row.
inline FileInfo index_row(int n, std::string name = "a.txt") {
  FileInfo row;
  row.id = "1c5e2d3c-8f1a-4c6e-9d27-" + std::to_string(100'000'000'000 + n);
  row.name = std::move(name);
  return row;
}

/// For flux itself: the rows in the order of their ids.
inline std::vector<FileInfo> sorted_rows(const Result<std::vector<FileInfo>>& loaded) {
  std::vector<FileInfo> rows = loaded.value();
  std::sort(rows.begin(), rows.end(), [](const FileInfo& a, const FileInfo& b) { return a.id < b.id; });
  return rows;
}

/// Runs an index through the contract. `check` is called for every check. `make` returns a new, empty index at each call;
/// `reopen` reopens the one that `make` returned last, after its release.
inline void file_index_contract(const CheckFunction& check, const OpenFileIndex& make, const OpenFileIndex& reopen) {
  Contract contract(check);
  std::shared_ptr<FileIndex> index;
  const auto begin = [&] {
    index = make();
    FLUX_REQUIRE(index->load().value().empty());
  };
  const auto reload = [&] {
    index.reset();
    index = reopen();
    return sorted_rows(index->load());
  };

  contract.duty("a new index is empty, and stays so", [&] {
    begin();
    FLUX_CHECK(reload().empty());
  });
  contract.duty("rows are loaded again; the newest of an id counts", [&] {
    begin();
    FLUX_REQUIRE(index->save(index_row(1)).ok());
    FLUX_REQUIRE(index->save(index_row(2)).ok());
    FLUX_REQUIRE(index->save(index_row(1, "b.txt")).ok());
    FLUX_CHECK(reload() == std::vector{index_row(1, "b.txt"), index_row(2)});
    FLUX_REQUIRE(index->save(index_row(2, "c.txt")).ok());
    FLUX_REQUIRE(index->save(index_row(3)).ok());
    FLUX_CHECK(reload() == std::vector{index_row(1, "b.txt"), index_row(2, "c.txt"), index_row(3)});
  });
  contract.duty("an erased row no longer exists, a missing one can be erased, and both can be saved again", [&] {
    begin();
    FLUX_REQUIRE(index->save(index_row(1)).ok());
    FLUX_REQUIRE(index->save(index_row(2)).ok());
    FLUX_CHECK(index->erase(index_row(1).id).ok());
    FLUX_CHECK(index->erase(index_row(1).id).ok());
    FLUX_CHECK(index->erase(index_row(9).id).ok());
    FLUX_CHECK(reload() == std::vector{index_row(2)});
    FLUX_CHECK(index->erase(index_row(2).id).ok());
    FLUX_REQUIRE(index->save(index_row(1, "again")).ok());
    FLUX_CHECK(reload() == std::vector{index_row(1, "again")});
  });
  contract.duty("all fields are returned, at both limits of their ranges", [&] {
    begin();
    FileInfo full = index_row(1);
    full.media_type = "image/png";
    full.owner = "ann";
    full.metadata = "filename YS50eHQ=";
    full.length = 9'000'000'000'000;
    full.size = 8'000'000'000'000;
    full.wants_sha256 = true;
    full.sha256 = std::string(64, 'f');
    full.state = FileState::deleted;
    full.shared = true;
    full.created_at = 4'102'444'800'123;
    full.modified_at = 4'102'444'800'124;
    FileInfo none = index_row(2, "");
    FileInfo zero = index_row(3);
    zero.length = 0;
    zero.state = FileState::complete;
    FileInfo most = index_row(4);
    most.length = INT64_MAX;
    most.size = INT64_MAX;
    most.created_at = INT64_MAX;
    most.modified_at = INT64_MIN;
    const std::vector rows = {full, none, zero, most};
    for (const FileInfo& row : rows) FLUX_REQUIRE(index->save(row).ok());
    FLUX_CHECK(reload() == rows);
  });
  contract.duty("a row that is saved again has the newest value of every field", [&] {
    begin();
    FileInfo first = index_row(1);
    first.media_type = "image/png";
    first.owner = "ann";
    first.metadata = "first";
    first.length = 7;
    first.size = 7;
    first.wants_sha256 = true;
    first.sha256 = std::string(64, 'f');
    first.state = FileState::complete;
    first.shared = true;
    first.created_at = 1;
    first.modified_at = 2;
    FileInfo second = index_row(1, "");
    second.size = 8;
    second.created_at = 3;
    second.modified_at = 4;
    FLUX_REQUIRE(index->save(first).ok());
    FLUX_REQUIRE(index->save(second).ok());
    FLUX_CHECK(reload() == std::vector{second});
    FLUX_REQUIRE(index->save(first).ok());
    FLUX_CHECK(reload() == std::vector{first});
  });
  contract.duty("each flag and state is stored independently", [&] {
    begin();
    std::vector<FileInfo> rows;
    for (int bits = 0; bits < 24; ++bits) {
      FileInfo row = index_row(bits);
      row.wants_sha256 = (bits & 1) != 0;
      row.shared = (bits & 2) != 0;
      if ((bits & 4) != 0) row.length = 7;
      row.state = static_cast<FileState>(bits / 8);
      rows.push_back(row);
      FLUX_REQUIRE(index->save(row).ok());
    }
    FLUX_CHECK(reload() == rows);
  });
  contract.duty("text may have any bytes but NUL", [&] {
    begin();
    std::string every;
    for (int byte = 1; byte < 128; ++byte) every += static_cast<char>(byte);
    const std::vector<std::string> words = {
        every,        "\xF0\x9F\x98\x80 e\xCC\x81", "it's \"quoted\"; DROP TABLE files; --", "%s\\0 _%",
        "  spaces  ", std::string(60'000, 'x')};
    std::vector<FileInfo> rows;
    for (std::size_t i = 0; i < words.size(); ++i) {
      FileInfo row = index_row(static_cast<int>(i), words[i]);
      row.media_type = row.owner = row.metadata = words[i];
      rows.push_back(row);
      FLUX_REQUIRE(index->save(row).ok());
    }
    FLUX_CHECK((reload() == rows));
  });
  contract.duty("a repeated call, as after a lost reply, has its effect once", [&] {
    begin();
    for (int times = 0; times < 2; ++times) {
      FLUX_REQUIRE(index->save(index_row(1)).ok());
      FLUX_REQUIRE(index->save(index_row(2)).ok());
    }
    for (int times = 0; times < 2; ++times) FLUX_REQUIRE(index->erase(index_row(2).id).ok());
    FLUX_CHECK(reload() == std::vector{index_row(1)});
  });
  contract.duty("an index that is released during calls loses nothing", [&] {
    begin();
    constexpr int count = 30;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([own = index, t] {
        for (int i = 0; i < count && own->save(index_row(t * 1000 + i)).ok(); ++i) {
        }
      });
    }
    index.reset();
    for (std::thread& thread : threads) thread.join();
    FLUX_CHECK(reload().size() == std::size_t{4 * count});
  });
  contract.duty("calls may come from several threads", [&] {
    begin();
    constexpr int count = 40;
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < count; ++i) {
          const FileInfo row = index_row(t * 1000 + i);
          if (!index->save(row) || !index->save(index_row(t * 1000 + i, "second"))) ++wrong;
          if (i % 2 == 0 && !index->erase(row.id)) ++wrong;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    FLUX_CHECK(wrong.load() == 0);
    const auto rows = reload();
    FLUX_CHECK(rows.size() == 4 * count / 2);
    FLUX_CHECK(std::all_of(rows.begin(), rows.end(), [](const FileInfo& row) { return row.name == "second"; }));
  });
}

}  // namespace flux::testing
