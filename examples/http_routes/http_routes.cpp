// HTTP beside the rooms, on the same port: routes, bodies in pieces, deferred answers, files, and a plain WebSocket
// endpoint that speaks none of flux's protocols.
//
//   curl http://127.0.0.1:8080/hello/Ada
//   curl --data-binary @big.iso http://127.0.0.1:8080/checksum
//   curl 'http://127.0.0.1:8080/numbers?to=1000000'
//   curl http://127.0.0.1:8080/news &  curl --data 'it rains' http://127.0.0.1:8080/news
#include <flux/flux.hpp>
#include <flux/signals.hpp>

#include <charconv>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace {

/// Computes a body's size and FNV-1a hash as it arrives, without keeping any of it.
void checksum(const flux::HttpExchange& exchange) {
  struct Sum {
    std::uint64_t bytes = 0;
    std::uint64_t hash = 0xcbf29ce484222325;
  };
  const auto sum = std::make_shared<Sum>();
  exchange.on_body(
      [sum](std::string_view piece) {
        sum->bytes += piece.size();
        for (const char c : piece) sum->hash = (sum->hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
      },
      [sum, exchange](bool complete) {
        if (!complete) return;  // the client disconnected
        exchange.respond(200, std::to_string(sum->bytes) + " bytes, " + std::to_string(sum->hash) + "\n");
      });
}

/// Writes until the client has enough to read, and continues once it has read that.
void write_numbers(const flux::HttpExchange& exchange, std::uint64_t next, std::uint64_t last) {
  while (next <= last) {
    const flux::Sent sent = exchange.write(std::to_string(next++) + "\n");
    if (sent == flux::Sent::dropped) return;
    if (sent == flux::Sent::congested) {
      exchange.on_drain([exchange, next, last] { write_numbers(exchange, next, last); });
      return;
    }
  }
  exchange.end();
}

void numbers(const flux::HttpExchange& exchange) {
  const std::string text = exchange.query("to").value_or("10");
  std::uint64_t last = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), last);
  if (ec != std::errc() || end != text.data() + text.size()) return exchange.respond(400, "to is no number\n");
  exchange.begin(200, {{"Content-Type", "text/plain"}});
  write_numbers(exchange, 1, last);
}

/// Requests that stay pending until there is news: the handle of an exchange may be used at any time and from any
/// thread.
class News {
 public:
  void wait(const flux::HttpExchange& exchange) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t id = ++last_id_;
    waiting_.emplace(id, exchange);
    exchange.on_abort([this, id] {
      const std::lock_guard aborted(mutex_);
      waiting_.erase(id);
    });
  }
  std::size_t tell(const std::string& text) {
    std::map<std::uint64_t, flux::HttpExchange> told;
    {
      const std::lock_guard lock(mutex_);
      told.swap(waiting_);
    }
    for (const auto& [id, exchange] : told) exchange.respond(200, text + "\n");
    return told.size();
  }

 private:
  std::mutex mutex_;
  std::map<std::uint64_t, flux::HttpExchange> waiting_;
  std::uint64_t last_id_ = 0;
};

}  // namespace

int main(int count, char** arguments) {
  News news;  // outlives the server
  flux::Server server({.listen = {{"127.0.0.1", 8080}}});

  server.route("GET", "/hello/{name}", [](const flux::HttpExchange& exchange) {
    exchange.respond(200, "Hello, " + std::string(exchange.parameter("name")) + "!\n");
  });
  server.route("POST", "/checksum", checksum, {.body_bytes_max = std::uint64_t{1} << 40});
  server.route("GET", "/numbers", numbers);
  server.route("GET", "/news", [&](const flux::HttpExchange& exchange) { news.wait(exchange); });
  server.route("POST", "/news", [&](const flux::HttpExchange& exchange) {
    exchange.read_body([&news, exchange](const std::string& body) {
      exchange.respond(200, "told " + std::to_string(news.tell(body)) + "\n");
    });
  });

  // A folder, if one is given: types, ETag, ranges, index.html.
  if (count > 1) server.static_files("/files", arguments[1]);

  flux::WebSocketEndpoint shout;
  shout.on_open = [](const flux::WebSocket& socket) { socket.send("say something"); };
  shout.on_message = [](const flux::WebSocket& socket, std::string_view message, flux::MessageType type) {
    socket.send(std::string(message) + "!", type);
  };
  server.websocket("/shout", std::move(shout));

  flux::stop_on_signals(server);
  server.run();
}
