// A server whose chat is kept by the application's own store: file_chat_store.hpp. Restart it, join the room again, and
// the chat is still there. With --check FOLDER it checks the store in a new folder instead.
#include "file_chat_store.hpp"

#include <flux/flux.hpp>
#include <flux/signals.hpp>

#include <filesystem>
#include <memory>
#include <string_view>

int failures_of_file_chat_store(const std::filesystem::path& folder);

int main(int count, char** arguments) {
  if (count == 3 && std::string_view(arguments[1]) == "--check")
    return failures_of_file_chat_store(arguments[2]) > 0 ? 1 : 0;
  flux::Config config;
  config.listen = {{"127.0.0.1", 8080}};
  config.chat.store = std::make_shared<FileChatStore>(count > 1 ? arguments[1] : "chat");
  config.worker_threads = 4;  // how many rooms may access the disk at the same time
  config.limits.room_id_bytes_max = FileChatStore::room_id_bytes_max;
  flux::Server server(config);
  flux::stop_on_signals(server);
  server.run();
}
