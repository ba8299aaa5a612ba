// Rooms and the public space in PostgreSQL. Target flux::postgres.
#pragma once

#include <flux/storage/sql_address.hpp>
#include <flux/storage/sql_room_store.hpp>

#include <string>

namespace flux {

/// A PostgreSQL database, version 10 or newer, with the encoding UTF8; durable as `PostgresChatStore`.
class PostgresRoomStore final : public SqlRoomStore {
 public:
  /// `connection`: as `PostgresChatStore` takes it.
  explicit PostgresRoomStore(const std::string& connection, const SqlRoomOptions& options = {});
  explicit PostgresRoomStore(const SqlAddress& address, const SqlRoomOptions& options = {});
};

}  // namespace flux
