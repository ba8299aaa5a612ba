// What prevents each act of a client: permissions, content, rates, the stores, and the end of the client itself.
#include "../support/memory_room_store.hpp"
#include "participant_fixture.hpp"

#include <flux/detail/features/application.hpp>
#include <flux/testing/faulty_room_store.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace participant_errors_test {

using namespace participant_test;

namespace {

using DoneAct = Participant::Done<void>;

/// Passes on whether an act has succeeded.
template <class T>
Participant::Done<T> done_of(const DoneAct& done) {
  return [done](const Result<T>& result) { done(result.transform([](const T&) {})); };
}

JsonText presence(const std::string& text) { return JsonText::object({{"a", text}}); }

/// Something that a client does in the room "lobby", in which the chat message with offset 1 is its own.
struct Act {
  std::string name;
  std::string operation;  // that the room demands for it in `demanding`
  void (*begin)(Client& client, const std::string& text, const DoneAct& done);
};

const Act publish{"publish", "events", [](Client& client, const std::string& text, const DoneAct& done) {
                    client.publish(client.in("lobby"), "e", JsonText::string(text), done_of<JsonText>(done));
                  }};
const Act chat{"chat", "chat", [](Client& client, const std::string& text, const DoneAct& done) {
                 client.chat(client.in("lobby"), text, std::nullopt, {}, done_of<ChatMessage>(done));
               }};
const Act edit_chat{"edit_chat", "chat", [](Client& client, const std::string& text, const DoneAct& done) {
                      client.edit_chat(client.in("lobby"), 1, text, std::nullopt, done_of<ChatMessage>(done));
                    }};
const Act delete_chat{"delete_chat", "chat", [](Client& client, const std::string&, const DoneAct& done) {
                        client.delete_chat(client.in("lobby"), 1, done_of<ChatMessage>(done));
                      }};
const Act share{"share", "share", [](Client& client, const std::string& text, const DoneAct& done) {
                  client.share(client.in("lobby").room, JsonText::string(text), done_of<Position>(done));
                }};
const Act update_presence{"update_presence", "presence",
                          [](Client& client, const std::string& text, const DoneAct& done) {
                            client.update_presence(client.in("lobby"), presence(text), done);
                          }};
const Act join{"join", "presence", [](Client& client, const std::string& text, const DoneAct& done) {
                 client.join(
                     "lobby", presence(text), client.terms, [](const auto&, const auto&) {}, done);
               }};
const Act create_room{"create_room", {}, [](Client& client, const std::string&, const DoneAct& done) {
                        client.create_room("made", {}, done_of<Participant::RoomPtr>(done));
                      }};
const Act delete_public{"delete_public_newest", {}, [](Client& client, const std::string&, const DoneAct& done) {
                          client.delete_public_newest(done_of<bool>(done));
                        }};

const std::vector<Act> of_a_member{publish, chat, edit_chat, delete_chat, share, update_presence};
const std::vector<Act> demanded{publish, chat, edit_chat, delete_chat, share, update_presence, join};
const std::vector<Act> writing{publish, chat, edit_chat, share, update_presence, join};
const std::vector<Act> asking{publish,         chat, edit_chat,   delete_chat,  share,
                              update_presence, join, create_room, delete_public};

void demanding(Config& config) {
  config.rooms.demands = {
      .events = "events", .presence = "presence", .chat = "chat", .share = "share", .history = "history"};
  config.rooms.create_demand = "create";
}

/// Sets every handler that an act asks.
template <class Handler>
void set_handlers(Handlers& handlers, const Handler& handler) {
  handlers.join = handler;
  handlers.create_room = handler;
  handlers.event = handler;
  handlers.chat = handler;
  handlers.chat_edit = handler;
  handlers.chat_delete = handler;
  handlers.share = handler;
  handlers.public_delete = handler;
  handlers.presence = handler;
}

/// Ann and Ben in "lobby", where a chat message of Ann's is stored. Ben also watches the public space, with one item.
struct Pair {
  explicit Pair(const std::function<void(Config&)>& change = {}) : scene(change) {
    Told<ChatMessage> posted(scene.loops);
    Application(scene.backend).chat("lobby", {.message = "hi", .user_id = "ann"}, posted.done());
    REQUIRE(posted.ok());
    (void)ben.watch_public_changes(ben.seat(), ben.text_view, 10, 0);
    REQUIRE(scene.backend.public_space->share({"server", json("0"), 0}).ok());
    (void)scene.heard(ben);
  }
  Told<void> begin(const Act& act, const std::string& text = "x") {
    Told<void> told(scene.loops);
    act.begin(ann, text, told.done());
    return told;
  }
  void permit(const std::vector<std::string>& permissions) {
    REQUIRE(ann.change_grant(Grant({.user_id = "ann", .verified = true}, permissions)).ok());
    scene.loops.settle();
  }
  /// What Ben has heard since the last call, by the end of whatever delays it.
  Lines heard() {
    scene.loops.advance(1s);
    return scene.heard(ben);
  }
  std::vector<std::string> stored_chat() {
    Told<std::vector<ChatMessage>> read(scene.loops);
    Application(scene.backend).chat_history("lobby", 10, 0, read.done());
    std::vector<std::string> texts;
    for (const ChatMessage& message : *read.get()) texts.push_back(message.message);
    return texts;
  }
  /// Whether no act has had an effect. `told`: what Ben has heard nevertheless.
  bool untouched(const Lines& told = {}) {
    return heard() == told && stored_chat() == std::vector<std::string>{"hi"} && scene.backend.rooms.size() == 1 &&
           scene.backend.public_space->items().size() == 1;
  }
  /// What Ben hears when Ann leaves.
  Lines left() const { return {"presence -" + ann.id()}; }

  Scene scene;
  Participant::RoomPtr lobby = scene.backend.rooms.create("lobby", {}).value();
  Client& ann = scene.member("lobby", "ann");
  Client& ben = scene.member("lobby", "ben");
};

}  // namespace

// --- Permissions ---

TEST_CASE("participant: an act needs the permission that its room demands, and no handler is asked without it") {
  for (const Act& act : demanded) {
    CAPTURE(act.name);
    Pair pair(demanding);
    int asked = 0;
    set_handlers(pair.scene.backend.handlers, [&](auto&) { ++asked; });
    CHECK(pair.begin(act).code() == Errc::forbidden);
    std::vector<std::string> others{act.operation + ":elsewhere"};
    for (const std::string other : {"events", "presence", "chat", "share", "history", "create"}) {
      if (other != act.operation) others.push_back(other + ":lobby");
    }
    pair.permit(others);
    CHECK(pair.begin(act).why() == "Insufficient permissions for room: lobby");
    CHECK(asked == 0);
    CHECK(pair.ann.times_held == 0);
    CHECK(pair.untouched());
    pair.permit({act.operation + ":lobby"});
    CHECK(pair.begin(act).ok());
    CHECK(asked == 1);
    CHECK_FALSE(pair.heard().empty());
  }
}

TEST_CASE("participant: a client that is not logged in is told so if its room demands a permission") {
  Pair pair(demanding);
  Client& unknown = pair.scene.member("lobby");
  for (const Act& act : demanded) {
    CAPTURE(act.name);
    Told<void> told(pair.scene.loops);
    act.begin(unknown, "x", told.done());
    CHECK(told.code() == Errc::unauthorized);
  }
  CHECK(unknown.publish_unasked(unknown.in("lobby"), "e", "1").error().code() == Errc::unauthorized);
  CHECK(unknown.upload_ticket("lobby").error().code() == Errc::unauthorized);
  CHECK(unknown.items(unknown.in("lobby"), 10, 0).error().code() == Errc::unauthorized);
}

TEST_CASE("participant: a permission that is lost before the verdict does not count") {
  for (const Act& act : demanded) {
    CAPTURE(act.name);
    Pair pair(demanding);
    const Deferring deferring;
    set_handlers(pair.scene.backend.handlers, deferring);
    pair.permit({act.operation + ":lobby"});
    const auto told = pair.begin(act);
    REQUIRE_FALSE(told.any());
    pair.permit({});
    deferring.take().accept();
    CHECK(told.code() == Errc::forbidden);
    CHECK(pair.ann.held == 0);
    CHECK(pair.untouched());
  }
}

TEST_CASE("participant: an event that is published unasked needs the permission as well") {
  Pair pair(demanding);
  Client& ann = pair.ann;
  CHECK(ann.publish_unasked(ann.in("lobby"), "e", "1").error().code() == Errc::forbidden);
  CHECK(pair.untouched());
  pair.permit({"events:lobby"});
  CHECK(ann.publish_unasked(ann.in("lobby"), "e", "1").ok());
}

TEST_CASE("participant: chat history and items need the permission for the history, until they are read") {
  Pair pair(demanding);
  Client& ann = pair.ann;
  const auto history = [&] {
    Told<ChatPage> told(pair.scene.loops);
    ann.chat_history(ann.in("lobby"), 10, 0, told.done());
    return told;
  };
  pair.permit({"events:lobby", "presence:lobby", "chat:lobby", "share:lobby"});
  CHECK(history().code() == Errc::forbidden);
  CHECK(ann.items(ann.in("lobby"), 10, 0).error().code() == Errc::forbidden);
  pair.permit({"history:lobby"});
  CHECK(history().get()->entries.size() == 1);
  CHECK(ann.items(ann.in("lobby"), 10, 0).ok());
  const auto reading = history();
  ann.become({.user_id = "ann", .verified = true});
  CHECK(reading.code() == Errc::forbidden);
}

TEST_CASE("participant: a client that may not be in a room finds no members while it leaves") {
  Pair pair([](Config& config) { config.rooms.demands.presence = "presence"; });
  Client& ann = pair.ann;
  REQUIRE(pair.scene.backend.rooms.create("club", {.demands = Demands{.join = "enter"}}).ok());
  pair.permit({"enter:club"});
  REQUIRE(pair.scene.join(ann, "club").ok());
  CHECK(ann.members(ann.in("club"), 10, 0).members.size() == 1);
  ann.become({.user_id = "ann", .verified = true});
  CHECK(ann.members(ann.in("club"), 10, 0).members.empty());
  CHECK(ann.may(ann.in("club"), gate::RoomAct::events).error().code() == Errc::forbidden);
  pair.scene.loops.settle();
  CHECK(ann.rooms() == std::vector<RoomId>{"lobby"});
  CHECK(ann.placed == Lines{"left club: Insufficient permissions for room: club"});
}

TEST_CASE("participant: an upload ticket needs the permission to share, and that to upload") {
  Pair pair([](Config& config) {
    demanding(config);
    config.files.demands.upload = "upload";
  });
  const auto code = [&](const RoomId& room) {
    const auto ticket = pair.ann.upload_ticket(room);
    return ticket ? std::string("ok") : ticket.error().message();
  };
  const std::string in_room = "Insufficient permissions for room: lobby";
  CHECK(code("lobby") == in_room);
  pair.permit({"share:lobby"});
  CHECK(code("lobby") == in_room);
  pair.permit({"upload:lobby"});
  CHECK(code("lobby") == in_room);
  CHECK(code("") == "Insufficient permissions for files");
  pair.permit({"share:lobby", "upload:lobby", "upload:files"});
#if FLUX_WITH_TLS
  CHECK(code("lobby") == "ok");
  CHECK(code("") == "ok");
#endif
}

TEST_CASE("participant: a room is created by a client that has the permission for its id, until it exists") {
  Pair pair(demanding);
  int asked = 0;
  pair.scene.backend.handlers.create_room = [&](RoomCreation&) { ++asked; };
  CHECK(pair.begin(create_room).code() == Errc::forbidden);
  pair.permit({"create:other"});
  CHECK(pair.begin(create_room).code() == Errc::forbidden);
  CHECK(pair.scene.join(pair.ann, "made").code() == Errc::forbidden);
  Client& unknown = pair.scene.client();
  Told<Participant::RoomPtr> told(pair.scene.loops);
  unknown.create_room("made", {}, told.done());
  CHECK(told.code() == Errc::unauthorized);
  CHECK(asked == 0);
  CHECK(pair.untouched());
  SECTION("it has it") {
    pair.permit({"create:made"});
    CHECK(pair.begin(create_room).ok());
    CHECK(pair.scene.backend.rooms.find("made") != nullptr);
  }
  SECTION("it loses it before the verdict") {
    const Deferring deferring;
    pair.scene.backend.handlers.create_room = deferring;
    pair.permit({"create:made"});
    const auto created = pair.begin(create_room);
    REQUIRE_FALSE(created.any());
    pair.permit({});
    deferring.take().accept();
    CHECK(created.code() == Errc::forbidden);
    CHECK(pair.untouched());
  }
}

// --- Content ---

TEST_CASE("participant: what a client may not write is refused, whatever the act, and no handler is asked") {
  for (const Act& act : writing) {
    CAPTURE(act.name);
    Pair pair([](Config& config) { config.rooms.content = {.message_bytes_max = 40, .refuse_scripts = true}; });
    int asked = 0;
    set_handlers(pair.scene.backend.handlers, [&](auto&) { ++asked; });
    CHECK(pair.begin(act, std::string(41, 'x')).code() == Errc::message_too_large);
    CHECK(pair.begin(act, "see javascript:alert(1)").code() == Errc::invalid_message);
    CHECK(asked == 0);
    CHECK(pair.ann.times_held == 0);
    CHECK(pair.untouched());
    CHECK(pair.begin(act, "see you").ok());
    CHECK(asked == 1);
    CHECK_FALSE(pair.heard().empty());
  }
}

TEST_CASE("participant: the rules for what clients write count an event's name, and a message's metadata") {
  Pair pair([](Config& config) { config.rooms.content = {.message_bytes_max = 20, .refuse_scripts = true}; });
  Client& ann = pair.ann;
  const auto code = [](const auto& result) { return result ? Errc() : result.error().code(); };
  const std::string ten(10, 'x');
  const std::string script = R"("java\u0073cript:")";
  SECTION("events") {
    const auto published_unasked = [&](std::string_view event, const std::string& payload) {
      return code(ann.publish_unasked(ann.in("lobby"), event, payload));
    };
    const auto published = [&](std::string_view event, const std::string& payload) {
      Told<JsonText> told(pair.scene.loops);
      ann.publish(ann.in("lobby"), std::string(event), json(payload.c_str()), told.done());
      return code(told.get());
    };
    const std::string eight = '"' + std::string(8, 'x') + '"';
    CHECK(published_unasked(ten, eight) == Errc());
    CHECK(published_unasked(ten + "x", eight) == Errc::message_too_large);
    CHECK(published_unasked("onclick=", "1") == Errc::invalid_message);
    CHECK(published_unasked("e", script) == Errc::invalid_message);
    CHECK(published(ten, eight) == Errc());
    CHECK(published(ten + "x", eight) == Errc::message_too_large);
    CHECK(published("onclick=", "1") == Errc::invalid_message);
    CHECK(published("e", script) == Errc::invalid_message);
    CHECK(pair.heard().size() == 2);
  }
  SECTION("chat") {
    const auto sent = [&](const std::string& text, const std::string& metadata) {
      Told<ChatMessage> told(pair.scene.loops);
      ann.chat(ann.in("lobby"), text, json(metadata.c_str()), {}, told.done());
      return code(told.get());
    };
    const auto edited = [&](const std::string& text, const std::string& metadata) {
      Told<ChatMessage> told(pair.scene.loops);
      ann.edit_chat(ann.in("lobby"), 1, text, json(metadata.c_str()), told.done());
      return code(told.get());
    };
    const std::string metadata = R"({"a":1234})";
    CHECK(sent(ten + "x", metadata) == Errc::message_too_large);
    CHECK(sent("hi", script) == Errc::invalid_message);
    CHECK(edited(ten + "x", metadata) == Errc::message_too_large);
    CHECK(edited("hi", script) == Errc::invalid_message);
    CHECK(pair.untouched());
    CHECK(sent(ten, metadata) == Errc());
    CHECK(edited(ten, metadata) == Errc());
  }
}

// --- Rates ---

TEST_CASE("participant: a message over a client's rate is refused with the time to retry, and many in a row close it") {
  Scene scene([](Config& config) {
    config.limits.messages_per_second = 10;
    config.limits.message_burst = 2;
    config.limits.rate_limit_strikes_max = 2;
  });
  Client& ann = scene.client("ann");
  gate::RateLimit bucket;
  CHECK_FALSE(ann.over_rate(bucket));
  CHECK_FALSE(ann.over_rate(bucket));
  const auto first = ann.over_rate(bucket);
  REQUIRE(first);
  CHECK(first->error.code() == Errc::rate_limited);
  CHECK(first->error.retry_after() == 100ms);
  CHECK_FALSE(first->closes);
  SECTION("one that is in time makes the next strike the first") {
    scene.loops.advance(100ms);
    CHECK_FALSE(ann.over_rate(bucket));
    const auto next = ann.over_rate(bucket);
    REQUIRE(next);
    CHECK_FALSE(next->closes);
  }
  SECTION("the second in a row closes it") {
    const auto second = ann.over_rate(bucket);
    REQUIRE(second);
    CHECK(second->closes);
  }
  SECTION("another client has strikes of its own") {
    Client& ben = scene.client("ben");
    const auto other = ben.over_rate(bucket);
    REQUIRE(other);
    CHECK_FALSE(other->closes);
  }
  CHECK(scene.loops[0]->counters().messages_rate_limited.get() == 2);
}

TEST_CASE("participant: all clients of a user share its rate, and one without a user has none") {
  Scene scene([](Config& config) {
    config.limits.user_messages_per_second = 1;
    config.limits.user_message_burst = 2;
  });
  Client& ann = scene.client("ann");
  Client& phone = scene.client("ann");
  Client& ben = scene.client("ben");
  Client& unknown = scene.client();
  gate::RateLimit of_ann, of_phone, of_ben, of_unknown;
  CHECK_FALSE(ann.over_rate(of_ann));
  CHECK_FALSE(phone.over_rate(of_phone));
  const auto third = ann.over_rate(of_ann);
  REQUIRE(third);
  CHECK(third->error.retry_after() == 1s);
  CHECK_FALSE(ben.over_rate(of_ben));
  for (int i = 0; i < 5; ++i) CHECK_FALSE(unknown.over_rate(of_unknown));
  ann.become({.user_id = "anna", .verified = true});
  CHECK_FALSE(ann.over_rate(of_ann));
}

TEST_CASE("participant: a request over the rate of its operation is refused, and is no strike") {
  Scene scene([](Config& config) {
    config.limits.operations["send_chat"].connection = {.count = 2, .per = 1s};
    config.limits.operations["share"].user = {.count = 1, .per = 2s};
    config.limits.messages_per_second = 10;
    config.limits.message_burst = 1;
    config.limits.rate_limit_strikes_max = 2;
  });
  Client& ann = scene.client("ann");
  Client& phone = scene.client("ann");
  Client& ben = scene.client("ben");
  auto& operations = scene.backend.client_limits.operations;
  SECTION("per connection") {
    gate::OperationLimit& chats = *operations.find("send_chat");
    CHECK(ann.within(chats).ok());
    CHECK(ann.within(chats).ok());
    const auto third = ann.within(chats);
    REQUIRE_FALSE(third.ok());
    CHECK(third.error().code() == Errc::rate_limited);
    CHECK(third.error().retry_after() == 500ms);
    CHECK(phone.within(chats).ok());
    CHECK(ann.within(*operations.find("share")).ok());
    gate::RateLimit bucket;
    CHECK_FALSE(ann.over_rate(bucket));
    const auto excess = ann.over_rate(bucket);
    REQUIRE(excess);
    CHECK_FALSE(excess->closes);
    scene.loops.advance(500ms);
    CHECK(ann.within(chats).ok());
  }
  SECTION("per user") {
    gate::OperationLimit& shares = *operations.find("share");
    CHECK(ann.within(shares).ok());
    CHECK(phone.within(shares).error().retry_after() == 2s);
    CHECK(ben.within(shares).ok());
  }
}

// --- Not in the room ---

TEST_CASE("participant: a client that leaves the room before the verdict gets not_in_room, and nothing is done") {
  for (const Act& act : of_a_member) {
    for (const bool later : {false, true}) {
      CAPTURE(act.name, later);
      Pair pair;
      Client& ann = pair.ann;
      const auto leave = [&pair] { pair.ann.leave_room(pair.lobby); };
      const Deferring deferring;
      if (later) {
        set_handlers(pair.scene.backend.handlers, deferring);
      } else {
        set_handlers(pair.scene.backend.handlers, [&](auto&) { leave(); });
      }
      const auto told = pair.begin(act);
      if (later) {
        REQUIRE_FALSE(told.any());
        leave();
        deferring.take().accept();
      }
      CHECK(told.code() == Errc::not_in_room);
      CHECK(told.why() == "not in room \"lobby\" any more");
      CHECK(ann.held == 0);
      CHECK(pair.untouched(pair.left()));
    }
  }
}

TEST_CASE("participant: a client that leaves the room while its chat message is found gets not_in_room") {
  for (const Act& act : {edit_chat, delete_chat}) {
    CAPTURE(act.name);
    Pair pair;
    int asked = 0;
    set_handlers(pair.scene.backend.handlers, [&](auto&) { ++asked; });
    const auto told = pair.begin(act);
    CHECK(pair.ann.held == 1);
    pair.ann.leave_room(pair.lobby);
    CHECK(told.code() == Errc::not_in_room);
    CHECK(asked == 0);
    CHECK(pair.ann.held == 0);
    CHECK(pair.untouched(pair.left()));
  }
}

TEST_CASE("participant: a client gets no upload ticket for a room that it is not in") {
  Pair pair;
  REQUIRE(pair.scene.backend.rooms.create("elsewhere", {}).ok());
  CHECK(pair.ann.upload_ticket("elsewhere").error().code() == Errc::not_in_room);
  CHECK(pair.ann.upload_ticket("nowhere").error().code() == Errc::not_in_room);
  pair.ann.leave_room(pair.lobby);
  CHECK(pair.ann.upload_ticket("lobby").error().code() == Errc::not_in_room);
}

// --- Edits that are permitted later ---

TEST_CASE("participant: an edit of a chat message waits for a later verdict, and so do its client's requests") {
  Pair pair;
  Client& ann = pair.ann;
  std::optional<LaterVerdict> verdict;
  pair.scene.backend.handlers.chat_edit = [&](ChatEdit& edit) {
    edit.message += "!";
    verdict = edit.later();
  };
  const auto told = pair.begin(edit_chat, "ho");
  CHECK_FALSE(told.any());
  CHECK(ann.held == 1);
  CHECK(pair.untouched());
  SECTION("accepted: as the handler left it") {
    verdict->accept();
    CHECK(told.ok());
    CHECK(pair.heard() == Lines{"edited ho! from server"});
    CHECK(pair.stored_chat() == std::vector<std::string>{"ho!"});
  }
  SECTION("refused") {
    verdict->refuse("too late", Errc::unauthorized);
    CHECK(told.code() == Errc::unauthorized);
    CHECK(told.why() == "too late");
    CHECK(pair.untouched());
  }
  SECTION("no verdict: refused when its last copy is destroyed") {
    verdict.reset();
    CHECK(told.code() == Errc::forbidden);
    CHECK(pair.untouched());
  }
  SECTION("no verdict in time") {
    pair.scene.loops.advance(pair.scene.backend.config.limits.answer_timeout);
    CHECK(told.code() == Errc::overloaded);
    verdict->accept();
    CHECK(pair.untouched());
  }
  SECTION("the message is deleted meanwhile") {
    Told<ChatMessage> deleted(pair.scene.loops);
    Application(pair.scene.backend).delete_chat("lobby", 1, deleted.done());
    REQUIRE(deleted.ok());
    verdict->accept();
    CHECK(told.code() == Errc::chat_message_not_found);
  }
  CHECK(ann.held == 0);
}

// --- Errors of the room store ---

namespace {

/// A backend that keeps rooms and the public space in a store, which fails on demand.
struct Kept {
  Kept() { scene.backend.room_log->start(); }

  std::shared_ptr<flux_test::MemoryRoomStore> disk =
      std::make_shared<flux_test::MemoryRoomStore>(flux_test::MemoryRoomStore::Behaviour{.blocks = false});
  std::shared_ptr<FaultyRoomStore> store = std::make_shared<FaultyRoomStore>(disk);
  Scene scene{[this](Config& config) {
    config.rooms.store = store;
    config.limits.rooms_created_max = 1;
  }};
};

template <class Made>
void check_failed(const Told<Made>& told) {
  CHECK(told.code() == Errc::store_failed);
  CHECK(told.why().find("told to") == std::string::npos);  // the store's own words are not for clients
}

}  // namespace

TEST_CASE("participant: an item that the room store fails to keep is not shared, and its sender gets the error") {
  const auto fault = GENERATE(Fault::before, Fault::exception);
  const bool in_room = GENERATE(true, false);
  Kept kept;
  Scene& scene = kept.scene;
  const auto room = scene.backend.rooms.create("lobby", {.mode = RoomMode::history}).value();
  REQUIRE(scene.backend.open_room(room).ok());
  Client& ann = scene.member("lobby", "ann");
  Client& ben = scene.member("lobby", "ben");
  (void)ben.watch_public_changes(ben.seat(), ben.text_view, 10, 0);
  const auto share_item = [&](const char* data) {
    Told<Position> told(scene.loops);
    ann.share(in_room ? room : nullptr, json(data), told.done());
    return told;
  };
  REQUIRE(share_item("1").ok());
  (void)scene.heard(ben);
  const std::string stored = in_room ? "lobby" : "";
  kept.store->fail(1, fault);
  check_failed(share_item("2"));
  CHECK(scene.heard(ben).empty());
  CHECK(kept.disk->data_of(stored) == "1 ");
  CHECK(share_item("3").ok());
  CHECK(scene.heard(ben) == Lines{in_room ? "data 3 at 2" : "item 3 at 2"});
  CHECK(kept.disk->data_of(stored) == "1 3 ");
}

TEST_CASE("participant: a room that the room store fails to keep ends, and its creator gets the error") {
  const auto fault = GENERATE(Fault::before, Fault::exception);
  Kept kept;
  Client& ann = kept.scene.client("ann");
  const auto create = [&] {
    Told<Participant::RoomPtr> told(kept.scene.loops);
    ann.create_room("made", {.mode = RoomMode::history}, told.done());
    return told;
  };
  kept.store->fail(1, fault);
  check_failed(create());
  CHECK(kept.scene.backend.rooms.find("made") == nullptr);
  CHECK_FALSE(kept.disk->has("made"));
  const auto again = create();  // the one that ended does not count
  REQUIRE(again.ok());
  CHECK(kept.scene.backend.rooms.find("made") == *again.get());
  CHECK(kept.disk->has("made"));
}

TEST_CASE("participant: an item that the room store fails to remove stays in the public space") {
  const auto fault = GENERATE(Fault::before, Fault::exception);
  const bool asks = GENERATE(true, false);
  Kept kept;
  Scene& scene = kept.scene;
  if (asks) scene.backend.handlers.public_delete = [](PublicDelete&) {};
  Client& ann = scene.client("ann");
  Client& ben = scene.client("ben");
  Told<Position> shared(scene.loops);
  ann.share(nullptr, json("1"), shared.done());
  REQUIRE(shared.ok());
  (void)ben.watch_public_changes(ben.seat(), ben.text_view, 10, 0);
  const auto remove = [&] {
    Told<bool> told(scene.loops);
    ann.delete_public_newest(told.done());
    return told;
  };
  kept.store->fail(1, fault);
  check_failed(remove());
  CHECK(scene.heard(ben).empty());
  CHECK(ann.public_items(10, 0).entries.size() == 1);
  CHECK(kept.disk->data_of("") == "1 ");
  CHECK(*remove().get());
  CHECK(scene.heard(ben) == Lines{"removed 1"});
  CHECK(kept.disk->data_of("").empty());
  CHECK_FALSE(*remove().get());
}

// --- Files ---

namespace {

/// Ann shares files in "lobby" or in the public space; Ben is in both.
struct Sharing {
  explicit Sharing(bool in_room, const std::function<void(Config&)>& change = {}) : pair(change), in_room_(in_room) {
    pair.scene.files->put(stored_id, "a.txt", "text/plain", "abc", "ann");
  }
  Told<Position> stored() {
    Told<Position> told(pair.scene.loops);
    pair.ann.share_stored(room(), stored_id, told.done());
    return told;
  }
  Told<Position> whole() {
    Told<Position> told(pair.scene.loops);
    pair.ann.share_whole(room(), {std::make_shared<const std::string>("abcd"), "b.txt", "text/plain"}, uploads,
                         told.done());
    return told;
  }
  /// The names of the files that the store has, each with its state.
  Lines files() {
    pair.scene.loops.settle();
    Lines lines;
    for (const FileInfo& file : pair.scene.files->known()) {
      const bool deleted = file.state == FileState::deleted;
      lines.push_back(file.name + (deleted ? " deleted" : file.shared ? " shared" : ""));
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  }
  Participant::RoomPtr room() { return in_room_ ? pair.lobby : nullptr; }

  Pair pair;
  const std::shared_ptr<UploadsInMemory> uploads{new UploadsInMemory{1'000, 1}};

 private:
  const bool in_room_;
};

}  // namespace

TEST_CASE("participant: files are shared in the public space, and deleted with their last item") {
  Sharing sharing(false);
  Scene& scene = sharing.pair.scene;
  const bool whole = GENERATE(true, false);
  const auto told = whole ? sharing.whole() : sharing.stored();
  REQUIRE(told.ok());
  CHECK(told.get()->offset == 2);
  const Lines heard = sharing.pair.heard();
  REQUIRE(heard.size() == 1);
  CHECK(heard[0].starts_with(R"(item {"type":"file")"));
  CHECK(heard[0].ends_with(whole ? R"("fileName":"b.txt","mimeType":"text/plain","size":4} at 2)"
                                 : R"("fileName":"a.txt","mimeType":"text/plain","size":3} at 2)"));
  CHECK(scene.backend.public_space->items().back().connection_id == sharing.pair.ann.id());
  CHECK(sharing.files() == (whole ? Lines{"a.txt", "b.txt shared"} : Lines{"a.txt shared"}));
  CHECK(sharing.pair.begin(delete_public).ok());
  CHECK(sharing.files() == (whole ? Lines{"a.txt", "b.txt deleted"} : Lines{"a.txt deleted"}));
  CHECK(sharing.pair.ann.held == 0);
}

TEST_CASE("participant: a file for the public space that the share handler refuses is not shared") {
  Sharing sharing(false);
  sharing.pair.scene.backend.handlers.share = refuse;
  SECTION("one that was uploaded before stays") {
    CHECK(sharing.stored().code() == Errc::forbidden);
    CHECK(sharing.files() == Lines{"a.txt"});
  }
  SECTION("one in a message is deleted") {
    CHECK(sharing.whole().code() == Errc::forbidden);
    CHECK(sharing.files() == Lines{"a.txt", "b.txt deleted"});
  }
  CHECK(sharing.pair.untouched());
}

TEST_CASE("participant: sharing files needs what the room and the server demand for it") {
  const bool in_room = GENERATE(true, false);
  Sharing sharing(in_room, [](Config& config) {
    demanding(config);
    config.files.demands = {.upload = "upload", .share = "show"};
  });
  const std::string scope = in_room ? ":lobby" : ":files";
  CHECK(sharing.stored().code() == Errc::forbidden);
  CHECK(sharing.whole().code() == Errc::forbidden);
  sharing.pair.permit({"share:lobby", "upload" + scope});
  CHECK(sharing.stored().code() == Errc::forbidden);
  CHECK(sharing.files() == Lines{"a.txt"});
  CHECK(sharing.pair.ann.times_held == 0);
  CHECK(sharing.whole().ok());
  CHECK(sharing.pair.heard().size() == 1);
  sharing.pair.permit({"share:lobby", "show" + scope});
  CHECK(sharing.whole().code() == Errc::forbidden);
  CHECK(sharing.stored().ok());
  CHECK(sharing.pair.heard().size() == 1);
  CHECK(sharing.pair.ann.held == 0);
}

TEST_CASE("participant: a file that was uploaded before is not shared if the file store fails") {
  Sharing sharing(GENERATE(true, false));
  Scene& scene = sharing.pair.scene;
  int asked = 0;
  scene.backend.handlers.share = [&](ShareDraft&) { ++asked; };
  SECTION("to find it") {
    scene.files->fail_finding();
    const auto told = sharing.stored();
    CHECK(told.code() == Errc::store_failed);
    CHECK(told.why().find("disk") == std::string::npos);
    CHECK(asked == 0);
  }
  SECTION("to mark it as shared") {
    scene.files->fail_sharing();
    const auto told = sharing.stored();
    CHECK(told.code() == Errc::store_failed);
    CHECK(told.why().find("disk") == std::string::npos);
    CHECK(asked == 1);
  }
  CHECK(sharing.files() == Lines{"a.txt"});
  CHECK(sharing.pair.ann.held == 0);
  CHECK(sharing.pair.untouched());
}

TEST_CASE("participant: a file in a message is neither stored nor shared if the file store fails") {
  const bool in_room = GENERATE(true, false);
  const auto small = std::make_shared<flux_test::StagedFileStore>(false, 2);
  Sharing sharing(in_room);
  Sharing in_small_store(in_room, [&](Config& config) { config.files.store = small; });
  const auto store = sharing.pair.scene.files;
  const auto check = [&](Sharing& in, Errc code) {
    const auto told = in.whole();
    CHECK(told.code() == code);
    CHECK(told.why().find("disk") == std::string::npos);
    CHECK(in.uploads->bytes == 0);
    CHECK(in.whole().code() == code);  // the first one does not count as being stored
    CHECK(in.files() == Lines{"a.txt"});
    CHECK(in.pair.untouched());
  };
  SECTION("to create it") {
    check(in_small_store, Errc::quota_exceeded);
    CHECK(small->known().empty());
  }
  SECTION("to complete it") {
    store->fail_completing();
    check(sharing, Errc::store_failed);
  }
  SECTION("to mark it as shared") {
    store->fail_sharing();
    check(sharing, Errc::store_failed);
  }
}

// --- Clients that are withdrawn or gone ---

namespace {

/// How the access of a client ends.
enum class End { withdrawn, gone };

void end(Client& client, End how) { how == End::gone ? client.go() : client.withdraw(); }

const auto ends = {End::withdrawn, End::gone};

}  // namespace

TEST_CASE("participant: nothing comes of an act whose client is withdrawn or gone before the verdict") {
  for (const Act& act : asking) {
    for (const End how : ends) {
      for (const bool later : {false, true}) {
        CAPTURE(act.name, static_cast<int>(how), later);
        Pair pair;
        const Deferring deferring;
        if (later) {
          set_handlers(pair.scene.backend.handlers, deferring);
        } else {
          set_handlers(pair.scene.backend.handlers, [&](auto&) { end(pair.ann, how); });
        }
        const Lines left = how == End::gone ? pair.left() : Lines();
        const auto told = pair.begin(act);
        if (later) {
          REQUIRE_FALSE(told.any());
          end(pair.ann, how);
          deferring.take().accept();
        }
        pair.scene.loops.advance(10s);
        CHECK_FALSE(told.any());
        CHECK(pair.untouched(left));
      }
    }
  }
}

TEST_CASE("participant: nothing comes of a chat message that is found when its client is withdrawn or gone") {
  for (const Act& act : {edit_chat, delete_chat}) {
    for (const End how : ends) {
      CAPTURE(act.name, static_cast<int>(how));
      Pair pair;
      int asked = 0;
      set_handlers(pair.scene.backend.handlers, [&](auto&) { ++asked; });
      const Lines left = how == End::gone ? pair.left() : Lines();
      const auto told = pair.begin(act);
      end(pair.ann, how);
      CHECK_FALSE(told.any());
      CHECK(asked == 0);
      CHECK(pair.untouched(left));
    }
  }
}

TEST_CASE("participant: a withdrawn client gets no new grant, and is not told when the one it has expires") {
  Scene scene;
  Client& ann = scene.client("ann");
  std::optional<LaterAnswer> answer;
  scene.backend.gate.token = [&](TokenRequest& request) { answer = request.later(); };
  REQUIRE(ann.change_grant(Grant({.user_id = "ann"}, {}, scene.in(10s))).ok());
  scene.loops.settle();
  const auto before = ann.grant();
  const auto told = scene.refresh(ann, "t");
  ann.withdraw();
  ann.access_expiring(gate::end_of(*before));
  CHECK(ann.told.empty());
  answer->accept(Grant({.user_id = "ann"}, {"write:x"}));
  CHECK_FALSE(told.any());
  CHECK(ann.grant() == before);
}

TEST_CASE("participant: presence that is held back is not sent once its client is withdrawn") {
  Pair pair;
  CHECK(pair.begin(update_presence, "1").ok());
  CHECK(pair.begin(update_presence, "2").ok());
  CHECK(pair.scene.heard(pair.ben) == Lines{"presence ~" + pair.ann.id() + R"({"a":"1"})"});
  pair.ann.withdraw();
  CHECK(pair.heard().empty());
}

TEST_CASE("participant: presence that is held back is not sent once its client has left, even if it joins again") {
  Pair pair;
  CHECK(pair.begin(update_presence, "1").ok());
  CHECK(pair.begin(update_presence, "2").ok());
  pair.ann.leave_room(pair.lobby);
  REQUIRE(pair.scene.join(pair.ann, "lobby").ok());
  (void)pair.scene.heard(pair.ben);
  CHECK(pair.heard().empty());
}

TEST_CASE("participant: the application can't place a withdrawn client, but can remove it from a room") {
  Pair pair;
  Client& ann = pair.ann;
  REQUIRE(pair.scene.backend.rooms.create("other", {}).ok());
  ann.withdraw();
  Told<void> placed(pair.scene.loops), removed(pair.scene.loops);
  ann.place({"other", {}, {}, {}}, placed.done());
  CHECK(placed.code() == Errc::session_not_found);
  ann.put_out("lobby", "rude", removed.done());
  CHECK(removed.ok());
  CHECK(ann.placed == Lines{"left lobby: rude"});
}

TEST_CASE("participant: a client that is gone gets no other grant") {
  Scene scene;
  Client& ann = scene.client("ann");
  const auto before = ann.grant();
  SECTION("it was gone before") {
    ann.go();
    CHECK(ann.change_grant(Grant({.user_id = "anna"})).error().code() == Errc::session_not_found);
  }
  SECTION("it goes before the loop can change it") {
    scene.loops.turn(0, [&] {
      std::thread([&] { CHECK(ann.change_grant(Grant({.user_id = "anna"})).ok()); }).join();
      ann.go();
    });
  }
  scene.loops.settle();
  CHECK(ann.grant() == before);
  CHECK(scene.backend.sessions.of_user("anna").empty());
}

TEST_CASE("participant: a file that was uploaded before is not shared once its client is withdrawn or gone") {
  for (const End how : ends) {
    for (const bool in_room : {true, false}) {
      for (const bool later : {false, true}) {
        CAPTURE(static_cast<int>(how), in_room, later);
        Sharing sharing(in_room);
        Pair& pair = sharing.pair;
        const Lines left = how == End::gone ? pair.left() : Lines();
        std::vector<LaterAnswer> answers;
        pair.scene.backend.gate.file = [&](FileRequest& request) { answers.push_back(request.later()); };
        const auto told = sharing.stored();
        if (later) REQUIRE_FALSE(told.any());
        end(pair.ann, how);
        pair.scene.loops.settle();
        CHECK(answers.size() == (later ? 1U : 0U));
        for (const LaterAnswer& answer : answers) answer.accept();
        CHECK_FALSE(told.any());
        CHECK(sharing.files() == Lines{"a.txt"});
        CHECK(pair.untouched(left));
      }
    }
  }
}

TEST_CASE("participant: a file in a message is not shared if its client is withdrawn or goes at any step before that") {
  const bool in_room = GENERATE(true, false);
  const End how = GENERATE(values({End::withdrawn, End::gone}));
  CAPTURE(static_cast<int>(how));
  int steps = 0;
  for (bool goes = true; goes; ++steps) {
    CAPTURE(steps);
    Sharing sharing(in_room);
    Pair& pair = sharing.pair;
    const Lines left = how == End::gone ? pair.left() : Lines();
    int asked = 0;
    pair.scene.backend.handlers.share = [&](ShareDraft&) { ++asked; };
    const auto told = sharing.whole();
    for (int i = 0; i < steps; ++i) pair.scene.loops[0]->context().poll_one();
    goes = sharing.uploads->bytes != 0;
    if (!goes) continue;
    end(pair.ann, how);
    const Lines files = sharing.files();
    CHECK((files == Lines{"a.txt"} || (steps > 0 && files == Lines{"a.txt", "b.txt deleted"})));
    CHECK(asked == 0);
    CHECK_FALSE(told.ok());
    CHECK(sharing.uploads->bytes == 0);
    CHECK(pair.untouched(left));
  }
  CHECK(steps > 3);
}

}  // namespace participant_errors_test
