// A server that keeps its chat in SQLite, as an application would have one; and the other stores, as far as they are
// there.
#include <flux/flux.hpp>
#include <flux/storage/sqlite_chat_store.hpp>

#if defined(FLUX_WITH_POSTGRES)
#include <flux/storage/postgres_chat_store.hpp>
#endif
#if defined(FLUX_WITH_MYSQL)
#include <flux/storage/mysql_chat_store.hpp>
#endif

#include <cstdio>
#include <filesystem>
#include <future>
#include <memory>
#include <random>
#include <string>

namespace {

template <class Open>
bool refuses(const Open& open) {
  try {
    open();
  } catch (const flux::Error&) {
    return true;
  }
  return false;
}

/// The offset of a message that is sent, and on the disk.
flux::Offset send(const std::string& file) {
  flux::Config config;
  config.listen = {{"127.0.0.1", 0}};
  config.chat.store = std::make_shared<flux::SqliteChatStore>(file);
  flux::Server server(config);
  server.start();
  std::promise<flux::Offset> stored;
  server.send_chat("room", "hello", {}, [&](const flux::Result<flux::ChatMessage>& message) {
    stored.set_value(message ? message->offset : 0);
  });
  return stored.get_future().get();
}

}  // namespace

int main() {
  const auto file =
      std::filesystem::temp_directory_path() / ("flux_package_" + std::to_string(std::random_device()()) + ".sqlite");
  const bool counted = send(file.string()) == 1 && send(file.string()) == 2;
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file.string() + suffix);
#if defined(FLUX_WITH_POSTGRES)
  if (!refuses([] { flux::PostgresChatStore store("host=/no/such/folder"); })) return 1;
#endif
#if defined(FLUX_WITH_MYSQL)
  if (!refuses([] { flux::MysqlChatStore store("mysql://user@localhost/chat?socket=/no/such/socket"); })) return 1;
#endif
  std::puts(counted ? "chat is kept" : "chat was lost");
  return counted ? 0 : 1;
}
