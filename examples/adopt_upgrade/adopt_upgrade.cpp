// An application with its own HTTP server, here a small one on Asio. It answers plain requests itself. When a client
// asks to upgrade at /live, it hands the connection to flux, along with everything it has read from it.
#include <flux/asio.hpp>
#include <flux/flux.hpp>

#include <asio/buffer.hpp>
#include <asio/read_until.hpp>
#include <asio/signal_set.hpp>
#include <asio/write.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

namespace {

using asio::ip::tcp;

/// True for "GET /live", with or without a query, that has an Upgrade field. flux decides whether it is a valid
/// handshake: it parses the request again, strictly.
bool wants_live(std::string head) {
  std::transform(head.begin(), head.end(), head.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  const bool path = head.starts_with("get /live ") || head.starts_with("get /live?");
  return path && head.find("\r\nupgrade:") != std::string::npos;
}

/// One connection of the application's server: reads one request, answers it, closes.
class Visitor : public std::enable_shared_from_this<Visitor> {
 public:
  Visitor(tcp::socket socket, flux::Server& live) : socket_(std::move(socket)), live_(live) {}

  void serve() {
    asio::async_read_until(socket_, asio::dynamic_buffer(read_, 16 * 1024), "\r\n\r\n",
                           [self = shared_from_this()](std::error_code ec, std::size_t head_size) {
                             if (!ec) self->answer(head_size);
                           });
  }

 private:
  void answer(std::size_t head_size) {
    if (wants_live(read_.substr(0, head_size))) {
      // Pass everything that was read, not only the head: `read_` may already hold frames that the client sent right
      // after it.
      if (const auto adopted = flux::adopt(live_, std::move(socket_), read_); !adopted) {
        std::fprintf(stderr, "%s\n", adopted.error().what());
      }
      return;
    }
    const std::string_view body = "this is the application; rooms are at /live\n";
    answer_ = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
    asio::async_write(socket_, asio::buffer(answer_), [self = shared_from_this()](std::error_code, std::size_t) {});
  }

  tcp::socket socket_;
  flux::Server& live_;
  std::string read_;
  std::string answer_;
};

void accept_visitors(tcp::acceptor& acceptor, flux::Server& live) {
  acceptor.async_accept([&](std::error_code ec, tcp::socket socket) {
    if (ec) return;
    std::make_shared<Visitor>(std::move(socket), live)->serve();
    accept_visitors(acceptor, live);
  });
}

}  // namespace

int main() {
  flux::Config config;
  config.listen = {};  // flux does not listen; we hand it its connections
  flux::Server live(config);
  live.start();  // on its own thread

  asio::io_context context;
  tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 8080));
  accept_visitors(acceptor, live);

  asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](std::error_code, int) { acceptor.close(); });
  context.run();  // until the acceptor is closed and the last visitor has been answered
  live.stop();
}
