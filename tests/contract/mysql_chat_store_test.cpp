#include "catch.hpp"
#include "contract/sql_chat_store_tests.hpp"
#include "support/temp_folder.hpp"

#include <flux/storage/mysql_chat_store.hpp>
#include <flux/testing/chat_store_contract.hpp>

#include <mysql.h>

#include <memory>
#include <string>

using namespace flux;
using namespace flux::testing;
using Catch::Matchers::ContainsSubstring;
using flux_test::error_of;

namespace {

/// A database of the server that tests/databases.sh started, emptied. That script says who we are there.
class Mysql final : public flux_test::SqlServer {
 public:
  explicit Mysql(std::string url) : url_(std::move(url)), connection_(mysql_init(nullptr)) {
    const std::string mark = "?socket=";
    REQUIRE(url_.find(mark) != std::string::npos);
    address_ = {url_.substr(url_.find(mark) + mark.size()), 0, "flux", "flux", "secret"};
    mysql_options(connection_, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    INFO(mysql_error(connection_));
    REQUIRE(mysql_real_connect(connection_, "localhost", "flux", "secret", nullptr, 0, address_.host.c_str(), 0) !=
            nullptr);
    run("DROP DATABASE IF EXISTS flux");
    run("CREATE DATABASE flux CHARACTER SET utf8mb4");
    run("USE flux");
  }
  ~Mysql() override { mysql_close(connection_); }
  Mysql(const Mysql&) = delete;
  Mysql& operator=(const Mysql&) = delete;

  std::shared_ptr<SqlChatStore> open(const SqlChatOptions& options) override {
    return std::make_shared<MysqlChatStore>(url_, options);
  }
  void run(const std::string& sql) override {
    INFO(sql);
    const int failed = mysql_query(connection_, sql.c_str());
    INFO(mysql_error(connection_));
    REQUIRE(failed == 0);
    if (MYSQL_RES* result = mysql_store_result(connection_)) mysql_free_result(result);
  }
  std::string ask(const std::string& sql) override {
    REQUIRE(mysql_query(connection_, sql.c_str()) == 0);
    MYSQL_RES* result = mysql_store_result(connection_);
    REQUIRE(result != nullptr);
    const MYSQL_ROW row = mysql_fetch_row(result);
    const std::string answer = row != nullptr && row[0] != nullptr ? row[0] : "";
    mysql_free_result(result);
    return answer;
  }
  std::string json_type() const override { return "JSON"; }

  const SqlAddress& address() const { return address_; }

 private:
  const std::string url_;
  SqlAddress address_;
  MYSQL* connection_;
};

/// None: the test is to be left out.
std::unique_ptr<Mysql> server_or_skip() {
  const auto url = flux_test::database_url("FLUX_TEST_MYSQL");
  return url ? std::make_unique<Mysql>(*url) : nullptr;
}

}  // namespace

TEST_CASE("chat store: MariaDB keeps the contract", "[chat_store][mysql]") {
  const auto server = server_or_skip();
  if (!server) return;
  int count = 0;
  const auto open = [&] {
    SqlChatOptions options;
    options.table = "chat" + std::to_string(count);
    return server->open(options);
  };
  chat_store_contract(
      [&] {
        ++count;
        return open();
      },
      open);
}

TEST_CASE("sql chat store: MariaDB does what every database must", "[chat_store][mysql]") {
  const auto server = server_or_skip();
  if (server) flux_test::sql_chat_store_tests(*server);
}

TEST_CASE("sql chat store: MariaDB may be cut off, and go away, and hang", "[chat_store][mysql]") {
  const auto server = server_or_skip();
  if (!server) return;
  const TempFolder folder;
  flux_test::SocketProxy proxy(folder / "socket", server->address().host);
  SqlAddress address = server->address();
  address.host = folder / "socket";
  flux_test::sql_server_tests(
      {proxy, [&](const SqlChatOptions& options) { return std::make_shared<MysqlChatStore>(address, options); }});
}

TEST_CASE("mysql chat store: times of the database are taken over, and rooms that differ only in case stay apart",
          "[chat_store][mysql]") {
  const auto server = server_or_skip();
  if (!server) return;
  const std::string type = GENERATE("DATETIME(3)", "TIMESTAMP(3)", "DECIMAL(20)");
  server->run("SET time_zone = '+00:00'");
  server->run(
      "CREATE TABLE flux_chat (id INT AUTO_INCREMENT PRIMARY KEY, room_id VARCHAR(255), connection_id TEXT, "
      "user_id TEXT, message TEXT, metadata JSON, created_at " +
      type + ")");
  const std::string time = type == "DECIMAL(20)" ? "1700000000250" : "'2023-11-14 22:13:20.250'";
  for (int i = 0; i < 12; ++i) {
    server->run("INSERT INTO flux_chat (room_id, message, created_at) VALUES ('" + std::string(i < 11 ? "r" : "R") +
                "', 'm', " + time + ")");
  }
  const auto store = server->open({});
  const auto page = store->history("r", 20, 0).value();
  CHECK(page.at(0).created_at == 1'700'000'000'250);
  CHECK(ids_of(page) == "1 2 3 4 5 6 7 8 9 10 11 ");  // ties by id, and ids as the numbers they are
  CHECK(ids_of(store->history("R", 20, 0)) == "12 ");
}

TEST_CASE("mysql chat store: what it can't start with is a clear error", "[chat_store][mysql]") {
  const auto server = server_or_skip();
  if (!server) return;
  for (const char* url :
       {"nonsense", "mysql://", "mysql://host", "mysql://host/", "mysql://host:port/db", "mysql://h:0/db",
        "mysql://h:99999/db", "mysql://u:%zz@h/db", "mysql://u:%4@h/db", "mysql://h/db?colour=red"}) {
    INFO(url);
    const Error error = error_of([&] { MysqlChatStore store{std::string(url)}; });
    CHECK(error.code() == Errc::bad_config);
    CHECK_THAT(error.message(), ContainsSubstring("mysql://user:password@host:3306/database"));
  }
  SqlAddress address = server->address();
  const auto opened = [&] { return error_of([&] { MysqlChatStore store(address); }); };
  address.password = "it's \\wrong";
  CHECK(opened().code() == Errc::store_failed);
  CHECK_THAT(opened().message(), ContainsSubstring("Access denied for user 'flux'"));
  CHECK_THAT(opened().message(), !ContainsSubstring(address.password));
  address = server->address();
  address.database = "no_such_database";
  CHECK_THAT(opened().message(), ContainsSubstring("Unknown database 'no_such_database'"));
  address = server->address();
  address.host = "/no/such/socket";
  CHECK_THAT(opened().message(), ContainsSubstring("/no/such/socket"));
  address.host = "127.0.0.1";
  address.port = 1;
  CHECK_THAT(opened().message(), ContainsSubstring("127.0.0.1"));
}

TEST_CASE("mysql chat store: rights that are missing are a clear error at start", "[chat_store][mysql]") {
  const auto server = server_or_skip();
  if (!server) return;
  server->run("CREATE OR REPLACE USER 'flux_guest'@'localhost' IDENTIFIED BY 'it''s @:/ \"right\"?'");
  const std::string socket = server->address().host;
  const auto url = "mysql://flux_guest:it%27s%20%40%3A%2f%20%22right%22%3F@localhost/flux?socket=" + socket;
  const auto opened = [&] { return error_of([&] { MysqlChatStore store(url); }); };
  CHECK_THAT(opened().message(), ContainsSubstring("Access denied"));
  server->run("GRANT SELECT ON flux.* TO 'flux_guest'@'localhost'");
  CHECK_THAT(opened().message(), ContainsSubstring("CREATE command denied"));
  server->open({});
  CHECK_THAT(opened().message(), ContainsSubstring("INSERT command denied"));
  // Who may use the tables, and make none, can start when they are there.
  server->run("GRANT SELECT, INSERT, UPDATE ON flux.* TO 'flux_guest'@'localhost'");
  fill(*std::make_shared<MysqlChatStore>(url), "r", 2);
  server->run("DROP USER 'flux_guest'@'localhost'");
}

TEST_CASE("mysql chat store: a name that is too long fails alone", "[chat_store][mysql]") {
  const auto server = server_or_skip();
  if (!server) return;
  const auto store = server->open({});
  const std::string longest(1'024, 'x');
  const std::vector<ChatMessage> batch = {chat_message("r", "1"), chat_message(longest + "x", "2"),
                                          chat_message(longest, "3")};
  const auto offsets = store->append_all(batch);
  CHECK(offsets[0].value() == 1);
  CHECK(offsets[1].error().code() == Errc::store_failed);
  CHECK_THAT(offsets[1].error().message(), ContainsSubstring("too long"));
  CHECK(offsets[2].value() == 1);
}
