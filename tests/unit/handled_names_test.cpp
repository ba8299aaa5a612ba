#include "catch.hpp"

#include <flux/detail/features/handled_names.hpp>
#include <flux/types.hpp>

#include <string>

namespace handled_names_test {

using flux::core::RunningHandler;
using flux::features::HandledNames;
using flux::features::names_in;

TEST_CASE("handled names: the log line has event, room and client, as far as there are any", "[handled_names]") {
  struct {
    std::string event = "move", room = "lobby";
  } event;
  const HandledNames names = names_in(event);
  CHECK(names.text(RunningHandler::Client("192.0.2.7:49152")) == R"( ("move", room "lobby", client 192.0.2.7:49152))");
  event.event = "a\nb";  // as the handler leaves it
  CHECK(names.text({}) ==
        " (\"a\xEF\xBF\xBD"
        "b\", room \"lobby\")");
  CHECK(HandledNames().text({}).empty());
}

TEST_CASE("handled names: of a stored chat message it is the room that the message is in", "[handled_names]") {
  struct {
    flux::ChatMessage stored;
  } edit;
  edit.stored.room = "lobby";
  CHECK(names_in(edit).text({}) == R"( (room "lobby"))");
}

}  // namespace handled_names_test
