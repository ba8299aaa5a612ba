// A server whose chat is kept by the application's own store: file_chat_store.hpp. Restart it, join the room again, and
// the chat is still there.
#include "file_chat_store.hpp"

#include <flux/flux.hpp>

#include <memory>

int main(int count, char** arguments) {
  flux::Config config;
  config.listen = {{"127.0.0.1", 8080}};
  config.chat.store = std::make_shared<FileChatStore>(count > 1 ? arguments[1] : "chat");
  config.worker_threads = 4;  // how many rooms may access the disk at the same time
  config.limits.room_id_bytes_max = FileChatStore::room_id_bytes_max;
  flux::Server server(config);
  server.run();
}
