// The public classes of the stores: a database opens them, and each passes its calls on.
#include <flux/storage/sql.hpp>

#include "channel_tables.hpp"
#include "chat.hpp"
#include "file_table.hpp"
#include "key_table.hpp"
#include "revocation_table.hpp"
#include "room_tables.hpp"

#include <utility>

namespace flux {

using namespace storage::sql;

// --- The database ---

SqlDatabase::SqlDatabase(std::shared_ptr<const Access> access) : access_(std::move(access)) {}
SqlDatabase::~SqlDatabase() = default;
SqlDatabase::SqlDatabase(const SqlDatabase&) = default;
SqlDatabase& SqlDatabase::operator=(const SqlDatabase&) = default;

/// `Tables` is `ChannelTables`, `Chat`, `FileTable`, `KeyTable`, `RevocationTable` or `RoomTables`.
template <class Tables, class Options>
static std::unique_ptr<Tables> opened(const std::shared_ptr<const Access>& access, const Options& options) {
  return std::make_unique<Tables>(std::make_unique<Database>(Tables::name, access), options);
}

std::shared_ptr<SqlChatStore> SqlDatabase::chat_store(const SqlChatOptions& options) const {
  return std::make_shared<SqlChatStore>(opened<Chat>(access_, options));
}

std::shared_ptr<SqlRoomStore> SqlDatabase::room_store(const SqlRoomOptions& options) const {
  return std::make_shared<SqlRoomStore>(opened<RoomTables>(access_, options));
}

std::shared_ptr<SqlChannelStore> SqlDatabase::channel_store(const SqlChannelOptions& options) const {
  return std::make_shared<SqlChannelStore>(opened<ChannelTables>(access_, options));
}

std::shared_ptr<SqlFileIndex> SqlDatabase::file_index(const SqlFileIndexOptions& options) const {
  return std::make_shared<SqlFileIndex>(opened<FileTable>(access_, options));
}

std::shared_ptr<SqlKeyStore> SqlDatabase::key_store(const SqlKeyOptions& options) const {
  return std::make_shared<SqlKeyStore>(opened<KeyTable>(access_, options));
}

std::shared_ptr<SqlRevocationStore> SqlDatabase::revocation_store(const SqlRevocationOptions& options) const {
  return std::make_shared<SqlRevocationStore>(opened<RevocationTable>(access_, options));
}

// --- Chat ---

SqlChatStore::SqlChatStore(std::unique_ptr<Chat> chat) : chat_(std::move(chat)) {}
SqlChatStore::~SqlChatStore() = default;

Result<Offset> SqlChatStore::append(const RoomId& room, const ChatMessage& message) {
  if (message.room == room) return std::move(chat_->append_all({&message, 1}).front());
  ChatMessage moved = message;
  moved.room = room;
  return std::move(chat_->append_all({&moved, 1}).front());
}

std::vector<Result<Offset>> SqlChatStore::append_all(std::span<const ChatMessage> messages) {
  return chat_->append_all(messages);
}

Result<std::vector<ChatMessage>> SqlChatStore::history(const RoomId& room, std::size_t limit, Offset before) {
  return chat_->history(room, limit, before);
}

Result<bool> SqlChatStore::replace(const RoomId& room, const ChatMessage& message) {
  return chat_->replace(room, message);
}

std::size_t SqlChatStore::batch_max() const { return chat_->batch_max(); }
Result<void> SqlChatStore::drop_expired() { return chat_->drop_expired(); }

// --- Rooms ---

SqlRoomStore::SqlRoomStore(std::unique_ptr<RoomTables> tables) : tables_(std::move(tables)) {}
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

// --- Channels ---

SqlChannelStore::SqlChannelStore(std::unique_ptr<ChannelTables> tables) : tables_(std::move(tables)) {}
SqlChannelStore::~SqlChannelStore() = default;

Result<std::vector<StoredChannel>> SqlChannelStore::load() { return tables_->load(); }

Result<void> SqlChannelStore::append(const ChannelAppend& append) {
  return std::move(tables_->append_all({&append, 1}).front());
}

std::vector<Result<void>> SqlChannelStore::append_all(std::span<const ChannelAppend> appends) {
  return tables_->append_all(appends);
}

Result<void> SqlChannelStore::remove(const std::string& channel, const std::string& epoch) {
  return tables_->remove(channel, epoch);
}
std::size_t SqlChannelStore::batch_max() const { return tables_->batch_max(); }

// --- The file index ---

SqlFileIndex::SqlFileIndex(std::unique_ptr<FileTable> table) : table_(std::move(table)) {}
SqlFileIndex::~SqlFileIndex() = default;

Result<std::vector<FileInfo>> SqlFileIndex::load() { return table_->load(); }
Result<void> SqlFileIndex::save(const FileInfo& file) { return table_->save(file); }
Result<void> SqlFileIndex::erase(const FileId& id) { return table_->erase(id); }

// --- API keys ---

SqlKeyStore::SqlKeyStore(std::unique_ptr<KeyTable> table) : table_(std::move(table)) {}
SqlKeyStore::~SqlKeyStore() = default;

Result<std::vector<ApiKeyRecord>> SqlKeyStore::load() { return table_->load(); }
Result<void> SqlKeyStore::put(const ApiKeyRecord& record) { return table_->put(record); }
Result<void> SqlKeyStore::remove(const std::string& id) { return table_->remove(id); }

// --- Revocations ---

SqlRevocationStore::SqlRevocationStore(std::unique_ptr<RevocationTable> table) : table_(std::move(table)) {}
SqlRevocationStore::~SqlRevocationStore() = default;

Result<std::vector<Revocation>> SqlRevocationStore::load() { return table_->load(); }
Result<void> SqlRevocationStore::save(const Revocation& revocation) { return table_->save(revocation); }
Result<void> SqlRevocationStore::remove(RevocationKind kind, const std::string& name) {
  return table_->remove(kind, name);
}

}  // namespace flux
