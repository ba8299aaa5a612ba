// Stores that fail, hang or reveal too much: what clients are told, what is logged, and what continues without the
// stores.
#include "support/memory_room_store.hpp"
#include "support/server.hpp"
#include "support/socketio_client.hpp"
#include "support/staged_file_store.hpp"

#include <flux/sharing.hpp>
#include <flux/storage/memory_chat_store.hpp>
#include <flux/testing/manual_clock.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>

namespace store_faults_test {

using namespace flux_test;
using namespace flux::literals;
using Catch::Matchers::ContainsSubstring;

namespace {

/// Must not reach any client.
constexpr const char* secret = "postgres://db7.internal:5432: relation \"chat\" is gone, see /var/lib/pg/base";

/// An in-memory chat store that fails, throws or hangs on demand.
class TroubledChat final : public flux::ChatStore {
 public:
  enum class Trouble { none, error, exception };
  explicit TroubledChat(bool blocks = false) : blocks_(blocks) {}

  flux::Result<flux::Offset> append(const flux::RoomId& room, const flux::ChatMessage& message) override {
    if (const auto failure = fault()) return *failure;
    return kept_.append(room, message);
  }
  flux::Result<std::vector<flux::ChatMessage>> history(const flux::RoomId& room, std::size_t limit,
                                                       flux::Offset before) override {
    if (room == "hung") {
      reached_.open();
      released_.wait();
    }
    if (const auto failure = fault()) return *failure;
    return kept_.history(room, limit, before);
  }
  bool may_block() const override { return blocks_; }

  void wait_for_call() const { reached_.wait(); }
  void release() { released_.open(); }

  std::atomic<Trouble> trouble{Trouble::none};

 private:
  std::optional<flux::Error> fault() const {
    if (trouble == Trouble::none) return std::nullopt;
    if (trouble == Trouble::exception) throw std::runtime_error(secret);
    return flux::Error(flux::Errc::store_failed, secret);
  }

  const bool blocks_;
  flux::MemoryChatStore kept_;
  Gate reached_, released_;
};

/// The lines that a server logs.
class Lines {
 public:
  flux::LogSink sink() {
    return [this](flux::LogLevel level, std::string_view line) {
      const std::lock_guard lock(mutex_);
      if (level == flux::LogLevel::error) lines_.emplace_back(line);
    };
  }
  std::size_t with(std::string_view part) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(
        lines_.begin(), lines_.end(), [&](const std::string& line) { return line.find(part) != std::string::npos; }));
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

struct Scene {
  explicit Scene(const flux::Config& config) : server(config) {
    flux::socketio::Io io(server);
    flux::socketio::serve_sharing(server, io);
  }
  std::uint16_t port() {
    if (!server.running()) server.start();
    return server.port();
  }
  flux::Server server;
};

}  // namespace

TEST_CASE("store faults: clients get a message of flux's own, and the log has the chat store's") {
  const bool blocks = GENERATE(false, true);
  const auto store = std::make_shared<TroubledChat>(blocks);
  Lines lines;
  auto config = test_config();
  config.chat.store = store;
  config.log = lines.sink();
  Scene scene(config);
  LiveClient ann(scene.port());
  SocketIoClient bob(scene.port());
  ann.join("r");
  bob.ask("room:join", "\"r\"");
  store->trouble = GENERATE(TroubledChat::Trouble::error, TroubledChat::Trouble::exception);
  std::vector<flux::JsonText> answers = {ann.request("send_chat", R"({"message":"m"})"), ann.request("get_history"),
                                         bob.ask("room:chat", R"({"roomId":"r","message":"m"})"),
                                         bob.ask("room:chatHistory", "\"r\""),
                                         ann.request("join_room", R"({"roomId":"r"})")};
  for (const auto& message : ann.so_far()) answers.push_back(message);
  for (const auto& answer : answers) CHECK_THAT(answer.text(), !ContainsSubstring("internal"));
  CHECK(text_at(answers[0], "/payload/message") == "the chat store failed");
  CHECK(code_of(answers[1]) == "STORE_FAILED");
  CHECK(text_at(answers[2], "/message") == "the chat store failed");
  CHECK(lines.with(secret) == 5);
}

TEST_CASE("store faults: clients get a message of flux's own, and the log has the room store's") {
  const auto store = std::make_shared<MemoryRoomStore>();
  Lines lines;
  auto config = test_config();
  config.rooms.store = store;
  config.log = lines.sink();
  Scene scene(config);
  LiveClient ann(scene.port());
  SocketIoClient bob(scene.port());
  REQUIRE(scene.server.create_room("r", {flux::RoomMode::history, 0, true}).ok());
  ann.join("r");
  bob.ask("room:join", "\"r\"");
  ann.request("share", R"({"data":{"type":"string","content":"c"}})");
  store->fail(1, 1'000, false);  // "the disk is full"
  const std::vector<flux::JsonText> answers = {
      ann.request("share", R"({"data":{"type":"string","content":"c"}})"),
      ann.request("public_share", R"({"data":{"type":"string","content":"c"}})"),
      ann.request("create_room", R"({"roomId":"other","mode":"history"})"),
      bob.ask("room:upload", R"({"roomId":"r","data":{"type":"string","content":"c"}})"),
      bob.ask("room:create", R"({"roomId":"another","mode":"singleton","capacity":2})")};
  for (const auto& answer : answers) {
    CHECK_THAT(answer.text(), ContainsSubstring("the room store failed"));
    CHECK_THAT(answer.text(), !ContainsSubstring("disk"));
  }
  CHECK(lines.with("the disk is full") >= answers.size());
}

TEST_CASE("store faults: clients get a message of flux's own, and the log has the file store's") {
  const auto store = std::make_shared<StagedFileStore>(GENERATE(false, true));
  Lines lines;
  auto config = test_config();
  config.files.store = store;
  config.log = lines.sink();
  Scene scene(config);
  SocketIoClient bob(scene.port());
  store->fail_completing();  // "the disk is full"
  const auto answer = bob.ask_with_bytes(
      "public:upload", R"({"type":"file","content":{"_placeholder":true,"num":0},"fileName":"a"})", "bytes");
  CHECK_THAT(answer.text(), ContainsSubstring("the file store failed"));
  CHECK_THAT(answer.text(), !ContainsSubstring("disk"));
  HttpClient http(scene.port());
  const auto reply = http.request("POST /files?name=a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
  CHECK(reply.status == 500);
  CHECK_THAT(reply.body, !ContainsSubstring("disk"));
  CHECK(lines.with("the disk is full") == 2);
}

TEST_CASE(
    "store faults: a client joins while the chat store fails, it is in the room and told that the history is missing") {
  const auto store = std::make_shared<TroubledChat>(GENERATE(false, true));
  auto config = test_config();
  config.chat.store = store;
  Scene scene(config);
  LiveClient ann(scene.port());
  ann.join("r");
  store->trouble = GENERATE(TroubledChat::Trouble::error, TroubledChat::Trouble::exception);
  LiveClient bob(scene.port());
  const auto welcome = bob.join("r", R"("presence":{"at":1})");
  CHECK(welcome.at("/payload/chatHistory")->text() == "[]");
  CHECK(text_at(welcome, "/payload/chatHistoryError/code") == "STORE_FAILED");
  CHECK(text_at(welcome, "/payload/chatHistoryError/message") == "the chat store failed");
  CHECK(text_at(ann.next("presence_updated"), "/payload/joined/0/connectionId") == bob.id);
  CHECK(type_of(ann.request("broadcast_event", R"({"event":"e"})")) == "ack");
  CHECK(text_at(bob.next("broadcast_event"), "/payload/event") == "e");
  store->trouble = TroubledChat::Trouble::none;
  CHECK(type_of(bob.request("send_chat", R"({"message":"again"})")) == "ack");
  CHECK_FALSE(LiveClient(scene.port()).join("r").at("/payload/chatHistoryError"));
}

TEST_CASE("store faults: a chat store that hangs delays a join for a bounded time") {
  const auto store = std::make_shared<TroubledChat>(true);
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  auto config = test_config();
  config.chat.store = store;
  config.chat.join_history_timeout = 2s;
  config.clock = clock;
  Scene scene(config);
  LiveClient ann(scene.port());
  ann.send("join_room", R"({"roomId":"hung"})", "j");
  store->wait_for_call();
  clock->advance(std::chrono::seconds(2));
  const auto welcome = ann.next("room_joined");
  CHECK(welcome.at("/payload/chatHistory")->text() == "[]");
  CHECK(text_at(welcome, "/payload/chatHistoryError/code") == "OVERLOADED");
  CHECK(text_at(ann.next("ack"), "/id") == "j");
  CHECK(type_of(ann.request("broadcast_event", R"({"event":"e"})")) == "ack");
  store->release();
  // The late answer changes nothing.
  CHECK(type_of(ann.request("send_chat", R"({"message":"m"})")) == "ack");
  CHECK(text_at(ann.next("chat_message"), "/payload/message") == "m");
  for (const auto& message : ann.so_far()) CHECK(type_of(message) != "room_joined");
}

TEST_CASE("store faults: a connection closed while its join waits for the store leaves nothing behind") {
  const auto store = std::make_shared<TroubledChat>(true);
  auto config = test_config();
  config.chat.store = store;
  Scene scene(config);
  {
    LiveClient ann(scene.port());
    ann.send("join_room", R"({"roomId":"hung"})");
    store->wait_for_call();
  }
  store->release();
  CHECK(eventually([&] { return scene.server.stats().connections_now == 0; }));
  CHECK(eventually([&] { return scene.server.stats().rooms_now == 0; }));
}

namespace {

/// Chat that another program has left in the database.
class OddRows final : public flux::ChatStore {
 public:
  flux::Result<flux::Offset> append(const flux::RoomId&, const flux::ChatMessage&) override { return 9; }
  flux::Result<std::vector<flux::ChatMessage>> history(const flux::RoomId& room, std::size_t,
                                                       flux::Offset before) override {
    if (before != 0) return std::vector<flux::ChatMessage>();
    std::vector<flux::ChatMessage> rows;
    for (flux::Offset offset = 1; offset <= 7; ++offset) {
      rows.push_back({numbered("m", static_cast<std::size_t>(offset)), room, "c", "", "fine", "", 0, offset});
    }
    rows[1].message = "cut \xff";
    rows[2].metadata = "{\"half\":";
    rows[3].room = "another room";
    rows[4].offset = 7;
    rows[5].message.assign(50'000'000, 'x');
    return rows;
  }
  bool may_block() const override { return false; }
};

}  // namespace

TEST_CASE("store faults: a store's rows that no client could read are repaired or left out, and logged") {
  Lines lines;
  auto config = test_config();
  config.chat.store = std::make_shared<OddRows>();
  config.log = lines.sink();
  Scene scene(config);
  LiveClient ann(scene.port());
  SocketIoClient bob(scene.port());
  const auto welcome = ann.join("r");
  bob.ask("room:join", "\"r\"");
  const auto page = ann.request("get_history", R"({"limit":7})");
  const auto shared = bob.ask("room:chatHistory", R"({"roomId":"r","limit":7})");
  for (const auto& list :
       {*welcome.at("/payload/chatHistory"), *page.at("/payload/messages"), *shared.at("/messages")}) {
    std::string ids;
    for (int i = 0; list.at("/" + std::to_string(i)); ++i) ids += text_at(list, "/" + std::to_string(i) + "/id") + ' ';
    CHECK(ids == "m1 m2 m3 m7 ");
    CHECK(text_at(list, "/1/message") == "cut \xef\xbf\xbd");
    CHECK_FALSE(list.at("/2/metadata"));
  }
  CHECK(lines.with("bad message of room \"r\"") == 15);
}

}  // namespace store_faults_test
