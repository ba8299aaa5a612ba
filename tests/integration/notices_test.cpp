// A module's feature that sends to clients by itself, over every protocol and transport: it changes none of them.
#include "support/sharing_scene.hpp"
#include "support/socketio_client.hpp"
#include "support/socketio_poller.hpp"
#include "support/ticker.hpp"

#include <flux/detail/server/server_state.hpp>
#include <flux/sharing.hpp>

#include <memory>

namespace notices_test {

using namespace flux_test;

namespace {

struct Scene {
  Scene() : server(test_config()) {
    flux::socketio::Io io(server);
    flux::socketio::serve_sharing(server, io);
    auto& state = flux::detail::ServerAccess::state(server);
    state.add_request(ticker->subscribing());
    state.add_request(ticker->unsubscribing());
    server.start();
  }
  bool receivers_are(std::size_t count) {
    return eventually([&] { return ticker->receivers() == count; });
  }

  std::shared_ptr<Ticker> ticker = std::make_shared<Ticker>();
  flux::Server server;
};

}  // namespace

TEST_CASE("notices: clients of every protocol get them until they unsubscribe or disconnect") {
  Scene scene;
  LiveClient ann(scene.server.port());
  SocketIoClient ben(scene.server.port());
  Poller cleo(scene.server.port());
  CHECK(type_of(ann.request("ticks", "{}")) == "ack");
  CHECK(ben.ask("ticks", "{}").get<bool>("/success") == true);
  CHECK(cleo.post(R"(42["ticks",{}])") == "ok");
  REQUIRE(scene.receivers_are(3));
  scene.ticker->tick();
  CHECK(ann.next("tick").text() == R"({"type":"tick","payload":1})");
  CHECK(ben.next("tick").text() == R"(["tick",1])");
  CHECK(cleo.poll() == R"(42["tick",1])");
  CHECK(type_of(ann.request("no_ticks", "{}")) == "ack");
  CHECK(scene.ticker->receivers() == 2);
  ben.tcp.close();
  CHECK(scene.receivers_are(1));
  CHECK(cleo.post("1") == "ok");
  CHECK(scene.receivers_are(0));
  scene.ticker->tick();
  CHECK(type_of(ann.request("ticks", "{}")) == "ack");
  scene.ticker->tick();
  CHECK(ann.next("tick").text() == R"({"type":"tick","payload":3})");
}

TEST_CASE("notices: a client that upgrades to a WebSocket gets them there") {
  Scene scene;
  Poller ann(scene.server.port());
  CHECK(ann.post(R"(42["ticks",{}])") == "ok");
  REQUIRE(scene.receivers_are(1));
  scene.ticker->tick();
  CHECK(ann.poll() == R"(42["tick",1])");
  WebSocketClient websocket(scene.server.port(), "/socket.io/?EIO=4&transport=websocket&sid=" + ann.sid);
  websocket.send_text("2probe");
  CHECK(websocket.message() == "3probe");
  websocket.send_text("5");
  websocket.send_text(R"(421["no_such",{}])");
  CHECK(websocket.message().substr(0, 3) == "431");  // it has upgraded
  scene.ticker->tick();
  CHECK(websocket.message() == R"(42["tick",2])");
}

}  // namespace notices_test
