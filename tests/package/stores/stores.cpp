// A server that keeps its chat, its rooms and its file index in SQLite, as an application would; and the stores of the
// other databases, as far as they were built.
#include "folder.hpp"

#include <flux/flux.hpp>
#include <flux/storage/disk_file_store.hpp>
#include <flux/storage/sqlite.hpp>

// Every header exists, whatever was built.
#include <flux/storage/mysql.hpp>
#include <flux/storage/postgres.hpp>

#include <cstdio>
#include <future>
#include <memory>
#include <string>

namespace {

/// What a database's stores have kept from earlier runs, after storing one more of each.
struct Kept {
  flux::Offset chat = 0;
  std::size_t rooms = 0;
  std::size_t files = 0;
  std::size_t keys = 0;
};

Kept keep(const Folder& folder, std::size_t round) {
  const flux::SqliteDatabase database(folder / "flux.sqlite");
  const auto rooms = database.room_store();
  const auto index = database.file_index();
  const auto keys = database.key_store();
  flux::Config config;
  config.listen = {{"127.0.0.1", 0}};
  config.chat.store = database.chat_store();
  config.rooms.store = rooms;
  flux::DiskFileStoreOptions files;
  files.index = index;
  config.files.store = std::make_shared<flux::DiskFileStore>(folder / "files", files);
  flux::Server server(config);
  server.start();
  std::promise<flux::Offset> stored;
  server.send_chat("room", "hello", {}, [&](const flux::Result<flux::ChatMessage>& message) {
    stored.set_value(message ? message->offset : 0);
  });
  Kept kept;
  kept.chat = stored.get_future().get();
  server.stop();
  const flux::FileId id = "00000000-0000-4000-8000-00000000000" + std::to_string(round);
  if (!config.files.store->create({.id = id}) || !config.files.store->complete(id)) return {};
  if (!rooms->append({{.id = std::to_string(round), .life = "1"}, {.number = 1, .data = "true"}})) return {};
  if (!keys->put({.id = std::to_string(round), .hash = std::string(64, 'a')})) return {};
  const auto all_rooms = rooms->load();
  const auto all_files = index->load();
  kept.rooms = all_rooms ? all_rooms->size() : 0;
  kept.files = all_files ? all_files->size() : 0;
  const auto all_keys = keys->load();
  kept.keys = all_keys ? all_keys->size() : 0;
  return kept;
}

#if defined(FLUX_WITH_POSTGRES) || defined(FLUX_WITH_MYSQL)
/// Whether `open()` reports that a store can't be opened.
template <class Open>
bool refuses(const Open& open) {
  try {
    open();
  } catch (const flux::Error& error) {
    return error.code() == flux::Errc::store_failed;
  }
  return false;
}

bool all_refuse(const flux::SqlDatabase& database) {
  return refuses([&] { (void)database.chat_store(); }) && refuses([&] { (void)database.room_store(); }) &&
         refuses([&] { (void)database.file_index(); }) && refuses([&] { (void)database.key_store(); });
}
#endif

}  // namespace

int main() {
  const Folder folder;
  for (std::size_t i = 1; i <= 2; ++i) {
    const Kept kept = keep(folder, i);
    if (kept.chat == i && kept.rooms == i && kept.files == i && kept.keys == i) continue;
    std::fprintf(stderr, "round %zu: chat %llu, rooms %zu, files %zu, keys %zu\n", i,
                 static_cast<unsigned long long>(kept.chat), kept.rooms, kept.files, kept.keys);
    return 1;
  }
#if defined(FLUX_WITH_POSTGRES)
  if (!all_refuse(flux::PostgresDatabase("host=/no/such/folder"))) return 1;
#endif
#if defined(FLUX_WITH_MYSQL)
  if (!all_refuse(flux::MysqlDatabase("mysql://user@localhost/chat?socket=/no/such/socket"))) return 1;
#endif
  std::puts("chat, rooms and files are kept");
}
