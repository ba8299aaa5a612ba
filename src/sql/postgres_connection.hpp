// PostgreSQL, over libpq.
#pragma once

#include "dialect.hpp"

#include <libpq-fe.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>

namespace flux::storage::sql {

struct PostgresTimeouts {
  std::chrono::milliseconds connect;
  std::chrono::milliseconds call;
};

/// What libpq connects with, by libpq's names.
using PostgresParameters = std::map<std::string, std::string>;

/// All that a connection string or URL says, and our timeouts. Errors: throws `Error` (bad_config).
PostgresParameters postgres_parameters(const std::string& connection, const PostgresTimeouts& timeouts);
/// A value in a connection string.
std::string postgres_quoted(const std::string& value);

class PostgresConnection final : public Connection {
 public:
  /// `parameters`: of `postgres_parameters`; the time for connecting is in them. Errors: throws `Failure`.
  PostgresConnection(const PostgresParameters& parameters, std::chrono::milliseconds call_timeout);

  using Connection::run;
  Rows run(const Statement& statement, std::size_t columns) override;
  void set_deadline(TimePoint deadline) override;

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  struct Clear {
    void operator()(PGresult* answer) const { PQclear(answer); }
  };
  using Answer = std::unique_ptr<PGresult, Clear>;

  void send(const Statement& statement);
  /// None: that was all.
  Answer next_answer();
  void check(const Answer& answer);
  /// Until the socket is ready for `events` (poll(2)) or has something to read.
  void wait_for(short events);
  void read_more();
  /// Ends the connection, of which nobody knows what it would answer next. Throws `Failure`.
  [[noreturn]] void lose(const std::string& why);

  const std::chrono::milliseconds call_timeout_;
  std::unique_ptr<PGconn, Finish> connection_;  // none: it was lost
  TimePoint deadline_ = TimePoint::max();
  bool patient_ = false;  // the server, too, has been told to take its time
};

class PostgresDialect final : public Dialect {
 public:
  std::string type_of(Content content) const override;
  std::vector<Column> columns_of(Connection& connection, const std::string& table) const override;
  std::vector<Key> keys_of(Connection& connection, const std::string& table) const override;
  std::span<const char* const> types_for(Content content) const override;
  void lock_schema(Connection& connection, const std::string& table) const override;
  std::string as_text(const std::string& column) const override { return "CAST(" + column + " AS TEXT)"; }
  std::optional<std::string> as_ms(const Column& column) const override;
};

}  // namespace flux::storage::sql
