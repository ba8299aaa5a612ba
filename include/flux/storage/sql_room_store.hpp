// What the room stores in SQLite, PostgreSQL and MySQL have in common.
#pragma once

#include <flux/storage/room_store.hpp>
#include <flux/storage/sql_options.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace flux {

namespace storage::sql {
class RoomTables;
}

struct SqlRoomOptions : SqlOptions {
  /// 1 to 40 letters, digits and `_`, no digit first. `<table>_items` and `<table>_version` are made beside it.
  std::string table = "flux_rooms";
  /// Items kept in one transaction, 1 to 1000.
  std::size_t batch_max = 256;
};

/// Keeps rooms and the public space in two tables of a database: a row for each room, and a row for each item. The
/// tables are made at the first start, by one process at a time. They are for one server: two that share them would
/// each open the other's rooms at their next start.
///
/// Durability: what has returned is on the disk. Each call is a transaction, and so is each batch.
/// Errors:     the constructors throw store_failed, or bad_config for an option out of its range. Calls give
///             store_failed, within `call_timeout` and one attempt to connect; while the database is known to be away,
///             at once. Text with a NUL, and numbers of 2^63 and more, are refused with invalid_argument.
/// Threading:  as `RoomStore` says.
class SqlRoomStore : public RoomStore {
 public:
  ~SqlRoomStore() override;
  SqlRoomStore(const SqlRoomStore&) = delete;
  SqlRoomStore& operator=(const SqlRoomStore&) = delete;

  Result<std::vector<StoredContents>> load() final;
  Result<void> open(const StoredRoom& room) final;
  Result<void> append(const RoomAppend& append) final;
  std::vector<Result<void>> append_all(std::span<const RoomAppend> appends) final;
  Result<void> remove_item(const RoomId& room, const std::string& life, std::uint64_t number) final;
  Result<void> close(const RoomId& room, const std::string& life) final;
  std::size_t batch_max() const final;

 protected:
  explicit SqlRoomStore(std::unique_ptr<storage::sql::RoomTables> tables);

 private:
  const std::unique_ptr<storage::sql::RoomTables> tables_;
};

}  // namespace flux
