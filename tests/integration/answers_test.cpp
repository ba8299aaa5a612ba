// Answers that contain lists: bounded in bytes, whatever is requested, and the omitted items can be fetched page by
// page.
#include "support/sharing_scene.hpp"
#include "support/socketio_client.hpp"

#include <flux/detail/endpoints/live/live_session.hpp>
#include <flux/detail/endpoints/sharing/sharing_session.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace answers_test {

using namespace flux_test;

namespace {

constexpr std::size_t answer_bytes_max = 1'048'576;  // the default
constexpr std::size_t around = 1'024;                // envelope, room, cursors

struct Scene : SharingScene {
  explicit Scene(const flux::Config& config = test_config()) : SharingScene(config, {.room_list = true}) {}
};

std::string string_data(std::string_view content) {
  return R"({"type":"string","content":)" + flux::JsonText::string(content).text() + "}";
}
/// Shares `count` items of `size` characters, each of which begins with its number.
template <class Share>
void share_many(int count, std::size_t size, const Share& share) {
  for (int i = 0; i < count; ++i) {
    std::string content = std::to_string(i);
    content.resize(size, '.');
    REQUIRE(share(flux::JsonText::trusted(string_data(content))).ok());
  }
}
void fill_history(Scene& scene, const flux::RoomId& room, int count, std::size_t size) {
  REQUIRE(scene.server.create_room(room, {flux::RoomMode::history, 0, true}).ok());
  share_many(count, size, [&](const flux::JsonText& data) { return share(scene.server, room, data); });
}
void fill_public_space(Scene& scene, int count, std::size_t size) {
  share_many(count, size, [&](const flux::JsonText& data) { return public_share(scene.server, data); });
}

/// The numbers found at `pointer + i + member`.
std::vector<int> numbers_in(const flux::JsonText& json, const std::string& pointer, const std::string& member) {
  std::vector<int> numbers;
  const auto list = json.at(pointer);
  if (!list) throw std::runtime_error("no list at " + pointer + ": " + json.text().substr(0, 200));
  for (int i = 0;; ++i) {
    const auto text = list->get<std::string>("/" + std::to_string(i) + member);
    if (!text) return numbers;
    numbers.push_back(std::stoi(*text));
  }
}
std::vector<int> up_to(int count) {
  std::vector<int> numbers;
  for (int i = 0; i < count; ++i) numbers.push_back(i);
  return numbers;
}
/// Whether `numbers` are the newest of `count`, and not all of them.
bool are_newest(const std::vector<int>& numbers, int count) {
  if (numbers.empty() || numbers.size() >= static_cast<std::size_t>(count) || numbers.back() != count - 1) return false;
  for (std::size_t i = 1; i < numbers.size(); ++i) {
    if (numbers[i] != numbers[i - 1] + 1) return false;
  }
  return true;
}
bool more(const flux::JsonText& json, const std::string& at) { return json.get<bool>(at + "/more").value_or(false); }

/// Goes back from `first` page by page with `ask(before)`; returns all numbers in order.
template <class Ask>
std::vector<int> page_back(std::vector<int> numbers, std::int64_t before, const std::string& at,
                           const std::string& list, const std::string& member, const Ask& ask) {
  for (int pages = 0; pages < 100; ++pages) {
    const flux::JsonText page = ask(std::to_string(before));
    CHECK(page.text().size() <= answer_bytes_max + around);
    auto older = numbers_in(page, at + list, member);
    numbers.insert(numbers.begin(), older.begin(), older.end());
    if (!more(page, at)) return numbers;
    REQUIRE(number_at(page, at + "/before") < before);
    before = number_at(page, at + "/before");
  }
  throw std::runtime_error("the pages do not end");
}

}  // namespace

TEST_CASE("answers: chat longer than the limit comes in pages, the newest first, each message once") {
  Scene scene;
  LiveClient ann(scene.server.port());
  ann.join("r");
  SocketIoClient bob(scene.server.port());
  bob.ask("room:join", "\"r\"");
  constexpr int count = 40;
  for (int i = 0; i < count; ++i) {
    std::string text = std::to_string(i);
    text.resize(20'000, ' ');
    text.resize(40'000, '\x01');  // six bytes each as JSON
    scene.server.send_chat("r", text);
    // Together they are longer than what may be pending for a client.
    ann.next("chat_message");
    bob.next("room:chat");
  }
  const auto page = ann.request("get_history", R"({"limit":1000})");
  CHECK(page.text().size() <= answer_bytes_max + around);
  const auto newest = numbers_in(page, "/payload/messages", "/message");
  CHECK(are_newest(newest, count));
  CHECK(more(page, "/payload"));
  const auto ask = [&](const std::string& before) {
    return ann.request("get_history", "{\"limit\":1000,\"before\":" + before + "}");
  };
  CHECK(page_back(newest, number_at(page, "/payload/before"), "/payload", "/messages", "/message", ask) ==
        up_to(count));

  const auto shared = bob.ask("room:chatHistory", R"({"roomId":"r","limit":1000})");
  CHECK(shared.text().size() <= answer_bytes_max + around);
  CHECK(are_newest(numbers_in(shared, "/messages", "/message"), count));
  const auto ask_shared = [&](const std::string& before) {
    return bob.ask("room:chatHistory", R"({"roomId":"r","limit":1000,"before":)" + before + "}");
  };
  CHECK(page_back(numbers_in(shared, "/messages", "/message"), number_at(shared, "/before"), "", "/messages",
                  "/message", ask_shared) == up_to(count));

  LiveClient late(scene.server.port());
  const auto welcome = late.join("r");
  CHECK(welcome.text().size() <= answer_bytes_max + around);
  const auto history = numbers_in(welcome, "/payload/chatHistory", "/message");
  CHECK(are_newest(history, count));
  CHECK(more(welcome, "/payload"));
  CHECK(page_back(history, number_at(welcome, "/payload/chatBefore"), "/payload", "/messages", "/message",
                  [&](const std::string& before) {
                    return late.request("get_history", "{\"before\":" + before + "}");
                  }) == up_to(count));
}

TEST_CASE("answers: a page of few messages says whether there are older ones") {
  Scene scene;
  LiveClient ann(scene.server.port());
  ann.join("r");
  for (int i = 0; i < 4; ++i) ann.request("send_chat", "{\"message\":\"" + std::to_string(i) + "\"}");
  const auto page = ann.request("get_history", R"({"limit":3})");
  CHECK(numbers_in(page, "/payload/messages", "/message") == std::vector<int>{1, 2, 3});
  CHECK(more(page, "/payload"));
  CHECK(number_at(page, "/payload/before") == 2);
  const auto last = ann.request("get_history", R"({"limit":1,"before":2})");
  CHECK(numbers_in(last, "/payload/messages", "/message") == std::vector<int>{0});
  CHECK_FALSE(last.at("/payload/more"));
  CHECK_FALSE(last.at("/payload/before"));
  CHECK_FALSE(ann.request("get_history", R"({"limit":4})").at("/payload/more"));
}

TEST_CASE("answers: a history room longer than the limit comes in pages, the newest items first") {
  Scene scene;
  constexpr int count = 30;
  fill_history(scene, "r", count, 100'000);
  LiveClient ann(scene.server.port());
  const auto welcome = ann.join("r");
  CHECK(welcome.text().size() <= answer_bytes_max + around);
  const auto newest = numbers_in(welcome, "/payload/data", "/data/content");
  CHECK(are_newest(newest, count));
  CHECK(more(welcome, "/payload"));
  const auto ask = [&](const std::string& before) { return ann.request("room_items", "{\"before\":" + before + "}"); };
  CHECK(page_back(newest, number_at(welcome, "/payload/dataBefore"), "/payload", "/items", "/data/content", ask) ==
        up_to(count));
  const auto few = ann.request("room_items", R"({"limit":2})");
  CHECK(numbers_in(few, "/payload/items", "/data/content") == std::vector<int>{28, 29});
  CHECK(text_at(few, "/payload/roomId") == "r");

  SocketIoClient bob(scene.server.port());
  const auto joined = bob.ask("room:join", "\"r\"");
  CHECK(joined.text().size() <= answer_bytes_max + around);
  CHECK(are_newest(numbers_in(joined, "/data", "/content"), count));
  CHECK(more(joined, ""));
  CHECK(page_back(numbers_in(joined, "/data", "/content"), number_at(joined, "/before"), "", "/data", "/content",
                  [&](const std::string& before) {
                    return bob.ask("room:history", "\"r\",{\"before\":" + before + "}");
                  }) == up_to(count));
  CHECK(numbers_in(bob.ask("room:history", R"("r",{"limit":1})"), "/data", "/content") == std::vector<int>{29});
  CHECK(bob.ask("room:join", "\"r\"").text().size() <= answer_bytes_max + around);  // again
}

TEST_CASE("answers: an item that exceeds the limit by itself is sent alone, and the rest follows") {
  auto config = test_config();
  config.limits.answer_bytes_max = 10'000;
  Scene scene(config);
  fill_history(scene, "r", 3, 20'000);
  SocketIoClient bob(scene.server.port());
  const auto joined = bob.ask("room:join", "\"r\"");
  CHECK(numbers_in(joined, "/data", "/content") == std::vector<int>{2});
  CHECK(number_at(joined, "/before") == 3);
  LiveClient ann(scene.server.port());
  const auto welcome = ann.join("r");
  CHECK(numbers_in(welcome, "/payload/data", "/data/content").empty());
  CHECK(number_at(welcome, "/payload/dataBefore") == 4);
  for (int before = 4; before > 1; --before) {
    const auto page = ann.request("room_items", "{\"before\":" + std::to_string(before) + "}");
    CHECK(numbers_in(page, "/payload/items", "/data/content") == std::vector<int>{before - 2});
    CHECK(more(page, "/payload") == (before > 2));
  }
  REQUIRE(scene.server.create_room("one", {flux::RoomMode::singleton, 0, true}).ok());
  REQUIRE(share(scene.server, "one", flux::JsonText::trusted(string_data(std::string(20'000, 'x')))).ok());
  CHECK(ann.join("one").at("/payload/data/data/content"));
}

TEST_CASE("answers: a public space longer than the limit comes in pages, the newest items first") {
  Scene scene;
  constexpr int count = 30;
  fill_public_space(scene, count, 100'000);
  LiveClient ann(scene.server.port());
  const auto list = ann.request("public_history");
  CHECK(list.text().size() <= answer_bytes_max + around);
  const auto newest = numbers_in(list, "/payload/items", "/data/content");
  CHECK(are_newest(newest, count));
  CHECK(more(list, "/payload"));
  const auto ask = [&](const std::string& before) {
    return ann.request("public_history", "{\"limit\":7,\"before\":" + before + "}");
  };
  CHECK(page_back(newest, number_at(list, "/payload/before"), "/payload", "/items", "/data/content", ask) ==
        up_to(count));

  SocketIoClient bob(scene.server.port());
  const auto first = bob.next("public:history");
  CHECK(first.text().size() <= answer_bytes_max + around);
  CHECK(are_newest(numbers_in(first, "/1", "/content"), count));
  CHECK(page_back({}, 0x7fff'ffff, "", "/data", "/content", [&](const std::string& before) {
          return bob.ask("public:items", "{\"before\":" + before + "}");
        }) == up_to(count));
}

TEST_CASE("answers: members whose presence exceeds the limit come in pages, each once") {
  auto config = test_config();
  config.limits.ping_interval = 0ms;  // members that only wait answer no pings, and a sanitizer's build may take long
  Scene scene(config);
  constexpr std::size_t count = 90;
  const std::string presence = R"("presence":{"p":)" + quoted_x(16'000) + "}";
  std::vector<std::unique_ptr<LiveClient>> members;
  std::set<std::string> ids;
  flux::JsonText welcome;
  for (std::size_t i = 0; i < count; ++i) {
    members.push_back(std::make_unique<LiveClient>(scene.server.port()));
    welcome = members.back()->join("r", presence);
    ids.insert(members.back()->id);
    CHECK(welcome.text().size() <= answer_bytes_max + around);
    CHECK(text_at(welcome, "/payload/presence/" + members.back()->id + "/connectionId") == members.back()->id);
  }
  CHECK(more(welcome, "/payload"));
  // The pages continue where the welcome ends.
  std::size_t in_welcome = 0;
  for (const std::string& id : ids) in_welcome += welcome.at("/payload/presence/" + id) ? 1 : 0;
  CHECK(in_welcome > 10);
  CHECK(in_welcome < count);
  const auto page_on = [&](std::set<std::string> seen, std::int64_t after, const std::string& at, const auto& ask) {
    for (int pages = 0; pages < 100; ++pages) {
      const flux::JsonText page = ask(std::to_string(after));
      CHECK(page.text().size() <= answer_bytes_max + around);
      for (int i = 0; page.at(at + "/members/" + std::to_string(i)); ++i) {
        seen.insert(text_at(page, at + "/members/" + std::to_string(i) + "/connectionId"));
      }
      if (!more(page, at)) return seen;
      after = number_at(page, at + "/after");
    }
    throw std::runtime_error("the pages do not end");
  };
  std::set<std::string> welcomed;
  for (const std::string& id : ids) {
    if (welcome.at("/payload/presence/" + id)) welcomed.insert(id);
  }
  LiveClient& last = *members.back();
  CHECK(page_on(welcomed, number_at(welcome, "/payload/presenceAfter"), "/payload", [&](const std::string& after) {
          return last.request("get_presence", "{\"after\":" + after + "}");
        }) == ids);
  CHECK(page_on({}, 0, "/payload", [&](const std::string& after) {
          return last.request("get_presence", "{\"limit\":7,\"after\":" + after + "}");
        }) == ids);
  SocketIoClient bob(scene.server.port());
  bob.ask("room:join", "\"r\"");
  ids.insert(text_at(bob.ask("room:members", "\"r\""), "/connectionId"));
  CHECK(bob.ask("room:members", "\"r\"").text().size() <= answer_bytes_max + around);
  CHECK(page_on({}, 0, "", [&](const std::string& after) {
          return bob.ask("room:members", R"({"roomId":"r","after":)" + after + "}");
        }) == ids);
}

TEST_CASE("answers: room:list pages through all rooms in the order of their ids") {
  Scene scene;
  std::vector<std::string> ids;
  for (int i = 0; i < 250; ++i) ids.push_back(numbered("room ", i));
  for (const std::string& id : ids) REQUIRE(scene.server.create_room(id, {flux::RoomMode::live, 0, true}).ok());
  REQUIRE(scene.server.close_room(ids.back()).ok());
  ids.pop_back();
  std::sort(ids.begin(), ids.end());
  SocketIoClient ann(scene.server.port());
  std::vector<std::string> listed;
  std::string after;
  for (;;) {
    const auto page = ann.ask("room:list", R"({"limit":100,"after":)" + flux::JsonText::string(after).text() + "}");
    CHECK(number_at(page, "/total") == 249);
    for (int i = 0; page.at("/rooms/" + std::to_string(i)); ++i) {
      listed.push_back(text_at(page, "/rooms/" + std::to_string(i) + "/roomId"));
    }
    if (!more(page, "")) break;
    after = text_at(page, "/after");
    REQUIRE(listed.size() < 1'000);
  }
  CHECK(listed == ids);
}

TEST_CASE("answers: no request of either protocol gets an answer above the limit") {
  Scene scene;
  fill_history(scene, "r", 30, 100'000);
  fill_public_space(scene, 30, 100'000);
  for (int i = 0; i < 30; ++i) scene.server.send_chat("r", std::string(60'000, 'x'));
  std::vector<std::unique_ptr<LiveClient>> members;
  for (int i = 0; i < 70; ++i) {
    members.push_back(std::make_unique<LiveClient>(scene.server.port()));
    members.back()->join("r", R"("presence":{"p":)" + quoted_x(16'000) + "}");
  }
  LiveClient ann(scene.server.port());
  for (const auto& type : flux::detail::LiveSession::request_types()) {
    const std::string name(type.name);
    INFO(name);
    if (name == "leave_room") continue;  // the others need to be in the room
    // The members that each request needs, and none that another refuses.
    const auto answer = ann.request(
        name,
        R"({"roomId":"r","limit":1000,"mode":"live","event":"e","method":"m","message":"m","presence":{},"data":{"type":"string","content":"c"}})");
    CHECK(answer.text().size() <= answer_bytes_max + around);
    for (const auto& message : ann.so_far()) {
      if (type_of(message) == "room_joined") CHECK(message.text().size() <= answer_bytes_max + around);
    }
    if (name == "join_room") CHECK(type_of(answer) == "ack");
    if (name == "broadcast_event") ann.join("r");  // it is the first that needs the room
  }
  SocketIoClient bob(scene.server.port());
  bob.ask("room:join", "\"r\"");
  const std::map<std::string_view, std::string> own_arguments = {{"public:upload", string_data("c")},
                                                                 {"room:join", "\"r\""},
                                                                 {"room:history", "\"r\""},
                                                                 {"room:list", R"({"limit":1000})"},
                                                                 {"call", "\"m\""}};
  for (const auto& type : flux::detail::SharingSession::request_types()) {
    const std::string name(type.name);
    INFO(name);
    if (name == "room:leave") continue;
    const auto own = own_arguments.find(name);
    const auto answer = bob.ask(
        name,
        own != own_arguments.end()
            ? own->second
            : R"({"roomId":"r","limit":1000,"capacity":1,"mode":"live","event":"e","message":"m","presence":{},"data":{"type":"string","content":"c"}})");
    CHECK(answer.text().size() <= answer_bytes_max + around);
  }
}

}  // namespace answers_test
