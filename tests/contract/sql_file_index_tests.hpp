// Tests beyond the contract that are common to the file indexes in SQLite, PostgreSQL and MySQL.
#pragma once

#include "contract/sql_server.hpp"

#include <flux/storage/disk_file_store.hpp>
#include <flux/testing/file_index_contract.hpp>
#include <flux/testing/file_store_contract.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace flux_test {

namespace sql_files {

using namespace flux;
using namespace flux::testing;
using Catch::Matchers::ContainsSubstring;

inline void options(SqlServer& server) {
  refuses_options<flux_test::FileIndexOptions>(server, [&](const flux_test::FileIndexOptions& options) {
    const auto index = server.open_files(options);
    REQUIRE(index->save(index_row(1)).ok());
  });
}

inline void table_of_another_shape(SqlServer& server) {
  server.run("CREATE TABLE flux_files (id INTEGER, name VARCHAR(10))");
  const Error error = flux_test::error_of([&] { server.open_files({}); });
  CHECK(error.code() == Errc::store_failed);
  CHECK_THAT(error.message(), ContainsSubstring("file index in ") &&
                                  ContainsSubstring("the table \"flux_files\" has no column \"media_type\"") &&
                                  ContainsSubstring("id, name, media_type, owner"));
}

inline void tables_of_other_types(SqlServer& server) {
  refuses_shapes(server, "flux_files", "id", {"length", "size", "shared"}, {"name", "state"},
                 [&] { server.open_files({}); });
}

inline void newer_version(SqlServer& server) {
  server.open_files({});
  server.run("UPDATE flux_files_version SET version = 7");
  CHECK_THAT(flux_test::error_of([&] { server.open_files({}); }).message(),
             ContainsSubstring("version 7, created by a newer flux"));
}

inline void broken_start(SqlServer& server) {
  REQUIRE(server.open_files({})->save(index_row(1)).ok());
  server.run("DROP TABLE flux_files_version");  // it is created last
  CHECK(server.open_files({})->load().value() == std::vector{index_row(1)});
  CHECK(server.ask("SELECT version FROM flux_files_version") == "1");
  server.run("DROP TABLE flux_files");
  CHECK(server.open_files({})->load().value().empty());
  CHECK(server.ask("SELECT COUNT(*) FROM flux_files_version") == "1");
}

inline void refused_rows(SqlServer& server) {
  const auto index = server.open_files({});
  for (const auto member : {&FileInfo::id, &FileInfo::name, &FileInfo::media_type, &FileInfo::owner,
                            &FileInfo::metadata, &FileInfo::sha256}) {
    FileInfo row = index_row(1);
    (row.*member) += std::string("a\0b", 3);
    const auto saved = index->save(row);
    REQUIRE_FALSE(saved.ok());
    CHECK(saved.error().code() == Errc::invalid_argument);
    CHECK_THAT(saved.error().message(), ContainsSubstring("NUL"));
  }
  CHECK(index->erase(std::string("a\0b", 3)).ok());
  FileInfo large = index_row(1);
  large.size = std::uint64_t{1} << 63;
  CHECK(index->save(large).error().code() == Errc::invalid_argument);
  large.size = 0;
  large.length = UINT64_MAX;
  CHECK(index->save(large).error().code() == Errc::invalid_argument);
  CHECK(index->load().value().empty());
}

inline void rows_of_others(SqlServer& server) {
  const auto index = server.open_files({});
  FileInfo row = index_row(1);
  row.state = FileState::complete;
  REQUIRE(index->save(row).ok());
  CHECK(server.ask("SELECT state FROM flux_files WHERE id = '" + row.id + "'") == "complete");
  server.run("UPDATE flux_files SET state = 'lost'");
  const auto loaded = index->load();
  REQUIRE_FALSE(loaded.ok());
  CHECK(loaded.error().code() == Errc::store_failed);
  CHECK_THAT(loaded.error().message(), ContainsSubstring("\"lost\" is not a state of a file"));
  server.run("UPDATE flux_files SET state = 'complete', size = -1");
  CHECK_THAT(index->load().error().message(), ContainsSubstring("-1 is not the size of a file"));
}

/// They start at the same time.
inline void several_processes(SqlServer& server) {
  constexpr int each = 40;
  std::vector<std::thread> threads;
  std::array<std::shared_ptr<SqlFileIndex>, 3> indexes;
  std::atomic<int> failures{0};
  for (std::size_t t = 0; t < indexes.size(); ++t) {
    threads.emplace_back([&, t] {
      flux_test::FileIndexOptions patient;
      patient.call_timeout = std::chrono::seconds(20);
      try {
        indexes[t] = server.open_files(patient);
      } catch (const Error&) {
        ++failures;
        return;
      }
      for (int i = 0; i < each; ++i) {
        if (!indexes[t]->save(index_row(static_cast<int>(t) * each + i))) ++failures;
        if (!indexes[t]->save(index_row(9000 + i, std::to_string(t)))) ++failures;  // the same rows
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  REQUIRE(failures == 0);
  for (const auto& index : indexes) CHECK(index->load().value().size() == each * (indexes.size() + 1));
}

// --- For a server behind a socket ---

inline void lost_answer(Proxied& server) {
  const auto index = server.stores->open_files({});
  server.proxy.lose_answer_to("COMMIT");
  REQUIRE(index->save(index_row(1)).ok());
  CHECK(server.proxy.answers_lost() == 1);
  server.proxy.lose_answer_to("COMMIT");
  REQUIRE(index->erase(index_row(1).id).ok());
  CHECK(server.proxy.answers_lost() == 2);
  REQUIRE(index->save(index_row(2)).ok());
  CHECK(index->load().value() == std::vector{index_row(2)});
}

inline void lost_connections(Proxied& server) {
  const auto index = server.stores->open_files({});
  for (int i = 0; i < 5; ++i) {
    server.proxy.cut();
    CHECK(index->load().value().size() == static_cast<std::size_t>(i));
    server.proxy.cut();
    CHECK(index->save(index_row(i)).ok());
  }
}

inline void outage(Proxied& server) {
  const auto index = server.stores->open_files(hurried<flux_test::FileIndexOptions>());
  REQUIRE(index->save(index_row(1)).ok());
  server.proxy.refuse(true);
  server.proxy.cut();
  CHECK(time_of([&] { CHECK(index->save(index_row(2)).error().code() == Errc::store_failed); }) <
        std::chrono::seconds(5));
  const auto later = time_of([&] {
    for (int i = 0; i < 20; ++i) CHECK(index->erase(index_row(1).id).error().code() == Errc::store_failed);
  });
  CHECK(later < std::chrono::seconds(10));
  server.proxy.refuse(false);
  CHECK(until_good([&] { return index->save(index_row(2)); }).ok());
  CHECK(sorted_rows(index->load()) == std::vector{index_row(1), index_row(2)});
}

inline void silence(Proxied& server) {
  const auto index = server.stores->open_files(hurried<flux_test::FileIndexOptions>());
  server.proxy.stall(true);
  const auto waited = time_of([&] { CHECK(index->save(index_row(1)).error().code() == Errc::store_failed); });
  CHECK(waited >= std::chrono::milliseconds(500));
  CHECK(waited < std::chrono::seconds(8));
  server.proxy.stall(false);
  CHECK(until_good([&] { return index->save(index_row(1)); }).ok());
}

}  // namespace sql_files

/// `server` is a new one for each section.
inline void sql_file_index_tests(SqlServer& server) {
  SECTION("options out of their range are refused") { sql_files::options(server); }
  SECTION("a table without our columns is refused, and the error names the missing column") {
    sql_files::table_of_another_shape(server);
  }
  SECTION("a table with columns of other types, or without its key, is refused") {
    sql_files::tables_of_other_types(server);
  }
  SECTION("tables of a newer version are refused") { sql_files::newer_version(server); }
  SECTION("an interrupted start is completed, and rows remain") { sql_files::broken_start(server); }
  SECTION("NUL and values outside the range of a column are refused, and nothing is saved") {
    sql_files::refused_rows(server);
  }
  SECTION("a row that is not a valid file is an error of load with the reason") { sql_files::rows_of_others(server); }
  SECTION("several processes share a table") { sql_files::several_processes(server); }
}

inline void sql_file_index_outage_tests(Proxied& server) {
  SECTION("a commit whose reply is lost is repeated") { sql_files::lost_answer(server); }
  SECTION("lost connections are replaced, and no call fails") { sql_files::lost_connections(server); }
  SECTION("while the database is unreachable calls fail in time, and then it recovers by itself") {
    sql_files::outage(server);
  }
  SECTION("a database that never answers is given up in time") { sql_files::silence(server); }
}

/// Each index has a table of its own.
inline void sql_file_index_contract(SqlStores& stores) {
  int count = 0;
  const auto open = [&] {
    flux_test::FileIndexOptions options;
    options.table = "files" + std::to_string(count);
    return stores.open_files(options);
  };
  flux::testing::file_index_contract(
      checked,
      [&] {
        ++count;
        return open();
      },
      open);
}

/// Stores of files on disk with their index in the database. Each has a folder and a table of its own.
class DiskStores {
 public:
  explicit DiskStores(SqlStores& databases) : databases_(databases) {}
  std::shared_ptr<flux::FileStore> make(flux::testing::FileLimits limits = {}) {
    folders_.next();
    ++count_;
    return reopen(limits);
  }
  /// The one that was made last.
  std::shared_ptr<flux::FileStore> reopen(flux::testing::FileLimits limits = {}) {
    FileIndexOptions table;
    table.table = "disk" + std::to_string(count_);
    flux::DiskFileStoreOptions options;
    options.bytes_max = limits.bytes_max;
    options.bytes_per_owner_max = limits.bytes_per_owner_max;
    options.index = databases_.open_files(table);
    return std::make_shared<flux::DiskFileStore>(folders_.last(), options);
  }

 private:
  SqlStores& databases_;
  NewFolders folders_;
  int count_ = 0;
};

inline void sql_disk_reopen_contract(SqlStores& databases) {
  DiskStores stores(databases);
  flux::testing::file_store_reopen_contract(
      checked, [&] { return stores.make(); }, [&] { return stores.reopen(); });
}

}  // namespace flux_test
