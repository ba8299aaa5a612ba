// A store in a database, without a server: a program that only reads or moves what a server has stored.
#include "folder.hpp"

#include <flux/storage/sqlite.hpp>

#include <cstdio>

int main() {
  const Folder folder;
  const flux::SqliteDatabase database(folder / "chat.sqlite");
  const auto chat = database.chat_store();
  const auto offset = chat->append("room", {.id = "1", .room = "room", .message = "hello"});
  const auto refused = chat->append("room", {.id = "2", .room = "room", .message = std::string("NUL\0", 4)});
  if (offset.ok() && *offset == 1 && !refused.ok() && chat->history("room", 10, 0).value().size() == 1) return 0;
  std::fprintf(stderr, "the store alone: %s\n", offset.ok() ? "wrong results" : offset.error().what());
  return 1;
}
