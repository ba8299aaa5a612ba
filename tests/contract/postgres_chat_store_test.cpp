#include "catch.hpp"
#include "contract/sql_chat_store_tests.hpp"
#include "support/temp_folder.hpp"

#include <flux/storage/postgres_chat_store.hpp>
#include <flux/testing/chat_store_contract.hpp>

#include <libpq-fe.h>

#include <memory>
#include <string>

using namespace flux;
using namespace flux::testing;
using Catch::Matchers::ContainsSubstring;
using flux_test::error_of;

namespace {

/// A database of the server that tests/databases.sh started, emptied.
class Postgres final : public flux_test::SqlServer {
 public:
  explicit Postgres(std::string url) : url_(std::move(url)), connection_(PQconnectdb(url_.c_str())) {
    INFO(PQerrorMessage(connection_));
    REQUIRE(PQstatus(connection_) == CONNECTION_OK);
    run("SET client_min_messages = error");
    run("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
  }
  ~Postgres() override { PQfinish(connection_); }
  Postgres(const Postgres&) = delete;
  Postgres& operator=(const Postgres&) = delete;

  std::shared_ptr<SqlChatStore> open(const SqlChatOptions& options) override {
    return std::make_shared<PostgresChatStore>(url_, options);
  }
  void run(const std::string& sql) override {
    PGresult* result = PQexec(connection_, sql.c_str());
    INFO(sql << ": " << PQerrorMessage(connection_));
    REQUIRE((PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK));
    PQclear(result);
  }
  std::string ask(const std::string& sql) override {
    PGresult* result = PQexec(connection_, sql.c_str());
    const std::string answer = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
    PQclear(result);
    return answer;
  }
  std::string json_type() const override { return "JSONB"; }

  SqlAddress address() const {
    return {PQhost(connection_), 0, PQdb(connection_), PQuser(connection_), PQpass(connection_)};
  }

 private:
  const std::string url_;
  PGconn* connection_;
};

/// None: the test is to be left out.
std::unique_ptr<Postgres> server_or_skip() {
  const auto url = flux_test::database_url("FLUX_TEST_POSTGRES");
  return url ? std::make_unique<Postgres>(*url) : nullptr;
}

}  // namespace

TEST_CASE("chat store: PostgreSQL keeps the contract", "[chat_store][postgres]") {
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

TEST_CASE("sql chat store: PostgreSQL does what every database must", "[chat_store][postgres]") {
  const auto server = server_or_skip();
  if (server) flux_test::sql_chat_store_tests(*server);
}

TEST_CASE("sql chat store: PostgreSQL may be cut off, and go away, and hang", "[chat_store][postgres]") {
  const auto server = server_or_skip();
  if (!server) return;
  const TempFolder folder;
  flux_test::SocketProxy proxy(folder / ".s.PGSQL.5432", server->address().host + "/.s.PGSQL.5432");
  SqlAddress address = server->address();
  address.host = folder.path().string();
  flux_test::sql_server_tests(
      {proxy, [&](const SqlChatOptions& options) { return std::make_shared<PostgresChatStore>(address, options); }});
}

TEST_CASE("postgres chat store: times of the database are taken over", "[chat_store][postgres]") {
  const auto server = server_or_skip();
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
  const auto page = server->open({})->history("r", 20, 0).value();
  CHECK(page.at(0).created_at == 1'700'000'000'250);
  CHECK(ids_of(page) == "1 2 3 4 5 6 7 8 9 10 11 12 ");  // ties by id, and ids as the numbers they are
}

TEST_CASE("postgres chat store: what it can't start with is a clear error", "[chat_store][postgres]") {
  const auto server = server_or_skip();
  if (!server) return;
  SqlAddress address = server->address();
  const auto opened = [&] { return error_of([&] { PostgresChatStore store(address); }); };
  CHECK(error_of([] { PostgresChatStore store("nonsense"); }).code() == Errc::bad_config);
  CHECK_THAT(error_of([] { PostgresChatStore store("colour=red"); }).message(), ContainsSubstring("colour"));
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

TEST_CASE("postgres chat store: rights that are missing are a clear error at start", "[chat_store][postgres]") {
  const auto server = server_or_skip();
  if (!server) return;
  server->run("DROP ROLE IF EXISTS flux_guest");
  server->run("CREATE ROLE flux_guest LOGIN PASSWORD 'it''s \\\\ \"right\"'");
  SqlAddress address = server->address();
  address.user = "flux_guest";
  address.password = "it's \\\\ \"right\"";
  const auto opened = [&] { return error_of([&] { PostgresChatStore store(address); }); };
  server->run("GRANT USAGE ON SCHEMA public TO flux_guest");
  CHECK_THAT(opened().message(), ContainsSubstring("permission denied for schema"));
  server->open({});
  server->run("GRANT SELECT ON ALL TABLES IN SCHEMA public TO flux_guest");
  CHECK_THAT(opened().message(), ContainsSubstring("permission denied for table flux_chat"));
  // Who may use the tables, and make none, can start when they are there.
  server->run("GRANT SELECT, INSERT, UPDATE ON flux_chat, flux_chat_rooms TO flux_guest");
  fill(*std::make_shared<PostgresChatStore>(address), "r", 2);
  server->run("DROP OWNED BY flux_guest; DROP ROLE flux_guest");
}

TEST_CASE("postgres chat store: a table that is locked is waited for, and not for ever", "[chat_store][postgres]") {
  const auto server = server_or_skip();
  if (!server) return;
  SqlChatOptions options;
  options.call_timeout = std::chrono::milliseconds(400);
  const auto store = server->open(options);
  server->run("BEGIN; LOCK TABLE flux_chat_rooms");
  const auto waited = flux_test::sql_chat::time_of(
      [&] { CHECK(store->append("r", chat_message("r", "1")).error().code() == Errc::store_failed); });
  CHECK(waited < std::chrono::seconds(4));
  server->run("ROLLBACK");
  CHECK(store->append("r", chat_message("r", "1")).value() == 1);
}

TEST_CASE("postgres chat store: text that the database does not take fails alone", "[chat_store][postgres]") {
  const auto server = server_or_skip();
  if (!server) return;
  const auto store = server->open({});
  const std::vector<ChatMessage> batch = {chat_message("r", "1"), chat_message("r", "2", "no UTF-8: \xFF"),
                                          chat_message("r", "3")};
  const auto offsets = store->append_all(batch);
  CHECK(offsets[0].value() == 1);
  CHECK(offsets[1].error().code() == Errc::store_failed);
  CHECK_THAT(offsets[1].error().message(), ContainsSubstring("invalid byte sequence"));
  CHECK(offsets[2].value() == 2);
}
