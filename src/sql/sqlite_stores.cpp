#include <flux/storage/sqlite_chat_store.hpp>
#include <flux/storage/sqlite_file_index.hpp>
#include <flux/storage/sqlite_room_store.hpp>

#include "chat.hpp"
#include "file_table.hpp"
#include "room_tables.hpp"
#include "sqlite_database.hpp"

namespace flux {

using namespace storage::sql;

/// `What` is `Chat`, `FileTable` or `RoomTables`.
template <class What, class Options>
static std::unique_ptr<What> opened(const std::string& path, const Options& options) {
  return std::make_unique<What>(sqlite_database(What::name, path, options, options.file_bytes_max), options);
}

SqliteChatStore::SqliteChatStore(const std::string& path, const SqliteChatOptions& options)
    : SqlChatStore(opened<Chat>(path, options)) {}

SqliteFileIndex::SqliteFileIndex(const std::string& path, const SqliteFileIndexOptions& options)
    : SqlFileIndex(opened<FileTable>(path, options)) {}

SqliteRoomStore::SqliteRoomStore(const std::string& path, const SqliteRoomOptions& options)
    : SqlRoomStore(opened<RoomTables>(path, options)) {}

}  // namespace flux
