#include "contract/postgres_server.hpp"
#include "contract/sql_chat_store_tests.hpp"
#include "support/scripted_server.hpp"

#include <memory>
#include <string>
#include <vector>

namespace postgres_chat_store_test {

using namespace flux;
using namespace flux::testing;
using Catch::Matchers::ContainsSubstring;
using flux_test::error_of;
using flux_test::Postgres;
using flux_test::ScriptedServer;

TEST_CASE("chat store: PostgreSQL fulfills the contract", "[chat_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (server) flux_test::sql_chat_contract(*server);
}

TEST_CASE("sql chat store: PostgreSQL passes the tests of all databases", "[chat_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (server) flux_test::sql_chat_store_tests(*server);
}

TEST_CASE("sql chat store: PostgreSQL handles lost connections, outages and hangs", "[chat_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  flux_test::Proxied proxied(*server);
  flux_test::sql_chat_outage_tests(proxied);
}

TEST_CASE("postgres chat store: waiting for a server that stops responding during the start is bounded",
          "[chat_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  flux_test::Proxied proxied(*server);
  flux_test::sql_chat::silence_in_start(proxied, "BEGIN");
}

TEST_CASE("postgres chat store: a server that stops responding during a transaction is given up in time",
          "[chat_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  flux_test::Proxied proxied(*server);
  const auto options = flux_test::hurried<flux_test::ChatOptions>();
  const auto store = proxied.stores->open_chat(options);
  proxied.proxy.stall_after("BEGIN");
  const auto waited = flux_test::time_of(
      [&] { CHECK(store->append("r", chat_message("r", "1")).error().code() == Errc::store_failed); });
  CHECK(proxied.proxy.is_stalled());
  CHECK(waited < options.connect_timeout + options.call_timeout + std::chrono::seconds(3));
  proxied.proxy.stall(false);
  CHECK(flux_test::until_good([&] { return store->append("r", chat_message("r", "1")); }).value() == 1);
}

TEST_CASE(
    "postgres stores: a server that stops responding during the login or right after it is a clear error at start",
    "[chat_store][file_index][room_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  flux_test::Proxied proxied(*server);
  const std::string last_word = GENERATE(std::string("R\0\0\0", 4),      // Authentication
                                         std::string("Z\0\0\0\5I", 6));  // ReadyForQuery
  const auto falls_silent = [&](const auto& open) {
    proxied.proxy.stall_after(last_word);
    const auto waited = flux_test::time_of([&] { CHECK(flux_test::error_of(open).code() == Errc::store_failed); });
    CHECK(proxied.proxy.is_stalled());
    CHECK(waited < std::chrono::seconds(5));  // 2 s for the login, 0.7 s for a call
    proxied.proxy.stall(false);
    open();
  };
  falls_silent([&] { proxied.stores->open_chat(flux_test::hurried<flux_test::ChatOptions>()); });
  falls_silent([&] { proxied.stores->open_files(flux_test::hurried<flux_test::FileIndexOptions>()); });
  falls_silent([&] { proxied.stores->open_rooms(flux_test::hurried<flux_test::RoomOptions>()); });
}

TEST_CASE("postgres stores: a server that trickles bytes during the login is given up", "[chat_store][postgres]") {
  using Answers = std::vector<std::string>;
  const auto [mode, answers] = GENERATE(table<std::string, Answers>({
      {"disable", Answers{std::string("R\0\0\x07\xD0", 5)}},                          // Authentication, of 2 kB
      {"require", Answers{"S", std::string("\x16\x03\x03\x40\0\x02\0\x3F\xFC", 9)}},  // a record of TLS, of 16 kB
  }));
  const ScriptedServer server([&answers = answers](int client) {
    for (const std::string& answer : answers) {
      if (flux_test::receive_some(client).empty() || !flux_test::send_all(client, answer)) return;
    }
    flux_test::trickle(client);
  });
  const std::string url =
      "postgresql://flux:secret@127.0.0.1:" + std::to_string(server.port()) + "/flux?sslmode=" + mode;
  const auto waited = flux_test::time_of([&] {
    const auto open = [&] { PostgresDatabase(url, flux_test::hurried<SqlOptions>()).chat_store(); };
    CHECK_THAT(error_of(open).message(), ContainsSubstring("timeout expired"));
  });
  CHECK(waited < std::chrono::seconds(5));  // 2 s for the login
}

TEST_CASE("postgres chat store: copying a table that is taken over may take longer than a start",
          "[chat_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (server) flux_test::sql_chat::slow_taking_over(*server, "pg_sleep(3)");
}

TEST_CASE(
    "postgres chat store: a server that stops responding while a table is copied is given up, and other processes get "
    "an error",
    "[chat_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  flux_test::Proxied proxied(*server);
  flux_test::sql_chat::silence_while_taking_over(proxied, *server, [&] {
    flux_test::ChatOptions options;
    options.table = "old_chat";
    options.call_timeout = std::chrono::milliseconds(150);
    CHECK_THAT(error_of([&] { server->open_chat(options); }).message(),
               ContainsSubstring("another process has been busy with the table \"old_chat\""));
  });
}

TEST_CASE("postgres chat store: a connection that accepts no more writes is closed", "[chat_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  flux_test::Proxied proxied(*server);
  flux_test::Setting read_only(*server, "ALTER ROLE flux SET default_transaction_read_only = on",
                               "ALTER ROLE flux RESET default_transaction_read_only");
  flux_test::sql_chat::no_more_writes(proxied, read_only);
}

TEST_CASE("postgres stores: TLS follows the connection string", "[chat_store][postgres][tls]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  const std::string ca = "sslrootcert=" + server->tls_folder() + "/ca.pem ";
  const std::string other_ca = "sslrootcert=" + server->tls_folder() + "/other-ca.pem ";
  for (const std::string& asked :
       {std::string("host=localhost sslmode=require"), "host=localhost sslmode=verify-full " + ca,
        "host=not-in-it sslmode=verify-ca " + ca}) {
    INFO(asked);
    const auto store = PostgresDatabase(server->over_tcp(asked)).chat_store();
    CHECK(server->ask("SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_port > 0") == "t");
  }
  const auto refused = [&](const std::string& asked) {
    const Error error = error_of([&] { PostgresDatabase(server->over_tcp(asked)).chat_store(); });
    CHECK(error.code() == Errc::store_failed);
    return error.message();
  };
  CHECK_THAT(refused("host=localhost sslmode=verify-full " + other_ca), ContainsSubstring("certificate verify failed"));
  CHECK_THAT(refused("host=not-in-it sslmode=verify-full " + ca), ContainsSubstring("does not match host name"));
  CHECK_THAT(refused("host=localhost sslmode=verify-full sslrootcert=/no/such.pem"), ContainsSubstring("/no/such.pem"));
}

TEST_CASE("postgres chat store: times of the database are converted", "[chat_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  const std::string type = GENERATE("TIMESTAMPTZ", "TIMESTAMP", "NUMERIC");
  server->run(
      "CREATE TABLE flux_chat (id BIGSERIAL, room_id TEXT, connection_id TEXT, user_id TEXT, message TEXT, metadata "
      "JSON, "
      "created_at " +
      type + ")");
  const std::string time = type == "NUMERIC" ? "1700000000250" : "'2023-11-14 22:13:20.25+00'";
  for (int i = 0; i < 12; ++i)
    server->run("INSERT INTO flux_chat (room_id, message, created_at) VALUES ('r', 'm', " + time + ")");
  const auto page = server->open_chat({})->history("r", 20, 0).value();
  CHECK(page.at(0).created_at == 1'700'000'000'250);
  CHECK(ids_of(page) == "1 2 3 4 5 6 7 8 9 10 11 12 ");  // ties by id, and ids as the numbers they are
}

TEST_CASE("postgres chat store: a connection or database that it can't use is a clear error at start",
          "[chat_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  SqlAddress address = server->address();
  const auto opened = [&] { return error_of([&] { PostgresDatabase(address).chat_store(); }); };
  CHECK(error_of([] { PostgresDatabase("nonsense").chat_store(); }).code() == Errc::bad_config);
  CHECK_THAT(error_of([] { PostgresDatabase("colour=red").chat_store(); }).message(), ContainsSubstring("colour"));
  address.password = "it's \\wrong";
  CHECK(opened().code() == Errc::store_failed);
  CHECK_THAT(opened().message(), ContainsSubstring("password authentication failed"));
  CHECK_THAT(opened().message(), !ContainsSubstring(address.password));
  address = server->address();
  address.database = "no_such_database";
  CHECK_THAT(opened().message(), ContainsSubstring("\"no_such_database\" does not exist"));
  address = server->address();
  address.host = "/no/such/folder";
  CHECK_THAT(opened().message(), ContainsSubstring("/no/such/folder"));
  address = server->address();
  address.host = "127.0.0.1";
  address.port = 1;
  CHECK_THAT(opened().message(), ContainsSubstring("onnection refused"));
}

TEST_CASE("postgres chat store: errors about a connection string do not hold its password", "[chat_store][postgres]") {
  for (const char* connection :
       {"//u:secret@h/db", "postgresql://u:sec/ret@h/db", "postgres://u:1/secret@h/db", "postgresql://u:sec%zzret@h/db",
        "postgresql://u:secret@[::1]x/db", "postgresql://u:sec\"ret@[h/db", "postgresql://u:p@h/db?secret",
        "host=h password=correct secret", "host=h password='secret"}) {
    INFO(connection);
    const Error error = error_of([&] { PostgresDatabase(std::string(connection)).chat_store(); });
    CHECK(error.code() == Errc::bad_config);
    CHECK_THAT(error.message(), !ContainsSubstring("sec") && !ContainsSubstring("ret"));
  }
  CHECK_THAT(error_of([] { PostgresDatabase("postgresql://u:p@h/db?colour=red").chat_store(); }).message(),
             ContainsSubstring("colour"));
}

TEST_CASE("postgres chat store: missing privileges are a clear error at start", "[chat_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  const SqlAddress address = server->make_guest();
  const auto opened = [&] { return error_of([&] { PostgresDatabase(address).chat_store(); }); };
  CHECK_THAT(opened().message(), ContainsSubstring("permission denied for schema"));
  server->open_chat({});
  server->give_guest("SELECT");
  CHECK_THAT(opened().message(), ContainsSubstring("permission denied for table flux_chat"));
  // A user who may use tables but not create them can start when they exist.
  server->run("GRANT SELECT, INSERT, UPDATE ON flux_chat, flux_chat_rooms TO flux_guest");
  fill(*PostgresDatabase(address).chat_store(), "r", 2);
}

TEST_CASE("postgres chat store: a locked table is waited for, with a timeout", "[chat_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  flux_test::ChatOptions options;
  options.call_timeout = std::chrono::milliseconds(400);
  const auto store = server->open_chat(options);
  server->run("BEGIN; LOCK TABLE flux_chat_rooms");
  const auto waited = flux_test::time_of(
      [&] { CHECK(store->append("r", chat_message("r", "1")).error().code() == Errc::store_failed); });
  CHECK(waited < std::chrono::seconds(4));
  server->run("ROLLBACK");
  CHECK(store->append("r", chat_message("r", "1")).value() == 1);
}

TEST_CASE("postgres chat store: text that the database refuses fails without the rest of its batch",
          "[chat_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  const auto store = server->open_chat({});
  const std::vector<ChatMessage> batch = {chat_message("r", "1"), chat_message("r", "2", "no UTF-8: \xFF"),
                                          chat_message("r", "3")};
  const auto offsets = store->append_all(batch);
  CHECK(offsets[0].value() == 1);
  CHECK(offsets[1].error().code() == Errc::invalid_argument);
  CHECK_THAT(offsets[1].error().message(), ContainsSubstring("invalid byte sequence"));
  CHECK(offsets[2].value() == 2);
}

}  // namespace postgres_chat_store_test
