// Chat with stores of the application: slow, full, failing.
#include "support/server.hpp"

#include <flux/storage/memory_chat_store.hpp>

#include <condition_variable>
#include <map>
#include <mutex>

namespace chat_store_test {

using namespace flux_test;

namespace {

/// A store that may block: calls for the room "slow" wait until they are let through.
class SlowStore final : public flux::ChatStore {
 public:
  flux::Result<flux::Offset> append(const flux::RoomId& room, const flux::ChatMessage& message) override {
    enter(room);
    auto result = kept_.append(room, message);
    leave(room);
    return result;
  }
  flux::Result<std::vector<flux::ChatMessage>> history(const flux::RoomId& room, std::size_t limit,
                                                       flux::Offset before) override {
    enter(room);
    auto result = kept_.history(room, limit, before);
    leave(room);
    return result;
  }

  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void let_through() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  /// Waits until a call for "slow" is inside.
  bool somebody_waits() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [this] { return waiting_ > 0; });
  }
  bool overlapped() const {
    const std::lock_guard lock(mutex_);
    return overlapped_;
  }

 private:
  void enter(const flux::RoomId& room) {
    std::unique_lock lock(mutex_);
    if (++inside_[room] > 1) overlapped_ = true;
    if (room != "slow") return;
    ++waiting_;
    changed_.notify_all();
    changed_.wait_for(lock, patience, [this] { return !held_; });
    --waiting_;
  }
  void leave(const flux::RoomId& room) {
    const std::lock_guard lock(mutex_);
    --inside_[room];
  }

  flux::MemoryChatStore kept_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<flux::RoomId, int> inside_;
  bool held_ = false;
  bool overlapped_ = false;
  int waiting_ = 0;
};

class FailingStore final : public flux::ChatStore {
 public:
  explicit FailingStore(bool blocks) : blocks_(blocks) {}
  flux::Result<flux::Offset> append(const flux::RoomId& room, const flux::ChatMessage& message) override {
    if (message.message == "throw") throw std::runtime_error("the disk is full");
    if (message.message == "odd") throw 7;
    if (message.message == "error") return flux::Error(flux::Errc::store_failed, "no");
    return kept_.append(room, message);
  }
  flux::Result<std::vector<flux::ChatMessage>> history(const flux::RoomId& room, std::size_t limit,
                                                       flux::Offset before) override {
    if (room == "broken") throw std::runtime_error("the disk is gone");
    return kept_.history(room, limit, before);
  }
  bool may_block() const override { return blocks_; }

 private:
  flux::MemoryChatStore kept_;
  const bool blocks_;
};

flux::Config with_store(std::shared_ptr<flux::ChatStore> store, std::size_t threads = 1) {
  auto config = test_config(threads);
  config.chat.store = std::move(store);
  return config;
}

std::string chat_payload(int number) {
  std::string payload = R"({"message":")";
  payload += std::to_string(number);
  return payload += R"("})";
}

}  // namespace

TEST_CASE("store: slow in one room, other rooms and other messages of that room continue, its chat keeps its order") {
  const auto store = std::make_shared<SlowStore>();
  flux::Server server(with_store(store, 2));
  server.start();
  LiveClient slow(server.port());
  LiveClient witness(server.port());
  LiveClient fast(server.port());
  slow.join("slow");
  witness.join("slow");
  fast.join("fast");
  store->hold();
  constexpr int count = 50;
  for (int i = 0; i < count; ++i) slow.send("send_chat", chat_payload(i), numbered("c", i));
  REQUIRE(store->somebody_waits());
  for (int i = 0; i < 20; ++i) CHECK(type_of(fast.request("send_chat", R"({"message":"quick"})")) == "ack");
  CHECK(type_of(slow.request("broadcast_event", R"({"event":"e"})")) == "ack");
  CHECK(type_of(witness.next("broadcast_event")) == "broadcast_event");
  CHECK(witness.so_far().empty());
  store->let_through();
  for (int i = 0; i < count; ++i) {
    const auto message = witness.next("chat_message");
    CHECK(text_at(message, "/payload/message") == std::to_string(i));
    CHECK(number_at(message, "/payload/offset") == i + 1);
    CHECK(text_at(slow.next("ack"), "/id") == numbered("c", i));
  }
  CHECK_FALSE(store->overlapped());
}

TEST_CASE("store: a client that joins while it is slow gets every message once, in the history or live") {
  const auto store = std::make_shared<SlowStore>();
  flux::Server server(with_store(store, 2));
  server.start();
  LiveClient sender(server.port());
  sender.join("slow");
  Crew crew;
  constexpr int count = 100;
  crew.add([&] {
    for (int i = 0; i < count; ++i) sender.send("send_chat", chat_payload(i));
    for (int i = 0; i < count; ++i) sender.next("chat_message");
  });
  for (int n = 0; n < 4; ++n) {
    crew.add([&] {
      LiveClient joiner(server.port());
      const auto welcome = joiner.join("slow");
      std::vector<std::int64_t> offsets;
      for (int i = 0; welcome.at("/payload/chatHistory/" + std::to_string(i)); ++i) {
        offsets.push_back(number_at(welcome, "/payload/chatHistory/" + std::to_string(i) + "/offset"));
      }
      while (offsets.empty() || offsets.back() < count) {
        offsets.push_back(number_at(joiner.next("chat_message"), "/payload/offset"));
      }
      for (std::size_t i = 1; i < offsets.size(); ++i) {
        if (offsets[i] != offsets[i - 1] + 1) throw std::runtime_error("a message was lost or came twice");
      }
    });
  }
  crew.join();
}

TEST_CASE("store: too many pending calls, the sender gets OVERLOADED and the rest is stored") {
  const auto store = std::make_shared<SlowStore>();
  auto config = with_store(store);
  config.limits.store_queue_per_room_max = 3;
  flux::Server server(config);
  server.start();
  LiveClient client(server.port());
  client.join("slow");
  store->hold();
  client.send("send_chat", R"({"message":"first"})", "c0");
  REQUIRE(store->somebody_waits());
  for (int i = 1; i <= 5; ++i) client.send("send_chat", R"({"message":"more"})", numbered("c", i));
  CHECK(code_of(client.next("error")) == "OVERLOADED");
  CHECK(code_of(client.next("error")) == "OVERLOADED");
  Awaited<flux::Errc> code;
  server.send_chat("slow", "too", {},
                   [&](const flux::Result<flux::ChatMessage>& stored) { code.set(stored.error().code()); });
  CHECK(code.get() == flux::Errc::overloaded);
  store->let_through();
  for (int i = 0; i <= 3; ++i) CHECK(text_at(client.next("ack"), "/id") == numbered("c", i));
}

TEST_CASE("store: it throws or fails, the sender gets STORE_FAILED, others get nothing, and it is counted") {
  const bool blocks = GENERATE(false, true);
  flux::Server server(with_store(std::make_shared<FailingStore>(blocks)));
  server.start();
  LiveClient client(server.port());
  LiveClient other(server.port());
  client.join("r");
  other.join("r");
  CHECK(code_of(client.request("send_chat", R"({"message":"throw"})")) == "STORE_FAILED");
  CHECK(code_of(client.request("send_chat", R"({"message":"odd"})")) == "STORE_FAILED");
  CHECK(code_of(client.request("send_chat", R"({"message":"error"})")) == "STORE_FAILED");
  CHECK(server.stats().store_errors == 3);
  CHECK(server.stats().handler_errors == 0);
  CHECK(number_at(client.request("send_chat", R"({"message":"good"})"), "/payload/offset") == 1);
  CHECK(text_at(other.next("chat_message"), "/payload/message") == "good");
  CHECK(client.request("get_history").at("/payload/messages/0"));
  CHECK(text_at(client.join("broken"), "/payload/chatHistoryError/code") == "STORE_FAILED");
  Awaited<flux::Errc> code;
  Awaited<std::string> cause;
  server.chat_history("broken", 1, 0, [&](const auto& page) {
    cause.set(page.error().cause());
    code.set(page.error().code());
  });
  CHECK(code.get() == flux::Errc::store_failed);
  CHECK(cause.get() == "the disk is gone");
}

TEST_CASE("store: calls of the server are answered on an event loop, which may stop the server; a throw is counted") {
  const auto store = std::make_shared<SlowStore>();
  Awaited<std::thread::id> loop;
  flux::Server server(with_store(store));
  server.on_join([&](flux::JoinRequest&) { loop.set(std::this_thread::get_id()); });
  server.start();
  LiveClient client(server.port());
  client.join("r");
  server.send_chat("r", "x", {}, [](const auto&) { throw std::runtime_error("thrown on purpose"); });
  Awaited<std::thread::id> called_on;
  server.chat_history("r", 10, 0, [&](const auto& page) {
    called_on.set(std::this_thread::get_id());
    if (page.value().size() == 1) server.stop();
  });
  CHECK(called_on.get() == loop.get());
  CHECK(client.closed().code == 1001);
  server.stop();
  CHECK(server.stats().handler_errors == 1);
}

TEST_CASE("store: a stop waits for pending calls, and the server can start again") {
  const auto store = std::make_shared<SlowStore>();
  flux::Server server(with_store(store, 2));
  for (int life = 1; life <= 2; ++life) {
    server.start();
    LiveClient client(server.port());
    LiveClient joiner(server.port());
    client.join("slow");
    store->hold();
    for (int i = 0; i < 5; ++i) client.send("send_chat", R"({"message":"m"})");
    REQUIRE(store->somebody_waits());
    joiner.send("join_room", R"({"roomId":"slow"})");
    Crew crew;
    crew.add([&] { server.stop(10ms); });
    CHECK(eventually([&] { return !server.running(); }));
    store->let_through();
    crew.join();
  }
  server.start();
  std::size_t stored = 0;
  Awaited<std::size_t> count;
  server.chat_history("slow", 100, 0, [&](const auto& page) { count.set(page.value().size()); });
  stored = count.get();
  CHECK(stored >= 2);
  CHECK(stored <= 10);
}

}  // namespace chat_store_test
