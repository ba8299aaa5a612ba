// SQLite as the tests of the stores in it use it.
#pragma once

#include "contract/sql_server.hpp"
#include "support/temp_folder.hpp"

#include <flux/storage/sqlite_chat_store.hpp>
#include <flux/storage/sqlite_file_index.hpp>
#include <flux/storage/sqlite_room_store.hpp>

#include <sqlite3.h>

#include <memory>
#include <string>

namespace flux_test {

/// A database as somebody else uses it.
class Sqlite {
 public:
  explicit Sqlite(const std::string& path) { REQUIRE(sqlite3_open(path.c_str(), &database_) == SQLITE_OK); }
  ~Sqlite() { sqlite3_close(database_); }
  Sqlite(const Sqlite&) = delete;
  Sqlite& operator=(const Sqlite&) = delete;

  void run(const std::string& sql) {
    INFO(sql << ": " << sqlite3_errmsg(database_));
    REQUIRE(sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  }
  /// The first column of the first row; "" where there is none.
  std::string ask(const std::string& sql) {
    std::string answer;
    const auto take = [](void* into, int, char** values, char**) {
      if (values[0] != nullptr) *static_cast<std::string*>(into) = values[0];
      return 0;
    };
    REQUIRE(sqlite3_exec(database_, sql.c_str(), take, &answer, nullptr) == SQLITE_OK);
    return answer;
  }

 private:
  sqlite3* database_ = nullptr;
};

/// A file in a folder of its own.
class SqliteServer final : public SqlServer {
 public:
  std::shared_ptr<flux::SqlChatStore> open_chat(const flux::SqlChatOptions& options) override {
    return std::make_shared<flux::SqliteChatStore>(path(), flux::SqliteChatOptions{options, 0});
  }
  std::shared_ptr<flux::SqlFileIndex> open_files(const flux::SqlFileIndexOptions& options) override {
    return std::make_shared<flux::SqliteFileIndex>(path(), flux::SqliteFileIndexOptions{options, 0});
  }
  std::shared_ptr<flux::SqlRoomStore> open_rooms(const flux::SqlRoomOptions& options) override {
    return std::make_shared<flux::SqliteRoomStore>(path(), flux::SqliteRoomOptions{options, 0});
  }
  void run(const std::string& sql) override { Sqlite(path()).run(sql); }
  std::string ask(const std::string& sql) override { return Sqlite(path()).ask(sql); }
  std::string name_of_number() const override { return "integer"; }
  std::string path() const { return folder_ / "flux.sqlite"; }

 private:
  TempFolder folder_;
};

}  // namespace flux_test
