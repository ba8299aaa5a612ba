// Everything that a client may do, without a socket: each act, what stops it, and what it is told then.
#include "../support/staged_file_store.hpp"
#include "catch.hpp"
#include "loop_fixture.hpp"

#include <flux/detail/features/participant.hpp>
#include <flux/detail/features/request_table.hpp>
#include <flux/storage/memory_chat_store.hpp>

#include <atomic>
#include <condition_variable>
#include <stdexcept>
#include <thread>

using namespace flux;
using namespace flux::features;
using namespace flux::testing;
using namespace std::chrono_literals;

namespace {

using Joined = std::string;  // what a client finds when it joins

/// A client that is connected to nothing: it writes down what it hears.
class Client final : public Participant, public std::enable_shared_from_this<Client> {
 public:
  Client(Backend& backend, const std::shared_ptr<core::Loop>& loop, std::shared_ptr<const Grant> grant)
      : Participant(backend, backend.new_key(), loop, {}, std::move(grant)) {}

  void connect() { enter_directory(); }
  void go() {
    open = false;
    leave_everything(&extras().public_seat);
    leave_directory({CloseCode::normal, "went"});
  }
  Result<Sent> send(std::string_view, const JsonText&, const RoomId&) override { return Sent::queued; }
  void close_session(CloseCode, std::string_view) override { go(); }

  Membership& in(const RoomId& room) {
    Membership* const membership = membership_of(room);
    REQUIRE(membership != nullptr);
    return *membership;
  }
  PublicSeat& seat() { return extras().public_seat; }
  void flush() { flush_rooms(); }
  void become(Identity identity) { replace_grant(std::move(identity)); }

  Inbox inbox;
  TextView view;
  bool open = true;
  int held = 0;  // how often its requests are held now
  int times_held = 0;

 private:
  std::shared_ptr<Participant> self() override { return shared_from_this(); }
  bool is_open() const override { return open && connected(); }
  core::Outlet& outlet() override { return inbox; }
  const RoomView& room_view() const override { return view; }
  void hold_requests() override {
    ++held;
    ++times_held;
  }
  void resume_requests() override { --held; }
};

/// What an act has told when the loop has run. `done()` may be called once.
template <class T>
class Told {
 public:
  explicit Told(SteppedLoops& loops) : loops_(&loops) {}
  Participant::Done<T> done() {
    return [result = result_](Result<T> told) {
      if (*result) throw std::logic_error("told twice");
      result->emplace(std::move(told));
    };
  }
  bool any() const {
    loops_->settle();
    return result_->has_value();
  }
  const Result<T>& get() const {
    REQUIRE(any());
    return **result_;
  }
  bool ok() const { return any() && (*result_)->ok(); }
  Errc code() const {
    REQUIRE(any());
    REQUIRE_FALSE((*result_)->ok());
    return (*result_)->error().code();
  }
  std::string why() const {
    REQUIRE(any());
    REQUIRE_FALSE((*result_)->ok());
    return (*result_)->error().message();
  }

 private:
  SteppedLoops* loops_;
  std::shared_ptr<std::optional<Result<T>>> result_ = std::make_shared<std::optional<Result<T>>>();
};

constexpr const char* file_id = "0f8fad5b-d9cb-469f-a165-70867728950e";

/// A backend with one loop, and clients of it.
class Scene {
 public:
  explicit Scene(const std::function<void(Config&)>& change = {}, std::shared_ptr<ChatStore> store = nullptr,
                 bool files_block = false)
      : config_(config(change)), backend(config_) {
    if (!store) store = std::make_shared<MemoryChatStore>();
    if (store->may_block()) queue_ = std::make_shared<storage::StoreQueue>(1, 100, 100);
    backend.chat = std::make_shared<ChatLog>(store, queue_, config_.limits, backend.chat_faults);
    (void)files_block;
    if (backend.files) backend.files->start();
    backend.rooms.start(*loops[0]);
  }
  ~Scene() {
    backend.handlers = {};  // they may hold what the test has ended
    backend.gate.file = nullptr;
    backend.requests = {};
    for (const auto& client : clients_) {
      if (client->connected()) client->go();
    }
    if (queue_) stop_queue();
    loops.settle();
    backend.rooms.begin_stop();
    if (backend.files) backend.files->stop();
  }

  Client& client(const std::string& user = {}) {
    auto grant = user.empty() ? nullptr : std::make_shared<const Grant>(Identity{user, user, {}, {}, true});
    clients_.push_back(std::make_shared<Client>(backend, loops[0], std::move(grant)));
    clients_.back()->connect();
    return *clients_.back();
  }
  /// A client that is in the room, and has been told all of it.
  Client& member(const RoomId& room, const std::string& user = {}) {
    Client& member = client(user);
    REQUIRE(join(member, room).ok());
    loops.advance(1s);
    for (const auto& other : clients_) (void)other->inbox.take();
    return member;
  }
  Told<void> join(Client& client, const RoomId& room, std::optional<JsonText> presence = std::nullopt) {
    Told<void> told(loops);
    welcomed.clear();
    client.join(
        room, std::move(presence), terms,
        [this](const RoomSnapshot& snapshot, const Result<ChatPage>& chat) {
          for (const auto& entry : snapshot.members) welcomed += std::string(entry.presence) + " ";
          welcomed += chat ? std::to_string(chat->entries.size()) + " messages" : chat.error().message();
        },
        told.done());
    return told;
  }
  /// What the client has heard since it was asked last.
  Lines heard(Client& client) {
    loops.settle();
    return client.inbox.take();
  }
  /// Runs the loop until `condition` holds, for what a thread of a store must do first.
  bool until(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (!condition() && std::chrono::steady_clock::now() < end) {
      loops.settle();
      std::this_thread::sleep_for(1ms);
    }
    return condition();
  }

  SteppedLoops loops;
  JoinTerms terms{.rooms_max = 2, .creates_rooms = true, .chat = {10}};
  Joined welcomed;
  std::shared_ptr<flux_test::StagedFileStore> files = std::make_shared<flux_test::StagedFileStore>(false);
  std::vector<std::string> logged;

 private:
  /// It waits for what the loop has to do with its last answers.
  void stop_queue() {
    std::atomic<bool> stopped{false};
    std::thread stopping([&] {
      queue_->stop();
      stopped = true;
    });
    while (!stopped) {
      loops.settle();
      std::this_thread::sleep_for(1ms);
    }
    stopping.join();
  }
  Config config(const std::function<void(Config&)>& change) {
    Config config;
    config.clock = loops.clock();
    config.seed = 7;
    config.presence_interval = 0ms;
    config.files.store = files;
    config.files.link_key = "0123456789abcdef";
    config.limits.fanout_bytes_max = 1'048'576;
    config.log = [this](LogLevel, std::string_view line) { logged.emplace_back(line); };
    if (change) change(config);
    return config;
  }
  const Config config_;
  std::shared_ptr<storage::StoreQueue> queue_;
  std::vector<std::shared_ptr<Client>> clients_;

 public:
  Backend backend;
};

JsonText json(const char* text) {
  auto parsed = JsonText::parse(text);
  REQUIRE(parsed.ok());
  return *parsed;
}

const auto refuse = [](auto& event) { event.refuse("not today"); };
const auto fail = [](auto&) { throw std::runtime_error("broken"); };

/// The room takes nothing more until the loops have run.
void fill(Backend& backend, const RoomId& room) {
  const std::string payload = "\"" + std::string(600'000, 'x') + "\"";
  for (int i = 0; i < 3; ++i) (void)backend.rooms.find(room)->publish(nullptr, {room, "server", {}, "e", payload});
}

}  // namespace

// --- Joining and leaving ---

TEST_CASE("participant: a client that joins is welcomed with the members and the chat, and the others hear of it") {
  Scene scene;
  Client& ann = scene.member("lobby", "ann");
  Told<ChatMessage> sent(scene.loops);
  ann.chat(ann.in("lobby"), "hi", std::nullopt, sent.done());
  REQUIRE(sent.ok());

  Client& ben = scene.client("ben");
  CHECK(scene.join(ben, "lobby", json(R"({"at":1})")).ok());
  CHECK(scene.welcomed == R"({} {"at":1} 1 messages)");
  CHECK(ben.rooms() == std::vector<RoomId>{"lobby"});
  scene.loops.advance(1s);
  const Lines told = scene.heard(ann);
  CHECK(told.back() == "presence +" + ben.id() + R"({"at":1})");
}

TEST_CASE("participant: a join handler refuses, changes the presence, or throws") {
  Scene scene;
  Client& ann = scene.client();
  SECTION("refuses") {
    scene.backend.handlers.join = refuse;
    const auto told = scene.join(ann, "lobby");
    CHECK(told.code() == Errc::forbidden);
    CHECK(told.why() == "not today");
  }
  SECTION("throws") {
    scene.backend.handlers.join = fail;
    CHECK(scene.join(ann, "lobby").code() == Errc::server_error);
    CHECK(scene.loops[0]->counters().handler_errors.get() == 1);
  }
  SECTION("makes the presence too large") {
    scene.backend.handlers.join = [](JoinRequest& join) {
      join.presence = json(("{\"a\":\"" + std::string(20'000, 'x') + "\"}").c_str());
    };
    CHECK(scene.join(ann, "lobby").code() == Errc::message_too_large);
  }
  CHECK(ann.rooms().empty());
  CHECK(scene.backend.rooms.find("lobby") == nullptr);
}

TEST_CASE("participant: what a join handler sets is what the room knows") {
  Scene scene;
  scene.backend.handlers.join = [](JoinRequest& join) { join.presence = json(R"({"role":"guest"})"); };
  Client& ann = scene.client();
  CHECK(scene.join(ann, "lobby", json(R"({"role":"admin"})")).ok());
  CHECK(scene.welcomed == R"({"role":"guest"} 0 messages)");
}

TEST_CASE("participant: a client that its join handler ends joins nothing") {
  Scene scene;
  Client& ann = scene.client();
  scene.backend.handlers.join = [&](JoinRequest&) { ann.go(); };
  CHECK_FALSE(scene.join(ann, "lobby").any());
  CHECK(scene.backend.rooms.find("lobby") == nullptr);
}

TEST_CASE("participant: joins are refused by their terms") {
  Scene scene;
  Client& ann = scene.client();
  CHECK(scene.join(ann, "").code() == Errc::invalid_argument);
  scene.terms.creates_rooms = false;
  CHECK(scene.join(ann, "nowhere").code() == Errc::room_not_found);
  scene.terms.creates_rooms = true;
  CHECK(scene.join(ann, "a").ok());
  CHECK(scene.join(ann, "b").ok());
  const auto third = scene.join(ann, "c");
  CHECK(third.code() == Errc::limit_exceeded);
  CHECK(third.why() == "in 2 rooms already; leave one first");
  CHECK(scene.join(ann, "a", json(R"({"again":1})")).ok());
  CHECK(ann.rooms() == std::vector<RoomId>{"a", "b"});
  REQUIRE(scene.backend.rooms.create("full", {RoomMode::live, 1, false}).ok());
  Client& ben = scene.client();
  Client& cat = scene.client();
  CHECK(scene.join(ben, "full").ok());
  CHECK(scene.join(cat, "full").code() == Errc::room_full);
}

TEST_CASE("participant: who joins again without a presence keeps the one it has set") {
  Scene scene;
  Client& ann = scene.client();
  REQUIRE(scene.join(ann, "lobby", json(R"({"at":1})")).ok());
  REQUIRE(scene.join(ann, "lobby").ok());
  CHECK(scene.welcomed == R"({"at":1} 0 messages)");
  CHECK(ann.rooms().size() == 1);
}

TEST_CASE("participant: with one room at most, joining another leaves the first") {
  Scene scene;
  scene.terms.rooms_max = 1;
  scene.terms.switches_rooms = true;
  std::vector<std::string> left;
  scene.backend.handlers.leave = [&](const Session&, const RoomId& room) { left.push_back(room); };
  Client& ann = scene.client();
  CHECK(scene.join(ann, "a").ok());
  CHECK(scene.join(ann, "b").ok());
  CHECK(ann.rooms() == std::vector<RoomId>{"b"});
  CHECK(left == std::vector<std::string>{"a"});
  CHECK(scene.backend.rooms.find("a") == nullptr);
}

namespace {

/// Answers when it is let go.
class HeldChatStore final : public ChatStore {
 public:
  ~HeldChatStore() override { let_go(); }
  void let_go() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  Result<Offset> append(const RoomId& room, const ChatMessage& message) override {
    return store_.append(room, message);
  }
  Result<std::vector<ChatMessage>> history(const RoomId& room, std::size_t limit, Offset before) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !held_; });
    return store_.history(room, limit, before);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = true;
  MemoryChatStore store_;
};

}  // namespace

TEST_CASE("participant: a join waits for a chat store that blocks, and its client's requests wait for the join") {
  const auto store = std::make_shared<HeldChatStore>();
  Scene scene({}, store);
  const std::shared_ptr<void> at_the_end(nullptr, [&](void*) { store->let_go(); });
  Client& ann = scene.client();
  const auto told = scene.join(ann, "lobby");
  scene.loops.settle();
  CHECK_FALSE(told.any());
  CHECK(ann.held == 1);
  CHECK(ann.rooms().empty());
  SECTION("it answers") {
    store->let_go();
    CHECK(scene.until([&] { return told.any(); }));
    CHECK(told.ok());
    CHECK(scene.welcomed == "{} 0 messages");
    CHECK(ann.held == 0);
  }
  SECTION("it does not answer in time") {
    scene.loops.advance(2s);
    CHECK(told.ok());
    CHECK(scene.welcomed == "{} the chat store takes too long; ask for the history later");
    CHECK(ann.held == 0);
    CHECK(ann.rooms() == std::vector<RoomId>{"lobby"});
    store->let_go();
  }
  SECTION("the client goes meanwhile") {
    ann.go();
    scene.loops.advance(2s);
    CHECK_FALSE(told.any());
    CHECK(scene.backend.rooms.find("lobby") == nullptr);
    store->let_go();
  }
}

TEST_CASE("participant: a client that goes leaves its rooms, and the rooms that it made and nobody joined end") {
  Scene scene;
  std::vector<std::string> told;
  scene.backend.handlers.leave = [&](const Session&, const RoomId& room) { told.push_back("left " + room); };
  scene.backend.handlers.disconnect = [&](const Session& session, const Disconnect& how) {
    told.push_back(how.reason + (session.connected() ? ", connected" : ""));
  };
  Client& ann = scene.member("lobby", "ann");
  Told<std::shared_ptr<Room>> made(scene.loops);
  ann.create_room("made", {}, made.done());
  REQUIRE(made.ok());
  CHECK(scene.backend.sessions.of_user("ann").size() == 1);
  ann.go();
  CHECK(told == std::vector<std::string>{"left lobby", "went"});
  CHECK(scene.backend.rooms.size() == 0);
  CHECK(scene.backend.sessions.of_user("ann").empty());
  CHECK(scene.backend.sessions.all().empty());
}

TEST_CASE("participant: a new identity is who the directory finds") {
  Scene scene;
  Client& ann = scene.client("ann");
  ann.become({"anna", "Anna", {}, {}, true});
  CHECK(scene.backend.sessions.of_user("ann").empty());
  CHECK(scene.backend.sessions.of_user("anna").size() == 1);
  CHECK(ann.identity()->name == "Anna");
}

// --- Rooms of its own ---

TEST_CASE("participant: a client makes rooms up to the limit, and may close its own") {
  Scene scene([](Config& config) { config.limits.rooms_created_max = 2; });
  Client& ann = scene.client();
  Client& ben = scene.member("one");
  const auto create = [&](const RoomId& room) {
    Told<std::shared_ptr<Room>> told(scene.loops);
    ann.create_room(room, {RoomMode::history, 0, false}, told.done());
    return told.ok() ? (*told.get())->id() : told.why();
  };
  CHECK(create("one") == "room \"one\" exists already");
  CHECK(create("two") == "two");
  CHECK(create("three") == "three");
  CHECK(create("four") == "this client has created its 2 rooms");

  CHECK(ann.close_room("", "x").error().code() == Errc::invalid_argument);
  CHECK(ann.close_room("nowhere", "x").error().code() == Errc::room_not_found);
  CHECK(ann.close_room("one", "x").error().code() == Errc::forbidden);
  CHECK(ben.close_room("two", "x").error().code() == Errc::forbidden);
  REQUIRE(scene.join(ben, "two").ok());
  (void)scene.heard(ben);
  CHECK(ann.close_room("two", "").ok());
  CHECK(scene.heard(ben) == Lines{"closed two: closed by its creator"});
  CHECK(ben.rooms() == std::vector<RoomId>{"one"});
  CHECK(create("four") == "four");  // what has ended does not count
}

TEST_CASE("participant: lists of rooms, members and items come in pages") {
  Scene scene;
  Client& ann = scene.client();
  for (const char* id : {"a", "b", "c"}) {
    Told<std::shared_ptr<Room>> made(scene.loops);
    ann.create_room(id, {RoomMode::history, 0, false}, made.done());
    REQUIRE(made.ok());
  }
  const auto bytes_of = [](const RoomInfo&) { return std::size_t{10}; };
  const auto first = ann.rooms_page("", 2, bytes_of);
  CHECK((first.rooms.size() == 2 && first.rooms.back().id == "b" && first.more));
  const auto rest = ann.rooms_page("b", 2, bytes_of);
  CHECK((rest.rooms.size() == 1 && rest.rooms.back().id == "c" && !rest.more));
  const auto short_of_bytes = ann.rooms_page("", 3, [](const RoomInfo&) { return std::size_t{700'000}; });
  CHECK((short_of_bytes.rooms.size() == 1 && short_of_bytes.more));

  REQUIRE(scene.join(ann, "a").ok());
  (void)scene.member("a");
  const auto members = ann.members(ann.in("a"), 1, 0);
  CHECK(members.members.size() == 1);
  REQUIRE(members.after);
  CHECK(ann.members(ann.in("a"), 1, *members.after).members.size() == 1);
  for (const char* text : {"1", "2", "3"}) {
    Told<Position> shared(scene.loops);
    ann.share(ann.in("a").room, json(text), shared.done());
    REQUIRE(shared.ok());
  }
  const auto items = ann.items(ann.in("a"), 2, 0);
  CHECK((items.entries.size() == 2 && items.before != 0));
  CHECK(ann.items(ann.in("a"), 2, items.before).entries.size() == 1);
}

// --- Events ---

TEST_CASE("participant: an event reaches the others, and the handler may change or stop it") {
  Scene scene;
  Client& ann = scene.member("lobby", "ann");
  Client& ben = scene.member("lobby");
  Told<Position> told(scene.loops);
  const auto publish = [&] { ann.publish(ann.in("lobby"), "move", json("1"), told.done()); };
  SECTION("no handler") {
    CHECK_FALSE(ann.asks_about_events());
    CHECK(ann.publish_unasked(ann.in("lobby"), "move", "1").ok());
    CHECK(scene.heard(ben) == Lines{"event move from " + ann.id() + "/ann 1"});
    CHECK(scene.heard(ann).empty());
    publish();
    CHECK(told.ok());
  }
  SECTION("changed") {
    scene.backend.handlers.event = [](EventMessage& message) {
      message.event = "step";
      message.payload = std::nullopt;
    };
    CHECK(ann.asks_about_events());
    publish();
    CHECK(told.ok());
    CHECK(scene.heard(ben) == Lines{"event step from " + ann.id() + "/ann"});
  }
  SECTION("refused") {
    scene.backend.handlers.event = refuse;
    publish();
    CHECK(told.code() == Errc::forbidden);
    CHECK(scene.heard(ben).empty());
  }
  SECTION("the handler throws") {
    scene.backend.handlers.event = fail;
    publish();
    CHECK(told.code() == Errc::server_error);
    CHECK(scene.heard(ben).empty());
  }
  SECTION("changed to an event without a name") {
    scene.backend.handlers.event = [](EventMessage& message) { message.event.clear(); };
    publish();
    CHECK(told.code() == Errc::invalid_argument);
    CHECK(scene.logged.size() == 1);
    CHECK(scene.heard(ben).empty());
  }
  SECTION("the handler takes the client out of the room") {
    scene.backend.handlers.event = [&](EventMessage&) { ann.leave_room(ann.in("lobby").room); };
    publish();
    CHECK(told.code() == Errc::not_in_room);
    CHECK(told.why() == "not in room \"lobby\" any more");
  }
  SECTION("the handler ends the client") {
    scene.backend.handlers.event = [&](EventMessage&) { ann.go(); };
    publish();
    CHECK_FALSE(told.any());
  }
  SECTION("too much waits to be sent") {
    fill(scene.backend, "lobby");
    publish();
    CHECK(told.code() == Errc::overloaded);
  }
}

// --- Chat ---

TEST_CASE("participant: chat is stored, then told to all, and the handler may change or stop it") {
  Scene scene;
  Client& ann = scene.member("lobby", "ann");
  Client& ben = scene.member("lobby");
  Told<ChatMessage> told(scene.loops);
  Told<ChatPage> history(scene.loops);
  const auto chat = [&] {
    ann.chat(ann.in("lobby"), "hi", json(R"({"k":1})"), told.done());
    ben.chat_history("lobby", 10, 0, history.done());
    REQUIRE(history.any());
  };
  SECTION("no handler") {
    chat();
    REQUIRE(told.ok());
    CHECK(told.get()->offset == 1);
    CHECK(told.get()->user_id == "ann");
    CHECK(told.get()->metadata == R"({"k":1})");
    CHECK(scene.heard(ben) == Lines{"chat hi from " + ann.id()});
    CHECK(history.get()->entries.size() == 1);
  }
  SECTION("changed") {
    scene.backend.handlers.chat = [](ChatDraft& draft) {
      draft.message = "ho\xff";
      draft.metadata = std::nullopt;
    };
    chat();
    REQUIRE(told.ok());
    CHECK(told.get()->message == "ho\xEF\xBF\xBD");
    CHECK(told.get()->metadata.empty());
  }
  SECTION("refused") {
    scene.backend.handlers.chat = refuse;
    chat();
    CHECK(told.code() == Errc::forbidden);
    CHECK(scene.heard(ben).empty());
    CHECK(history.get()->entries.empty());
  }
  SECTION("the handler throws") {
    scene.backend.handlers.chat = fail;
    chat();
    CHECK(told.code() == Errc::server_error);
    CHECK(history.get()->entries.empty());
  }
  SECTION("made too long") {
    scene.backend.handlers.chat = [](ChatDraft& draft) { draft.message = std::string(70'000, 'x'); };
    chat();
    CHECK(told.code() == Errc::message_too_large);
    CHECK(history.get()->entries.empty());
  }
  SECTION("too much waits to be sent: nothing is stored") {
    fill(scene.backend, "lobby");
    chat();
    CHECK(told.code() == Errc::overloaded);
    CHECK(history.get()->entries.empty());
  }
}

namespace {

class FailingChatStore final : public ChatStore {
 public:
  Result<Offset> append(const RoomId&, const ChatMessage&) override { return Error(Errc::store_failed, "secret host"); }
  Result<std::vector<ChatMessage>> history(const RoomId&, std::size_t, Offset) override {
    return Error(Errc::store_failed, "secret host");
  }
  bool may_block() const override { return false; }
};

}  // namespace

TEST_CASE("participant: where the chat store fails a join goes on without the history, and chat is answered") {
  Scene scene({}, std::make_shared<FailingChatStore>());
  Client& ann = scene.client();
  CHECK(scene.join(ann, "lobby").ok());
  CHECK(scene.welcomed.find("secret") == std::string::npos);
  CHECK(scene.welcomed != "{} 0 messages");
  Told<ChatMessage> told(scene.loops);
  ann.chat(ann.in("lobby"), "hi", std::nullopt, told.done());
  CHECK(told.code() == Errc::store_failed);
  CHECK(told.why().find("secret") == std::string::npos);
  Told<ChatPage> history(scene.loops);
  ann.chat_history("lobby", 10, 0, history.done());
  CHECK(history.code() == Errc::store_failed);
}

// --- Presence ---

TEST_CASE("participant: presence is told to the others, and the handler may change or stop it") {
  Scene scene;
  Client& ann = scene.member("lobby");
  Client& ben = scene.member("lobby");
  Told<void> told(scene.loops);
  const auto update = [&] { ann.update_presence(ann.in("lobby"), json(R"({"x":1})"), told.done()); };
  SECTION("no handler") {
    update();
    CHECK(told.ok());
    CHECK(scene.heard(ben) == Lines{"presence ~" + ann.id() + R"({"x":1})"});
  }
  SECTION("changed") {
    scene.backend.handlers.presence = [](PresenceChange& change) { change.presence = json("{}"); };
    update();
    CHECK(scene.heard(ben) == Lines{"presence ~" + ann.id() + "{}"});
  }
  SECTION("changed to no object") {
    scene.backend.handlers.presence = [](PresenceChange& change) { change.presence = json("1"); };
    update();
    CHECK(told.code() == Errc::invalid_argument);
    CHECK(scene.heard(ben).empty());
  }
  SECTION("refused") {
    scene.backend.handlers.presence = refuse;
    update();
    CHECK(told.code() == Errc::forbidden);
    CHECK(scene.heard(ben).empty());
  }
  SECTION("the handler throws") {
    scene.backend.handlers.presence = fail;
    update();
    CHECK(told.code() == Errc::server_error);
    CHECK(scene.heard(ben).empty());
  }
}

TEST_CASE("participant: presence that comes too soon waits for the throttle, and only the newest is told") {
  Scene scene;
  Client& ann = scene.member("lobby");
  Client& ben = scene.member("lobby");
  for (const char* text : {R"({"x":1})", R"({"x":2})", R"({"x":3})"}) {
    Told<void> told(scene.loops);
    ann.update_presence(ann.in("lobby"), json(text), told.done());
    CHECK(told.ok());
  }
  CHECK(scene.heard(ben) == Lines{"presence ~" + ann.id() + R"({"x":1})"});
  scene.loops.advance(99ms);
  CHECK(scene.heard(ben).empty());
  SECTION("it is told when the time has come") {
    scene.loops.advance(1ms);
    CHECK(scene.heard(ben) == Lines{"presence ~" + ann.id() + R"({"x":3})"});
  }
  SECTION("who has left meanwhile has no presence") {
    ann.leave_room(ann.in("lobby").room);
    scene.loops.advance(1s);
    CHECK(scene.heard(ben) == Lines{"presence -" + ann.id()});
  }
}

// --- The application's own requests ---

TEST_CASE("participant: a call is answered by its method's handler") {
  Scene scene;
  Client& ann = scene.client("ann");
  Told<JsonText> told(scene.loops);
  const auto set = [&](CallHandler handler) { scene.backend.requests.set("sum", std::move(handler), 256); };
  const auto call = [&](const char* payload = "[1,2]") { ann.call("sum", json(payload), told.done()); };
  SECTION("at once") {
    set([&](Call& question) {
      CHECK(question.method() == "sum");
      CHECK(question.session().id() == ann.id());
      question.reply(JsonText::number(*question.payload().get<int>("/0") + *question.payload().get<int>("/1")));
      question.refuse("too late");
    });
    call();
    REQUIRE(told.ok());
    CHECK(told.get()->text() == "3");
    CHECK(ann.times_held == 0);
  }
  SECTION("without an answer: null") {
    set([](Call&) {});
    call();
    REQUIRE(told.ok());
    CHECK(told.get()->text() == "null");
  }
  SECTION("with an error") {
    set([](Call& question) { question.refuse("no\xff", Errc::limit_exceeded); });
    call();
    CHECK(told.code() == Errc::limit_exceeded);
    CHECK(told.why() == "no\xEF\xBF\xBD");
  }
  SECTION("by nobody") {
    ann.call("product", json("1"), told.done());
    CHECK(told.code() == Errc::unknown_type);
    CHECK(told.why() == "unknown method \"product\"");
  }
  SECTION("by nobody any more") {
    set([](Call&) {});
    set(nullptr);
    call();
    CHECK(told.code() == Errc::unknown_type);
  }
  SECTION("the handler throws") {
    set([](Call&) { throw std::runtime_error("broken"); });
    call();
    CHECK(told.code() == Errc::server_error);
    CHECK(scene.loops[0]->counters().handler_errors.get() == 1);
  }
  SECTION("the handler ends the client") {
    set([&](Call&) { ann.go(); });
    call();
    CHECK_FALSE(told.any());
  }
  SECTION("halves of surrogate pairs are repaired") {
    set([](Call& question) { question.reply(JsonText::trusted(R"("\ud83d")")); });
    call();
    REQUIRE(told.ok());
    CHECK(told.get()->text() == R"("\ufffd")");
  }
  SECTION("with more than an answer may have") {
    set([](Call& question) { question.reply(JsonText::string(std::string(1'048'576, 'x'))); });
    call();
    CHECK(told.code() == Errc::server_error);
    CHECK(scene.logged.size() == 1);
  }
}

TEST_CASE("participant: while an answer is left for later its client's requests wait") {
  Scene scene;
  Client& ann = scene.client();
  std::optional<LaterReply> later;
  scene.backend.requests.set(
      "slow", [&](Call& question) { later = question.later(); }, 256);
  Told<JsonText> told(scene.loops);
  ann.call("slow", json("1"), told.done());
  CHECK_FALSE(told.any());
  CHECK(ann.held == 1);
  SECTION("a result, from another thread") {
    std::thread([&] { later->reply(json("2")); }).join();
    REQUIRE(told.ok());
    CHECK(told.get()->text() == "2");
    later->refuse("the first answer counts");
  }
  SECTION("an error") {
    later->refuse("no");
    CHECK(told.code() == Errc::forbidden);
  }
  SECTION("nobody keeps it") {
    later.reset();
    CHECK(told.code() == Errc::server_error);
    CHECK(told.why() == "the server gave no answer");
  }
  SECTION("no answer in time") {
    scene.loops.advance(9s);
    CHECK_FALSE(told.any());
    scene.loops.advance(1s);
    CHECK(told.code() == Errc::overloaded);
    later->reply();
  }
  SECTION("the client goes") {
    ann.go();
    later->reply();
    CHECK_FALSE(told.any());
    return;
  }
  scene.loops.settle();
  CHECK(ann.held == 0);
}

TEST_CASE("participant: a handler may answer what it has left for later before it returns, and throw then") {
  Scene scene;
  Client& ann = scene.client();
  Told<JsonText> told(scene.loops);
  const bool throws = GENERATE(true, false);
  scene.backend.requests.set(
      "now",
      [&](Call& question) {
        const LaterReply later = question.later();
        if (!throws) return later.reply(json("1"));
        throw std::runtime_error("broken");
      },
      256);
  ann.call("now", json("1"), told.done());
  CHECK(told.ok() == !throws);
  CHECK(told.any());
  CHECK(ann.held == 0);
}

TEST_CASE("request table: the name of a method is one that clients can send") {
  RequestTable table;
  CHECK_THROWS_AS(table.set(
                      "", [](Call&) {}, 10),
                  Error);
  CHECK_THROWS_AS(table.set(
                      "\xff", [](Call&) {}, 10),
                  Error);
  CHECK_THROWS_AS(table.set(
                      "12345678901", [](Call&) {}, 10),
                  Error);
  table.set(
      "1234567890", [](Call&) {}, 10);
  CHECK(table.find("1234567890") != nullptr);
  CHECK(table.find("123456789") == nullptr);
}

// --- Sharing ---

TEST_CASE("participant: an item is shared in a room or in the public space, and the handler may change or stop it") {
  Scene scene;
  Client& ann = scene.member("lobby");
  Client& ben = scene.member("lobby");
  const bool in_room = GENERATE(true, false);
  const auto room = in_room ? ann.in("lobby").room : nullptr;
  (void)ben.watch_public_changes(ben.seat(), ben.view, 10, 0);
  const std::string heard_as = in_room ? "data " : "item ";
  Told<Position> told(scene.loops);
  const auto share = [&] { ann.share(room, json("1"), told.done()); };
  SECTION("no handler") {
    share();
    REQUIRE(told.ok());
    CHECK(scene.heard(ben) == Lines{heard_as + "1 at " + std::to_string(told.get()->offset)});
  }
  SECTION("changed") {
    scene.backend.handlers.share = [&](ShareDraft& draft) {
      CHECK(draft.room == (in_room ? "lobby" : ""));
      draft.data = json("2");
    };
    share();
    REQUIRE(told.ok());
    CHECK(scene.heard(ben) == Lines{heard_as + "2 at " + std::to_string(told.get()->offset)});
  }
  SECTION("refused") {
    scene.backend.handlers.share = refuse;
    share();
    CHECK(told.code() == Errc::forbidden);
    CHECK(scene.heard(ben).empty());
  }
  SECTION("the handler throws") {
    scene.backend.handlers.share = fail;
    share();
    CHECK(told.code() == Errc::server_error);
    CHECK(scene.heard(ben).empty());
  }
  SECTION("not in the room any more") {
    if (!in_room) return;
    ann.leave_room(room);
    (void)scene.heard(ben);
    share();
    CHECK(told.code() == Errc::not_in_room);
    CHECK(scene.heard(ben).empty());
  }
}

TEST_CASE("participant: a stored file is shared when the application agrees, and requests wait until then") {
  Scene scene;
  scene.files->put(file_id, "a.txt", "text/plain", "abc", "ann");
  Client& ann = scene.member("lobby", "ann");
  Client& ben = scene.member("lobby");
  Told<Position> told(scene.loops);
  const auto room = ann.in("lobby").room;
  const auto share = [&](const FileId& id = file_id) {
    ann.share_stored(room, id, told.done());
    scene.loops.settle();
  };
  SECTION("no handler") {
    share();
    CHECK(told.ok());
    const Lines lines = scene.heard(ben);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find(file_id) != std::string::npos);
    CHECK(ann.times_held == 1);
  }
  SECTION("there is no such file") {
    share("1f8fad5b-d9cb-469f-a165-70867728950e");
    CHECK(told.code() == Errc::file_not_found);
  }
  SECTION("the file handler refuses") {
    scene.backend.gate.file = refuse;
    share();
    CHECK(told.code() == Errc::forbidden);
    CHECK(told.why() == "not today");
  }
  SECTION("the file handler throws") {
    scene.backend.gate.file = fail;
    share();
    CHECK(told.code() == Errc::server_error);
  }
  SECTION("the file handler answers later") {
    std::optional<LaterAnswer> later;
    scene.backend.gate.file = [&](FileRequest& request) { later = request.later(); };
    share();
    CHECK_FALSE(told.any());
    CHECK(ann.held == 1);
    SECTION("yes") {
      later->accept();
      scene.loops.settle();
      CHECK(told.ok());
    }
    SECTION("no") {
      later->refuse("no");
      scene.loops.settle();
      CHECK(told.code() == Errc::forbidden);
    }
    SECTION("never") {
      scene.loops.advance(10s);
      CHECK(told.code() == Errc::overloaded);
    }
    SECTION("when the client has left the room") {
      ann.leave_room(room);
      later->accept();
      scene.loops.settle();
      CHECK(told.code() == Errc::not_in_room);
    }
    SECTION("when the client has gone") {
      ann.go();
      later->accept();
      scene.loops.settle();
      CHECK_FALSE(told.any());
      return;
    }
  }
  SECTION("the share handler refuses") {
    scene.backend.handlers.share = refuse;
    share();
    CHECK(told.code() == Errc::forbidden);
  }
  CHECK(ann.held == 0);
  if (!told.ok()) CHECK(scene.heard(ben).size() <= 1);  // at most that Ann has left
}

TEST_CASE("participant: a server without files shares none") {
  Scene scene([](Config& config) { config.files.store = nullptr; });
  Client& ann = scene.member("lobby");
  const auto room = ann.in("lobby").room;
  Told<Position> stored(scene.loops), whole(scene.loops);
  ann.share_stored(room, file_id, stored.done());
  CHECK(stored.code() == Errc::forbidden);
  const std::shared_ptr<UploadsInMemory> uploads(new UploadsInMemory{1'000, 2});
  ann.share_whole(room, {std::make_shared<const std::string>("abc"), "a.txt", "text/plain"}, uploads, whole.done());
  CHECK(whole.code() == Errc::forbidden);
  CHECK(ann.upload_ticket("lobby").error().code() == Errc::forbidden);
  CHECK(ann.held == 0);
}

TEST_CASE("participant: a file in a message is stored, then shared") {
  Scene scene([](Config& config) { config.files.file_bytes_max = 900; });
  Client& ann = scene.member("lobby", "ann");
  Client& ben = scene.member("lobby");
  const std::shared_ptr<UploadsInMemory> uploads(new UploadsInMemory{1'000, 2});
  const auto room = ann.in("lobby").room;
  const auto share = [&](std::size_t bytes) {
    Told<Position> told(scene.loops);
    ann.share_whole(room, {std::make_shared<const std::string>(bytes, 'x'), "a.txt", "text/plain"}, uploads,
                    told.done());
    return told;
  };
  SECTION("it is shared, and no memory is counted for it any more") {
    const auto told = share(3);
    CHECK(uploads->bytes == 3);
    CHECK(told.ok());
    CHECK(uploads->bytes == 0);
    const Lines lines = scene.heard(ben);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find("a.txt") != std::string::npos);
    REQUIRE(scene.files->known().size() == 1);
    CHECK(scene.files->known()[0].owner == "ann");
  }
  SECTION("limits") {
    CHECK(share(901).code() == Errc::file_too_large);
    const auto one = share(600);
    const auto past_memory = share(600);
    const auto two = share(100);
    const auto third_at_once = share(1);
    CHECK(past_memory.code() == Errc::overloaded);
    CHECK(third_at_once.code() == Errc::overloaded);
    CHECK(one.ok());
    CHECK(two.ok());
    CHECK(uploads->bytes == 0);
    const auto three = share(1);
    scene.loops.settle();
    CHECK(three.ok());
  }
  SECTION("the share handler refuses: the file is deleted") {
    scene.backend.handlers.share = refuse;
    const auto told = share(3);
    scene.loops.settle();
    CHECK(told.code() == Errc::forbidden);
    REQUIRE(scene.files->known().size() == 1);
    CHECK(scene.files->known()[0].state == FileState::deleted);
  }
  SECTION("its client leaves meanwhile") {
    const auto told = share(3);
    ann.leave_room(room);
    scene.loops.settle();
    CHECK(told.code() == Errc::not_in_room);
    CHECK(uploads->bytes == 0);
  }
}

TEST_CASE("participant: a ticket names the connection and the room") {
  Scene scene;
  Client& ann = scene.client();
  const auto ticket = ann.upload_ticket("lobby");
#if FLUX_WITH_TLS
  REQUIRE(ticket.ok());
  const auto read = scene.backend.upload_tickets.read(ticket->text, ticket->expires_at - 1);
  REQUIRE(read);
  CHECK(read->connection == ann.id());
  CHECK(read->room == "lobby");
#else
  CHECK(ticket.error().code() == Errc::forbidden);
#endif
}

// --- The public space ---

TEST_CASE("participant: the public space is read, watched, and its newest item deleted") {
  Scene scene;
  Client& ann = scene.client();
  Client& ben = scene.client();
  for (const char* text : {"1", "2", "3"}) {
    Told<Position> shared(scene.loops);
    ann.share(nullptr, json(text), shared.done());
    REQUIRE(shared.ok());
  }
  const auto page = ann.public_items(2, 0);
  CHECK((page.entries.size() == 2 && page.before == 2));
  CHECK(ann.watch_public(ann.seat(), ann.view, 1, 0).entries.size() == 1);
  CHECK(ben.watch_public_changes(ben.seat(), ben.view, 10, 0).entries.size() == 3);
  Told<bool> told(scene.loops);
  SECTION("no handler") {
    ann.delete_public_newest(told.done());
    scene.loops.settle();
    CHECK((told.ok() && *told.get()));
    CHECK(scene.heard(ben) == Lines{"removed 3"});
    scene.loops.advance(1s);
    CHECK(scene.heard(ann).back() == "public 1 2");
  }
  SECTION("the handler refuses") {
    scene.backend.handlers.public_delete = refuse;
    ann.delete_public_newest(told.done());
    CHECK(told.code() == Errc::forbidden);
    CHECK(scene.heard(ben).empty());
  }
  SECTION("the handler throws") {
    scene.backend.handlers.public_delete = fail;
    ann.delete_public_newest(told.done());
    CHECK(told.code() == Errc::server_error);
    CHECK(scene.heard(ben).empty());
  }
  SECTION("another item becomes the newest while the handler is asked: that one is asked about") {
    std::vector<std::string> asked;
    scene.backend.handlers.public_delete = [&](PublicDelete& removal) {
      asked.push_back(removal.item.data.text());
      if (asked.size() == 1) (void)scene.backend.public_space->share({"server", json("4"), 0});
    };
    ann.delete_public_newest(told.done());
    scene.loops.settle();
    CHECK((told.ok() && *told.get()));
    CHECK(asked == std::vector<std::string>{"3", "4"});
    CHECK(scene.heard(ben).back() == "removed 4");
  }
  SECTION("there is nothing") {
    scene.backend.handlers.public_delete = [](PublicDelete&) {};
    for (int i = 0; i < 3; ++i) REQUIRE(scene.backend.public_space->delete_newest());
    ann.delete_public_newest(told.done());
    CHECK((told.ok() && !*told.get()));
  }
}

// --- Verdicts that are given later ---

namespace {

/// A handler that gives its verdict later, and the verdicts it owes.
struct Deferring {
  template <class Event>
  void operator()(Event& event) {
    owed->push_back(event.later());
  }
  LaterVerdict take() const {
    REQUIRE_FALSE(owed->empty());
    LaterVerdict first = owed->front();
    owed->erase(owed->begin());
    return first;
  }
  std::shared_ptr<std::vector<LaterVerdict>> owed = std::make_shared<std::vector<LaterVerdict>>();
};

}  // namespace

TEST_CASE("participant: every act waits for a verdict that is given later, and its client's requests with it") {
  Scene scene;
  Client& ann = scene.member("lobby");
  Client& ben = scene.member("lobby");
  (void)ben.watch_public_changes(ben.seat(), ben.view, 10, 0);
  REQUIRE(scene.backend.public_space->share({"server", json("0"), 0}).ok());
  (void)scene.heard(ben);
  const Deferring deferring;
  auto& handlers = scene.backend.handlers;
  handlers.join = deferring;
  handlers.event = deferring;
  handlers.chat = deferring;
  handlers.share = deferring;
  handlers.presence = deferring;
  handlers.public_delete = deferring;

  Told<void> joined(scene.loops), updated(scene.loops);
  Told<Position> published(scene.loops), shared(scene.loops);
  Told<ChatMessage> sent(scene.loops);
  Told<bool> deleted(scene.loops);
  std::function<bool()> told;
  std::function<Errc()> code;
  std::string heard;
  const auto watch = [&](auto& one, std::string then_heard) {
    told = [&one] { return one.any(); };
    code = [&one] { return one.ok() ? Errc() : one.code(); };
    heard = std::move(then_heard);
  };
  switch (GENERATE(0, 1, 2, 3, 4, 5)) {
    case 0:
      joined = scene.join(ann, "other");
      watch(joined, {});
      break;
    case 1:
      ann.publish(ann.in("lobby"), "e", std::nullopt, published.done());
      watch(published, "event e from " + ann.id());
      break;
    case 2:
      ann.chat(ann.in("lobby"), "hi", std::nullopt, sent.done());
      watch(sent, "chat hi from " + ann.id());
      break;
    case 3:
      ann.share(ann.in("lobby").room, json("1"), shared.done());
      watch(shared, "data 1 at 1");
      break;
    case 4:
      ann.update_presence(ann.in("lobby"), json(R"({"a":1})"), updated.done());
      watch(updated, "presence ~" + ann.id() + R"({"a":1})");
      break;
    default: ann.delete_public_newest(deleted.done()); watch(deleted, "removed 1");
  }
  CHECK_FALSE(told());
  CHECK(ann.held == 1);
  CHECK(scene.heard(ben).empty());
  SECTION("accepted") {
    std::thread([verdict = deferring.take()] { verdict.accept(); }).join();
    REQUIRE(told());
    CHECK(code() == Errc());
    CHECK(scene.heard(ben) == (heard.empty() ? Lines() : Lines{heard}));
    if (heard.empty()) CHECK(ann.rooms().size() == 2);
  }
  SECTION("refused") {
    std::thread([verdict = deferring.take()] { verdict.refuse("full", Errc::room_full); }).join();
    REQUIRE(told());
    CHECK(code() == Errc::room_full);
  }
  SECTION("no verdict: refused when its last copy is destroyed") {
    deferring.owed->clear();
    REQUIRE(told());
    CHECK(code() == Errc::forbidden);
  }
  SECTION("no verdict in time") {
    scene.loops.advance(10s - 1ms);
    CHECK_FALSE(told());
    scene.loops.advance(1ms);
    REQUIRE(told());
    CHECK(code() == Errc::overloaded);
    deferring.take().accept();
    scene.loops.settle();
  }
  SECTION("the client leaves: nothing is done") {
    ann.go();
    CHECK(ann.held == 1);
    (void)scene.heard(ben);
    deferring.take().accept();
    scene.loops.advance(10s);
    CHECK_FALSE(told());
    CHECK(scene.heard(ben).empty());
    return;
  }
  CHECK(ann.held == 0);
  CHECK(ann.times_held >= 1);
  if (code() != Errc()) CHECK(scene.heard(ben).empty());
}

TEST_CASE("participant: the first verdict counts, and what the handler says before it returns") {
  Scene scene;
  Client& ann = scene.member("lobby");
  Client& ben = scene.member("lobby");
  Told<Position> told(scene.loops);
  const auto publish = [&] { ann.publish(ann.in("lobby"), "e", std::nullopt, told.done()); };
  std::optional<LaterVerdict> verdict;
  SECTION("refuse, then accept") {
    scene.backend.handlers.event = [&](EventMessage& event) { verdict = event.later(); };
    publish();
    verdict->refuse("no");
    verdict->accept();
    CHECK(told.why() == "no");
  }
  SECTION("accepted inside the handler: done at once, without holding requests") {
    scene.backend.handlers.event = [&](EventMessage& event) {
      event.event = "changed";
      event.later().accept();
    };
    publish();
    CHECK(told.ok());
    CHECK(ann.times_held == 0);
    CHECK(scene.heard(ben) == Lines{"event changed from " + ann.id()});
  }
  SECTION("asked for twice: still one verdict") {
    scene.backend.handlers.event = [&](EventMessage& event) {
      verdict = event.later();
      (void)event.later();
    };
    publish();
    CHECK_FALSE(told.any());
    verdict->accept();
    CHECK(told.ok());
  }
  SECTION("later and refuse: refused") {
    scene.backend.handlers.event = [&](EventMessage& event) {
      verdict = event.later();
      event.refuse("no");
    };
    publish();
    CHECK(told.why() == "no");
    verdict->accept();
    scene.loops.settle();
    CHECK(scene.heard(ben).empty());
  }
  SECTION("later, then thrown") {
    scene.backend.handlers.event = [&](EventMessage& event) {
      verdict = event.later();
      throw std::runtime_error("broken");
    };
    publish();
    CHECK(told.code() == Errc::server_error);
    CHECK(ann.held == 0);
  }
}

TEST_CASE("participant: a verdict that never comes holds neither its client nor the request") {
  Scene scene([](Config& config) { config.limits.veto_timeout = 0ms; });
  const Deferring deferring;
  std::weak_ptr<int> kept;
  Client& ann = scene.member("lobby");
  scene.backend.handlers.event = deferring;
  {
    const auto held = std::make_shared<int>(1);
    kept = held;
    ann.publish(ann.in("lobby"), "e", std::nullopt, [held](const Result<Position>&) {});
  }
  scene.loops.advance(24h);
  CHECK(ann.held == 1);
  CHECK_FALSE(kept.expired());
  ann.go();
  CHECK(kept.expired());
  CHECK(deferring.owed->size() == 1);
}

TEST_CASE("participant: a client that was removed from the room before the verdict is told so") {
  Scene scene;
  Client& ann = scene.member("lobby");
  const Deferring deferring;
  scene.backend.handlers.event = deferring;
  Told<Position> told(scene.loops);
  ann.publish(ann.in("lobby"), "e", std::nullopt, told.done());
  ann.leave_room(ann.in("lobby").room);
  deferring.take().accept();
  CHECK(told.code() == Errc::not_in_room);
  CHECK(ann.held == 0);
}

TEST_CASE("participant: verdicts from other threads, while clients leave and the loop runs", "[threads]") {
  Scene scene;
  std::mutex mutex;
  std::vector<LaterVerdict> owed;
  std::atomic<bool> ends{false};
  scene.backend.handlers.event = [&](EventMessage& event) {
    const std::lock_guard lock(mutex);
    owed.push_back(event.later());
  };
  std::vector<std::thread> deciders;
  for (int t = 0; t < 2; ++t) {
    deciders.emplace_back([&, t] {
      while (!ends) {
        std::vector<LaterVerdict> some;
        {
          const std::lock_guard lock(mutex);
          some.swap(owed);
        }
        for (const LaterVerdict& verdict : some) t == 0 ? verdict.accept() : verdict.refuse("no");
        std::this_thread::yield();
      }
    });
  }
  int told = 0;
  int expected = 0;
  for (int round = 0; round < 20; ++round) {
    Client& ann = scene.client();
    REQUIRE(scene.join(ann, "lobby").ok());
    for (int i = 0; i < 20; ++i, ++expected) {
      ann.publish(ann.in("lobby"), "e", std::nullopt, [&told](const Result<Position>&) { ++told; });
    }
    if (round % 3 != 0) REQUIRE(scene.until([&] { return told == expected; }));
    ann.go();
    expected = told;
  }
  ends = true;
  for (std::thread& decider : deciders) decider.join();
  scene.loops.settle();
  CHECK(told == expected);
}
