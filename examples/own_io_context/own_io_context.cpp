// The server inside the application's own io_context: one thread runs both, beside a timer of the application.
#include <flux/asio.hpp>
#include <flux/flux.hpp>

#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>

namespace {

/// Tells the members of the room "clock" once a second how many seconds have passed.
class Ticker {
 public:
  Ticker(asio::io_context& context, flux::Server& server) : timer_(context), server_(server) {
    timer_.expires_after(std::chrono::seconds(1));
    wait();
  }
  void stop() { timer_.cancel(); }

 private:
  void wait() {
    timer_.async_wait([this](std::error_code ec) {
      if (ec) return;
      const auto payload = flux::JsonText::object({{"seconds", ++seconds_}});
      if (const auto sent = server_.broadcast("clock", "tick", payload); !sent) {
        std::fprintf(stderr, "%s\n", sent.error().what());
      }
      timer_.expires_at(timer_.expiry() + std::chrono::seconds(1));
      wait();
    });
  }

  asio::steady_timer timer_;
  flux::Server& server_;
  unsigned seconds_ = 0;
};

}  // namespace

int main() {
  asio::io_context context;  // outlives the server
  flux::Server server({.listen = {{"127.0.0.1", 8080}}});
  flux::use_context(server, context);
  server.create_room("clock", {.permanent = true}).value();
  server.start();  // listens and returns; the rest happens in context.run()

  Ticker ticker(context, server);
  asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](std::error_code, int) {
    ticker.stop();
    server.stop(std::chrono::seconds(2));  // on the context's thread this only begins; run() returns when it is done
  });
  context.run();
}
