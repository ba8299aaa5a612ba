// Chat in MySQL or MariaDB. Target flux::mysql.
#pragma once

#include <flux/storage/sql_address.hpp>
#include <flux/storage/sql_chat_store.hpp>

namespace flux {

/// A MariaDB (10.2 or newer) or MySQL (8.0 or newer) database. What `append` has returned is as durable as the server's
/// `innodb_flush_log_at_trx_commit` makes it; leave it at 1. Names of rooms and ids have up to 1,024 bytes.
class MysqlChatStore final : public SqlChatStore {
 public:
  /// `url`: "mysql://user:password@host:3306/database", with percent signs where a part holds a special character.
  /// Parameters: `?socket=PATH`, and for TLS the paths of PEM files. With `sslca` a connection that is not encrypted is
  /// refused, and MariaDB's client library takes only servers whose certificate one of these authorities has signed,
  /// whatever name is in it: use an authority of your own. `sslcert` and `sslkey` say who we are.
  explicit MysqlChatStore(const std::string& url, const SqlChatOptions& options = {});
  explicit MysqlChatStore(const SqlAddress& address, const SqlChatOptions& options = {});
};

}  // namespace flux
