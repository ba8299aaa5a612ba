#include <flux/storage/mysql_chat_store.hpp>
#include <flux/storage/mysql_file_index.hpp>
#include <flux/storage/mysql_room_store.hpp>

#include "chat.hpp"
#include "file_table.hpp"
#include "mysql_database.hpp"
#include "room_tables.hpp"

namespace flux {

using namespace storage::sql;

/// `What` is `Chat`, `FileTable` or `RoomTables`.
template <class What, class Place, class Options>
static std::unique_ptr<What> opened(const Place& place, const Options& options) {
  return std::make_unique<What>(mysql_database(What::name, place, options), options);
}

MysqlChatStore::MysqlChatStore(const std::string& url, const SqlChatOptions& options)
    : SqlChatStore(opened<Chat>(url, options)) {}

MysqlChatStore::MysqlChatStore(const SqlAddress& address, const SqlChatOptions& options)
    : SqlChatStore(opened<Chat>(address, options)) {}

MysqlFileIndex::MysqlFileIndex(const std::string& url, const SqlFileIndexOptions& options)
    : SqlFileIndex(opened<FileTable>(url, options)) {}

MysqlFileIndex::MysqlFileIndex(const SqlAddress& address, const SqlFileIndexOptions& options)
    : SqlFileIndex(opened<FileTable>(address, options)) {}

MysqlRoomStore::MysqlRoomStore(const std::string& url, const SqlRoomOptions& options)
    : SqlRoomStore(opened<RoomTables>(url, options)) {}

MysqlRoomStore::MysqlRoomStore(const SqlAddress& address, const SqlRoomOptions& options)
    : SqlRoomStore(opened<RoomTables>(address, options)) {}

}  // namespace flux
