#include <flux/storage/postgres_chat_store.hpp>
#include <flux/storage/postgres_file_index.hpp>
#include <flux/storage/postgres_room_store.hpp>

#include "chat.hpp"
#include "file_table.hpp"
#include "postgres_database.hpp"
#include "room_tables.hpp"

namespace flux {

using namespace storage::sql;

/// `What` is `Chat`, `FileTable` or `RoomTables`.
template <class What, class Place, class Options>
static std::unique_ptr<What> opened(const Place& place, const Options& options) {
  return std::make_unique<What>(postgres_database(What::name, place, options), options);
}

PostgresChatStore::PostgresChatStore(const std::string& connection, const SqlChatOptions& options)
    : SqlChatStore(opened<Chat>(connection, options)) {}

PostgresChatStore::PostgresChatStore(const SqlAddress& address, const SqlChatOptions& options)
    : SqlChatStore(opened<Chat>(address, options)) {}

PostgresFileIndex::PostgresFileIndex(const std::string& connection, const SqlFileIndexOptions& options)
    : SqlFileIndex(opened<FileTable>(connection, options)) {}

PostgresFileIndex::PostgresFileIndex(const SqlAddress& address, const SqlFileIndexOptions& options)
    : SqlFileIndex(opened<FileTable>(address, options)) {}

PostgresRoomStore::PostgresRoomStore(const std::string& connection, const SqlRoomOptions& options)
    : SqlRoomStore(opened<RoomTables>(connection, options)) {}

PostgresRoomStore::PostgresRoomStore(const SqlAddress& address, const SqlRoomOptions& options)
    : SqlRoomStore(opened<RoomTables>(address, options)) {}

}  // namespace flux
