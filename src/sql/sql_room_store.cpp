#include "room_tables.hpp"

#include <utility>

namespace flux {

SqlRoomStore::SqlRoomStore(std::unique_ptr<storage::sql::RoomTables> tables) : tables_(std::move(tables)) {}
SqlRoomStore::~SqlRoomStore() = default;

Result<std::vector<StoredContents>> SqlRoomStore::load() { return tables_->load(); }
Result<void> SqlRoomStore::open(const StoredRoom& room) { return tables_->open(room); }

Result<void> SqlRoomStore::append(const RoomAppend& append) {
  return std::move(tables_->append_all({&append, 1}).front());
}

std::vector<Result<void>> SqlRoomStore::append_all(std::span<const RoomAppend> appends) {
  return tables_->append_all(appends);
}

Result<void> SqlRoomStore::remove_item(const RoomId& room, const std::string& life, std::uint64_t number) {
  return tables_->remove_item(room, life, number);
}

Result<void> SqlRoomStore::close(const RoomId& room, const std::string& life) { return tables_->close(room, life); }
std::size_t SqlRoomStore::batch_max() const { return tables_->batch_max(); }

}  // namespace flux
