// Chat, rooms, the file index, API keys and revocations in MySQL or MariaDB. Target flux::mysql.
#pragma once

#include <flux/storage/sql.hpp>

#include <string>

namespace flux {

/// A MariaDB (10.2 or newer) or MySQL (8.0 or newer) database. What a store has acknowledged is as durable as the
/// server's `innodb_flush_log_at_trx_commit` makes it; leave it at 1. Names of rooms and ids have up to 1,024 bytes.
/// MariaDB's client library, which this uses, makes the process ignore SIGPIPE.
class MysqlDatabase final : public SqlDatabase {
 public:
  /// `url`: "mysql://user:password@host:3306/database", with special characters percent-encoded. Parameters:
  /// `?socket=PATH`, and for TLS the paths of PEM files. With `sslca` the connection is encrypted, and the server's
  /// certificate must be signed by one of these authorities and valid for `host` (over a socket: localhost); any other
  /// server is refused before the login is sent. `sslcert` and `sslkey` are the client's certificate. Without `sslca`
  /// nothing is encrypted. Does not connect yet.
  /// Errors: throws flux::Error (bad_config) if it is not such a URL, or for an option out of its range.
  explicit MysqlDatabase(const std::string& url, const SqlOptions& options = {});
  /// Takes the address in parts, without TLS. Errors: as above.
  explicit MysqlDatabase(const SqlAddress& address, const SqlOptions& options = {});
};

}  // namespace flux
