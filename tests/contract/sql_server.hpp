// Databases for the tests of stores in them.
#pragma once

#include "catch.hpp"
#include "support/contract_check.hpp"
#include "support/socket_proxy.hpp"
#include "support/temp_folder.hpp"

#include <flux/storage/sql.hpp>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace flux_test {

/// The options of a store and of its database.
template <class Options>
struct WithDatabase : flux::SqlOptions, Options {};
using ChannelOptions = WithDatabase<flux::SqlChannelOptions>;
using ChatOptions = WithDatabase<flux::SqlChatOptions>;
using FileIndexOptions = WithDatabase<flux::SqlFileIndexOptions>;
using KeyOptions = WithDatabase<flux::SqlKeyOptions>;
using RevocationOptions = WithDatabase<flux::SqlRevocationOptions>;
using RoomOptions = WithDatabase<flux::SqlRoomOptions>;

/// Opens stores in one database, each through a database object of its own.
class SqlStores {
 public:
  virtual ~SqlStores() = default;
  virtual std::shared_ptr<flux::SqlChannelStore> open_channels(const ChannelOptions& options) = 0;
  virtual std::shared_ptr<flux::SqlChatStore> open_chat(const ChatOptions& options) = 0;
  virtual std::shared_ptr<flux::SqlFileIndex> open_files(const FileIndexOptions& options) = 0;
  virtual std::shared_ptr<flux::SqlKeyStore> open_keys(const KeyOptions& options) = 0;
  virtual std::shared_ptr<flux::SqlRevocationStore> open_revocations(const RevocationOptions& options) = 0;
  virtual std::shared_ptr<flux::SqlRoomStore> open_rooms(const RoomOptions& options) = 0;
};

/// `Place`: what the constructor of `Database` takes.
template <class Database, class Place>
class SqlStoresAt final : public SqlStores {
 public:
  explicit SqlStoresAt(Place place) : place_(std::move(place)) {}
  std::shared_ptr<flux::SqlChannelStore> open_channels(const ChannelOptions& options) override {
    return Database(place_, options).channel_store(options);
  }
  std::shared_ptr<flux::SqlChatStore> open_chat(const ChatOptions& options) override {
    return Database(place_, options).chat_store(options);
  }
  std::shared_ptr<flux::SqlFileIndex> open_files(const FileIndexOptions& options) override {
    return Database(place_, options).file_index(options);
  }
  std::shared_ptr<flux::SqlKeyStore> open_keys(const KeyOptions& options) override {
    return Database(place_, options).key_store(options);
  }
  std::shared_ptr<flux::SqlRevocationStore> open_revocations(const RevocationOptions& options) override {
    return Database(place_, options).revocation_store(options);
  }
  std::shared_ptr<flux::SqlRoomStore> open_rooms(const RoomOptions& options) override {
    return Database(place_, options).room_store(options);
  }

 private:
  const Place place_;
};

/// An empty database.
class SqlServer : public SqlStores {
 public:
  /// Runs it as another program.
  virtual void run(const std::string& sql) = 0;
  /// The first column of the first row; "" if there is none.
  virtual std::string ask(const std::string& sql) = 0;
  virtual std::string json_type() const { return "TEXT"; }
  /// The first type that errors name for numbers, and for text.
  virtual std::string name_of_number() const { return "bigint"; }
  virtual std::string name_of_text() const { return "text"; }
  /// Whether its options have a `connect_timeout`.
  virtual bool has_connect_timeout() const { return true; }
};

/// A database server behind a socket, with users.
class SocketServer : public SqlServer {
 public:
  std::shared_ptr<flux::SqlChannelStore> open_channels(const ChannelOptions& options) override {
    return at(address())->open_channels(options);
  }
  std::shared_ptr<flux::SqlChatStore> open_chat(const ChatOptions& options) override {
    return at(address())->open_chat(options);
  }
  std::shared_ptr<flux::SqlFileIndex> open_files(const FileIndexOptions& options) override {
    return at(address())->open_files(options);
  }
  std::shared_ptr<flux::SqlKeyStore> open_keys(const KeyOptions& options) override {
    return at(address())->open_keys(options);
  }
  std::shared_ptr<flux::SqlRevocationStore> open_revocations(const RevocationOptions& options) override {
    return at(address())->open_revocations(options);
  }
  std::shared_ptr<flux::SqlRoomStore> open_rooms(const RoomOptions& options) override {
    return at(address())->open_rooms(options);
  }

  /// The address of its UNIX socket.
  virtual flux::SqlAddress address() const = 0;
  virtual std::unique_ptr<SqlStores> at(const flux::SqlAddress& address) const = 0;
  /// `SqlAddress::host` of a socket in this folder, and the file of that socket.
  virtual std::string host_in(const std::string& folder) const = 0;
  virtual std::string socket_of(const std::string& host) const = 0;

  /// A folder with ca.pem, which signed the server's certificate, and other-ca.pem, which did not.
  virtual std::string tls_folder() const = 0;

  /// Creates another user, without privileges.
  virtual flux::SqlAddress make_guest() = 0;
  /// On all existing tables.
  virtual void give_guest(const std::string& rights) = 0;
};

/// Stores that reach a server through a proxy.
class Proxied {
 public:
  explicit Proxied(const SocketServer& server)
      : host_(server.host_in(folder_.path().string())),
        proxy(server.socket_of(host_), server.socket_of(server.address().host)) {
    flux::SqlAddress address = server.address();
    address.host = host_;
    stores = server.at(address);
  }

 private:
  const TempFolder folder_;
  const std::string host_;

 public:
  SocketProxy proxy;
  std::unique_ptr<SqlStores> stores;
};

/// The URL of the server to test with, which tests/databases.sh starts. None: the test is skipped with a warning, or fails
/// if FLUX_TEST_DATABASES is "required", as in tests/run.sh.
inline std::optional<std::string> database_url(const char* variable) {
  if (const char* url = std::getenv(variable); url != nullptr && *url != '\0') return url;
  const char* needed = std::getenv("FLUX_TEST_DATABASES");
  if (needed != nullptr && std::string(needed) == "required") FAIL("there is no " << variable);
  WARN("skipped: no " << variable << "; sh tests/databases.sh starts a server and tells its URL");
  return std::nullopt;
}

/// The error that `start` throws.
template <class Start>
flux::Error error_of(const Start& start) {
  try {
    start();
  } catch (const flux::Error& error) {
    return error;
  }
  FAIL("nothing was thrown");
  return {flux::Errc::server_error, {}};
}

template <class Call>
std::chrono::milliseconds time_of(const Call& call) {
  const auto begin = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
}

/// Options for tests that wait for their timeouts.
template <class Options>
Options hurried() {
  Options options;
  options.call_timeout = std::chrono::milliseconds(700);
  options.connect_timeout = std::chrono::milliseconds(700);
  return options;
}

/// The first successful result of `call` within 10 s, or the last error.
template <class Call>
auto until_good(const Call& call) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  auto result = call();
  while (!result && std::chrono::steady_clock::now() < end) result = call();
  return result;
}

/// `opened(options)` opens a store. Stores of each kind have these options.
template <class Options, class Open>
void refuses_options(const SqlServer& server, const Open& opened) {
  using Catch::Matchers::ContainsSubstring;
  const auto refused = [&](const Options& wrong) {
    const flux::Error error = error_of([&] { opened(wrong); });
    return error.code() == flux::Errc::bad_config ? error.message() : "not refused as bad_config";
  };
  for (const char* name : {"", "1chat", "chat;DROP", "a b", "a.b", "a\"b", "ch\xC3\xA4t", "a-b"}) {
    Options wrong;
    wrong.table = name;
    CHECK_THAT(refused(wrong), ContainsSubstring("1 to 40 letters") && ContainsSubstring(name));
  }
  Options wrong;
  wrong.table = std::string(41, 'x');
  CHECK_THAT(refused(wrong), ContainsSubstring("1 to 40 letters"));
  wrong = {};
  wrong.connections = 0;
  CHECK_THAT(refused(wrong), ContainsSubstring("connections must be 1 to 256"));
  using std::chrono::milliseconds;
  for (const auto timeout : {milliseconds(99), milliseconds(std::chrono::hours(24)) + milliseconds(1),
                             milliseconds::max(), milliseconds::min()}) {
    wrong = {};
    wrong.call_timeout = timeout;
    CHECK_THAT(refused(wrong), ContainsSubstring("call_timeout must be 100 ms to a day"));
    if (!server.has_connect_timeout()) continue;
    wrong = {};
    wrong.connect_timeout = timeout;
    CHECK_THAT(refused(wrong), ContainsSubstring("connect_timeout must be 100 ms to a day"));
  }
  if constexpr (requires { wrong.take_over_timeout; }) {
    wrong = {};
    wrong.take_over_timeout = milliseconds(99);
    CHECK_THAT(refused(wrong), ContainsSubstring("take_over_timeout must be 100 ms to a day"));
  }
  if constexpr (requires { wrong.batch_max; }) {
    wrong = {};
    wrong.batch_max = 0;
    CHECK_THAT(refused(wrong), ContainsSubstring("batch_max must be 1 to 1000"));
    wrong.batch_max = 1001;
    CHECK_THAT(refused(wrong), ContainsSubstring("batch_max must be 1 to 1000"));
  }
  Options longest;
  longest.table = std::string(40, 'x');
  longest.call_timeout = longest.connect_timeout = std::chrono::hours(24);
  opened(longest);
}

/// A setting of the whole server, undone by the destructor at the latest.
class Setting {
 public:
  Setting(SqlServer& server, std::string set, std::string take_back)
      : server_(server), set_(std::move(set)), take_back_(std::move(take_back)) {}
  ~Setting() { take_back(); }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;
  void set() {
    server_.run(set_);
    is_set_ = true;
  }
  void take_back() {
    if (std::exchange(is_set_, false)) server_.run(take_back_);
  }

 private:
  SqlServer& server_;
  const std::string set_, take_back_;
  bool is_set_ = false;
};

/// `opened()` opens a store that has this table. `numbers` and `texts` are columns outside its key.
template <class Open>
void refuses_shapes(SqlServer& server, const std::string& table, const std::string& key,
                    const std::vector<std::string>& numbers, const std::vector<std::string>& texts,
                    const Open& opened) {
  using Catch::Matchers::ContainsSubstring;
  const auto refused = [&] {
    const flux::Error error = error_of(opened);
    CHECK(error.code() == flux::Errc::store_failed);
    return error.message();
  };
  const auto refuses = [&](const std::string& column, const std::string& type, const std::string& needed) {
    opened();
    server.run("ALTER TABLE " + table + " RENAME COLUMN " + column + " TO another");
    server.run("ALTER TABLE " + table + " ADD COLUMN " + column + " " + type);
    CHECK_THAT(refused(),
               ContainsSubstring("the column \"" + column + "\" of the table \"" + table + "\" has the type") &&
                   ContainsSubstring("instead of " + needed));
    server.run("DROP TABLE " + table);
  };
  const std::string number = server.name_of_number();
  for (const std::string& column : numbers) refuses(column, "VARCHAR(20)", number);
  for (const std::string& column : texts) refuses(column, "BIGINT", server.name_of_text());
  opened();
  server.run("CREATE TABLE without_key AS SELECT * FROM " + table);
  server.run("DROP TABLE " + table);
  server.run("ALTER TABLE without_key RENAME TO " + table);
  CHECK_THAT(refused(), ContainsSubstring("the table \"" + table + "\" has no unique key of (" + key + ")"));
  const std::string first = key.substr(0, key.find(','));
  server.run("ALTER TABLE " + table + " DROP COLUMN " + first);
  server.run("ALTER TABLE " + table + " ADD COLUMN " + first + " INTEGER");
  CHECK_THAT(refused(), ContainsSubstring("the column \"" + first + "\"") && ContainsSubstring("has the type int"));
  server.run("DROP TABLE " + table);
  opened();
}

/// `opened(stores)` opens a store. A user who may use tables but not create them can start when they exist.
template <class Open>
void missing_rights(SocketServer& server, const Open& opened) {
  const auto guest = server.at(server.make_guest());
  const auto refused = [&] {
    const flux::Error error = error_of([&] { opened(*guest); });
    CHECK(error.code() == flux::Errc::store_failed);
    return error.message();
  };
  using Catch::Matchers::Matches;
  CHECK_THAT(refused(), Matches(".*([Aa]ccess|permission) denied.*"));
  opened(server);
  std::string rights;
  for (const char* right : {"SELECT", "INSERT", "UPDATE", "DELETE"}) {
    CHECK_THAT(refused(), Matches(".*denied.*"));
    rights += (rights.empty() ? "" : ", ") + std::string(right);
    server.give_guest(rights);
  }
  opened(*guest);
}

}  // namespace flux_test
