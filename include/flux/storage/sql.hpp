// Stores in SQL databases: what SQLite, PostgreSQL and MySQL have in common. Applications include the header of their
// database: sqlite.hpp, postgres.hpp or mysql.hpp.
#pragma once

#include <flux/clock.hpp>
#include <flux/storage/channel_store.hpp>
#include <flux/storage/chat_store.hpp>
#include <flux/storage/file_index.hpp>
#include <flux/storage/key_store.hpp>
#include <flux/storage/revocation_store.hpp>
#include <flux/storage/room_store.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace flux {

namespace storage::sql {
struct Access;
class ChannelTables;
class Chat;
class FileTable;
class KeyTable;
class RevocationTable;
class RoomTables;
}  // namespace storage::sql

/// The address of a database server, and the login. Everything else about a connection, such as TLS, needs a URL.
struct SqlAddress {
  std::string host =
      "127.0.0.1";         ///< or, beginning with `/`, the path of a UNIX socket (MySQL) or its folder (PostgreSQL)
  std::uint16_t port = 0;  ///< 0: the database's usual port
  std::string database{};  ///< the database's name
  std::string user{};      ///< of the login
  std::string password{};  ///< as it is, without percent-encoding
};

/// Options of a database, for all its stores together.
struct SqlOptions {
  /// Connections to a database server, or readers of a file beside its one writer; 1 to 256. Each worker of the server
  /// uses one at a time: `worker_threads` in `Config` for chat, in `RoomsOptions` and `FilesOptions` for rooms and files.
  std::size_t connections = 8;
  /// Timeout of a call, within which a lost connection is replaced and the call retried; 100 ms to a day. Opening a
  /// store, and a call that reads everything, may take 20 times as long.
  std::chrono::milliseconds call_timeout{5'000};
  /// Timeout of a new connection, from when the address of its host is known; 100 ms to a day. PostgreSQL rounds it to
  /// seconds, at least 2.
  std::chrono::milliseconds connect_timeout{3'000};
};

/// Options of a chat store in a database.
struct SqlChatOptions {
  /// 1 to 40 letters, digits and `_`, not beginning with a digit. `<table>_rooms` and `<table>_version` belong to it.
  std::string table = "flux_chat";
  /// The number of newest messages kept of each room. 0: unlimited.
  std::size_t messages_per_room_max = 0;
  /// Messages older than this (by `created_at`) are deleted. 0: never.
  std::chrono::milliseconds age_max{0};
  /// Messages stored in one transaction, 1 to 1000.
  std::size_t batch_max = 256;
  /// Timeout of the statement by which a server copies the table of another program, at the first start; 100 ms to a
  /// day.
  std::chrono::milliseconds take_over_timeout{std::chrono::minutes(10)};
  std::shared_ptr<Clock> clock{};  ///< for the age of messages; none: the system's clock
};

/// Options of a room store in a database.
struct SqlRoomOptions {
  /// 1 to 40 letters, digits and `_`, not beginning with a digit. `<table>_items` and `<table>_version` belong to it.
  std::string table = "flux_rooms";
  /// Items stored in one transaction, 1 to 1000.
  std::size_t batch_max = 256;
};

/// Options of a channel store in a database.
struct SqlChannelOptions {
  /// 1 to 40 letters, digits and `_`, not beginning with a digit. `<table>_publications` and `<table>_version` belong to it.
  std::string table = "flux_channels";
  /// Publications stored in one transaction, 1 to 1000.
  std::size_t batch_max = 256;
};

/// Options of a file index in a database.
struct SqlFileIndexOptions {
  /// 1 to 40 letters, digits and `_`, not beginning with a digit. `<table>_version` belongs to it.
  std::string table = "flux_files";
};

/// Options of a store of API keys in a database.
struct SqlKeyOptions {
  /// 1 to 40 letters, digits and `_`, not beginning with a digit. `<table>_version` belongs to it.
  std::string table = "flux_keys";
};

/// Options of a store of revocations in a database.
struct SqlRevocationOptions {
  /// 1 to 40 letters, digits and `_`, not beginning with a digit. `<table>_version` belongs to it.
  std::string table = "flux_revocations";
};

/// Stores chat in a table of a database: one row per message, with its offset in `room_offset`. Messages can be edited
/// and deleted; of a deleted one the row remains, without its text.
///
/// The tables are created at the first start, by one process at a time. An existing table is taken over if it has the
/// columns id, room_id, connection_id, user_id, message, metadata and created_at (milliseconds since 1970, or a time of
/// the database), as other servers of this kind create it: its messages get their offsets in the order of (created_at,
/// id). They are copied; the original table remains as `<table>_before_flux`, until you drop it.
///
/// Durability:  what `append` has returned is on disk. Idempotence: by (room, id), as long as the message is kept, even
/// if the reply to a commit was lost. Retention:   offsets keep counting. What exceeds a limit is absent from every
/// history from that moment. It is deleted
///              from the table: by count with the room's next message, by age within a minute of any next message.
/// Errors:      calls give store_failed, within `call_timeout` and one attempt to connect; at once while the database
/// is
///              known to be unreachable. Text with a NUL, or that a column can't hold, is refused with invalid_argument.
/// Threading:   that of `ChatStore`. Several processes may share a PostgreSQL or MySQL table, or a SQLite file.
class SqlChatStore final : public ChatStore {
 public:
  /// For flux itself: `SqlDatabase::chat_store` opens a store.
  explicit SqlChatStore(std::unique_ptr<storage::sql::Chat> chat);
  ~SqlChatStore() override;
  SqlChatStore(const SqlChatStore&) = delete;
  SqlChatStore& operator=(const SqlChatStore&) = delete;

  Result<Offset> append(const RoomId& room, const ChatMessage& message) override;
  std::vector<Result<Offset>> append_all(std::span<const ChatMessage> messages) override;
  Result<std::vector<ChatMessage>> history(const RoomId& room, std::size_t limit, Offset before) override;
  std::size_t batch_max() const override;
  bool can_edit() const override { return true; }
  Result<bool> replace(const RoomId& room, const ChatMessage& message) override;

  /// Deletes the messages that are too old. Only needed if old messages must be deleted although no new ones are
  /// stored.
  Result<void> drop_expired();

 private:
  const std::unique_ptr<storage::sql::Chat> chat_;
};

/// Stores rooms and the public space in two tables of a database: one row per room, and one row per item. The tables
/// are created at the first start, by one process at a time. They are for one server: two that share them would each
/// open the other's rooms at their next start.
///
/// Durability: what has returned is on disk. Each call is a transaction, and so is each batch.
/// Errors:     calls give store_failed, within `call_timeout` and one attempt to connect; at once while the database is
///             known to be unreachable. Text with a NUL, or that a column can't hold, and numbers from 2^63 are refused
///             with invalid_argument.
/// Threading:  that of `RoomStore`.
class SqlRoomStore final : public RoomStore {
 public:
  /// For flux itself: `SqlDatabase::room_store` opens a store.
  explicit SqlRoomStore(std::unique_ptr<storage::sql::RoomTables> tables);
  ~SqlRoomStore() override;
  SqlRoomStore(const SqlRoomStore&) = delete;
  SqlRoomStore& operator=(const SqlRoomStore&) = delete;

  Result<std::vector<StoredContents>> load() override;
  Result<void> open(const StoredRoom& room) override;
  Result<void> append(const RoomAppend& append) override;
  std::vector<Result<void>> append_all(std::span<const RoomAppend> appends) override;
  Result<void> remove_item(const RoomId& room, const std::string& life, std::uint64_t number) override;
  Result<void> close(const RoomId& room, const std::string& life) override;
  std::size_t batch_max() const override;

 private:
  const std::unique_ptr<storage::sql::RoomTables> tables_;
};

/// Stores the histories of channels in two tables of a database: one row per channel, and one row per publication. The
/// tables are created at the first start, by one process at a time. They are for one server: two that share them would
/// give the same places to different publications.
///
/// Durability: what has returned is on disk. Each batch is a transaction, and so is each removal.
/// Errors:     calls give store_failed, within `call_timeout` and one attempt to connect; at once while the database is
///             known to be unreachable. Text with a NUL, offsets from 2^63, and what the database does not take, such as a
///             name that is too long for its index, are refused with invalid_argument.
/// Threading:  that of `ChannelStore`.
class SqlChannelStore final : public ChannelStore {
 public:
  /// For flux itself: `SqlDatabase::channel_store` opens a store.
  explicit SqlChannelStore(std::unique_ptr<storage::sql::ChannelTables> tables);
  ~SqlChannelStore() override;
  SqlChannelStore(const SqlChannelStore&) = delete;
  SqlChannelStore& operator=(const SqlChannelStore&) = delete;

  Result<std::vector<StoredChannel>> load() override;
  Result<void> append(const ChannelAppend& append) override;
  std::vector<Result<void>> append_all(std::span<const ChannelAppend> appends) override;
  Result<void> remove(const std::string& channel, const std::string& epoch) override;
  std::size_t batch_max() const override;

 private:
  const std::unique_ptr<storage::sql::ChannelTables> tables_;
};

/// Stores the metadata of a `DiskFileStore`'s files in a table of a database: one row per file, a column for each
/// member of `FileInfo`. The tables are created at the first start, by one process at a time. A table is for one store:
/// two that share one would each consider the other's files lost.
///
/// Durability: what `save` and `erase` have returned is on disk. Each is a transaction.
/// Errors:     calls give store_failed, within `call_timeout` and one attempt to connect; at once while the database is
///             known to be unreachable. Text with a NUL, and sizes from 2^63 bytes, are refused with invalid_argument.
/// Threading:  any thread.
class SqlFileIndex final : public FileIndex {
 public:
  /// For flux itself: `SqlDatabase::file_index` opens an index.
  explicit SqlFileIndex(std::unique_ptr<storage::sql::FileTable> table);
  ~SqlFileIndex() override;
  SqlFileIndex(const SqlFileIndex&) = delete;
  SqlFileIndex& operator=(const SqlFileIndex&) = delete;

  Result<std::vector<FileInfo>> load() override;
  Result<void> save(const FileInfo& file) override;
  Result<void> erase(const FileId& id) override;

 private:
  const std::unique_ptr<storage::sql::FileTable> table_;
};

/// Stores API keys in a table of a database: one row per key, a column for each member of `ApiKeyRecord`; `permissions`
/// has one a line, `expires_at` NULL for a key that stays. The tables are created at the first start, by
/// one process at a time. Servers and people may share a table: rows that others insert, change or delete take effect
/// as `ApiKeysOptions::reload_interval` says.
///
/// Durability: what `put` and `remove` have returned is on disk. Each is a transaction.
/// Errors:     calls give store_failed, within `call_timeout` and one attempt to connect; at once while the database is
///             known to be unreachable.
/// Threading:  any thread.
class SqlKeyStore final : public KeyStore {
 public:
  /// For flux itself: `SqlDatabase::key_store` opens a store.
  explicit SqlKeyStore(std::unique_ptr<storage::sql::KeyTable> table);
  ~SqlKeyStore() override;
  SqlKeyStore(const SqlKeyStore&) = delete;
  SqlKeyStore& operator=(const SqlKeyStore&) = delete;

  Result<std::vector<ApiKeyRecord>> load() override;
  Result<void> put(const ApiKeyRecord& record) override;
  Result<void> remove(const std::string& id) override;

 private:
  const std::unique_ptr<storage::sql::KeyTable> table_;
};

/// Stores revocations in a table of a database: one row per kind ("user" or "credential") and name, with the columns kind,
/// name, ends_at (`Revocation::until`) and reason. The tables are created at the first start, by one process at a time. A
/// server reads its rows once, when it starts: rows that others change take effect at its next start.
///
/// Durability: what `save` and `remove` have returned is on disk. Each is a transaction.
/// Errors:     calls give store_failed, within `call_timeout` and one attempt to connect; at once while the database is
///             known to be unreachable. Text with a NUL is refused with invalid_argument.
/// Threading:  any thread.
class SqlRevocationStore final : public RevocationStore {
 public:
  /// For flux itself: `SqlDatabase::revocation_store` opens a store.
  explicit SqlRevocationStore(std::unique_ptr<storage::sql::RevocationTable> table);
  ~SqlRevocationStore() override;
  SqlRevocationStore(const SqlRevocationStore&) = delete;
  SqlRevocationStore& operator=(const SqlRevocationStore&) = delete;

  Result<std::vector<Revocation>> load() override;
  Result<void> save(const Revocation& revocation) override;
  Result<void> remove(RevocationKind kind, const std::string& name) override;

 private:
  const std::unique_ptr<storage::sql::RevocationTable> table_;
};

/// A database, in which stores are opened. To open one, flux connects, and creates or checks its tables. A database may
/// hold several stores of a kind, each in a table of its own. The stores share the database's connections, also after
/// this object is destroyed. Copies are the same database.
/// Threading: any thread; opening a store blocks.
class SqlDatabase {
 public:
  /// Opens a chat store, for `ChatOptions::store`.
  /// Errors: throws flux::Error: bad_config for an option out of its range, else store_failed.
  std::shared_ptr<SqlChatStore> chat_store(const SqlChatOptions& options = {}) const;
  /// Opens a room store, for `RoomsOptions::store`. Errors: as above.
  std::shared_ptr<SqlRoomStore> room_store(const SqlRoomOptions& options = {}) const;
  /// Opens a channel store, for `ChannelsOptions::store`. Errors: as above.
  std::shared_ptr<SqlChannelStore> channel_store(const SqlChannelOptions& options = {}) const;
  /// Opens a file index, for `DiskFileStoreOptions::index`. Errors: as above.
  std::shared_ptr<SqlFileIndex> file_index(const SqlFileIndexOptions& options = {}) const;
  /// Opens a store of API keys, for `ApiKeysOptions::store`. Errors: as above.
  std::shared_ptr<SqlKeyStore> key_store(const SqlKeyOptions& options = {}) const;
  /// Opens a store of revocations, for `RevocationsOptions::store`. Errors: as above.
  std::shared_ptr<SqlRevocationStore> revocation_store(const SqlRevocationOptions& options = {}) const;

 protected:
  /// For flux itself.
  explicit SqlDatabase(std::shared_ptr<const storage::sql::Access> access);
  ~SqlDatabase();
  /// For flux itself.
  SqlDatabase(const SqlDatabase&);
  /// For flux itself.
  SqlDatabase& operator=(const SqlDatabase&);

 private:
  std::shared_ptr<const storage::sql::Access> access_;
};

}  // namespace flux
