#include "contract/mysql_server.hpp"
#include "contract/sql_chat_store_tests.hpp"

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace mysql_chat_store_test {

using namespace flux;
using namespace flux::testing;
using Catch::Matchers::ContainsSubstring;
using flux_test::error_of;
using flux_test::Mysql;

TEST_CASE("chat store: MariaDB fulfills the contract", "[chat_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (server) flux_test::sql_chat_contract(*server);
}

TEST_CASE("sql chat store: MariaDB passes the tests of all databases", "[chat_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (server) flux_test::sql_chat_store_tests(*server);
}

TEST_CASE("sql chat store: MariaDB handles lost connections, outages and hangs", "[chat_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (!server) return;
  flux_test::Proxied proxied(*server);
  flux_test::sql_chat_outage_tests(proxied);
}

TEST_CASE("mysql chat store: waiting for a server that stops responding during the start is bounded",
          "[chat_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (!server) return;
  flux_test::Proxied proxied(*server);
  flux_test::sql_chat::silence_in_start(proxied, "@@max_allowed_packet");
}

TEST_CASE("mysql chat store: copying a table that is taken over may take longer than a start", "[chat_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (server) flux_test::sql_chat::slow_taking_over(*server, "(SELECT SLEEP(3)) AS slow");
}

TEST_CASE("mysql chat store: a server that stops responding while a table is copied is given up",
          "[chat_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (!server) return;
  flux_test::Proxied proxied(*server);
  flux_test::sql_chat::silence_while_taking_over(proxied, *server, [] {});
}

TEST_CASE("mysql chat store: a connection that accepts no more writes is closed", "[chat_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (!server) return;
  flux_test::Proxied proxied(*server);
  flux_test::Setting read_only(*server, "SET GLOBAL tx_read_only = 1", "SET GLOBAL tx_read_only = 0");
  flux_test::sql_chat::no_more_writes(proxied, read_only);
}

TEST_CASE("mysql chat store: all connections to a server that became read-only are closed", "[chat_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (!server) return;
  const SqlAddress guest = server->make_guest();
  server->give_guest("SELECT, INSERT, UPDATE, CREATE, INDEX, DELETE");
  const auto opened_store = MysqlDatabase(guest).chat_store();
  SqlChatStore& store = *opened_store;
  REQUIRE(store.append("r", chat_message("r", "1")).ok());
  const auto connections = [&] {
    return server->ask("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'flux_guest'");
  };
  CHECK(connections() == "1");
  flux_test::Setting read_only(*server, "SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0");
  read_only.set();
  CHECK_THAT(store.append("r", chat_message("r", "2")).error().message(), ContainsSubstring("--read-only"));
  const auto gone = flux_test::until_good([&]() -> Result<void> {
    if (connections() == "0") return {};
    return Error(Errc::server_error, "there is one");
  });
  CHECK(gone.ok());
  read_only.take_back();
  CHECK(store.append("r", chat_message("r", "2")).value() == 2);
}

TEST_CASE(
    "mysql stores: with sslca the connection is encrypted, to a server with a certificate of one of its authorities",
    "[chat_store][mysql][tls]") {
  const auto server = Mysql::or_skip();
  if (!server) return;
  const std::string folder = server->tls_folder();
  const std::string identity = "&sslcert=" + folder + "/server.pem&sslkey=" + folder + "/server.key";
  const auto refused = [&](const std::string& url) {
    const Error error = error_of([&] { MysqlDatabase(url).chat_store(); });
    CHECK(error.code() == Errc::store_failed);
    return error.message();
  };
  CHECK_THAT(refused(server->url() + "&sslca=" + folder + "/other-ca.pem"), ContainsSubstring("certificate"));
  const std::string encrypted = server->url() + "&sslca=" + folder + "/ca.pem";
  const std::string user = "ALTER USER 'flux'@'localhost' REQUIRE ";
  flux_test::Setting tls(*server, user + "SSL", user + "NONE");
  tls.set();
  CHECK_THAT(refused(server->url()), ContainsSubstring("Access denied"));
  fill(*MysqlDatabase(encrypted).chat_store(), "r", 2);
  flux_test::Setting certificate(*server, user + "X509", user + "SSL");
  certificate.set();
  CHECK_THAT(refused(encrypted), ContainsSubstring("Access denied"));
  fill(*MysqlDatabase(encrypted + identity).chat_store(), "q", 2);
  const auto misread = [&](const std::string& parameters) {
    const Error error = error_of([&] { MysqlDatabase(server->url() + parameters).chat_store(); });
    CHECK(error.code() == Errc::bad_config);
    return error.message();
  };
  for (const char* parameters : {"&sslcert=a", "&sslkey=a", "&sslcert=a&sslkey=a", "&sslca=a&sslcert=a"}) {
    CHECK_THAT(misread(parameters), ContainsSubstring("sslcert"));
  }
  CHECK_THAT(misread("&sslca=/no/such.pem"), ContainsSubstring("\"/no/such.pem\", which sslca names"));
  CHECK_THAT(misread("&sslca=" + folder + "/ca.pem&sslcert=/no/such.pem&sslkey=x"), ContainsSubstring("sslcert names"));
}

TEST_CASE("mysql stores: with sslca, a server without TLS is refused", "[chat_store][mysql][tls]") {
  const auto server = Mysql::or_skip();
  if (!server) return;
  const TempFolder folder;
  flux_test::SocketProxy proxy(folder / "socket", server->address().host);
  proxy.edit_answers([](std::span<char> bytes) {
    // The greeting: 4 bytes, version 10, the server's version up to a NUL, 13 bytes, its capabilities.
    const std::size_t able = std::string_view(bytes.data(), bytes.size()).find('\0', 5) + 1 + 13;
    if (bytes.size() > 5 && bytes[3] == 0 && bytes[4] == 10) bytes[able + 1] &= ~0x08;  // CLIENT_SSL
  });
  const std::string url = "mysql://flux:secret@localhost/flux?socket=" + (folder / "socket");
  const auto plain = MysqlDatabase(url).chat_store();
  const Error error = error_of([&] { MysqlDatabase(url + "&sslca=" + server->tls_folder() + "/ca.pem").chat_store(); });
  CHECK(error.code() == Errc::store_failed);
  CHECK_THAT(error.message(), ContainsSubstring("SSL is required, but the server does not support it"));
}

TEST_CASE("mysql chat store: a server that stops responding during the login is a clear error at start",
          "[chat_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (!server) return;
  flux_test::Proxied proxied(*server);
  proxied.proxy.stall_after("mysql_native_password");  // in its greeting
  const auto waited = flux_test::time_of([&] {
    const auto open = [&] { proxied.stores->open_chat(flux_test::hurried<flux_test::ChatOptions>()); };
    CHECK(error_of(open).code() == Errc::store_failed);
  });
  CHECK(proxied.proxy.is_stalled());
  CHECK(waited < std::chrono::seconds(5));  // 2 s for the login
}

TEST_CASE("mysql chat store: times of the database are converted, and rooms that differ only in case stay distinct",
          "[chat_store][mysql]") {
  const auto server = Mysql::or_skip();
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
  const auto store = server->open_chat({});
  const auto page = store->history("r", 20, 0).value();
  CHECK(page.at(0).created_at == 1'700'000'000'250);
  CHECK(ids_of(page) == "1 2 3 4 5 6 7 8 9 10 11 ");  // ties by id, and ids as the numbers they are
  CHECK(ids_of(store->history("R", 20, 0)) == "12 ");
}

TEST_CASE("mysql chat store: a connection or database that it can't use is a clear error at start",
          "[chat_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (!server) return;
  for (const char* url : {"nonsense", "mysql://", "mysql://host", "mysql://host/", "mysql://host:port/db",
                          "mysql://h:0/db", "mysql://h:99999/db", "mysql://u:%zz@h/db", "mysql://u:%4@h/db",
                          "mysql://u:a%00b@h/db", "mysql://h/db?colour=red"}) {
    INFO(url);
    const Error error = error_of([&] { MysqlDatabase(std::string(url)).chat_store(); });
    CHECK(error.code() == Errc::bad_config);
    CHECK_THAT(error.message(), ContainsSubstring("mysql://user:password@host:3306/database"));
  }
  SqlAddress address = server->address();
  const auto opened = [&] { return error_of([&] { MysqlDatabase(address).chat_store(); }); };
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

TEST_CASE("mysql chat store: errors about a URL or an address do not hold its password", "[chat_store][mysql]") {
  for (const char* url :
       {"mysql://u:sec/ret@h/db", "mysql://u:sec?ret@h/db", "mysql://u:1/db?sec=ret@h/db", "mysql://u:1/x?secret@h/db",
        "mysql://u:sec%zzret@h/db", "//u:secret@h/db", "u:secret@h/db"}) {
    INFO(url);
    const Error error = error_of([&] { MysqlDatabase(std::string(url)).chat_store(); });
    CHECK(error.code() == Errc::bad_config);
    CHECK_THAT(error.message(), !ContainsSubstring("sec") && !ContainsSubstring("ret"));
  }
  SqlAddress address{"127.0.0.1", 1, "db", "u", std::string("sec\0ret", 7)};
  const Error error = error_of([&] { MysqlDatabase(address).chat_store(); });
  CHECK(error.code() == Errc::bad_config);
  CHECK_THAT(error.message(), ContainsSubstring("password contains a NUL") && !ContainsSubstring("sec"));
}

TEST_CASE("mysql chat store: deleted messages are deleted for all, whatever the default of autocommit",
          "[chat_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (!server) return;
  fill(*server->open_chat({}), "r", 3);
  flux_test::Setting no_autocommit(*server, "SET GLOBAL autocommit = 0", "SET GLOBAL autocommit = 1");
  no_autocommit.set();
  flux_test::ChatOptions options;
  options.messages_per_room_max = 1;
  const auto store = server->open_chat(options);
  CHECK(server->ask("SELECT COUNT(*) FROM flux_chat") == "1");
}

TEST_CASE("mysql chat store: missing privileges are a clear error at start", "[chat_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (!server) return;
  server->make_guest();
  const std::string socket = server->address().host;
  const auto url = "mysql://flux_guest:it%27s%20%40%3A%2f%20%22right%22%3F@localhost/flux?socket=" + socket;
  const auto opened = [&] { return error_of([&] { MysqlDatabase(url).chat_store(); }); };
  CHECK_THAT(opened().message(), ContainsSubstring("Access denied"));
  server->give_guest("SELECT");
  CHECK_THAT(opened().message(), ContainsSubstring("CREATE command denied"));
  server->open_chat({});
  CHECK_THAT(opened().message(), ContainsSubstring("INSERT command denied"));
  // A user who may use tables but not create them can start when they exist.
  server->give_guest("SELECT, INSERT, UPDATE");
  fill(*MysqlDatabase(url).chat_store(), "r", 2);
}

TEST_CASE("mysql chat store: text and numbers are returned unchanged, however long or unusual", "[chat_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (!server) return;
  const auto store = server->open_chat({});
  ChatMessage strange = chat_message("r", "1");
  strange.message = "a'\"\\\n\x1A%_?\xF0\x9F\x99\x82";
  strange.created_at = std::numeric_limits<std::int64_t>::min();
  ChatMessage large = chat_message("r", "2");
  large.message = std::string(12'000'000, 'x') + "\xC3\xA4";
  large.created_at = std::numeric_limits<std::int64_t>::max();
  REQUIRE(store->append("r", strange).ok());
  REQUIRE(store->append("r", large).ok());
  const auto page = store->history("r", 10, 0).value();
  REQUIRE(page.size() == 2);
  CHECK(page[0].message == strange.message);
  CHECK(page[0].created_at == strange.created_at);
  CHECK((page[1].message == large.message));
  CHECK(page[1].created_at == large.created_at);
  CHECK(server->ask("SELECT HEX(message) FROM flux_chat WHERE id = '1'") == "6127225C0A1A255F3FF09F9982");
}

TEST_CASE("mysql chat store: a name that is too long fails without the rest of its batch", "[chat_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (!server) return;
  const auto store = server->open_chat({});
  const std::string longest(1'024, 'x');
  const std::vector<ChatMessage> batch = {chat_message("r", "1"), chat_message(longest + "x", "2"),
                                          chat_message(longest, "3")};
  const auto offsets = store->append_all(batch);
  CHECK(offsets[0].value() == 1);
  CHECK(offsets[1].error().code() == Errc::invalid_argument);
  CHECK_THAT(offsets[1].error().message(), ContainsSubstring("too long"));
  CHECK(offsets[2].value() == 1);
}

}  // namespace mysql_chat_store_test
