// The smallest server: rooms, presence, events and chat at ws://127.0.0.1:8080/live.
#include <flux/flux.hpp>

int main() {
  flux::Server server({.listen = {{"127.0.0.1", 8080}}});
  server.on_chat([](flux::ChatDraft& chat) {
    if (chat.message.empty()) chat.refuse("say something");
  });
  server.run();
}
