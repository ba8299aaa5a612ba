// PostgreSQL, through libpq.
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

/// The parameters of a connection, by libpq's names.
using PostgresParameters = std::map<std::string, std::string>;

/// The parameters in a connection string or URL, and our timeouts. Errors: throws `Error` (bad_config).
PostgresParameters postgres_parameters(const std::string& connection, const PostgresTimeouts& timeouts);
/// Quotes a value for a connection string.
std::string postgres_quoted(const std::string& value);

class PostgresConnection final : public Connection {
 public:
  /// `parameters`: from `postgres_parameters`, including the timeout of connecting. Errors: throws `Failure`.
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
  /// Null if there is no further answer.
  Answer next_answer();
  void check(const Answer& answer);
  /// Waits until the socket is ready for `events` (poll(2)) or has something to read.
  void wait_for(short events);
  void read_more();
  /// Closes the connection, because its next answer would be unpredictable. Throws `Failure`.
  [[noreturn]] void lose(const std::string& why);

  const std::chrono::milliseconds call_timeout_;
  std::unique_ptr<PGconn, Finish> connection_;  // none: it was lost
  TimePoint deadline_ = TimePoint::max();
  bool patient_ = false;  // the server's own timeout is extended as well
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
