#include "catch.hpp"
#include "loop_fixture.hpp"

#include <flux/detail/gate/gate.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace gate_test {

using namespace flux;
using namespace std::chrono_literals;
using flux::testing::SteppedLoops;
using Given = std::vector<std::string>;

namespace {

/// What a client shows, as a test sets it.
class FakeShown final : public gate::Shown {
 public:
  std::map<std::string, std::string, std::less<>> queries, headers;
  JsonText message;
  std::string_view protocol() const override { return "live"; }
  std::string_view path() const override { return "/live"; }
  std::optional<std::string> query(std::string_view name) const override {
    const auto found = queries.find(name);
    return found == queries.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<std::string_view> header(std::string_view name) const override {
    const auto found = headers.find(name);
    return found == headers.end() ? std::nullopt : std::optional<std::string_view>(found->second);
  }
  const JsonText& payload() const override { return message; }
  const core::ClientAddress& client() const override { return address; }
  const core::ClientAddress address = core::ClientAddress::parse("192.0.2.7:49152").value();
};

/// A gate on a stopped loop, and the outcomes of its questions: "user", "code: reason".
struct Scene {
  Scene() {
    config.clock = loops.clock();
    config.limits.answer_timeout = 1s;
  }

  void ask() {
    loops.turn(0, [this] { gate.let_in(loops[0], shown, taker()); });
  }
  gate::Gate::Done taker() {
    return [this](Result<Grant> answer) {
      last = answer ? *answer : Grant();
      given.push_back(answer ? answer->identity.user_id
                             : std::string(to_string(answer.error().code())) + ": " + answer.error().message());
    };
  }

  SteppedLoops loops;
  Config config;
  FakeShown shown;
  Given given, log;
  Grant last;
  std::size_t threw = 0;
  gate::Gate gate{
      config,
      [this](core::LoopCounters&, std::string_view, const std::function<void()>& handler, const core::ClientAddress&) {
        try {
          handler();
          return true;
        } catch (const std::exception&) {
          ++threw;
          return false;
        }
      },
      [this](LogLevel, std::string_view line) { log.emplace_back(line); }};
};

Grant::TimePoint at(const Scene& scene, std::chrono::milliseconds from_now) {
  return Grant::TimePoint(std::chrono::milliseconds(scene.config.clock->unix_ms()) + from_now);
}

}  // namespace

// --- Answers ---

TEST_CASE("gate: without any handler every client is accepted with an empty grant", "[gate]") {
  Scene scene;
  scene.shown.queries["access_token"] = "t";
  scene.ask();
  CHECK(scene.given == Given{""});
  CHECK(scene.last == Grant());
}

TEST_CASE("gate: the handler's answer takes effect when it has returned; the first answer counts", "[gate]") {
  Scene scene;
  scene.gate.connect = [&](ConnectRequest& request) {
    request.accept({"ann", {}, {}, {}, false});
    request.refuse("no");
    request.accept({"bob", {}, {}, {}, false});
    CHECK(scene.given.empty());
  };
  scene.ask();
  CHECK(scene.given == Given{"ann"});
  CHECK(scene.last.identity.verified);
}

TEST_CASE("gate: a refusal has the handler's reason, repaired if it is not UTF-8", "[gate]") {
  Scene scene;
  scene.gate.connect = [](ConnectRequest& request) { request.refuse("no\xff"); };
  scene.ask();
  CHECK(scene.given == Given{"unauthorized: no\xef\xbf\xbd"});
}

TEST_CASE("gate: a refusal is unauthorized or forbidden, now and later", "[gate]") {
  Scene scene;
  Errc code = Errc::forbidden;
  scene.gate.connect = [&](ConnectRequest& request) { request.refuse("no", code); };
  scene.ask();
  code = Errc::rate_limited;
  scene.ask();
  scene.gate.connect = [](ConnectRequest& request) { request.later().refuse("no", Errc::forbidden); };
  scene.ask();
  CHECK(scene.given == Given{"forbidden: no", "forbidden: no", "forbidden: no"});
}

TEST_CASE("gate: a handler that returns without an answer refuses, and the log says so once", "[gate]") {
  Scene scene;
  scene.gate.connect = [](ConnectRequest&) {};
  scene.ask();
  scene.ask();
  CHECK(scene.given == Given{"unauthorized: unauthorized", "unauthorized: unauthorized"});
  REQUIRE(scene.log.size() == 1);
  CHECK(scene.log[0].find("call accept()") != std::string::npos);
}

TEST_CASE("gate: a handler that throws refuses, also after it has accepted", "[gate]") {
  Scene scene;
  scene.gate.connect = [](ConnectRequest& request) {
    request.accept({"ann", {}, {}, {}, false});
    throw std::runtime_error("thrown on purpose");
  };
  scene.ask();
  CHECK(scene.given == Given{"server_error: the server failed to handle this request"});
  CHECK(scene.threw == 1);
}

TEST_CASE("gate: a later answer is awaited; one from another thread arrives on the loop", "[gate]") {
  Scene scene;
  std::optional<LaterAnswer> later;
  scene.gate.connect = [&](ConnectRequest& request) { later = request.later(); };
  scene.ask();
  CHECK(scene.given.empty());
  std::thread([copy = *later] {
    copy.accept({"ann", {}, {}, {}, false});
    copy.refuse("no");
  }).join();
  CHECK(scene.given.empty());
  scene.loops.settle();
  CHECK(scene.given == Given{"ann"});
  CHECK(scene.log.empty());
  scene.loops.advance(2s);  // its timer has been cancelled
  CHECK(scene.given.size() == 1);
}

TEST_CASE("gate: without an answer in time the client is refused, and a late one has no effect", "[gate]") {
  Scene scene;
  std::optional<LaterAnswer> later;
  scene.gate.connect = [&](ConnectRequest& request) { later = request.later(); };
  scene.ask();
  scene.loops.advance(999ms);
  CHECK(scene.given.empty());
  scene.loops.advance(1ms);
  CHECK(scene.given == Given{"overloaded: the application took too long to answer"});
  later->accept({"ann", {}, {}, {}, false});
  scene.loops.settle();
  CHECK(scene.given.size() == 1);
}

TEST_CASE("gate: when the last copy of a later answer is destroyed, the client is refused", "[gate]") {
  Scene scene;
  std::optional<LaterAnswer> later;
  scene.gate.connect = [&](ConnectRequest& request) { later = request.later(); };
  scene.ask();
  auto copy = std::make_unique<LaterAnswer>(*later);
  later.reset();
  scene.loops.settle();
  CHECK(scene.given.empty());
  copy.reset();
  scene.loops.settle();
  CHECK(scene.given == Given{"unauthorized: nobody answered"});
}

TEST_CASE("gate: a later answer that the handler itself destroys is a refusal", "[gate]") {
  Scene scene;
  scene.gate.connect = [](ConnectRequest& request) { static_cast<void>(request.later()); };
  scene.ask();
  scene.loops.settle();
  CHECK(scene.given == Given{"unauthorized: nobody answered"});
}

TEST_CASE("gate: of answers from many threads only one counts", "[gate]") {
  for (int round = 0; round < 50; ++round) {
    Scene scene;
    std::optional<LaterAnswer> later;
    scene.gate.connect = [&](ConnectRequest& request) { later = request.later(); };
    scene.ask();
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([copy = *later, i] { i % 2 == 0 ? copy.accept() : copy.refuse(); });
    }
    for (std::thread& thread : threads) thread.join();
    scene.loops.settle();
    CHECK(scene.given.size() == 1);
  }
}

// --- What is granted ---

TEST_CASE("gate: a grant with permissions and an expiry is passed on", "[gate]") {
  Scene scene;
  const Grant granted({.user_id = "ann"}, {"read:*"}, at(scene, 1s));
  scene.gate.connect = [&](ConnectRequest& request) { request.accept(granted); };
  scene.ask();
  CHECK(scene.last.permissions == Given{"read:*"});
  CHECK(scene.last.expires_at == granted.expires_at);
}

TEST_CASE("gate: an expired grant is a refusal, even if it expires while the answer is on its way", "[gate]") {
  Scene scene;
  std::optional<LaterAnswer> later;
  scene.gate.connect = [&](ConnectRequest& request) {
    if (request.query("later")) {
      later = request.later();
    } else {
      request.accept(Grant({.user_id = "ann"}, {}, at(scene, 0ms)));
    }
  };
  scene.ask();
  scene.shown.queries["later"] = "1";
  scene.ask();
  const Grant ends_soon({.user_id = "ann"}, {}, at(scene, 10ms));
  scene.loops.advance(10ms);
  later->accept(ends_soon);
  scene.loops.settle();
  CHECK(scene.given == Given{"unauthorized: the token has expired", "unauthorized: the token has expired"});
}

TEST_CASE("gate: an identity or permission that is not UTF-8 is a refusal and the log says why", "[gate]") {
  Scene scene;
  Grant bad;
  scene.gate.connect = [&](ConnectRequest& request) { request.accept(bad); };
  bad.identity.user_id = "\xff";
  scene.ask();
  bad = Grant({.user_id = "ann"}, {"read:\xff"});
  scene.ask();
  CHECK(scene.given.size() == 2);
  CHECK(scene.given[1] == "unauthorized: the server gave no valid identity");
  CHECK(scene.log.size() == 2);
}

// --- Tokens ---

TEST_CASE("gate: without a connect handler the verifier is asked about a presented token", "[gate]") {
  Scene scene;
  std::string asked;
  scene.gate.token = [&](TokenRequest& request) {
    asked = request.token() + " " + std::string(request.protocol()) + " " + std::string(request.path());
    if (request.token() == "good") request.accept({.name = "Ann"});
  };
  scene.ask();
  CHECK(scene.given == Given{""});
  CHECK(asked.empty());
  scene.shown.queries["access_token"] = "good";
  scene.ask();
  CHECK(asked == "good live /live");
  CHECK(scene.last.identity == Identity{{}, "Ann", {}, {}, true});
  scene.shown.queries["access_token"] = "bad";
  scene.ask();
  CHECK(scene.given.back() == "unauthorized: unauthorized");
}

TEST_CASE("gate: with a connect handler the verifier is not asked at the handshake", "[gate]") {
  Scene scene;
  bool verified = false;
  scene.gate.token = [&](TokenRequest& request) {
    verified = true;
    request.accept();
  };
  scene.gate.connect = [](ConnectRequest& request) { request.refuse("no"); };
  scene.shown.queries["access_token"] = "good";
  scene.ask();
  CHECK(scene.given == Given{"unauthorized: no"});
  CHECK_FALSE(verified);
}

// --- What is shown ---

TEST_CASE("access request: the token is the message's, otherwise the query's, otherwise the bearer token", "[gate]") {
  Scene scene;
  Given tokens;
  scene.gate.connect = [&](ConnectRequest& request) {
    tokens.push_back(request.token());
    request.accept();
  };
  const auto token = [&] {
    scene.ask();
    return tokens.back();
  };
  CHECK(token().empty());
  for (const char* field : {"Bearer abc", "bearer abc", "BEARER   abc"}) {
    scene.shown.headers["authorization"] = field;
    CHECK(token() == "abc");
  }
  for (const char* field : {"", "Bearer", "Bearerabc", "Basic abc", "Bearer "}) {
    scene.shown.headers["authorization"] = field;
    CHECK(token().empty());
  }
  scene.shown.headers["authorization"] = "Bearer abc";
  scene.shown.queries["access_token"] = "xyz";
  CHECK(token() == "xyz");
  scene.shown.queries["access_token"] = "";
  CHECK(token() == "abc");
  scene.shown.queries["access_token"] = "xyz";
  scene.shown.message = JsonText::parse(R"({"token":""})").value();
  CHECK(token() == "xyz");
  scene.shown.message = JsonText::parse(R"({"token":"of message"})").value();
  CHECK(token() == "of message");
  scene.shown.message = JsonText::parse(R"({"token":"of message","accessToken":"first"})").value();
  CHECK(token() == "first");
  scene.shown.message = JsonText::parse(R"({"token":7})").value();
  CHECK(token() == "xyz");
}

TEST_CASE("access request: API key, cookies and subprotocols as the client sent them", "[gate]") {
  Scene scene;
  std::vector<std::string> seen;
  scene.gate.connect = [&](ConnectRequest& request) {
    seen = {request.api_key(), request.cookie("a").value_or("-"), request.cookie("b").value_or("-"),
            request.cookie("c").value_or("-"), request.cookie("quoted").value_or("-")};
    for (std::string& name : request.subprotocols()) seen.push_back(std::move(name));
    request.accept();
  };
  scene.ask();
  CHECK(seen == Given{"", "-", "-", "-", "-"});
  scene.shown.queries["api_key"] = "from query";
  scene.shown.headers["cookie"] = "aa=0; a=1=2;b=;  quoted=\"q\" ; odd";
  scene.shown.headers["sec-websocket-protocol"] = "v1.chat, ,bearer.abc";
  scene.ask();
  CHECK(seen == Given{"from query", "1=2", "", "-", "q", "v1.chat", "bearer.abc"});
  scene.shown.headers["x-api-key"] = "from header";
  scene.ask();
  CHECK(seen[0] == "from header");
  scene.shown.headers["x-api-key"] = "";
  scene.ask();
  CHECK(seen[0] == "from query");
}

// --- Permissions ---

TEST_CASE("permission: operation and scope must match, the scope up to a colon", "[gate]") {
  const auto allows = [](std::string_view permission, std::string_view operation, std::string_view name) {
    return permission_matches(permission, operation, name);
  };
  CHECK(allows("read:chat", "read", "chat"));
  CHECK(allows("read:chat", "read", "chat:lobby"));
  CHECK_FALSE(allows("read:chat", "read", "chatter"));
  CHECK_FALSE(allows("read:chat", "read", "chatter:lobby"));
  CHECK_FALSE(allows("read:chat", "read", "cha"));
  CHECK_FALSE(allows("read:chat", "write", "chat"));
  CHECK_FALSE(allows("read:chat", "rea", "chat"));
  CHECK_FALSE(allows("read:chat", "READ", "chat"));
  CHECK(allows("read:chat:lobby", "read", "chat:lobby"));
  CHECK(allows("read:chat:lobby", "read", "chat:lobby:1"));
  CHECK_FALSE(allows("read:chat:lobby", "read", "chat:lobby1"));
  CHECK_FALSE(allows("read:chat:lobby", "read", "chat"));
  CHECK(allows("*:chat", "anything", "chat:lobby"));
  CHECK(allows("read:*", "read", "anything:at:all"));
  CHECK_FALSE(allows("read:*", "write", "chat"));
  CHECK(allows("read:chat:*", "read", "chat:lobby"));
  CHECK_FALSE(allows("read:chat:*", "read", "chat"));
  CHECK_FALSE(allows("read:chat:*", "read", "chat:"));
  CHECK_FALSE(allows("read:chat:*", "read", "chatter:lobby"));
  // A star in any other place is a character.
  CHECK_FALSE(allows("read:ch*", "read", "chat"));
  CHECK_FALSE(allows("re*:chat", "read", "chat"));
  CHECK(allows("read:ch*", "read", "ch*"));
}

TEST_CASE("permission: an invalid permission, or one without a name, allows nothing", "[gate]") {
  for (const char* permission : {"", ":", "*", "read", "read:", ":chat", "admin", "*:"}) {
    CHECK_FALSE(permission_matches(permission, "read", "chat"));
  }
  CHECK_FALSE(permission_matches("*:*", "", "chat"));
  CHECK_FALSE(permission_matches("*:*", "read", ""));
}

TEST_CASE("permission: names in the scope system require admin, which allows nothing else", "[gate]") {
  for (const char* permission :
       {"read:*", "*:*", "read:system", "read:system:*", "*:system", "admin:*", "admin:system"}) {
    CHECK_FALSE(permission_matches(permission, "read", "system:load"));
    CHECK_FALSE(permission_matches(permission, "read", "system"));
  }
  CHECK(permission_matches("admin", "read", "system:load"));
  CHECK(permission_matches("admin", "write", "system"));
  CHECK(permission_matches("read:*", "read", "systems"));
  CHECK(Grant({}, {"write:chat", "read:*"}).allows("read", "x"));
  CHECK_FALSE(Grant({}, {"write:chat", "read:*"}).allows("write", "x"));
  CHECK_FALSE(Grant().allows("read", "x"));
}

}  // namespace gate_test
