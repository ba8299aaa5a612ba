// A program that uses a store in a database without a server, such as one that copies messages.
#include <flux/storage/sqlite.hpp>

int main() {
  const auto chat = flux::SqliteDatabase(":memory:").chat_store();
  const auto offset = chat->append("room", {.id = "1", .room = "room", .message = "hello"});
  return offset && *offset == 1 ? 0 : 1;
}
