// PostgreSQL for the tests of stores in it.
#pragma once

#include "contract/sql_server.hpp"

#include <flux/storage/postgres.hpp>

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace flux_test {

/// A database of the server that tests/databases.sh started, emptied.
class Postgres final : public SocketServer {
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

  /// Null: skip the test.
  static std::unique_ptr<Postgres> or_skip() {
    const auto url = database_url("FLUX_TEST_POSTGRES");
    return url ? std::make_unique<Postgres>(*url) : nullptr;
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

  const std::string& url() const { return url_; }
  std::string tls_folder() const override { return PQhost(connection_) + std::string("/../tls"); }
  /// A connection string for its local TCP port, followed by `rest`.
  std::string over_tcp(const std::string& rest) const {
    return "hostaddr=127.0.0.1 port=" + std::string(PQport(connection_)) + " dbname=flux user=flux password=secret " +
           rest;
  }
  flux::SqlAddress address() const override {
    return {PQhost(connection_), port(), PQdb(connection_), PQuser(connection_), PQpass(connection_)};
  }
  std::unique_ptr<SqlStores> at(const flux::SqlAddress& address) const override {
    return std::make_unique<SqlStoresAt<flux::PostgresDatabase, flux::SqlAddress>>(address);
  }
  std::string host_in(const std::string& folder) const override { return folder; }
  std::string socket_of(const std::string& host) const override { return host + "/.s.PGSQL." + PQport(connection_); }

  flux::SqlAddress make_guest() override {
    run("DO $$ BEGIN CREATE ROLE flux_guest LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$");
    run("DROP OWNED BY flux_guest");
    run("ALTER ROLE flux_guest PASSWORD 'it''s \\\\ \"right\"'");
    run("GRANT USAGE ON SCHEMA public TO flux_guest");
    flux::SqlAddress guest = address();
    guest.user = "flux_guest";
    guest.password = "it's \\\\ \"right\"";
    return guest;
  }
  void give_guest(const std::string& rights) override {
    run("GRANT " + rights + " ON ALL TABLES IN SCHEMA public TO flux_guest");
  }

 private:
  std::uint16_t port() const { return static_cast<std::uint16_t>(std::stoi(PQport(connection_))); }

  const std::string url_;
  PGconn* connection_;
};

}  // namespace flux_test
