// Everything that a client may do, without a socket: each act, what prevents it, and what the client is told.
#include "participant_fixture.hpp"

#include <flux/detail/features/application.hpp>
#include <flux/detail/features/request_table.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace participant_test {

// --- Access ---

TEST_CASE("participant: a new token replaces the grant, and memberships stay") {
  Scene scene;
  Client& ann = scene.member("lobby", "ann");
  std::string asked;
  scene.backend.gate.token = [&](TokenRequest& request) {
    asked = request.token() + " " + std::string(request.protocol()) + " " + std::string(request.path()) + " " +
            request.payload().text();
    request.accept(Grant({.user_id = "ann", .name = "Ann"}, {"write:x"}, scene.in(1h)));
  };
  const auto told = scene.refresh(ann, "t");
  CHECK(told.get()->expires_at == scene.in(1h));
  CHECK(asked == R"(t live /live {"accessToken":"t"})");
  CHECK(ann.grant()->allows("write", "x"));
  CHECK(ann.identity()->name == "Ann");
  CHECK(ann.rooms() == std::vector<RoomId>{"lobby"});
  CHECK(scene.backend.sessions.of_user("ann").size() == 1);
  CHECK(scene.backend.admitted.size() == 1);
  CHECK(ann.held == 0);
}

TEST_CASE("participant: a client keeps its grant if its new token is refused, or is another user's") {
  Scene scene;
  Client& ann = scene.client("ann");
  const auto before = ann.grant();
  scene.backend.gate.token = [&](TokenRequest& request) {
    if (request.token() == "ben's") return request.accept({.user_id = "ben"});
    if (request.token() == "nobody's") return request.accept({.name = "Ann"});
    if (request.token() == "old") return request.accept(Grant({.user_id = "ann"}, {}, scene.in(0ms)));
    if (request.token() == "odd") throw std::runtime_error("broken");
    request.refuse("wrong token");
  };
  CHECK(scene.refresh(ann, "bad").why() == "wrong token");
  CHECK(scene.refresh(ann, "ben's").why() == "the token is another user's");
  CHECK(scene.refresh(ann, "nobody's").code() == Errc::unauthorized);
  CHECK(scene.refresh(ann, "old").why() == "the token has expired");
  CHECK(scene.refresh(ann, "odd").code() == Errc::server_error);
  CHECK(ann.grant() == before);
  CHECK(scene.backend.sessions.of_user("ben").empty());
  CHECK(ann.held == 0);
  // An unknown client may become known.
  Client& unknown = scene.client();
  CHECK(scene.refresh(unknown, "ben's").ok());
  CHECK(scene.backend.sessions.of_user("ben").size() == 1);
}

TEST_CASE("participant: the connect handler is asked about a new token if no verifier is set") {
  Scene scene;
  Client& ann = scene.client("ann");
  CHECK(scene.refresh(ann, "t").code() == Errc::forbidden);
  scene.backend.gate.connect = [](ConnectRequest& request) {
    if (request.token() == "t") request.accept(Grant({.user_id = "ann"}, {"write:x"}));
  };
  CHECK(scene.refresh(ann, "t").ok());
  CHECK(ann.grant()->allows("write", "x"));
  CHECK(scene.refresh(ann, "other").code() == Errc::unauthorized);
}

TEST_CASE("participant: its requests wait while its new token is verified, and a client that leaves is forgotten") {
  Scene scene;
  Client& ann = scene.client("ann");
  std::optional<LaterAnswer> answer;
  scene.backend.gate.token = [&](TokenRequest& request) { answer = request.later(); };
  const auto told = scene.refresh(ann, "t");
  CHECK_FALSE(told.any());
  CHECK(ann.held == 1);
  answer->accept(Grant({.user_id = "ann"}, {"write:x"}));
  CHECK(told.ok());
  CHECK(ann.held == 0);
  const auto never = scene.refresh(ann, "t");
  ann.go();
  answer->accept(Grant({.user_id = "ann"}, {"write:y"}));
  CHECK_FALSE(never.any());
  CHECK_FALSE(ann.grant()->allows("write", "y"));
}

TEST_CASE("participant: a client that has a new grant when the expiry of its earlier one reaches it stays") {
  Scene scene;
  Client& ann = scene.member("lobby", "ann");
  const auto end = [&ann] { return gate::end_of(*ann.grant()); };
  REQUIRE(ann.change_grant(Grant({.user_id = "ann"}, {}, scene.in(10s))).ok());
  scene.loops.settle();
  const auto earlier = end();
  REQUIRE(ann.change_grant(Grant({.user_id = "ann"}, {}, scene.in(20s))).ok());
  scene.loops.settle();
  CHECK_FALSE(ann.access_expired(earlier));
  CHECK_FALSE(ann.withdrawn());
  CHECK(ann.access_expired(end()));
  CHECK(ann.withdrawn());
}

TEST_CASE("participant: a client is told before its grant expires, if it can show a new token") {
  Scene scene([](Config& config) { config.expiry_notice = 10s; });
  scene.backend.admitted.start(scene.loops[0]);
  bool verifies = true;
  SECTION("a verifier is set") {
    scene.backend.gate.token = [&](TokenRequest& request) {
      request.accept(Grant({.user_id = "ann"}, {}, scene.in(30s)));
    };
  }
  SECTION("nothing is set") { verifies = false; }
  Client& ann = scene.client("ann");
  REQUIRE(ann.change_grant(Grant({.user_id = "ann"}, {}, scene.in(15s))).ok());
  const auto end = scene.loops.clock()->unix_ms() + 15'000;
  for (int i = 0; i < 4; ++i) scene.loops.advance(1s);
  CHECK(ann.told.empty());
  scene.loops.advance(1s);
  CHECK(ann.told == (verifies ? Lines{"access_expiring {\"expiresAt\":" + std::to_string(end) + "}"} : Lines{}));
  if (verifies) {
    CHECK(scene.refresh(ann, "t").ok());
    for (int i = 0; i < 19; ++i) scene.loops.advance(1s);
    CHECK(ann.told.size() == 1);
    scene.loops.advance(1s);
    CHECK(ann.told.size() == 2);
  }
  CHECK(ann.connected());
  for (int i = 0; i < 10; ++i) scene.loops.advance(1s);
  CHECK_FALSE(ann.connected());
}

// --- Joining and leaving ---

TEST_CASE("participant: a client that joins gets the members and the chat, and the others are told") {
  Scene scene;
  Client& ann = scene.member("lobby", "ann");
  Told<ChatMessage> sent(scene.loops);
  ann.chat(ann.in("lobby"), "hi", std::nullopt, {}, sent.done());
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

TEST_CASE("participant: the room gets the presence that a join handler sets") {
  Scene scene;
  scene.backend.handlers.join = [](JoinRequest& join) { join.presence = json(R"({"role":"guest"})"); };
  Client& ann = scene.client();
  CHECK(scene.join(ann, "lobby", json(R"({"role":"admin"})")).ok());
  CHECK(scene.welcomed == R"({"role":"guest"} 0 messages)");
}

TEST_CASE("participant: a client that its join handler disconnects does not join") {
  Scene scene;
  Client& ann = scene.client();
  scene.backend.handlers.join = [&](JoinRequest&) { ann.go(); };
  CHECK_FALSE(scene.join(ann, "lobby").any());
  CHECK(scene.backend.rooms.find("lobby") == nullptr);
}

TEST_CASE("participant: joins that break their terms are refused") {
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

TEST_CASE("participant: a client that joins again without a presence keeps its own") {
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

/// Records what each handler of joining and leaving finds: its name, the members of the room, and of its session the
/// rooms, whether the user's sessions include it, and whether it is connected.
class Notices {
 public:
  explicit Notices(Scene& scene) : backend_(scene.backend) {
    Handlers& handlers = backend_.handlers;
    handlers.join = [this](JoinRequest& join) { note("join", join.session, join.room); };
    handlers.create_room = [this](RoomCreation& creation) { note("create", creation.session, creation.room); };
    handlers.joined = [this](const Session& session, const RoomId& room) { note("joined", session, room); };
    handlers.leave = [this](const Session& session, const RoomId& room) { note("leave", session, room); };
    handlers.disconnect = [this](const Session& session, const Disconnect&) { note("disconnect", session, {}); };
  }
  Lines take() { return std::exchange(lines_, {}); }

 private:
  void note(const std::string& handler, const Session& session, const RoomId& room) {
    const auto found = backend_.rooms.find(room);
    std::string line = handler + " " + room + ":";
    for (const Member& member : found ? found->presence() : std::vector<Member>()) line += " " + member.identity.name;
    line += " |";
    for (const RoomId& in : session.rooms()) line += " " + in;
    line += backend_.sessions.of_user(session.identity().user_id).empty() ? " | unlisted" : " | listed";
    lines_.push_back(line + (session.connected() ? ", connected" : ", gone"));
  }

  Backend& backend_;
  Lines lines_;
};

}  // namespace

TEST_CASE("participant: the order of the handlers of joining and leaving, and what each finds") {
  Scene scene;
  Client& ben = scene.member("lobby", "ben");
  Client& ann = scene.client("ann");
  Notices notices(scene);
  CHECK(scene.join(ann, "lobby").ok());
  CHECK(notices.take() ==
        Lines{"join lobby: ben | | listed, connected", "joined lobby: ben ann | lobby | listed, connected"});
  CHECK(scene.join(ann, "lobby").ok());  // again
  CHECK(notices.take() == Lines{"join lobby: ben ann | lobby | listed, connected"});
  CHECK(scene.join(ann, "new").ok());
  CHECK(notices.take() == Lines{"join new: | lobby | listed, connected", "create new: | lobby | listed, connected",
                                "joined new: ann | lobby new | listed, connected"});
  SECTION("it disconnects") {
    ann.go();
    CHECK(notices.take() == Lines{"leave new: | lobby | listed, connected", "leave lobby: ben | | listed, connected",
                                  "disconnect : | | unlisted, gone"});
  }
  SECTION("a room ends") {
    scene.backend.clear_room(scene.backend.rooms.take_out("lobby", "over"));
    scene.loops.settle();
    CHECK(notices.take() == Lines{"leave lobby: | | listed, connected", "leave lobby: | new | listed, connected"});
    CHECK(ben.connected());
  }
}

TEST_CASE("participant: with one room at most, the client has left the other one when it is told that it has joined") {
  Scene scene;
  scene.terms.rooms_max = 1;
  scene.terms.switches_rooms = true;
  Client& ann = scene.member("a", "ann");
  (void)scene.member("b", "ben");
  Notices notices(scene);
  CHECK(scene.join(ann, "b").ok());
  CHECK(notices.take() == Lines{"join b: ben | a | listed, connected", "leave a: | b | listed, connected",
                                "joined b: ben ann | b | listed, connected"});
}

TEST_CASE("participant: a client has its welcome when the application is told that it has joined") {
  Scene scene;
  Client& ann = scene.client("ann");
  Lines order;
  scene.backend.handlers.joined = [&](const Session&, const RoomId&) { order.emplace_back("joined"); };
  ann.join(
      "lobby", std::nullopt, scene.terms, [](const auto&, const auto&) {},
      [&](const Result<void>&) { order.emplace_back("welcome"); });
  scene.loops.settle();
  CHECK(order == Lines{"welcome", "joined"});
  SECTION("but nobody is told of a client that is lost while it is sent") {
    order.clear();
    ann.join(
        "other", std::nullopt, scene.terms, [](const auto&, const auto&) {}, [&](const Result<void>&) { ann.go(); });
    scene.loops.settle();
    CHECK(order.empty());
  }
}

TEST_CASE("participant: the handlers of joins and new rooms are not asked about what is impossible anyway") {
  Scene scene([](Config& config) { config.limits.rooms_max = 3; });
  (void)scene.member("a", "ann");
  REQUIRE(scene.backend.rooms.create("full", {RoomMode::live, 1, false}).ok());
  Client& ben = scene.member("full");
  Client& cat = scene.client("cat");
  Notices notices(scene);
  CHECK(scene.join(cat, "").code() == Errc::invalid_argument);
  CHECK(scene.join(cat, "full").code() == Errc::room_full);
  REQUIRE(scene.backend.rooms.create("third", {}).ok());
  const auto fourth = scene.join(cat, "fourth");
  CHECK(fourth.code() == Errc::limit_exceeded);
  CHECK(fourth.why() == "the server already has 3 rooms");
  Told<std::shared_ptr<Room>> exists(scene.loops), one_more(scene.loops);
  cat.create_room("a", {}, exists.done());
  CHECK(exists.code() == Errc::room_exists);
  cat.create_room("fifth", {}, one_more.done());
  CHECK(one_more.code() == Errc::limit_exceeded);
  scene.terms.rooms_max = 1;
  CHECK(scene.join(ben, "a").code() == Errc::limit_exceeded);
  CHECK(notices.take().empty());
}

TEST_CASE("participant: a room that became full before the verdict lets nobody in") {
  Scene scene;
  REQUIRE(scene.backend.rooms.create("lobby", {RoomMode::live, 1, false}).ok());
  Client& ann = scene.client("ann");
  std::optional<LaterVerdict> verdict;
  scene.backend.handlers.join = [&](JoinRequest& join) {
    if (join.session.id() == ann.id()) verdict = join.later();
  };
  const auto told = scene.join(ann, "lobby");
  CHECK_FALSE(told.any());
  (void)scene.member("lobby", "ben");
  verdict->accept();
  CHECK(told.code() == Errc::room_full);
}

namespace {

/// Refuses rooms called "no", and lets the other ones keep one item for two members.
void choose(RoomCreation& creation) {
  if (creation.room == "no") creation.refuse("not this one");
  if (creation.room == "odd") creation.options.mode = static_cast<RoomMode>(9);
  creation.options.mode = creation.room == "odd" ? creation.options.mode : RoomMode::singleton;
  creation.options.capacity = 2;
}

}  // namespace

TEST_CASE("participant: the application may refuse a new room, or change its options") {
  Scene scene;
  Client& ann = scene.client("ann");
  std::vector<RoomMode> asked;
  scene.backend.handlers.create_room = [&](RoomCreation& creation) {
    asked.push_back(creation.options.mode);
    choose(creation);
  };
  const auto create = [&](const RoomId& room) {
    Told<std::shared_ptr<Room>> made(scene.loops);
    ann.create_room(room, {.mode = RoomMode::history}, made.done());
    return made;
  };
  SECTION("by a request") {
    CHECK(create("no").why() == "not this one");
    CHECK(scene.backend.rooms.size() == 0);
    const auto made = create("yes");
    REQUIRE(made.ok());
    CHECK((*made.get())->mode() == RoomMode::singleton);
    CHECK(scene.backend.rooms.find("yes")->info().capacity == 2);
    CHECK(asked == std::vector<RoomMode>{RoomMode::history, RoomMode::history});
  }
  SECTION("by joining") {
    CHECK(scene.join(ann, "no").why() == "not this one");
    CHECK(scene.backend.rooms.size() == 0);
    CHECK(scene.join(ann, "yes").ok());
    CHECK(scene.backend.rooms.find("yes")->mode() == RoomMode::singleton);
    CHECK(scene.backend.rooms.find("yes")->info().capacity == 2);
    Client& ben = scene.client("ben");
    CHECK(scene.join(ben, "yes").ok());
    CHECK(asked == std::vector<RoomMode>{RoomMode::live, RoomMode::live});
  }
  SECTION("but not to something that does not exist") {
    CHECK(create("odd").code() == Errc::invalid_argument);
    CHECK(scene.backend.rooms.size() == 0);
  }
}

TEST_CASE(
    "participant: a room that the application permits later is created then, if nobody has created it meanwhile") {
  Scene scene;
  Client& ann = scene.client("ann");
  Client& ben = scene.client("ben");
  std::optional<LaterVerdict> verdict;
  scene.backend.handlers.create_room = [&](RoomCreation& creation) {
    creation.options.mode = RoomMode::history;
    if (creation.session.id() == ann.id()) verdict = creation.later();
  };
  SECTION("by joining") {
    const auto told = scene.join(ann, "lobby");
    CHECK_FALSE(told.any());
    CHECK(ann.held == 1);
    CHECK(scene.backend.rooms.size() == 0);
    SECTION("accepted") { verdict->accept(); }
    SECTION("another client was first") {
      CHECK(scene.join(ben, "lobby").ok());
      verdict->accept();
    }
    CHECK(told.ok());
    CHECK(scene.backend.rooms.find("lobby")->mode() == RoomMode::history);
    CHECK(ann.held == 0);
  }
  SECTION("by a request") {
    Told<std::shared_ptr<Room>> made(scene.loops);
    ann.create_room("lobby", {}, made.done());
    CHECK_FALSE(made.any());
    SECTION("refused") {
      verdict->refuse("no");
      CHECK(made.why() == "no");
      CHECK(scene.backend.rooms.size() == 0);
    }
    SECTION("another client was first") {
      CHECK(scene.join(ben, "lobby").ok());
      verdict->accept();
      CHECK(made.code() == Errc::room_exists);
    }
  }
}

namespace {

/// Answers when it is released.
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
    CHECK(scene.welcomed == "{} the chat store is too slow; request the history later");
    CHECK(ann.held == 0);
    CHECK(ann.rooms() == std::vector<RoomId>{"lobby"});
    store->let_go();
  }
  SECTION("the client disconnects meanwhile") {
    ann.go();
    scene.loops.advance(2s);
    CHECK_FALSE(told.any());
    CHECK(scene.backend.rooms.find("lobby") == nullptr);
    store->let_go();
  }
}

TEST_CASE("participant: joins whose chat is read at the same time do not exceed the limit of rooms") {
  const auto store = std::make_shared<HeldChatStore>();
  Scene scene({}, store);
  const std::shared_ptr<void> at_the_end(nullptr, [&](void*) { store->let_go(); });
  Client& ann = scene.client();
  std::vector<Told<void>> joins;
  for (const char* room : {"a", "b", "c", "d", "e", "f"}) joins.push_back(scene.join(ann, room));
  CHECK(ann.times_held == 1);
  store->let_go();
  CHECK(scene.until(
      [&] { return std::all_of(joins.begin(), joins.end(), [](const auto& join) { return join.any(); }); }));
  CHECK(ann.rooms().size() == 2);
  CHECK(std::count_if(joins.begin(), joins.end(), [](const auto& join) { return join.ok(); }) == 2);
  for (const auto& join : joins) {
    if (!join.ok()) CHECK(join.code() == Errc::limit_exceeded);
  }
  CHECK(ann.held == 0);
}

TEST_CASE("participant: joins beyond a number that wait for the chat store are refused") {
  const auto store = std::make_shared<HeldChatStore>();
  Scene scene({}, store);
  const std::shared_ptr<void> at_the_end(nullptr, [&](void*) { store->let_go(); });
  Client& ann = scene.client();
  scene.terms.rooms_max = 1'000;
  for (int i = 0; i < 200; ++i) (void)scene.join(ann, "waits");
  CHECK(scene.join(ann, "beyond").code() == Errc::overloaded);
  CHECK(ann.held == 1);
  store->let_go();
  CHECK(scene.until([&] { return ann.held == 0; }));
}

// --- What the application does with a client ---

TEST_CASE("participant: a client that the application removes from a room is told why, and the others hear it") {
  Scene scene;
  Client& ann = scene.member("lobby", "ann");
  Client& ben = scene.member("lobby", "ben");
  Notices notices(scene);
  const auto put_out = [&](const RoomId& room) {
    Told<void> told(scene.loops);
    ann.put_out(room, "rude", told.done());
    return told;
  };
  CHECK(put_out("lobby").ok());
  CHECK(ann.placed == Lines{"left lobby: rude"});
  CHECK(notices.take() == Lines{"leave lobby: ben | | listed, connected"});
  scene.loops.advance(1s);
  CHECK(scene.heard(ben) == Lines{"presence -" + ann.id()});
  CHECK(put_out("lobby").code() == Errc::not_in_room);
  CHECK(put_out("nowhere").code() == Errc::room_not_found);
  CHECK(ann.connected());
  ann.go();
  CHECK(put_out("lobby").code() == Errc::session_not_found);
  CHECK(ann.placed.size() == 1);
}

TEST_CASE("participant: a client gets what was sent before it is removed, and nothing that follows") {
  Scene scene;
  Client& ann = scene.member("lobby", "ann");
  Client& ben = scene.member("lobby", "ben");
  Told<void> told(scene.loops);
  scene.loops.turn(0, [&] {
    (void)ben.publish_unasked(ben.in("lobby"), "before", std::nullopt);
    ann.put_out("lobby", {}, told.done());
  });
  CHECK(told.ok());
  REQUIRE(ben.publish_unasked(ben.in("lobby"), "after", std::nullopt).ok());
  CHECK(scene.heard(ann) == Lines{"event before from " + ben.id() + "/ben"});
}

TEST_CASE("participant: the application puts a client in a room without asking its handlers") {
  Scene scene;
  Client& ann = scene.client("ann");
  const auto place = [&](const RoomId& room, std::optional<JsonText> presence = std::nullopt) {
    Told<void> told(scene.loops);
    ann.place({room, std::move(presence), {}, {}}, told.done());
    return told;
  };
  CHECK(place("lobby").code() == Errc::room_not_found);
  CHECK(scene.backend.rooms.size() == 0);
  (void)scene.member("lobby", "ben");
  Notices notices(scene);
  CHECK(place("lobby", json(R"({"team":1})")).ok());
  CHECK(ann.placed == Lines{R"(joined lobby: {} {"team":1})"});
  CHECK(notices.take() == Lines{"joined lobby: ben ann | lobby | listed, connected"});
  CHECK(place("lobby").ok());  // again: it keeps its presence
  CHECK(ann.placed.back() == R"(joined lobby: {} {"team":1})");
  CHECK(notices.take().empty());
  SECTION("but not in more rooms than it may be in, nor in a full one") {
    REQUIRE(scene.backend.rooms.create("second", {}).ok());
    REQUIRE(scene.backend.rooms.create("third", {}).ok());
    CHECK(place("second").ok());
    CHECK(place("third").code() == Errc::limit_exceeded);
    REQUIRE(scene.backend.rooms.create("full", {RoomMode::live, 1, false}).ok());
    ann.leave_room(ann.in("second").room);
    (void)scene.member("full");
    CHECK(place("full").code() == Errc::room_full);
  }
  SECTION("and not with a presence that it could not set") {
    CHECK(place("lobby", json("1")).code() == Errc::invalid_argument);
    CHECK(place("lobby", json(("{\"a\":\"" + std::string(20'000, 'x') + "\"}").c_str())).code() ==
          Errc::message_too_large);
  }
  SECTION("and not after it has disconnected") {
    ann.go();
    CHECK(place("lobby").code() == Errc::session_not_found);
  }
}

TEST_CASE("participant: with one room at most, a client that the application puts in another leaves the first") {
  Scene scene;
  scene.terms.rooms_max = 1;
  Client& ann = scene.member("a", "ann");
  (void)scene.member("b", "ben");
  ann.terms = scene.terms;
  ann.terms.switches_rooms = true;
  Told<void> told(scene.loops);
  ann.place({"b", {}, {}, {}}, told.done());
  CHECK(told.ok());
  CHECK(ann.rooms() == std::vector<RoomId>{"b"});
  CHECK(ann.placed == Lines{"joined b: {} {}"});
}

TEST_CASE("participant: a client that the application moves leaves one room for another, or stays") {
  Scene scene;
  Client& ann = scene.client("ann");
  REQUIRE(scene.join(ann, "a", json(R"({"n":1})")).ok());
  (void)scene.member("b", "ben");
  REQUIRE(scene.backend.rooms.create("full", {RoomMode::live, 1, false}).ok());
  (void)scene.member("full");
  const auto move = [&](const RoomId& from, const RoomId& to) {
    Told<void> told(scene.loops);
    ann.place({to, {}, from, "next round"}, told.done());
    return told;
  };
  ann.terms.rooms_max = 1;  // the room that it leaves does not count
  Notices notices(scene);
  CHECK(move("a", "full").code() == Errc::room_full);
  CHECK(move("a", "nowhere").code() == Errc::room_not_found);
  CHECK(move("b", "a").code() == Errc::not_in_room);
  CHECK(move("nowhere", "b").code() == Errc::room_not_found);
  CHECK(move("a", "a").code() == Errc::invalid_argument);
  CHECK(ann.placed.empty());
  CHECK(notices.take().empty());
  CHECK(ann.rooms() == std::vector<RoomId>{"a"});
  CHECK(move("a", "b").ok());
  CHECK(ann.placed == Lines{"left a: next round", R"(joined b: {} {"n":1})"});
  CHECK(notices.take() == Lines{"leave a: | b | listed, connected", "joined b: ben ann | b | listed, connected"});
}

TEST_CASE("participant: what the application does with a client while its chat is read has a result in any case") {
  const auto store = std::make_shared<HeldChatStore>();
  Scene scene({}, store);
  const std::shared_ptr<void> at_the_end(nullptr, [&](void*) { store->let_go(); });
  REQUIRE(scene.backend.rooms.create("lobby", {}).ok());
  Client& ann = scene.client("ann");
  Told<void> told(scene.loops);
  ann.place({"lobby", {}, {}, {}}, told.done());
  CHECK_FALSE(told.any());
  SECTION("it answers") {
    store->let_go();
    CHECK(scene.until([&] { return told.any(); }));
    CHECK(told.ok());
    CHECK(ann.held == 0);
  }
  SECTION("the client disconnects") {
    ann.go();
    store->let_go();
    CHECK(scene.until([&] { return told.any(); }));
    CHECK(told.code() == Errc::session_not_found);
  }
}

TEST_CASE("participant: a handler may remove or place the client that it is called for") {
  Scene scene;
  Client& ann = scene.client("ann");
  Told<void> told(scene.loops), placed(scene.loops);
  REQUIRE(scene.backend.rooms.create("penalty box", {}).ok());
  scene.backend.handlers.joined = [&](const Session& session, const RoomId& room) {
    if (room == "lobby") session.state()->put_out(room, "wait", told.done());
  };
  scene.backend.handlers.leave = [&](const Session& session, const RoomId& room) {
    if (room == "lobby") session.state()->place({"penalty box", {}, {}, {}}, placed.done());
  };
  CHECK(scene.join(ann, "lobby").ok());
  CHECK(told.ok());
  SECTION("it is connected") {
    CHECK(placed.ok());
    CHECK(ann.rooms() == std::vector<RoomId>{"penalty box"});
  }
}

TEST_CASE("participant: a room that ends while its chat is read is created again, if the application permits it") {
  const auto store = std::make_shared<HeldChatStore>();
  Scene scene({}, store);
  const std::shared_ptr<void> at_the_end(nullptr, [&](void*) { store->let_go(); });
  int asked = 0;
  bool permits = true;
  SECTION("it does") {}
  SECTION("it does not") { permits = false; }
  scene.backend.handlers.create_room = [&](RoomCreation& creation) {
    ++asked;
    if (!permits) creation.refuse("no");
  };
  REQUIRE(scene.backend.rooms.create("lobby", {}).ok());
  Client& ann = scene.client();
  const auto told = scene.join(ann, "lobby");
  CHECK_FALSE(told.any());
  CHECK(asked == 0);
  REQUIRE(scene.backend.rooms.take_out("lobby", "over") != nullptr);
  store->let_go();
  CHECK(scene.until([&] { return told.any(); }));
  CHECK(asked == 1);
  CHECK(told.get().ok() == permits);
  CHECK(ann.rooms().size() == (permits ? 1U : 0U));
  CHECK(scene.until([&] { return ann.held == 0; }));
}

TEST_CASE("participant: a client that disconnects leaves its rooms, and ends those it created that nobody joined") {
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

TEST_CASE("participant: the application's data of a session lasts until its end has been handled") {
  Scene scene([](Config& config) { config.limits.application_data_bytes_max = 10; });
  Client& ann = scene.member("lobby", "ann");
  const Session session(ann.shared_from_this());
  auto& stored = scene.loops[0]->session_data();
  CHECK(session.data().text() == "null");
  CHECK(session.set_data(json("1")).ok());
  CHECK(session.set_data(json(R"({"s":10})")).ok());
  CHECK(session.data().text() == R"({"s":10})");
  CHECK(session.set_data(json(R"({"s":10000})")).error().code() == Errc::message_too_large);
  CHECK(session.data().text() == R"({"s":10})");
  SECTION("it disconnects") {
    Lines found;
    scene.backend.handlers.leave = [&](const Session& left, const RoomId&) { found.push_back(left.data().text()); };
    scene.backend.handlers.disconnect = [&](const Session& gone, const Disconnect&) {
      found.push_back(gone.data().text());
    };
    ann.go();
    CHECK(found == Lines{R"({"s":10})", R"({"s":10})"});
    CHECK(session.data().text() == "null");
    CHECK(session.set_data(json("1")).error().code() == Errc::session_not_found);
  }
  SECTION("it is removed") { CHECK(session.set_data({}).ok()); }
  CHECK(stored.empty());
}

TEST_CASE("participant: the directory finds a client by its new identity") {
  Scene scene;
  Client& ann = scene.client("ann");
  ann.become({"anna", "Anna", {}, {}, true});
  CHECK(scene.backend.sessions.of_user("ann").empty());
  CHECK(scene.backend.sessions.of_user("anna").size() == 1);
  CHECK(ann.identity()->name == "Anna");
}

// --- Rooms of its own ---

TEST_CASE("participant: a client creates rooms up to the limit, and may close its own") {
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
  CHECK(create("four") == "this client has already created 2 rooms");

  CHECK(ann.close_room("", "x").error().code() == Errc::invalid_argument);
  CHECK(ann.close_room("nowhere", "x").error().code() == Errc::room_not_found);
  CHECK(ann.close_room("one", "x").error().code() == Errc::forbidden);
  CHECK(ben.close_room("two", "x").error().code() == Errc::forbidden);
  REQUIRE(scene.join(ben, "two").ok());
  (void)scene.heard(ben);
  CHECK(ann.close_room("two", "").ok());
  CHECK(scene.heard(ben) == Lines{"closed two: closed by its creator"});
  CHECK(ben.rooms() == std::vector<RoomId>{"one"});
  CHECK(create("four") == "four");  // ended rooms do not count
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
  REQUIRE(items.ok());
  CHECK((items->entries.size() == 2 && items->before != 0));
  CHECK(ann.items(ann.in("a"), 2, items->before).value().entries.size() == 1);
}

// --- Events ---

TEST_CASE("participant: an event reaches the others, and the handler may change or refuse it") {
  Scene scene;
  Client& ann = scene.member("lobby", "ann");
  Client& ben = scene.member("lobby");
  Told<JsonText> told(scene.loops);
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
  SECTION("the handler removes the client from the room") {
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
  SECTION("too much is pending") {
    fill(scene.backend, "lobby");
    publish();
    CHECK(told.code() == Errc::overloaded);
  }
}

TEST_CASE("participant: an event that its handler consumes reaches nobody, and its sender gets the reply") {
  Scene scene;
  Client& ann = scene.member("lobby", "ann");
  Client& ben = scene.member("lobby");
  Told<JsonText> told(scene.loops);
  const auto publish = [&] { ann.publish(ann.in("lobby"), "guess", json("1"), told.done()); };
  auto& handler = scene.backend.handlers.event;
  std::optional<LaterReply> reply;
  std::optional<LaterVerdict> verdict;
  SECTION("with a reply") {
    handler = [](EventMessage& message) {
      message.consume(json(R"({"right":true})"));
      message.consume(json("2"));
      CHECK(message.consumed());
    };
    publish();
    CHECK(told.get()->text() == R"({"right":true})");
  }
  SECTION("without a reply, and with a name that could not be sent") {
    handler = [](EventMessage& message) {
      message.event.clear();
      message.consume();
    };
    publish();
    CHECK(told.get()->text() == "null");
    CHECK(scene.logged.empty());
  }
  SECTION("with a lone surrogate") {
    handler = [](EventMessage& message) { message.consume(json(R"("\ud83d")")); };
    publish();
    CHECK(told.get()->text() == R"("\ufffd")");
  }
  SECTION("also from a client that its handler removes from the room") {
    handler = [&](EventMessage& message) {
      ann.leave_room(ann.in("lobby").room);
      message.consume(json("1"));
    };
    publish();
    CHECK(told.get()->text() == "1");
  }
  SECTION("unless the handler also refuses it") {
    handler = [](EventMessage& message) {
      message.consume(json("1"));
      message.refuse("no");
    };
    publish();
    CHECK(told.why() == "no");
  }
  SECTION("with a reply that is given later") {
    handler = [&](EventMessage& message) { reply = message.consume_later(); };
    publish();
    CHECK_FALSE(told.any());
    CHECK(ann.held == 1);
    reply->reply(json("3"));
    CHECK(told.get()->text() == "3");
    CHECK(ann.held == 0);
  }
  SECTION("with a refusal that is given later") {
    handler = [&](EventMessage& message) { reply = message.consume_later(); };
    publish();
    reply->refuse("not you", Errc::unauthorized);
    CHECK(told.code() == Errc::unauthorized);
  }
  SECTION("with a reply that never comes") {
    handler = [&](EventMessage& message) { reply = message.consume_later(); };
    publish();
    scene.loops.advance(scene.backend.config.limits.answer_timeout);
    CHECK(told.code() == Errc::overloaded);
    CHECK(ann.held == 0);
  }
  SECTION("once the verdict accepts") {
    handler = [&](EventMessage& message) {
      message.consume(json("4"));
      verdict = message.later();
    };
    publish();
    CHECK_FALSE(told.any());
    verdict->accept();
    CHECK(told.get()->text() == "4");
  }
  SECTION("once the verdict accepts and the reply is given") {
    handler = [&](EventMessage& message) {
      reply = message.consume_later();
      verdict = message.later();
    };
    publish();
    verdict->accept();
    CHECK_FALSE(told.any());
    CHECK(ann.held == 1);
    reply->reply(json("5"));
    CHECK(told.get()->text() == "5");
    CHECK(ann.held == 0);
  }
  SECTION("but not if the verdict refuses") {
    handler = [&](EventMessage& message) {
      message.consume(json("6"));
      verdict = message.later();
    };
    publish();
    verdict->refuse("too late");
    CHECK(told.why() == "too late");
  }
  for (const std::string& line : scene.heard(ben)) CHECK(line == "presence -" + ann.id());
}

TEST_CASE("participant: a reply to a consumed event that is too large is logged, not sent") {
  Scene scene([](Config& config) { config.limits.answer_bytes_max = 1024; });
  Client& ann = scene.member("lobby");
  Told<JsonText> told(scene.loops);
  scene.backend.handlers.event = [](EventMessage& message) {
    message.consume(JsonText::string(std::string(2000, 'x')));
  };
  ann.publish(ann.in("lobby"), "e", std::nullopt, told.done());
  CHECK(told.code() == Errc::server_error);
  CHECK(scene.logged == Lines{"event handler: the result has 2002 bytes; at most 1024 are allowed"});
}

// --- Chat ---

TEST_CASE("participant: chat is stored, then sent to all, and the handler may change or refuse it") {
  Scene scene;
  Client& ann = scene.member("lobby", "ann");
  Client& ben = scene.member("lobby");
  Told<ChatMessage> told(scene.loops);
  Told<ChatPage> history(scene.loops);
  const auto chat = [&] {
    ann.chat(ann.in("lobby"), "hi", json(R"({"k":1})"), {}, told.done());
    ben.chat_history(ben.in("lobby"), 10, 0, history.done());
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
  SECTION("too much is pending: nothing is stored") {
    fill(scene.backend, "lobby");
    chat();
    CHECK(told.code() == Errc::overloaded);
    CHECK(history.get()->entries.empty());
  }
}

TEST_CASE("participant: a chat message that a client sends again with its own id is stored and heard once") {
  Scene scene;
  Client& ann = scene.member("lobby", "ann");
  Client& ben = scene.member("lobby");
  const auto chat = [&](Client& client, std::string_view text, std::string_view own_id) {
    Told<ChatMessage> told(scene.loops);
    client.chat(client.in("lobby"), std::string(text), std::nullopt, own_id, told.done());
    REQUIRE(told.ok());
    return *told.get();
  };
  std::vector<std::string> asked;
  scene.backend.handlers.chat = [&](ChatDraft& draft) { asked.push_back(draft.id); };
  const ChatMessage first = chat(ann, "hi", "1");
  scene.loops.advance(5s);
  const ChatMessage second = chat(ann, "hi?", "1");
  CHECK(second == first);
  CHECK(second.message == "hi");
  CHECK(asked == std::vector<std::string>{"u3:ann:1", "u3:ann:1"});
  CHECK(scene.heard(ben) == Lines{"chat hi from " + ann.id()});

  SECTION("on another connection of the user") {
    Client& phone = scene.member("lobby", "ann");
    CHECK(chat(phone, "hi!", "1") == first);
    CHECK(scene.heard(ben).empty());
  }
  SECTION("other authors can use the same id") {
    Client& dan = scene.member("lobby", "dan");
    Client& eve = scene.member("lobby");
    CHECK(chat(dan, "mine", "1").offset == 2);
    CHECK(chat(ben, "mine", "1").offset == 3);
    CHECK(chat(eve, "mine", "1").offset == 4);
    CHECK(chat(ben, "mine?", "1").offset == 3);
  }
  SECTION("no user and own id amount to another's") {
    Client& odd = scene.member("lobby", "ann:1");
    CHECK(chat(ann, "x", "1:1").offset == 2);
    CHECK(chat(odd, "y", "1").offset == 3);
    Client& posing = scene.member("lobby", ben.id());
    CHECK(chat(ben, "z", "7").offset == 4);
    CHECK(chat(posing, "z", "7").offset == 5);
  }
  SECTION("in another room it is another message") {
    REQUIRE(scene.join(ann, "hall").ok());
    Told<ChatMessage> told(scene.loops);
    ann.chat(ann.in("hall"), "hi", std::nullopt, "1", told.done());
    CHECK(told.get()->offset == 1);
  }
}

TEST_CASE("participant: its author edits and deletes a message, all are told, others may not") {
  Scene scene;
  Client& ann = scene.member("lobby", "ann");
  Client& ben = scene.member("lobby");
  Client& eve = scene.member("lobby");
  const auto say = [](Client& client) {
    client.chat(client.in("lobby"), "hi", json(R"({"k":1})"), {}, [](const auto&) {});
  };
  say(ann);
  say(ben);
  scene.loops.advance(5s);
  for (Client* client : {&ann, &ben, &eve}) (void)scene.heard(*client);
  const auto edit = [&](Client& client, Offset offset, std::optional<JsonText> metadata = std::nullopt) {
    Told<ChatMessage> told(scene.loops);
    client.edit_chat(client.in("lobby"), offset, "ho", std::move(metadata), told.done());
    REQUIRE(told.any());
    CHECK(client.held == 0);
    return told;
  };
  const auto remove = [&](Client& client, Offset offset) {
    Told<ChatMessage> told(scene.loops);
    client.delete_chat(client.in("lobby"), offset, told.done());
    REQUIRE(told.any());
    CHECK(client.held == 0);
    return told;
  };

  SECTION("the user, on any connection") {
    Client& phone = scene.member("lobby", "ann");
    REQUIRE(edit(phone, 1).ok());
    CHECK(scene.heard(eve) == Lines{"edited ho from " + ann.id()});
    const auto deleted = remove(ann, 1);
    CHECK(deleted.get()->deleted_at == scene.loops.clock()->unix_ms());
    CHECK(deleted.get()->metadata.empty());
    CHECK(scene.heard(eve) == Lines{"deleted from " + ann.id()});
    CHECK(edit(ann, 1).code() == Errc::chat_message_not_found);
    CHECK(remove(ann, 1).code() == Errc::chat_message_not_found);
  }
  SECTION("without a user: the connection") {
    const auto edited = edit(ben, 2);
    CHECK(edited.get()->metadata == R"({"k":1})");
    CHECK(edited.get()->edited_at == scene.loops.clock()->unix_ms());
    CHECK(edit(ben, 2, json("[2]")).get()->metadata == "[2]");
    CHECK(remove(ben, 2).ok());
  }
  SECTION("nobody else") {
    for (Client* other : {&ben, &eve, &scene.member("lobby", "dan")}) {
      CHECK(edit(*other, 1).why() == "only its author may change this message");
      CHECK(remove(*other, 1).code() == Errc::forbidden);
    }
    CHECK(edit(ann, 2).code() == Errc::forbidden);
    CHECK(edit(eve, 2).code() == Errc::forbidden);
    eve.become({"ann", {}, {}, {}, false});
    CHECK(edit(eve, 1).code() == Errc::forbidden);  // it only claims to be her
    CHECK(edit(ann, 3).why() == "no chat message with offset 3");
  }
  SECTION("a handler lets moderators, and refuses authors") {
    scene.backend.handlers.chat_edit = [&](ChatEdit& event) {
      CHECK(event.stored.message == "hi");
      CHECK(event.allowed == (event.stored.user_id == "ann" && event.session.id() == ann.id()));
      if (event.session.id() == eve.id()) event.allowed = true;
      if (event.session.id() == ann.id()) event.refuse("too late");
      event.message += "!\xff";
    };
    scene.backend.handlers.chat_delete = [&](ChatDelete& event) { event.allowed = event.session.id() == eve.id(); };
    CHECK(edit(ann, 1).why() == "too late");
    CHECK(remove(ann, 1).code() == Errc::forbidden);
    CHECK(edit(eve, 1).get()->message == "ho!\xEF\xBF\xBD");
    CHECK(remove(eve, 1).ok());
    CHECK(remove(eve, 2).ok());
  }
  SECTION("the verdict comes later: the client's requests wait for it") {
    std::optional<LaterVerdict> verdict;
    scene.backend.handlers.chat_delete = [&](ChatDelete& event) {
      event.allowed = true;
      verdict = event.later();
    };
    Told<ChatMessage> told(scene.loops);
    eve.delete_chat(eve.in("lobby"), 1, told.done());
    CHECK_FALSE(told.any());
    CHECK(eve.held > 0);
    verdict->accept();
    CHECK(told.ok());
    CHECK(eve.held == 0);
  }
  SECTION("the handler throws") {
    scene.backend.handlers.chat_edit = fail;
    CHECK(edit(ann, 1).code() == Errc::server_error);
  }
  SECTION("the application") {
    const Application application(scene.backend);
    Told<ChatMessage> told(scene.loops), deleted(scene.loops), missing(scene.loops), wrong(scene.loops);
    application.edit_chat("lobby", 1, "ha", std::nullopt, told.done());
    CHECK(told.get()->message == "ha");
    application.delete_chat("lobby", 2, deleted.done());
    CHECK(deleted.ok());
    application.delete_chat("lobby", 2, missing.done());
    CHECK(missing.code() == Errc::chat_message_not_found);
    application.edit_chat("lobby", 1, std::string(70'000, 'x'), std::nullopt, wrong.done());
    CHECK(wrong.code() == Errc::message_too_large);
    CHECK(scene.heard(eve) == Lines{"edited ha from " + ann.id(), "deleted from " + ben.id()});
  }
}

TEST_CASE("participant: the application speaks as a user, or as a session, whose message it is") {
  Scene scene;
  Client& ann = scene.member("lobby", "ann");
  Client& ben = scene.member("lobby");
  const auto post = [&](ChatPost message) {
    Told<ChatMessage> told(scene.loops);
    Application(scene.backend).chat("lobby", std::move(message), told.done());
    return told;
  };
  const auto edits = [&](Client& client, Offset offset) {
    Told<ChatMessage> told(scene.loops);
    client.edit_chat(client.in("lobby"), offset, "changed", std::nullopt, told.done());
    return told.ok();
  };
  SECTION("a user") {
    const ChatMessage sent = *post({.message = "hi", .metadata = json("[1]"), .user_id = "ann"}).get();
    CHECK(sent.user_id == "ann");
    CHECK(sent.connection_id == server_connection_id);
    CHECK(sent.metadata == "[1]");
    CHECK(scene.heard(ben) == Lines{"chat hi from server"});
    CHECK(edits(ann, 1));
    CHECK_FALSE(edits(ben, 1));
  }
  SECTION("a session with a user, and one without") {
    CHECK(post({.message = "hi", .session = ann.id()}).get()->user_id == "ann");
    CHECK(post({.message = "hi", .session = ben.id()}).get()->user_id.empty());
    CHECK(scene.heard(ben) == Lines{"chat hi from " + ann.id(), "chat hi from " + ben.id()});
    CHECK(edits(ann, 1));
    CHECK(edits(ben, 2));
  }
  SECTION("a disconnected session") {
    const SessionId gone = ben.id();
    ben.go();
    CHECK(post({.message = "hi", .session = gone}).get()->connection_id == gone);
  }
  SECTION("an id makes a second call harmless") {
    const ChatMessage sent = *post({.message = "hi", .id = "order 7"}).get();
    CHECK(sent.id == "order 7");
    CHECK(*post({.message = "hi?", .id = "order 7"}).get() == sent);
    CHECK(scene.heard(ben) == Lines{"chat hi from server"});
  }
  SECTION("what can't be stored or sent is refused") {
    for (const std::string& wrong : {std::string("\xff"), std::string("a\0b", 3), std::string(1025, 'x')}) {
      CHECK(post({.message = "hi", .user_id = wrong}).code() == Errc::invalid_argument);
      CHECK(post({.message = "hi", .session = wrong}).code() == Errc::invalid_argument);
      CHECK(post({.message = "hi", .id = wrong}).code() == Errc::invalid_argument);
    }
  }
}

TEST_CASE("participant: a message that the application holds is neither stored nor sent until it is released") {
  Scene scene;
  Client& ann = scene.member("lobby", "ann");
  Client& ben = scene.member("lobby");
  std::vector<ChatPost> held;
  scene.backend.handlers.chat = [&](ChatDraft& draft) {
    draft.message += "!";
    held.push_back(draft.hold());
  };
  const auto chat = [&](Client& client, std::string_view own_id) {
    Told<ChatMessage> told(scene.loops);
    client.chat(client.in("lobby"), "hi", json("[1]"), own_id, told.done());
    return told;
  };
  const auto release = [&](const ChatPost& post) {
    Told<ChatMessage> told(scene.loops);
    Application(scene.backend).chat("lobby", post, told.done());
    return *told.get();
  };
  SECTION("released") {
    const ChatMessage answer = *chat(ann, {}).get();
    CHECK(answer.offset == 0);
    CHECK(ann.held == 0);
    CHECK(scene.heard(ben).empty());
    ann.go();
    (void)scene.heard(ben);
    const ChatMessage sent = release(held.at(0));
    CHECK(sent.id == answer.id);
    CHECK(sent.offset == 1);
    CHECK(sent.user_id == "ann");
    CHECK(sent.connection_id == ann.id());
    CHECK(sent.metadata == "[1]");
    CHECK(release(held.at(0)) == sent);
    CHECK(scene.heard(ben) == Lines{"chat hi! from " + ann.id()});
  }
  SECTION("of a client without a user, whose message it is") {
    CHECK(chat(ben, "1").get()->offset == 0);
    CHECK(release(held.at(0)).user_id.empty());
    Told<ChatMessage> told(scene.loops);
    ben.delete_chat(ben.in("lobby"), 1, told.done());
    CHECK(told.ok());
  }
  SECTION("a retry has the same id") {
    CHECK(chat(ann, "1").ok());
    CHECK(chat(ann, "1").ok());
    CHECK(held.at(0).id == held.at(1).id);
    CHECK(release(held.at(1)) == release(held.at(0)));
  }
  SECTION("refused all the same") {
    scene.backend.handlers.chat = [&](ChatDraft& draft) {
      (void)draft.hold();
      draft.refuse("no");
    };
    CHECK(chat(ann, {}).why() == "no");
  }
}

TEST_CASE("participant: with a chat store that can't edit, nobody can") {
  const auto store = std::make_shared<HeldChatStore>();
  store->let_go();
  Scene scene({}, store);
  Client& ann = scene.client("ann");
  const auto joined = scene.join(ann, "lobby");
  REQUIRE(scene.until([&] { return joined.any(); }));
  Told<ChatMessage> told(scene.loops), edited(scene.loops), by_server(scene.loops);
  ann.chat(ann.in("lobby"), "hi", std::nullopt, {}, told.done());
  REQUIRE(scene.until([&] { return told.any(); }));
  ann.edit_chat(ann.in("lobby"), 1, "ho", std::nullopt, edited.done());
  CHECK(edited.why() == "messages can't be edited or deleted: the chat store of this server can't do it");
  CHECK(ann.held == 0);
  Application(scene.backend).delete_chat("lobby", 1, by_server.done());
  CHECK(by_server.code() == Errc::forbidden);
}

TEST_CASE("participant: an own id that does not fit beside a long user id is refused") {
  Scene scene;
  Client& ann = scene.member("lobby", std::string(1000, 'a'));
  Told<ChatMessage> told(scene.loops);
  ann.chat(ann.in("lobby"), "hi", std::nullopt, std::string(17, '1'), told.done());
  CHECK(told.ok());
  Told<ChatMessage> refused(scene.loops);
  ann.chat(ann.in("lobby"), "hi", std::nullopt, std::string(18, '1'), refused.done());
  CHECK(refused.code() == Errc::invalid_message);
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

TEST_CASE("participant: if the chat store fails, a join continues without history, and chat gets an error") {
  Scene scene({}, std::make_shared<FailingChatStore>());
  Client& ann = scene.client();
  CHECK(scene.join(ann, "lobby").ok());
  CHECK(scene.welcomed.find("secret") == std::string::npos);
  CHECK(scene.welcomed != "{} 0 messages");
  Told<ChatMessage> told(scene.loops);
  ann.chat(ann.in("lobby"), "hi", std::nullopt, {}, told.done());
  CHECK(told.code() == Errc::store_failed);
  CHECK(told.why().find("secret") == std::string::npos);
  Told<ChatPage> history(scene.loops);
  ann.chat_history(ann.in("lobby"), 10, 0, history.done());
  CHECK(history.code() == Errc::store_failed);
}

// --- Presence ---

TEST_CASE("participant: presence is sent to the others, and the handler may change or refuse it") {
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

TEST_CASE("participant: presence that comes too soon is throttled, and only the newest is sent") {
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
  SECTION("it is sent when the interval ends") {
    scene.loops.advance(1ms);
    CHECK(scene.heard(ben) == Lines{"presence ~" + ann.id() + R"({"x":3})"});
  }
  SECTION("a client that has left meanwhile sends none") {
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
  SECTION("by no handler") {
    ann.call("product", json("1"), told.done());
    CHECK(told.code() == Errc::unknown_type);
    CHECK(told.why() == "unknown method \"product\"");
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
  SECTION("lone surrogates are repaired") {
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

TEST_CASE("participant: while a later answer is pending, its client's requests wait") {
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

TEST_CASE("participant: a handler may give its later answer before it returns, and then throw") {
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

TEST_CASE("request table: a method that clients could not call by its name is refused") {
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

TEST_CASE("participant: an item is shared in a room or the public space, and the handler may change or refuse it") {
  Scene scene;
  Client& ann = scene.member("lobby");
  Client& ben = scene.member("lobby");
  const bool in_room = GENERATE(true, false);
  const auto room = in_room ? ann.in("lobby").room : nullptr;
  (void)ben.watch_public_changes(ben.seat(), ben.text_view, 10, 0);
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
  scene.files->put(stored_id, "a.txt", "text/plain", "abc", "ann");
  Client& ann = scene.member("lobby", "ann");
  Client& ben = scene.member("lobby");
  Told<Position> told(scene.loops);
  const auto room = ann.in("lobby").room;
  const auto share = [&](const FileId& id = stored_id) {
    ann.share_stored(room, id, told.done());
    scene.loops.settle();
  };
  SECTION("no handler") {
    share();
    CHECK(told.ok());
    const Lines lines = scene.heard(ben);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find(stored_id) != std::string::npos);
    CHECK(ann.times_held == 1);
  }
  SECTION("no such file") {
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
    SECTION("when the client has disconnected") {
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
  if (!told.ok()) CHECK(scene.heard(ben).size() <= 1);  // at most the notice that Ann has left
}

TEST_CASE("participant: a server without a file store shares no files") {
  Scene scene([](Config& config) { config.files.store = nullptr; });
  Client& ann = scene.member("lobby");
  const auto room = ann.in("lobby").room;
  Told<Position> stored(scene.loops), whole(scene.loops);
  ann.share_stored(room, stored_id, stored.done());
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
  Client& ann = scene.member("lobby");
  const auto ticket = ann.upload_ticket("lobby");
#if FLUX_WITH_TLS
  REQUIRE(ticket.ok());
  const auto read = scene.tickets().read(ticket->text, ticket->expires_at - 1);
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
  CHECK(ann.watch_public(ann.seat(), 1, 0).entries.size() == 1);
  CHECK(ben.watch_public_changes(ben.seat(), ben.text_view, 10, 0).entries.size() == 3);
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
  SECTION("another item becomes the newest before the verdict: the handler is asked about that one") {
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
  SECTION("the public space is empty") {
    scene.backend.handlers.public_delete = [](PublicDelete&) {};
    for (int i = 0; i < 3; ++i) REQUIRE(scene.backend.public_space->delete_newest());
    ann.delete_public_newest(told.done());
    CHECK((told.ok() && !*told.get()));
  }
}

// --- Verdicts that are given later ---

TEST_CASE("participant: every act waits for a later verdict, and so do its client's requests") {
  Scene scene;
  Client& ann = scene.member("lobby");
  Client& ben = scene.member("lobby");
  (void)ben.watch_public_changes(ben.seat(), ben.text_view, 10, 0);
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
  Told<JsonText> published(scene.loops);
  Told<Position> shared(scene.loops);
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
      ann.chat(ann.in("lobby"), "hi", std::nullopt, {}, sent.done());
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

TEST_CASE("participant: the first verdict counts, including one given before the handler returns") {
  Scene scene;
  Client& ann = scene.member("lobby");
  Client& ben = scene.member("lobby");
  Told<JsonText> told(scene.loops);
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
  Scene scene([](Config& config) { config.limits.answer_timeout = 48h; });
  const Deferring deferring;
  std::weak_ptr<int> kept;
  Client& ann = scene.member("lobby");
  scene.backend.handlers.event = deferring;
  {
    const auto held = std::make_shared<int>(1);
    kept = held;
    ann.publish(ann.in("lobby"), "e", std::nullopt, [held](const Result<JsonText>&) {});
  }
  scene.loops.advance(24h);
  CHECK(ann.held == 1);
  CHECK_FALSE(kept.expired());
  ann.go();
  CHECK(kept.expired());
  CHECK(deferring.owed->size() == 1);
}

TEST_CASE("participant: a client that was removed from the room before the verdict gets not_in_room") {
  Scene scene;
  Client& ann = scene.member("lobby");
  const Deferring deferring;
  scene.backend.handlers.event = deferring;
  Told<JsonText> told(scene.loops);
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
      ann.publish(ann.in("lobby"), "e", std::nullopt, [&told](const Result<JsonText>&) { ++told; });
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

// --- The application ---

TEST_CASE("application: its acts reach the members, with the checks of its own, and no handler is asked") {
  Scene scene([](Config& config) {
    config.limits.event_name_bytes_max = 8;
    config.limits.message_bytes_max = 100;
    config.limits.chat_bytes_max = 10;
    config.limits.metadata_bytes_max = 10;
  });
  scene.backend.handlers.event = refuse;
  scene.backend.handlers.chat = refuse;
  scene.backend.handlers.share = refuse;
  Client& ann = scene.member("lobby", "ann");
  const Application application(scene.backend);
  // What an act comes to: 0 if it succeeds.
  const auto code = [&](auto type, const auto& act) {
    Told<decltype(type)> told(scene.loops);
    act(told.done());
    return told.ok() ? Errc{} : told.code();
  };
  const auto text = [](std::size_t bytes) { return json(("\"" + std::string(bytes - 2, 'x') + "\"").c_str()); };

  SECTION("events") {
    CHECK(application.broadcast("lobby", "move", json("1")).ok());
    CHECK(scene.heard(ann) == Lines{"event move from server 1"});
    CHECK(application.broadcast("nowhere", "move", json("1")).error().code() == Errc::room_not_found);
    CHECK(application.broadcast("lobby", "", json("1")).error().code() == Errc::invalid_argument);
    CHECK(application.broadcast("lobby", "nine bytes", json("1")).error().code() == Errc::invalid_argument);
    CHECK(application.broadcast("lobby", "move", text(101)).error().code() == Errc::message_too_large);
    CHECK(scene.heard(ann).empty());
  }
  SECTION("data") {
    const auto share = [&](const char* room, const JsonText& data) {
      return code(Position(), [&](const auto& done) { application.share(room, data, done); });
    };
    const auto public_share = [&](const JsonText& data) {
      return code(Position(), [&](const auto& done) { application.public_share(data, done); });
    };
    CHECK(share("lobby", json("1")) == Errc{});
    CHECK(scene.heard(ann) == Lines{"data 1 at 1"});
    CHECK(share("nowhere", json("1")) == Errc::room_not_found);
    CHECK(share("lobby", text(101)) == Errc::message_too_large);
    CHECK(public_share(text(101)) == Errc::message_too_large);
    CHECK(public_share(json("2")) == Errc{});
    CHECK(scene.backend.public_space->items().size() == 1);
  }
  SECTION("files") {
    scene.files->put(stored_id, "a.txt", "text/plain", "abc", "ann");
    const auto share = [&](const char* room) {
      return code(Position(), [&](const auto& done) { application.share_file(room, stored_id, done); });
    };
    CHECK(share("nowhere") == Errc::room_not_found);
    CHECK(share("lobby") == Errc{});
    CHECK(code(Position(), [&](const auto& done) { application.public_share_file(stored_id, done); }) == Errc{});
    CHECK(scene.files->known()[0].shared);
  }
  SECTION("chat") {
    const auto chat = [&](const char* room, std::string_view message, std::optional<JsonText> metadata) {
      return code(ChatMessage(), [&](const auto& done) {
        application.chat(room, {.message = std::string(message), .metadata = std::move(metadata)}, done);
      });
    };
    CHECK(chat("lobby", "hi", json("[1]")) == Errc{});
    CHECK(scene.heard(ann) == Lines{"chat hi from server"});
    CHECK(chat("elsewhere", "hi", std::nullopt) == Errc{});  // without a room
    CHECK(chat("", "hi", std::nullopt) == Errc::invalid_argument);
    CHECK(chat("lobby", "eleven byte", std::nullopt) == Errc::message_too_large);
    CHECK(chat("lobby", "hi", text(11)) == Errc::message_too_large);

    Told<std::vector<ChatMessage>> read(scene.loops);
    application.chat_history("lobby", 10, 0, read.done());
    REQUIRE(read.ok());
    CHECK(read.get()->size() == 1);
    const auto unread = [&](const auto& done) { application.chat_history("lobby", 1001, 0, done); };
    CHECK(code(std::vector<ChatMessage>(), unread) == Errc::invalid_argument);
  }
  SECTION("too much is pending") {
    fill(scene.backend, "lobby");
    CHECK(application.broadcast("lobby", "move", json("1")).error().code() == Errc::overloaded);
    Told<ChatMessage> told(scene.loops);
    application.chat("lobby", {.message = "hi"}, told.done());
    CHECK(told.code() == Errc::overloaded);
  }
}

TEST_CASE("application: an event reaches the members that it is for, in order, and slow ones as its delivery says") {
  Scene scene;
  Client& ann = scene.member("lobby", "ann");
  Client& ben = scene.member("lobby", "ben");
  Client& cat = scene.member("lobby", "cat");
  Client& out = scene.client();
  const Application application(scene.backend);
  const auto send = [&](const char* event, const Recipients& to, const Delivery& delivery = Delivery::all()) {
    return application.broadcast("lobby", event, json("1"), to, delivery).ok();
  };
  const auto line = [](const char* event) { return std::string("event ") + event + " from server 1"; };
  const std::vector<SessionId> some{ann.id(), "nobody", out.id(), ann.id(), {}};
  SECTION("all of them, or some") {
    CHECK(send("all", Recipients::all()));
    CHECK(send("others", Recipients::except(some)));
    CHECK(send("ann", Recipients::only(some)));
    CHECK(send("nobody", Recipients::only({})));
    CHECK(send("everybody", Recipients::except({})));
    CHECK(send("pair", Recipients::only({cat.id(), ann.id()})));
    CHECK(scene.heard(ann) == Lines{line("all"), line("ann"), line("everybody"), line("pair")});
    CHECK(scene.heard(ben) == Lines{line("all"), line("others"), line("everybody")});
    CHECK(scene.heard(cat) == Lines{line("all"), line("others"), line("everybody"), line("pair")});
    CHECK(scene.heard(out).empty());
  }
  SECTION("only the newest") {
    ann.inbox.congested = ben.inbox.congested = true;
    CHECK(send("score", Recipients::only(some), Delivery::newest("k")));
    CHECK(scene.heard(ann).empty());
    CHECK(ann.in("lobby").seat.state_known != 0);
    CHECK(ben.in("lobby").seat.state_known == 0);
  }
  SECTION("or close") {
    ann.inbox.congested = ben.inbox.congested = true;
    CHECK(send("tick", Recipients::except(some), Delivery::close_slow()));
    scene.loops.settle();
    CHECK(ann.inbox.open);
    CHECK_FALSE(ben.inbox.open);
    CHECK(scene.heard(cat) == Lines{line("tick")});
  }
}

TEST_CASE("application: without a file store it shares none, and without a running chat it sends none") {
  Scene scene([](Config& config) { config.files.store = nullptr; });
  const Application application(scene.backend);
  Told<Position> shared(scene.loops);
  application.public_share_file(stored_id, shared.done());
  CHECK(shared.code() == Errc::forbidden);
  scene.backend.chat = nullptr;
  Told<ChatMessage> sent(scene.loops);
  application.chat("lobby", {.message = "hi"}, sent.done());
  CHECK(sent.code() == Errc::stopped);
}

}  // namespace participant_test
