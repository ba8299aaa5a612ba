// Rooms and the public space in MySQL or MariaDB. Target flux::mysql.
#pragma once

#include <flux/storage/sql_address.hpp>
#include <flux/storage/sql_room_store.hpp>

#include <string>

namespace flux {

/// A MariaDB (10.2 or newer) or MySQL (8.0 or newer) database; durable as `MysqlChatStore`. Names of rooms have up to
/// 1,024 bytes.
class MysqlRoomStore final : public SqlRoomStore {
 public:
  /// `url`: as `MysqlChatStore` takes it.
  explicit MysqlRoomStore(const std::string& url, const SqlRoomOptions& options = {});
  explicit MysqlRoomStore(const SqlAddress& address, const SqlRoomOptions& options = {});
};

}  // namespace flux
