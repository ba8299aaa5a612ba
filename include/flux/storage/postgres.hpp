// Chat, rooms, the file index, API keys and revocations in PostgreSQL. Target flux::postgres.
#pragma once

#include <flux/storage/sql.hpp>

#include <string>

namespace flux {

/// A PostgreSQL database, version 10 or newer, with the encoding UTF8. What a store has acknowledged is as durable as
/// the server's `synchronous_commit` makes it; leave it on.
class PostgresDatabase final : public SqlDatabase {
 public:
  /// `connection`: what libpq accepts, "postgresql://user:password@host/database" or "host=… dbname=…". Timeouts are
  /// added if it has none; `sslmode`, `sslrootcert`, `PGPASSWORD`, `~/.pgpass` and the like work as they do in libpq:
  /// `?sslmode=verify-full&sslrootcert=ca.pem` encrypts the connection and checks the server's certificate and name.
  /// Does not connect yet.
  /// Errors: throws flux::Error (bad_config) if it is not a connection string, or for an option out of its range.
  explicit PostgresDatabase(const std::string& connection, const SqlOptions& options = {});
  /// Takes the address in parts. Errors: as above.
  explicit PostgresDatabase(const SqlAddress& address, const SqlOptions& options = {});
};

}  // namespace flux
