// A handler that closes its own client: what it has answered arrives before the close frame.
#include "support/server.hpp"

#include <flux/asio.hpp>

#include <atomic>
#include <string>
#include <thread>

namespace closing_test {

using namespace flux_test;

namespace {

void close(const flux::Session& session) { session.close(flux::CloseCode::normal, "bye"); }

/// The client gets an answer of this type, then the close frame.
void check_answered(LiveClient& client, std::string_view type) {
  CHECK_NOTHROW(client.next(type));
  CHECK(client.closed().code == 1000);
}

}  // namespace

TEST_CASE("closing: the answer of a handler that closes its client arrives, over protocol live") {
  flux::Server server(test_config());
  server.on_call("reply", [](flux::Call& call) {
    call.reply(flux::JsonText::number(1));
    close(call.session());
  });
  server.on_call("close first", [](flux::Call& call) {
    close(call.session());
    call.reply(flux::JsonText::number(1));
  });
  server.on_call("later", [](flux::Call& call) {
    call.later().reply(flux::JsonText::number(1));
    close(call.session());
  });
  server.on_call("disconnect", [&](flux::Call& call) {
    call.reply();
    server.disconnect(call.session().id(), flux::CloseCode::normal, "bye");
  });
  server.on_event([](flux::EventMessage& message) {
    message.consume(flux::JsonText::number(2));
    close(message.session);
  });
  server.on_chat([](flux::ChatDraft& draft) {
    draft.refuse("banned");
    close(draft.session);
  });
  server.start();
  LiveClient client(server.port());
  client.join("r");
  std::string type = "ack";
  SECTION("a reply, then closed") { client.send("call", R"({"method":"reply"})", "7"); }
  SECTION("closed, then a reply") { client.send("call", R"({"method":"close first"})", "7"); }
  SECTION("a reply through later()") { client.send("call", R"({"method":"later"})", "7"); }
  SECTION("disconnected by the server") { client.send("call", R"({"method":"disconnect"})", "7"); }
  SECTION("a consumed event") { client.send("broadcast_event", R"({"event":"e"})", "7"); }
  SECTION("a refusal") {
    client.send("send_chat", R"({"message":"rude"})", "7");
    type = "error";
  }
  check_answered(client, type);
}

TEST_CASE("closing: what a client sends after the message whose handler closes it is not heard") {
  flux::Server server(test_config());
  std::atomic<int> heard{0};
  server.on_call("bye", [](flux::Call& call) {
    call.reply();
    close(call.session());
  });
  server.on_call("more", [&](flux::Call& call) {
    ++heard;
    call.reply();
  });
  server.start();
  LiveClient client(server.port());
  client.tcp.send(flux::testing::text_frame(R"({"type":"call","id":"1","payload":{"method":"bye"}})") +
                  flux::testing::text_frame(R"({"type":"call","id":"2","payload":{"method":"more"}})"));
  check_answered(client, "ack");
  CHECK(heard == 0);
}

TEST_CASE("closing: the answer of a handler that stops the server in the application's context arrives") {
  asio::io_context context;
  flux::Server server(test_config());
  flux::use_context(server, context);
  server.on_call("stop", [&](flux::Call& call) {
    call.reply(flux::JsonText::number(1));
    server.stop(200ms);
  });
  server.start();
  std::thread runner([&] { context.run(); });
  {
    LiveClient client(server.port());
    client.send("call", R"({"method":"stop"})", "7");
    CHECK_NOTHROW(client.next("ack"));
    CHECK(client.closed().code == 1001);
  }
  runner.join();
}

}  // namespace closing_test
