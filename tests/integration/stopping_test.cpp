// The one order of starting and stopping, with every feature and endpoint on: on threads of the server's own, on the
// thread that calls `run`, and in the application's io_context.
#include "support/application.hpp"
#include "support/memory_revocation_store.hpp"
#include "support/memory_room_store.hpp"
#include "support/server.hpp"
#include "support/socketio_client.hpp"
#include "support/socketio_poller.hpp"
#include "support/staged_file_store.hpp"
#include "support/temp_folder.hpp"
#include "unit/support/certificate.hpp"

#include <flux/asio.hpp>
#include <flux/auth.hpp>
#include <flux/detail/core/base64url.hpp>
#include <flux/detail/server/server_state.hpp>
#include <flux/engineio.hpp>
#include <flux/sharing.hpp>
#include <flux/storage/disk_file_store.hpp>
#include <flux/storage/memory_chat_store.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

namespace stopping_test {

using namespace flux_test;
using namespace flux::literals;

namespace {

enum class Way { own_threads, context, run };

const std::string secret(32, 's');

/// A JSON Web Key Set with the secret, as a file.
std::string key_set() {
  std::string key;
  flux::core::append_base64url(key, secret);
  return R"({"keys":[{"kty":"oct","alg":"HS256","kid":"one","k":")" + key + R"("}]})";
}

/// What handlers leave for the test to answer later.
template <class T>
class Inbox {
 public:
  void put(T one) {
    const std::lock_guard lock(mutex_);
    all_.push_back(std::move(one));
    changed_.notify_all();
  }
  T take() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, patience, [this] { return !all_.empty(); }))
      throw std::runtime_error("nothing was put");
    T first = std::move(all_.front());
    all_.pop_front();
    return first;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> all_;
};

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
  struct Options {
    bool tls = false;
    std::size_t threads = 2;                   // of its own
    std::uint16_t second_port = 0;             // 0: one address
    std::shared_ptr<flux::FileStore> files{};  // null: the staged store
  };

  explicit Everything(Way runs) : Everything(runs, Options{}) {}
  Everything(Way runs, const Options& options) : way(runs) {
    auto config = test_config(way == Way::context ? 1 : options.threads);
    if (options.second_port != 0) config.listen.push_back({"127.0.0.1", options.second_port});
    config.chat.store = chats;
    config.rooms.store = rooms;
    config.files.store = options.files ? options.files : files;
    config.revocations.store = revocations;
    config.limits.public_history_items_max = 10;
    config.log = [seen = seen](flux::LogLevel, std::string_view line) { seen->note_port(line); };
    if (options.tls) {
      certificate.emplace();
      config.tls = {certificate->certificate_file(), certificate->private_key_file()};
    }
    server = std::make_unique<flux::Server>(config);
    if (way == Way::context) flux::use_context(*server, app.context);
    serve_clients();
    log_in();
    set_handlers();
    REQUIRE(server->create_room("kept", {flux::RoomMode::history, 0, true}).ok());
    if (way == Way::context) app.run();
  }
  ~Everything() {
    let_through();
    if (server) server->stop(0ms);  // it must not be destroyed while it runs in the application's context
    if (ran.valid()) ran.wait();    // nor before `run` has returned
    server.reset();
    app.join();
  }

  /// Throws what `start` or `run` throws.
  void start() {
    if (way != Way::run) return server->start();
    if (ran.valid()) ran.get();
    ran = std::async(std::launch::async, [this] { server->run(); });
    const auto returned = [this] { return ran.wait_for(0s) == std::future_status::ready; };
    REQUIRE(eventually([&] { return returned() || server->port() != 0; }));
    if (returned()) ran.get();
  }
  void let_through() {
    chats->hold(false);
    rooms->let_through();
    files->let_go();
    revocations->let_through();
  }
  Target target() const {
    return {server->port(), "127.0.0.1", 0, certificate ? certificate->certificate_file() : std::string()};
  }

  std::shared_ptr<HeldChatStore> chats = std::make_shared<HeldChatStore>();
  std::shared_ptr<MemoryRoomStore> rooms = std::make_shared<MemoryRoomStore>();
  std::shared_ptr<StagedFileStore> files = std::make_shared<StagedFileStore>(true);
  std::shared_ptr<MemoryRevocationStore> revocations = std::make_shared<MemoryRevocationStore>();
  /// Owned by the handlers too: a server destroyed inside a callback may call them until it has stopped.
  struct Seen {
    /// Of the line "listening on 127.0.0.1 port 8080".
    void note_port(std::string_view line) {
      if (!line.starts_with("listening on ")) return;
      port = std::stoi(std::string(line.substr(line.rfind(' ') + 1)));
    }
    std::function<void()> on_event, on_left;
    std::atomic<int> raw_closed{0}, engine_closed{0}, plain_left{0}, left{0}, ticks{0}, port{0};
    Inbox<flux::LaterVerdict> verdicts;
    Inbox<flux::LaterReply> calls;
    Inbox<flux::HttpExchange> exchanges;
  };
  std::shared_ptr<Seen> seen = std::make_shared<Seen>();
  const Way way;
  TempFolder folder;
  std::optional<flux::testing::TestCertificate> certificate;  // none: no TLS
  std::string token, api_key;                                 // the token's grant expires
  Application app;
  std::unique_ptr<flux::Server> server;
  std::optional<flux::Auth> auth;
  std::future<void> ran;

 private:
  void serve_clients() {
    flux::socketio::Options options;
    options.recovery_max = 60s;
    flux::socketio::Io io(*server, std::move(options));
    flux::socketio::serve_sharing(*server, io);
    io.of("/plain").on_connection([seen = seen](const flux::socketio::Socket& socket) {
      socket.on_disconnect([seen](std::string_view reason) {
        if (reason == "server shutting down") ++seen->plain_left;
      });
    });
    flux::WebSocketEndpoint raw;
    raw.on_close = [seen = seen](const flux::WebSocket&, const flux::Disconnect&) { ++seen->raw_closed; };
    server->websocket("/raw", std::move(raw));
    flux::engineio::Endpoint engine;
    engine.on_close = [seen = seen](const flux::engineio::Socket&, std::string_view) { ++seen->engine_closed; };
    flux::engineio::serve(*server, std::move(engine));
    server->route("GET", "/wait", [seen = seen](const flux::HttpExchange& exchange) { seen->exchanges.put(exchange); });
  }
  void log_in() {
    write_bytes(folder / "keys.json", key_set());
    flux::AuthOptions options{.jwks = folder / "keys.json", .required = false};
    options.api_keys.emplace().store = std::make_shared<flux::MemoryKeyStore>();
    auth.emplace(*server, std::move(options));
    const auto in_an_hour = std::chrono::system_clock::now() + 1h;
    const auto claims =
        flux::JsonText::object({{"sub", "ann"}, {"exp", std::chrono::system_clock::to_time_t(in_an_hour)}});
    token = flux::jwt::sign(claims, flux::jwt::Key::secret(flux::jwt::Algorithm::hs256, secret, "one")).value();
    api_key = auth->add_api_key({.name = "ben's", .expires_at = in_an_hour}).value().key;
  }
  void set_handlers() {
    server->call_every(1ms, [seen = seen] { ++seen->ticks; });
    server->on_disconnect([seen = seen](const flux::Session&, const flux::Disconnect&) {
      ++seen->left;
      if (seen->on_left) seen->on_left();
    });
    server->on_event([seen = seen](flux::EventMessage&) {
      if (seen->on_event) seen->on_event();
    });
    server->on_join([seen = seen](flux::JoinRequest& request) {
      if (request.room == "asked") seen->verdicts.put(request.later());
    });
    server->on_call("wait", [seen = seen](flux::Call& call) { seen->calls.put(call.later()); });
  }
};

constexpr std::string_view over_websocket = "/socket.io/?EIO=4&transport=websocket";
constexpr std::string_view engine_polling = "/engine.io/?EIO=4&transport=polling";

/// A client of every endpoint and transport, and an answer of every kind that the application owes.
struct Clients {
  explicit Clients(const Everything& on)
      : live(on.target(), "/live?access_token=" + on.token),
        asker(on.target(), "/live?api_key=" + on.api_key),
        caller(on.target(), "/live"),
        raw(on.target(), "/raw?access_token=" + on.token),
        engine(on.target(), "/engine.io/?EIO=4&transport=websocket&api_key=" + on.api_key),
        plain(on.target(), over_websocket),
        sharing(on.target()),
        sharing_poller(on.target()),
        plain_poller(on.target(), false),
        engine_poller(on.target()),
        request(on.target()) {
    live.join("kept");
    sharing.ask("room:join", R"("kept")");
    plain.message();
    plain.send_text("40/plain,");
    REQUIRE(plain.message().starts_with("40/plain,"));
    REQUIRE(plain_poller.post("40/plain,") == "ok");
    REQUIRE(plain_poller.poll().starts_with("40/plain,"));
    pending_poll = &sharing_poller.begin_poll();
    const std::string opened = engine_poller.request(get(engine_polling)).body;
    const std::string sid = text_at(flux::JsonText::parse(opened.substr(1)).value(), "/sid");
    engine_poller.send(get(std::string(engine_polling) + "&sid=" + sid));
    asker.send("join_room", R"({"roomId":"asked"})", "1");
    verdict.emplace(on.seen->verdicts.take());
    caller.send("call", R"({"method":"wait"})", "1");
    reply.emplace(on.seen->calls.take());
    request.send(get("/wait"));
    exchange.emplace(on.seen->exchanges.take());
    const flux::Session known = on.server->session(live.id).value();
    REQUIRE(known.identity().user_id == "ann");
    REQUIRE(known.grant().expires_at);
  }
  /// What each of them sees of the stop.
  void check_closed() {
    for (WebSocketClient* client :
         std::initializer_list<WebSocketClient*>{&live, &asker, &caller, &raw, &engine, &plain}) {
      CHECK(client->closed().code == 1001);
    }
    CHECK(sharing.closed().code == 1001);
    for (HttpClient* poll : {pending_poll, &engine_poller}) {
      CHECK(poll->reply().body == "1");
      poll->close();
    }
    for (const LiveClient* client : {&asker, &caller}) CHECK(client->before_close.empty());
  }
  /// The application's answers, too late.
  void answer() const {
    verdict->accept();
    reply->reply();
    exchange->respond(200, "late");
  }

  static constexpr int sessions = 5;  // of protocol live and of data sharing
  LiveClient live, asker, caller;
  WebSocketClient raw, engine, plain;
  SocketIoClient sharing;
  Poller sharing_poller, plain_poller;
  HttpClient engine_poller, request;
  HttpClient* pending_poll = nullptr;  // of `sharing_poller`
  std::optional<flux::LaterVerdict> verdict;
  std::optional<flux::LaterReply> reply;
  std::optional<flux::HttpExchange> exchange;
};

/// Those clients, and a call held in every store.
struct PendingWork : Clients {
  explicit PendingWork(Everything& on) : Clients(on), upload(on.target()) {
    const int before = on.files->appends();
    on.chats->hold(true);
    on.rooms->hold("kept");
    on.files->hold_back();
    on.revocations->hold();
    const std::size_t saved = on.revocations->calls();
    live.send("send_chat", R"({"message":"pending"})");
    live.so_far();  // the server has read the message
    const auto tell = [told = told](const auto&) { ++*told; };
    on.server->send_chat("kept", "from the server", {}, tell);
    on.server->share("kept", R"({"type":"string","content":"pending"})"_json, tell);
    CHECK(on.server->revoke_user("nobody", flux::Grant::TimePoint::max(), {}, tell).ok());
    upload.send("POST /files HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nhalf");
    REQUIRE(on.chats->somebody_waits());
    REQUIRE(on.rooms->somebody_waits());
    REQUIRE(eventually([&] { return on.files->appends() > before; }));
    REQUIRE(eventually([&] { return on.revocations->calls() > saved; }));
    REQUIRE(eventually([&] { return on.seen->ticks > 0; }));
  }

  HttpClient upload;
  std::shared_ptr<std::atomic<int>> told = std::make_shared<std::atomic<int>>(0);
};

/// What was called, in order. Threading: any thread.
class Diary {
 public:
  void note(std::string entry) {
    const std::lock_guard lock(mutex_);
    entries_.push_back(std::move(entry));
  }
  std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(entries_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> entries_;
};

/// A service such as a module adds.
class NotedService final : public flux::features::Service {
 public:
  NotedService(std::string name, std::shared_ptr<Diary> diary) : name_(std::move(name)), diary_(std::move(diary)) {}
  void prepare() override { diary_->note("prepare " + name_); }
  void start(flux::core::Loop& loop) override {
    if (fails) throw flux::Error(flux::Errc::server_error, "as the test wants it");
    diary_->note("start " + name_);
    loop.post([diary = diary_] { diary->note("the loop runs"); });
  }
  void begin_stop() override { diary_->note("begin_stop " + name_); }
  void stop() override {
    diary_->note("stop " + name_);
    if (on_stop) on_stop();
  }

  std::function<void()> on_stop;
  std::atomic<bool> fails{false};

 private:
  const std::string name_;
  const std::shared_ptr<Diary> diary_;
};

/// An endpoint such as a module adds.
class NotedEndpoint final : public flux::endpoints::Endpoint {
 public:
  NotedEndpoint(std::string name, std::shared_ptr<Diary> diary) : name_(std::move(name)), diary_(std::move(diary)) {}
  void start(const flux::endpoints::Homes&) override { diary_->note("start " + name_); }
  void stop() override { diary_->note("stop " + name_); }
  void end(const flux::core::Loop&) override { diary_->note("end " + name_); }

 private:
  const std::string name_;
  const std::shared_ptr<Diary> diary_;
};

void stop_during(Everything& on, PendingWork& pending) {
  Crew crew;
  crew.add([&] { on.server->stop(20ms); });
  pending.check_closed();
  on.let_through();
  crew.join();
}

}  // namespace

TEST_CASE("stopping: with work pending in every store, all clients are told and every callback is called once") {
  const Way way = GENERATE(Way::own_threads, Way::context, Way::run);
  const bool tls = GENERATE(false, true);
  Everything on(way, {.tls = tls});
  on.start();
  PendingWork pending(on);
  Crew crew;
  crew.add([&] { on.server->stop(20ms); });
  pending.check_closed();
  CHECK_FALSE(pending.request.reply().complete);  // nobody answered it within the grace period
  CHECK(on.server->running() == false);
  pending.answer();
  on.let_through();
  crew.join();
  if (way == Way::run) on.ran.get();
  CHECK(*pending.told == 3);
  CHECK(on.server->stats().connections_now == 0);
  CHECK(on.server->stats().sessions_now == 0);
  CHECK(on.seen->left == PendingWork::sessions);
  CHECK(on.seen->raw_closed == 1);
  CHECK(on.seen->engine_closed == 2);
  CHECK(on.seen->plain_left == 2);
  for (const HttpClient* client : {&pending.live.tcp, &pending.raw.tcp, &pending.plain.tcp}) {
    CHECK(client->tls_ended() == tls);
  }
  CHECK(on.revocations->content() == "user nobody");
  CHECK(on.server->port() == 0);
  // What was being stored is kept, because it had been accepted.
  CHECK(on.server->room_items("kept").value().size() == 1);
  CHECK(on.chats->history("kept", 10, 0).value().size() == 2);
  CHECK_FALSE(on.server->room("asked"));
  // The upload could not have been continued.
  for (const auto& file : on.files->known()) CHECK(file.state == flux::FileState::complete);
}

TEST_CASE("stopping: twice at the same time and once more, every stop returns when it is done") {
  Everything on(GENERATE(Way::own_threads, Way::context, Way::run));
  on.start();
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
  CHECK(*pending.told == 3);
}

TEST_CASE("stopping: destroyed while a stop begun by a handler is still running") {
  const Way way = GENERATE(Way::own_threads, Way::context);
  Everything on(way);
  Awaited<bool> begun;
  on.seen->on_event = [&] {
    on.server->stop(20ms);
    begun.set(true);
  };
  on.start();
  PendingWork pending(on);
  LiveClient quitter(on.server->port());
  quitter.send("join_room", R"({"roomId":"other"})");
  quitter.send("broadcast_event", R"({"event":"quit"})");
  begun.get();
  Crew crew;
  crew.add([&] {
    if (way == Way::context) {
      on.app.call([&] { on.server.reset(); });
    } else {
      on.server.reset();
    }
  });
  CHECK_NOTHROW(pending.live.closed());
  on.let_through();
  crew.join();
  CHECK(*pending.told == 3);
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
  Everything on(GENERATE(Way::own_threads, Way::context, Way::run));
  for (std::size_t life = 1; life <= 3; ++life) {
    on.start();
    PendingWork pending(on);
    stop_during(on, pending);
    pending.answer();
    CHECK(*pending.told == 3);
    CHECK(on.server->room_items("kept").value().size() == life);
    CHECK(on.chats->history("kept", 10, 0).value().size() == 2 * life);
  }
  on.start();
  LiveClient live(on.server->port());
  live.join("kept");
  CHECK(answer_of<flux::ChatMessage>([&](auto done) { on.server->send_chat("kept", "m", {}, done); }).ok());
  CHECK(share(*on.server, "kept", R"({"type":"string","content":"more"})"_json).ok());
  HttpClient web(on.server->port());
  CHECK(web.request("POST /files HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nmore").status == 201);
}

TEST_CASE("stopping: a callback that is called while the server stops may stop it or destroy it") {
  const Way way = GENERATE(Way::own_threads, Way::context);
  const bool destroys = GENERATE(false, true);
  Everything on(way);
  on.start();
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

TEST_CASE("starting: services in their order, then endpoints; stopping: endpoints, then services in reverse") {
  const auto diary = std::make_shared<Diary>();
  Everything on(GENERATE(Way::own_threads, Way::context, Way::run), {.threads = 1});
  on.seen->on_left = [diary] { diary->note("a client has left"); };
  const auto first = std::make_shared<NotedService>("service 1", diary);
  // The stores of the server's own services, which come before, finish their calls afterwards.
  first->on_stop = [chats = on.chats] { chats->hold(false); };
  auto& state = flux::detail::ServerAccess::state(*on.server);
  state.add_service(first);
  state.add_service(std::make_shared<NotedService>("service 2", diary));
  state.add_endpoint(std::make_shared<NotedEndpoint>("endpoint 1", diary));
  state.add_endpoint(std::make_shared<NotedEndpoint>("endpoint 2", diary));
  for (int life = 1; life <= 2; ++life) {
    CAPTURE(life);
    on.start();
    LiveClient live(on.target(), "/live");
    live.join("kept");
    CHECK(diary->take() == std::vector<std::string>{"prepare service 1", "prepare service 2", "start service 1",
                                                    "start service 2", "start endpoint 1", "start endpoint 2",
                                                    "the loop runs", "the loop runs"});
    on.chats->hold(true);
    on.server->send_chat("kept", "m", {}, [diary](const auto&) { diary->note("the message is stored"); });
    REQUIRE(on.chats->somebody_waits());
    on.server->stop(0ms);
    CHECK(diary->take() == std::vector<std::string>{"begin_stop service 2", "begin_stop service 1", "stop endpoint 2",
                                                    "stop endpoint 1", "a client has left", "end endpoint 2",
                                                    "end endpoint 1", "stop service 2", "stop service 1",
                                                    "the message is stored"});
    CHECK(live.closed().code == 1001);
  }
}

TEST_CASE("starting: a start that fails leaves nothing behind, and succeeds once the cause is removed") {
  enum class Cause { rooms, revocations, certificate, address, service };
  const Cause cause = GENERATE(Cause::rooms, Cause::revocations, Cause::certificate, Cause::address, Cause::service);
  CAPTURE(static_cast<int>(cause));
  flux::Server neighbour(test_config());
  neighbour.start();
  Everything on(GENERATE(Way::own_threads, Way::context, Way::run),
                {.tls = cause == Cause::certificate,
                 .second_port = cause == Cause::address ? neighbour.port() : std::uint16_t{0}});
  const auto diary = std::make_shared<Diary>();
  const auto service = std::make_shared<NotedService>("service 2", diary);
  flux::detail::ServerAccess::state(*on.server).add_service(std::make_shared<NotedService>("service 1", diary));
  flux::detail::ServerAccess::state(*on.server).add_service(service);
  const auto fail = [&](bool fails) {
    switch (cause) {
      case Cause::rooms: return on.rooms->fail(1, fails ? 2 : 0);
      case Cause::revocations:
        using Failure = MemoryRevocationStore::Failure;
        return on.revocations->fail(fails ? Failure::error : Failure::none);
      case Cause::certificate: {
        const std::string file = on.certificate->certificate_file();
        return fails ? std::filesystem::rename(file, file + ".away") : std::filesystem::rename(file + ".away", file);
      }
      case Cause::address: return fails ? void() : neighbour.stop();
      case Cause::service: service->fails = fails;
    }
  };
  const std::map<Cause, flux::Errc> codes{{Cause::rooms, flux::Errc::store_failed},
                                          {Cause::revocations, flux::Errc::store_failed},
                                          {Cause::certificate, flux::Errc::tls_failed},
                                          {Cause::address, flux::Errc::address_unavailable},
                                          {Cause::service, flux::Errc::server_error}};
  fail(true);
  for (int attempt = 1; attempt <= 2; ++attempt) {
    CHECK(thrown_by([&] { on.start(); }).first == codes.at(cause));
    CHECK_FALSE(on.server->running());
    CHECK(on.server->port() == 0);
    CHECK(on.server->urls().empty());
    CHECK((on.seen->port != 0) == (cause != Cause::certificate));
    CHECK_THROWS(TcpClient(static_cast<std::uint16_t>(on.seen->port)));
    on.server->stop();
    on.server->wait();
  }
  if (on.way == Way::context) on.app.call([] {});  // what is left in the context has run
  const auto called = diary->take();
  CHECK(std::count(called.begin(), called.end(), "the loop runs") == 0);
  CHECK(std::count(called.begin(), called.end(), "start service 1") == (cause == Cause::service ? 2 : 0));
  CHECK(std::count(called.begin(), called.end(), "stop service 1") == (cause == Cause::service ? 2 : 0));
  fail(false);
  on.start();
  PendingWork pending(on);
  stop_during(on, pending);
  CHECK(*pending.told == 3);
  CHECK(on.server->room_items("kept").value().size() == 1);
}

TEST_CASE("starting: again at once after a stop, run returns all the same") {
  flux::Server server(test_config(2));
  for (int life = 1; life <= 20; ++life) {
    auto ran = std::async(std::launch::async, [&] { server.run(); });
    REQUIRE(eventually([&] { return server.port() != 0; }));
    server.stop(0ms);
    server.start();
    const bool returned = ran.wait_for(5s) == std::future_status::ready;
    server.stop(0ms);
    ran.get();
    REQUIRE(returned);
  }
}

TEST_CASE("starting: again at once after a stop, another stop of the life before returns, and one by a handler") {
  const bool by_handler = GENERATE(false, true);
  flux::Server server(test_config());
  const auto returned = std::make_shared<std::atomic<int>>(0);
  Crew crew;
  for (int life = 1; life <= 20; ++life) {
    server.start();
    if (by_handler) {
      server.call_after(0ms, [&server] { server.stop(0ms); });
      ++*returned;
    } else {
      crew.add([&server, returned] {
        server.stop(0ms);
        ++*returned;
      });
    }
    server.stop(0ms);
  }
  server.start();
  const bool all = eventually([&] {
    server.stop(0ms);
    return *returned == 20;
  });
  CHECK(all);
  crew.join();
}

TEST_CASE("stopping: a request that is answered within the grace period gets its answer, and the stop ends with it") {
  Everything on(GENERATE(Way::own_threads, Way::context, Way::run), {.tls = GENERATE(false, true)});
  on.start();
  Clients clients(on);
  const auto begun = std::chrono::steady_clock::now();
  Crew crew;
  crew.add([&] { on.server->stop(2 * patience); });
  clients.check_closed();
  CHECK(on.server->port() != 0);  // it has not stopped
  clients.exchange->respond(200, "in time");
  const HttpReply reply = clients.request.reply();
  CHECK(reply.body == "in time");
  CHECK(reply.has("Connection: close"));
  CHECK_FALSE(clients.request.receive());
  clients.request.close();
  crew.join();
  CHECK(std::chrono::steady_clock::now() - begun < patience);
  clients.answer();
}

TEST_CASE("stopping: with files on disk, the folder is released and the next server continues the uploads") {
  const Way way = GENERATE(Way::own_threads, Way::context, Way::run);
  const bool tls = GENERATE(false, true);
  constexpr std::string_view patch_fields =
      " HTTP/1.1\r\nHost: h\r\nTus-Resumable: 1.0.0\r\nContent-Type: "
      "application/offset+octet-stream\r\n";
  TempFolder folder;
  const std::string whole(8'000'000, 'w');
  std::string path, upload_path;
  std::weak_ptr<flux::FileStore> released;
  {
    const auto store = std::make_shared<flux::DiskFileStore>(folder / "files");
    released = store;
    Everything on(way, {.tls = tls, .files = store});
    on.start();
    Clients clients(on);
    HttpClient client(on.target());
    REQUIRE(client.request(post("/files", whole)).status == 201);
    path = "/files/" + store->list().value().at(0).id;
    REQUIRE(
        client.request("POST /files HTTP/1.1\r\nHost: h\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 8\r\n\r\n").status ==
        201);
    for (const auto& file : store->list().value()) {
      if ("/files/" + file.id != path) upload_path = "/files/" + file.id;
    }
    Target slow = on.target();
    slow.receive_buffer_bytes = 4096;
    HttpClient download(slow);
    download.send(get(path));
    REQUIRE(download.receive());
    client.send("PATCH " + upload_path + std::string(patch_fields) +
                "Upload-Offset: 0\r\nContent-Length: 8\r\n\r\nhalf");
    REQUIRE(eventually([&] { return store->info(upload_path.substr(7)).value().size == 4; }));
    Crew crew;
    crew.add([&] { on.server->stop(20ms); });
    clients.check_closed();
    crew.join();
    CHECK_FALSE(download.reply().complete);
    CHECK_FALSE(client.reply().complete);
  }
  CHECK(released.expired());
  Everything on(way, {.tls = tls, .files = std::make_shared<flux::DiskFileStore>(folder / "files")});
  on.start();
  HttpClient client(on.target());
  CHECK(client.request(get(path)).body == whole);
  CHECK(client
            .request("PATCH " + upload_path + std::string(patch_fields) +
                     "Upload-Offset: 4\r\nContent-Length: 4\r\n\r\nrest")
            .status == 204);
  CHECK(client.request(get(upload_path)).body == "halfrest");
}

}  // namespace stopping_test
