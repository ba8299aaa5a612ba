// Calls of the application's own methods, over protocol live and over data sharing.
#include "support/server.hpp"
#include "support/socketio_client.hpp"

#include <flux/sharing.hpp>

#include <string>
#include <thread>
#include <vector>

using namespace flux_test;
using namespace std::chrono_literals;
using flux::Call;
using flux::Errc;

namespace {

struct Scene {
  explicit Scene(const flux::Config& config = test_config()) : server(config) {
    flux::socketio::Io io(server);
    flux::socketio::serve_sharing(server, io);
    server.on_call("echo", [](Call& call) { call.reply(call.payload()); });
    server.on_call("no", [](Call& call) { call.refuse("not you", Errc::unauthorized); });
    server.on_call("later", [this](Call& call) {
      answers.emplace_back([later = call.later(), payload = call.payload()] {
        std::this_thread::sleep_for(30ms);
        later.reply(payload);
      });
    });
    server.on_call("lost", [](Call& call) { (void)call.later(); });
    server.start();
  }
  ~Scene() {
    server.stop(0ms);
    for (auto& answer : answers) answer.join();
  }
  flux::Server server;
  std::vector<std::thread> answers;  // of the one loop
};

}  // namespace

TEST_CASE("call: a client of protocol live gets the result or the error of its method") {
  Scene scene;
  LiveClient ann(scene.server.port());
  const auto echoed = ann.request("call", R"({"method":"echo","payload":{"a":[1,null]}})");
  CHECK(type_of(echoed) == "ack");
  CHECK(echoed.at("/payload")->text() == R"({"a":[1,null]})");
  CHECK(ann.request("call", R"({"method":"echo"})").at("/payload")->text() == "null");
  const auto refused = ann.request("call", R"({"method":"no"})");
  CHECK(text_at(refused, "/payload/code") == "UNAUTHORIZED");
  CHECK(text_at(refused, "/payload/message") == "not you");
  const auto unknown = ann.request("call", R"({"method":"nobody's"})");
  CHECK(text_at(unknown, "/payload/code") == "INVALID_MESSAGE");
  CHECK(text_at(unknown, "/payload/message") == "unknown method \"nobody's\"");
  CHECK(text_at(ann.request("call", R"({"payload":1})"), "/payload/code") == "INVALID_MESSAGE");
  CHECK(text_at(ann.request("call", R"({"method":""})"), "/payload/code") == "INVALID_MESSAGE");
  CHECK(text_at(ann.request("call", R"({"method":")" + std::string(300, 'm') + "\"}"), "/payload/code") ==
        "MESSAGE_TOO_LARGE");
  CHECK(text_at(ann.request("call", R"({"method":"lost"})"), "/payload/code") == "SERVER_ERROR");
  ann.send("call", R"({"method":"echo"})");
  CHECK(text_at(ann.next("error"), "/payload/message") == "id is missing: the answer is an ack");
}

TEST_CASE("call: what a client sends behind a call that is answered later waits for the answer") {
  Scene scene;
  LiveClient ann(scene.server.port());
  ann.send("call", R"({"method":"later","payload":1})", "1");
  ann.send("call", R"({"method":"echo","payload":2})", "2");
  CHECK(ann.next("ack").at("/payload")->text() == "1");
  CHECK(ann.next("ack").at("/payload")->text() == "2");
  SocketIoClient ben(scene.server.port());
  ben.send_text(R"(421["call","later",1])");
  ben.send_text(R"(422["call","echo",2])");
  std::vector<std::string> acks;
  while (acks.size() < 2) {
    auto packet = ben.message();
    if (packet.substr(0, 2) == "43") acks.push_back(std::move(packet));
  }
  CHECK(acks[0] == R"(431[{"success":true,"message":"Done.","result":1}])");
  CHECK(acks[1] == R"(432[{"success":true,"message":"Done.","result":2}])");
}

TEST_CASE("call: a client of data sharing gets the result or the error of its method") {
  Scene scene;
  SocketIoClient ann(scene.server.port());
  const auto echoed = ann.ask("call", R"("echo",{"a":[1,null]})");
  CHECK(echoed.get<bool>("/success") == true);
  CHECK(echoed.at("/result")->text() == R"({"a":[1,null]})");
  CHECK(ann.ask("call", R"("echo")").at("/result")->text() == "null");
  const auto refused = ann.ask("call", R"("no")");
  CHECK(refused.get<bool>("/success") == false);
  CHECK(text_at(refused, "/message") == "not you");
  CHECK(text_at(ann.ask("call", R"("nobody's")"), "/message") == "unknown method \"nobody's\"");
  CHECK(text_at(ann.ask("call", "1"), "/message") == "method is a number; it must be a string");
  CHECK(text_at(ann.ask("call", R"("")"), "/message") == "method is empty");
  CHECK(text_at(ann.ask("call", R"("lost")"), "/message") == "the server gave no answer");
}

TEST_CASE("call: methods are set before the start, under names that clients can send") {
  flux::Server server(test_config());
  CHECK_THROWS_AS(server.on_call("", [](Call&) {}), flux::Error);
  CHECK_THROWS_AS(server.on_call(std::string(257, 'm'), [](Call&) {}), flux::Error);
  server.start();
  CHECK_THROWS_AS(server.on_call("late", [](Call&) {}), flux::Error);
}
