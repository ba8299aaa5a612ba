// Messages that inflate to a thousand times their size: a turn of the loop inflates a bounded amount, and no client
// waits for another's.
#include "support/server.hpp"

#include <flux/asio.hpp>
#include <flux/detail/transport/deflate.hpp>

#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>

#include <algorithm>

namespace inflate_turns_test {

using namespace flux_test;

namespace {

constexpr std::size_t inflated_size = 1'000'000;

/// A server in the test's own context, whose endpoint records in which turn it received what from whom.
class Inflating {
 public:
  explicit Inflating(std::size_t bytes_per_turn) {
    config_.deflate.enabled = true;
    config_.deflate.inflated_per_turn_max = bytes_per_turn;
    server_ = std::make_unique<flux::Server>(config_);
    flux::use_context(*server_, context_);
    flux::WebSocketEndpoint endpoint;
    endpoint.on_message = [this](const flux::WebSocket&, std::string_view message, flux::MessageType) {
      if (message == "hold") {
        held.set(true);
        return gate.wait();
      }
      senders += message.front();
      turns.resize(turn_ + 1);
      turns[turn_] += message.size();
      if (std::exchange(turn_asked_, true)) return;
      asio::post(context_, [this] {
        turn_asked_ = false;
        ++turn_;
      });
    };
    server_->websocket("/raw", endpoint);
    server_->start();
    thread_ = std::thread([this] { context_.run(); });
  }
  ~Inflating() {
    server_->stop(0ms);
    work_.reset();
    thread_.join();
  }

  WebSocketClient client() {
    return WebSocketClient(server_->port(), "/raw", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
  }
  std::uint64_t messages() { return server_->stats().messages_in; }

  Awaited<bool> held;
  Gate gate;
  std::string senders;             // the first character of each message
  std::vector<std::size_t> turns;  // bytes of messages in each turn

 private:
  flux::Config config_ = test_config();
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(context_);
  std::unique_ptr<flux::Server> server_;
  std::size_t turn_ = 0;
  bool turn_asked_ = false;
  std::thread thread_;
};

/// `count` compressed messages of a megabyte, each consisting of one character.
std::string bombs(char text, int count) {
  std::string compressed;
  if (!flux::transport::Deflater(9).compress(std::string(inflated_size, text), compressed)) return {};
  const std::string frame = flux::testing::ClientFrame{.payload = compressed, .rsv1 = true}.bytes();
  std::string all;
  for (int i = 0; i < count; ++i) all += frame;
  return all;
}

}  // namespace

TEST_CASE("inflation: 60 messages of a kilobyte in one read, a turn inflates its budget and the rest follows") {
  Inflating server(2'000'000);
  WebSocketClient client = server.client();
  client.tcp.send(bombs('a', 60));
  REQUIRE(eventually([&] { return server.messages() == 60; }));
  client.send_close();
  CHECK(client.closed().code == 1000);
  CHECK(server.senders == std::string(60, 'a'));
  CHECK(*std::max_element(server.turns.begin(), server.turns.end()) == 2'000'000);
}

TEST_CASE("inflation: two clients that exceed a turn's budget take turns") {
  Inflating server(2'000'000);
  WebSocketClient holder = server.client();
  WebSocketClient a = server.client();
  WebSocketClient b = server.client();
  holder.send_text("hold");
  server.held.get();
  a.tcp.send(bombs('a', 20));
  b.tcp.send(bombs('b', 20));
  server.gate.open();
  REQUIRE(eventually([&] { return server.messages() == 41; }));
  holder.send_close();
  CHECK(holder.closed().code == 1000);
  REQUIRE(server.senders.size() == 40);
  const std::string half = server.senders.substr(0, 20);
  CHECK(std::count(half.begin(), half.end(), 'a') == 10);
}

}  // namespace inflate_turns_test
