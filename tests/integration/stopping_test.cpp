// The one order of starting and stopping, with every feature and endpoint on: on threads of the server's own and in the
// application's io_context.
#include "support/application.hpp"
#include "support/memory_revocation_store.hpp"
#include "support/memory_room_store.hpp"
#include "support/server.hpp"
#include "support/socketio_client.hpp"
#include "support/staged_file_store.hpp"

#include <flux/asio.hpp>
#include <flux/auth.hpp>
#include <flux/engineio.hpp>
#include <flux/sharing.hpp>
#include <flux/storage/memory_chat_store.hpp>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

namespace stopping_test {

using namespace flux_test;
using namespace flux::literals;

namespace {

/// A store that blocks, and holds appends on demand.
class HeldChatStore final : public flux::ChatStore {
 public:
  flux::Result<flux::Offset> append(const flux::RoomId& room, const flux::ChatMessage& message) override {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait_for(lock, patience, [this] { return !holds_; });
    --waiting_;
    return kept_.append(room, message);
  }
  flux::Result<std::vector<flux::ChatMessage>> history(const flux::RoomId& room, std::size_t limit,
                                                       flux::Offset before) override {
    return kept_.history(room, limit, before);
  }
  void hold(bool holds) {
    const std::lock_guard lock(mutex_);
    holds_ = holds;
    changed_.notify_all();
  }
  bool somebody_waits() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [this] { return waiting_ > 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool holds_ = false;
  int waiting_ = 0;
  flux::MemoryChatStore kept_;
};

/// A server with everything on.
struct Everything {
  explicit Everything(bool in_context) {
    auto config = test_config(in_context ? 1 : 2);
    config.chat.store = chats;
    config.rooms.store = rooms;
    config.files.store = files;
    config.revocations.store = revocations;
    config.limits.public_history_items_max = 10;
    server = std::make_unique<flux::Server>(config);
    if (in_context) flux::use_context(*server, app.context);
    flux::socketio::Options options;
    options.recovery_max = 60s;
    flux::socketio::Io io(*server, std::move(options));
    flux::socketio::serve_sharing(*server, io);
    flux::WebSocketEndpoint raw;
    raw.on_close = [seen = seen](const flux::WebSocket&, const flux::Disconnect&) { ++seen->raw_closed; };
    server->websocket("/raw", std::move(raw));
    flux::engineio::Endpoint engine;
    engine.on_close = [seen = seen](const flux::engineio::Socket&, std::string_view) { ++seen->engine_closed; };
    flux::engineio::serve(*server, std::move(engine));
    flux::AuthOptions log_in;
    log_in.api_keys.emplace();
    log_in.required = false;
    auth.emplace(*server, std::move(log_in));
    server->call_every(1ms, [seen = seen] { ++seen->ticks; });
    server->on_disconnect([seen = seen](const flux::Session&, const flux::Disconnect&) { ++seen->left; });
    server->on_event([seen = seen](flux::EventMessage&) {
      if (seen->on_event) seen->on_event();
    });
    REQUIRE(server->create_room("kept", {flux::RoomMode::history, 0, true}).ok());
    if (in_context) app.run();
  }
  ~Everything() {
    let_through();
    if (server) server->stop(0ms);  // it must not be destroyed while it runs in the application's context
    server.reset();
    app.join();
  }
  void let_through() {
    chats->hold(false);
    rooms->let_through();
    files->let_go();
    revocations->let_through();
  }

  std::shared_ptr<HeldChatStore> chats = std::make_shared<HeldChatStore>();
  std::shared_ptr<MemoryRoomStore> rooms = std::make_shared<MemoryRoomStore>();
  std::shared_ptr<StagedFileStore> files = std::make_shared<StagedFileStore>(true);
  std::shared_ptr<MemoryRevocationStore> revocations = std::make_shared<MemoryRevocationStore>();
  /// Owned by the handlers too: a server destroyed inside a callback may call them until it has stopped.
  struct Seen {
    std::function<void()> on_event;
    std::atomic<int> raw_closed{0}, engine_closed{0}, left{0}, ticks{0};
  };
  std::shared_ptr<Seen> seen = std::make_shared<Seen>();
  Application app;
  std::unique_ptr<flux::Server> server;
  std::optional<flux::Auth> auth;
};

/// A client of every endpoint, and a call held in every store.
struct PendingWork {
  explicit PendingWork(Everything& on)
      : chats(*on.chats),
        live(on.server->port()),
        raw(on.server->port(), "/raw"),
        engine(on.server->port(), "/engine.io/?EIO=4&transport=websocket"),
        sharing(on.server->port()),
        upload(on.server->port()) {
    live.join("kept");
    sharing.ask("room:join", R"("kept")");
    const int before = on.files->appends();
    on.chats->hold(true);
    on.rooms->hold("kept");
    on.files->hold_back();
    on.revocations->hold();
    const std::size_t saved = on.revocations->calls();
    live.send("send_chat", R"({"message":"pending"})");
    live.so_far();  // the server has read the message
    on.server->send_chat("kept", "from the server", {}, [this](auto) { ++told; });
    on.server->share("kept", R"({"type":"string","content":"pending"})"_json, [this](auto) { ++told; });
    CHECK(on.server->revoke_user("nobody", flux::Grant::TimePoint::max(), {}, [this](auto) { ++told; }).ok());
    upload.send("POST /files HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nhalf");
    REQUIRE(on.chats->somebody_waits());
    REQUIRE(on.rooms->somebody_waits());
    REQUIRE(eventually([&] { return on.files->appends() > before; }));
    REQUIRE(eventually([&] { return on.revocations->calls() > saved; }));
    REQUIRE(eventually([&] { return on.seen->ticks > 0; }));
  }
  /// What each of the clients sees of the stop.
  void check_closed() {
    CHECK(live.closed().code == 1001);
    CHECK(raw.closed().code == 1001);
    CHECK(engine.closed().code == 1001);
    CHECK_NOTHROW(sharing.closed());
  }

  HeldChatStore& chats;
  LiveClient live;
  WebSocketClient raw, engine;
  SocketIoClient sharing;
  HttpClient upload;
  std::atomic<int> told{0};
};

}  // namespace

TEST_CASE("stopping: with work pending in every store, all clients are told and every callback is called once") {
  const bool in_context = GENERATE(false, true);
  Everything on(in_context);
  on.server->start();
  PendingWork pending(on);
  Crew crew;
  crew.add([&] { on.server->stop(20ms); });
  pending.check_closed();
  CHECK(on.server->running() == false);
  on.let_through();
  crew.join();
  CHECK(pending.told == 3);
  CHECK(on.server->stats().connections_now == 0);
  CHECK(on.server->stats().sessions_now == 0);
  CHECK(on.seen->left == 2);
  CHECK(on.seen->raw_closed == 1);
  CHECK(on.seen->engine_closed == 1);
  CHECK(on.revocations->content() == "user nobody");
  CHECK(on.server->port() == 0);
  // What was being stored is kept, because it had been accepted.
  CHECK(on.server->room_items("kept").value().size() == 1);
  CHECK(on.chats->history("kept", 10, 0).value().size() == 2);
  // The upload could not have been continued.
  for (const auto& file : on.files->known()) CHECK(file.state == flux::FileState::complete);
}

TEST_CASE("stopping: twice at the same time and once more, every stop returns when it is done") {
  const bool in_context = GENERATE(false, true);
  Everything on(in_context);
  on.server->start();
  PendingWork pending(on);
  Crew crew;
  std::atomic<int> returned{0};
  for (int i = 0; i < 2; ++i) {
    crew.add([&] {
      on.server->stop(20ms);
      CHECK(on.server->port() == 0);
      ++returned;
    });
  }
  pending.check_closed();
  CHECK(returned == 0);  // held by the stores
  on.let_through();
  crew.join();
  on.server->stop();
  CHECK(pending.told == 3);
}

TEST_CASE("stopping: destroyed while a stop begun by a handler is still running") {
  const bool in_context = GENERATE(false, true);
  Everything on(in_context);
  Awaited<bool> begun;
  on.seen->on_event = [&] {
    on.server->stop(20ms);
    begun.set(true);
  };
  on.server->start();
  PendingWork pending(on);
  LiveClient quitter(on.server->port());
  quitter.send("join_room", R"({"roomId":"other"})");
  quitter.send("broadcast_event", R"({"event":"quit"})");
  begun.get();
  Crew crew;
  crew.add([&] {
    if (in_context) {
      on.app.call([&] { on.server.reset(); });
    } else {
      on.server.reset();
    }
  });
  CHECK_NOTHROW(pending.live.closed());
  on.let_through();
  crew.join();
  CHECK(pending.told == 3);
}

TEST_CASE("stopping: a loop that gets to it after the grace period still tells its clients") {
  const std::size_t threads = GENERATE(1u, 2u);
  flux::Server server(test_config(threads));
  Gate stopped;
  std::atomic<int> waiting{0};
  server.on_event([&](flux::EventMessage&) {
    ++waiting;
    stopped.wait();
    std::this_thread::sleep_for(50ms);  // the loop is late
  });
  server.start();
  std::vector<std::unique_ptr<LiveClient>> clients;
  for (std::size_t i = 0; i < 2 * threads; ++i) {
    clients.push_back(std::make_unique<LiveClient>(server.port()));
    clients.back()->join("r");
  }
  for (const auto& client : clients) client->send("broadcast_event", R"({"event":"e"})");
  REQUIRE(eventually([&] { return waiting > 0; }));
  Crew crew;
  crew.add([&] { server.stop(0ms); });
  CHECK(eventually([&] { return !server.running(); }));
  stopped.open();
  for (const auto& client : clients) CHECK(client->closed().code == 1001);
  crew.join();
}

TEST_CASE("stopping: started again, everything works as before") {
  const bool in_context = GENERATE(false, true);
  Everything on(in_context);
  for (std::size_t life = 1; life <= 3; ++life) {
    on.server->start();
    PendingWork pending(on);
    Crew crew;
    crew.add([&] { on.server->stop(20ms); });
    pending.check_closed();
    on.let_through();
    crew.join();
    CHECK(pending.told == 3);
    CHECK(on.server->room_items("kept").value().size() == life);
    CHECK(on.chats->history("kept", 10, 0).value().size() == 2 * life);
  }
  on.server->start();
  LiveClient live(on.server->port());
  live.join("kept");
  CHECK(answer_of<flux::ChatMessage>([&](auto done) { on.server->send_chat("kept", "m", {}, done); }).ok());
  CHECK(share(*on.server, "kept", R"({"type":"string","content":"more"})"_json).ok());
  HttpClient web(on.server->port());
  CHECK(web.request("POST /files HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nmore").status == 201);
}

TEST_CASE("stopping: a callback that is called while the server stops may stop it or destroy it") {
  const bool in_context = GENERATE(false, true);
  const bool destroys = GENERATE(false, true);
  Everything on(in_context);
  on.server->start();
  on.chats->hold(true);
  Awaited<bool> returned;
  on.server->send_chat("kept", "m", {}, [&](auto) {
    if (destroys) {
      on.server.reset();
    } else {
      on.server->stop();
    }
    returned.set(true);
  });
  REQUIRE(on.chats->somebody_waits());
  LiveClient live(on.server->port());
  on.seen->on_event = [&] { on.server->stop(0ms); };
  live.send("join_room", R"({"roomId":"other"})");
  live.send("broadcast_event", R"({"event":"quit"})");
  live.closed();
  on.chats->hold(false);
  CHECK(returned.get());
}

}  // namespace stopping_test
