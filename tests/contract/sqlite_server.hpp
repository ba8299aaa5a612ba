// SQLite for the tests of stores in it.
#pragma once

#include "contract/sql_server.hpp"
#include "support/temp_folder.hpp"

#include <flux/storage/sqlite.hpp>

#include <sqlite3.h>

#include <memory>
#include <string>

namespace flux_test {

/// A database as another program uses it.
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
  /// The first column of the first row; "" if there is none.
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
  std::shared_ptr<flux::SqlChannelStore> open_channels(const ChannelOptions& options) override {
    return flux::SqliteDatabase(path(), of_file(options)).channel_store(options);
  }
  std::shared_ptr<flux::SqlChatStore> open_chat(const ChatOptions& options) override {
    return flux::SqliteDatabase(path(), of_file(options)).chat_store(options);
  }
  std::shared_ptr<flux::SqlFileIndex> open_files(const FileIndexOptions& options) override {
    return flux::SqliteDatabase(path(), of_file(options)).file_index(options);
  }
  std::shared_ptr<flux::SqlKeyStore> open_keys(const KeyOptions& options) override {
    return flux::SqliteDatabase(path(), of_file(options)).key_store(options);
  }
  std::shared_ptr<flux::SqlRevocationStore> open_revocations(const RevocationOptions& options) override {
    return flux::SqliteDatabase(path(), of_file(options)).revocation_store(options);
  }
  std::shared_ptr<flux::SqlRoomStore> open_rooms(const RoomOptions& options) override {
    return flux::SqliteDatabase(path(), of_file(options)).room_store(options);
  }
  void run(const std::string& sql) override { Sqlite(path()).run(sql); }
  std::string ask(const std::string& sql) override { return Sqlite(path()).ask(sql); }
  std::string name_of_number() const override { return "integer"; }
  bool has_connect_timeout() const override { return false; }
  std::string path() const { return folder_ / "flux.sqlite"; }

 private:
  static flux::SqliteOptions of_file(const flux::SqlOptions& options) {
    return {.connections = options.connections, .call_timeout = options.call_timeout};
  }

  TempFolder folder_;
};

}  // namespace flux_test
