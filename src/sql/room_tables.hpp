// Rooms in SQL: the algorithm of all three databases.
#pragma once

#include "database.hpp"

#include <flux/storage/sql.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flux::storage::sql {

/// Threading: any thread.
class RoomTables {
 public:
  static constexpr StoreName name{"room store", "rooms"};

  /// Creates or checks the tables. Errors: throws `Error` (store_failed, or bad_config if an option is out of its range).
  RoomTables(std::unique_ptr<Database> database, const SqlRoomOptions& options);

  Result<std::vector<StoredContents>> load();
  Result<void> open(const StoredRoom& room);
  std::vector<Result<void>> append_all(std::span<const RoomAppend> appends);
  Result<void> remove_item(const RoomId& room, const std::string& life, std::uint64_t number);
  Result<void> close(const RoomId& room, const std::string& life);
  std::size_t batch_max() const { return batch_max_; }

 private:
  /// An append that is to be stored, and its result.
  struct Pending {
    const RoomAppend* append;
    Result<void>* result;
  };
  using Batch = std::span<const Pending>;
  /// The combined effect of appends to one room.
  struct Change {
    const StoredRoom* room;
    std::uint64_t last_number;
    std::uint64_t first_kept;
  };
  using Changes = std::map<std::string_view, Change>;  // the order of a map is the order of the locks
  using Rooms = std::map<std::string_view, const StoredRoom*>;

  void prepare(Connection& connection) const;
  void make(Connection& connection) const;
  std::size_t gather(Batch batch, Changes& changes) const;
  void append(Connection& connection, Batch batch, const Changes& changes) const;
  void insert_items(Connection& connection, Batch batch, const Changes& changes) const;
  void keep_rooms(Connection& connection, const Rooms& rooms, bool with_options) const;
  std::map<std::string, std::string> lives_of(Connection& connection, const Rooms& rooms) const;

  const std::unique_ptr<Database> database_;
  const std::size_t batch_max_;
  const std::string rooms_name_, items_name_;
  const std::string rooms_, items_;  // quoted
};

}  // namespace flux::storage::sql
