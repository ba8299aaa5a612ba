// PostgreSQL, over SOCI.
#pragma once

#include "dialect.hpp"
#include "soci_connection.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace flux::storage::sql {

struct PostgresTimeouts {
  std::chrono::milliseconds connect;
  std::chrono::milliseconds call;
};

/// A URL with all that a connection string or URL says, and our timeouts. Errors: throws `Error` (bad_config).
std::string postgres_parameters(const std::string& connection, const PostgresTimeouts& timeouts);
/// A value in a connection string.
std::string postgres_quoted(const std::string& value);

class PostgresConnection final : public SociConnection {
 public:
  /// `parameters`: of `postgres_parameters`, with these timeouts. Errors: throws `Failure`.
  static std::unique_ptr<Connection> open(const std::string& parameters, const PostgresTimeouts& timeouts,
                                          std::shared_ptr<CallGuard> guard);

  void set_deadline(TimePoint deadline) override;

 private:
  PostgresConnection(const std::string& parameters, const PostgresTimeouts& timeouts, std::shared_ptr<CallGuard> guard);
  Failure::Kind kind_of(const soci::soci_error& error) override;

  const std::chrono::milliseconds call_timeout_;
  bool patient_ = false;  // the server, too, has been told to take its time
};

class PostgresDialect final : public Dialect {
 public:
  std::string key_type() const override { return "TEXT COLLATE \"C\""; }
  std::vector<Column> columns_of(Connection& connection, const std::string& table) const override;
  void lock_schema(Connection& connection, const std::string& table) const override;
  std::string as_text(const std::string& column) const override { return "CAST(" + column + " AS TEXT)"; }
  std::optional<std::string> as_ms(const Column& column) const override;
};

}  // namespace flux::storage::sql
