// A program that uses rooms and nothing else. The test checks what was linked into it.
#include <flux/flux.hpp>

#include <cstdio>

int main() {
  flux::Server server({.listen = {{"127.0.0.1", 0}}});
  server.on_join([](flux::JoinRequest& request) {
    if (request.room == "closed") request.refuse("this room is closed");
  });
  const auto made = server.create_room("lobby", {flux::RoomMode::history, 100, true});
  server.start();
  const auto sent = server.broadcast("lobby", "hello", flux::JsonText::string("everybody"));
  const auto there = server.presence("lobby");
  server.stop();
  std::printf("made %d, sent %d, members %zu\n", made.ok(), sent.ok(), there.size());
  return made.ok() && sent.ok() && there.empty() ? 0 : 1;
}
