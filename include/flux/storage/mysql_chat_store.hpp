// Chat in MySQL or MariaDB. Target flux::mysql.
#pragma once

#include <flux/storage/sql_address.hpp>
#include <flux/storage/sql_chat_store.hpp>

namespace flux {

/// A MariaDB (10.2 or newer) or MySQL (8.0 or newer) database. What `append` has returned is as durable as the server's
/// `innodb_flush_log_at_trx_commit` makes it; leave it at 1. Names of rooms and ids have up to 1,024 bytes.
/// MariaDB's client library, which this uses, has the process ignore SIGPIPE.
class MysqlChatStore final : public SqlChatStore {
 public:
  /// `url`: "mysql://user:password@host:3306/database", with percent signs where a part holds a special character.
  /// Parameters: `?socket=PATH`, and for TLS the paths of PEM files. With `sslca` the connection is encrypted, and the
  /// server's certificate must be signed by one of these authorities and valid for `host` (over a socket: localhost);
  /// any other server is refused before the login is sent. `sslcert` and `sslkey` say who we are. Without `sslca`
  /// nothing is encrypted.
  explicit MysqlChatStore(const std::string& url, const SqlChatOptions& options = {});
  explicit MysqlChatStore(const SqlAddress& address, const SqlChatOptions& options = {});
};

}  // namespace flux
