// Chat in PostgreSQL. Target flux::postgres.
#pragma once

#include <flux/storage/sql_address.hpp>
#include <flux/storage/sql_chat_store.hpp>

namespace flux {

/// A PostgreSQL database, version 10 or newer, with the encoding UTF8. What `append` has returned is as durable as the
/// server's `synchronous_commit` makes it; leave it on.
class PostgresChatStore final : public SqlChatStore {
 public:
  /// `connection`: what libpq takes, "postgresql://user:password@host/database" or "host=… dbname=…". The store adds
  /// timeouts where none are given; `sslmode`, `sslrootcert`, `PGPASSWORD`, `~/.pgpass` and the like work as they do in
  /// libpq.
  explicit PostgresChatStore(const std::string& connection, const SqlChatOptions& options = {});
  explicit PostgresChatStore(const SqlAddress& address, const SqlChatOptions& options = {});
};

}  // namespace flux
