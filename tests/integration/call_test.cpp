// Calls of the application's own methods, over protocol live and over data sharing.
#include "support/awaited.hpp"
#include "support/server.hpp"
#include "support/socketio_client.hpp"

#include <flux/detail/features/participant.hpp>
#include <flux/detail/server/server_state.hpp>
#include <flux/sharing.hpp>

#include <array>
#include <string>
#include <thread>
#include <vector>

namespace call_test {

using namespace flux_test;
using flux::Call;
using flux::Errc;

namespace {

struct Scene {
  explicit Scene(const flux::Config& config = test_config()) : server(config) {
    flux::socketio::Io io(server);
    flux::socketio::serve_sharing(server, io);
    server.on_call("echo", [](Call& call) { call.reply(call.payload()); });
    server.on_call("no", [](Call& call) { call.refuse("not you", Errc::unauthorized); });
    server.on_call("later", [this](Call& call) { later.at(laters++).set(call.later()); });
    server.on_call("lost", [](Call& call) { (void)call.later(); });
    server.start();
  }
  ~Scene() { server.stop(0ms); }

  /// Answers the call `index` of "later" with 1 from another thread, once a bystander's later request has been answered.
  void answer_later(std::size_t index) {
    const auto reply = later.at(index).get();
    LiveClient bystander(server.port());
    bystander.request("call", R"({"method":"echo"})");
    std::thread([&] { reply.reply(flux::JsonText::number(1)); }).join();
  }

  flux::Server server;
  std::array<Awaited<flux::LaterReply>, 2> later;
  std::size_t laters = 0;  // the one loop's
};

}  // namespace

TEST_CASE("call: a client of protocol live gets the result or the error of its method") {
  Scene scene;
  LiveClient ann(scene.server.port());
  const auto echoed = ann.request("call", R"({"method":"echo","payload":{"a":[1,null]}})");
  CHECK(type_of(echoed) == "ack");
  CHECK(echoed.at("/payload")->text() == R"({"a":[1,null]})");
  CHECK(ann.request("call", R"({"method":"echo"})").at("/payload")->text() == "null");
  CHECK(scene.server.stats().messages_bad == 0);
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

TEST_CASE("call: messages after a call that is answered later wait for the answer") {
  Scene scene;
  LiveClient ann(scene.server.port());
  ann.send("call", R"({"method":"later"})", "1");
  ann.send("call", R"({"method":"echo","payload":2})", "2");
  scene.answer_later(0);
  CHECK(ann.next("ack").at("/payload")->text() == "1");
  CHECK(ann.next("ack").at("/payload")->text() == "2");
  SocketIoClient ben(scene.server.port());
  ben.send_text(R"(421["call","later"])");
  ben.send_text(R"(422["call","echo",2])");
  scene.answer_later(1);
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

TEST_CASE("call: methods can only be set before the start, and under names that clients can send") {
  flux::Server server(test_config());
  CHECK_THROWS_AS(server.on_call("", [](Call&) {}), flux::Error);
  CHECK_THROWS_AS(server.on_call(std::string(257, 'm'), [](Call&) {}), flux::Error);
  server.start();
  CHECK_THROWS_AS(server.on_call("late", [](Call&) {}), flux::Error);
}

TEST_CASE("request: one added by a module is answered over protocol live and over data sharing") {
  using Member = flux::core::Member;
  flux::Server server(test_config());
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  auto& state = flux::detail::ServerAccess::state(server);
  const flux::core::RequestShape shape{
      "channel:add",
      {{Member{"name", Member::Kind::name}.required(), {"by", Member::Kind::number, nullptr, nullptr, 1, 9}}},
      true};
  const auto act = [](flux::features::Participant& client, const flux::core::Members& members, const auto& done) {
    if (members.text("name") == "closed") return done(flux::Error(Errc::forbidden, "it is closed"));
    client.loop()->post([done, sum = 1 + members.number("by", 1)] { done(flux::JsonText::number(sum)); });
  };
  state.add_request({shape, act});
  CHECK_THROWS_AS(state.add_request({{"room:join"}, act}), flux::Error);
  CHECK_THROWS_AS(state.add_request({{"join_room"}, act}), flux::Error);
  server.start();
  CHECK_THROWS_AS(state.add_request({{"late"}, act}), flux::Error);

  LiveClient ann(server.port());
  CHECK(ann.request("channel:add", R"({"name":"c","by":2})").at("/payload")->text() == "3");
  CHECK(ann.request("channel:add", R"({"name":"c"})").at("/payload")->text() == "2");
  CHECK(text_at(ann.request("channel:add", R"({"name":"closed"})"), "/payload/message") == "it is closed");
  CHECK(text_at(ann.request("channel:add", R"({"by":0})"), "/payload/message") ==
        "name is missing; it must be a string");
  ann.send("channel:add", R"({"name":"c"})");
  CHECK(text_at(ann.next("error"), "/payload/message") == "id is missing: the answer is an ack");
  SocketIoClient ben(server.port());
  CHECK(ben.ask("channel:add", R"({"name":"c","by":2})").text() == R"({"success":true,"message":"Done.","result":3})");
  CHECK(text_at(ben.ask("channel:add", R"({"name":"closed"})"), "/message") == "it is closed");
  CHECK(text_at(ben.ask("channel:add", R"({"name":"c","by":10})"), "/message") ==
        "by is 10; it must be an integer from 1 to 9");
  CHECK(text_at(ben.ask("channel:add", "7"), "/message") ==
        "the argument with options is a number; it must be an object");
}

}  // namespace call_test
