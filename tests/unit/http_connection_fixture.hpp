// A loop on a thread of its own that serves HTTP on loopback, and a raw client. For http_connection_test.cpp.
#pragma once

#include "catch.hpp"

#include <flux/testing/manual_clock.hpp>
#include <flux/transport/detail/http_connection.hpp>

#include <asio/connect.hpp>
#include <asio/write.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace http_test {

using namespace std::chrono_literals;
constexpr auto patience = 10s;

/// Whether `condition` becomes true in time.
inline bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

/// What handlers found wrong. They run beside the test, and Catch2 takes assertions from one thread at a time.
inline std::atomic<int> failed_expectations{0};
inline void expect(bool holds) {
  if (!holds) ++failed_expectations;
}

class TestServer {
 public:
  ~TestServer() {
    stop();
    CHECK(failed_expectations.exchange(0) == 0);
  }

  flux::Limits limits;
  std::shared_ptr<flux::Clock> clock = std::make_shared<flux::SystemClock>();
  flux::transport::Router router;
  flux::transport::HttpService service;
  flux::transport::ConnectionGroup group;

  void route(std::string_view method, std::string_view pattern, flux::HttpHandler handler,
             flux::RouteOptions options = {}) {
    router.add(method, pattern, std::move(handler), options);
  }

  void start() {
    service.router = &router;
    service.limits = &limits;
    service.server_name = "flux";
    service.log = [this](flux::LogLevel, std::string_view text) {
      const std::lock_guard lock(mutex_);
      log_.append(text).append("\n");
    };
    group.outbox_bytes_congested = limits.outbox_bytes_congested;
    group.outbox_bytes_max = limits.outbox_bytes_max;
    loop = flux::core::Loop::make(0, clock, nullptr);
    thread_ = std::thread([this] { loop->run(); });
    on_loop([this] {
      acceptor_ = std::make_unique<flux::detail::Acceptor>(loop->context());
      acceptor_->open(asio::ip::tcp::v4());
      acceptor_->bind({asio::ip::address_v4::loopback(), 0});
      acceptor_->listen();
      port_ = acceptor_->local_endpoint().port();
      accept();
    });
  }

  void stop() {
    if (!thread_.joinable()) return;
    on_loop([this] {
      acceptor_.reset();
      while (!group.members.empty()) group.members.back()->close();
      loop->release_work();
    });
    thread_.join();
    loop->shut();
  }

  /// Runs `task` on the loop and waits for it.
  void on_loop(const std::function<void()>& task) {
    std::promise<void> done;
    const bool posted = loop->post([&] {
      task();  // may hold assertions: none is made here meanwhile, Catch2 takes them from one thread at a time
      done.set_value();
    });
    const bool ran = posted && done.get_future().wait_for(patience) == std::future_status::ready;
    REQUIRE(ran);
  }

  std::uint16_t port() const { return port_; }
  std::uint64_t open_connections() const { return loop->counters().connections_now.get(); }
  std::string log() const {
    const std::lock_guard lock(mutex_);
    return log_;
  }

  std::shared_ptr<flux::core::Loop> loop;

 private:
  void accept() {
    acceptor_->async_accept([this](std::error_code ec, flux::detail::Socket socket) {
      if (ec) return;
      socket.non_blocking(true);
      if (small_buffers) socket.set_option(asio::socket_base::send_buffer_size(16 * 1024));
      const auto connection = std::make_shared<flux::transport::Connection>(loop, group, std::move(socket), nullptr);
      connection->start(std::make_shared<flux::transport::HttpConnection>(*connection, service));
      accept();
    });
  }

 public:
  bool small_buffers = false;

 private:
  std::thread thread_;
  std::unique_ptr<flux::detail::Acceptor> acceptor_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::string log_;
};

struct Response {
  int status = 0;
  std::string head;  // with the status line and the final empty line
  std::string body;  // chunks put together
  bool complete = false;

  bool has(std::string_view line) const { return head.find("\r\n" + std::string(line) + "\r\n") != std::string::npos; }
};

class Client {
 public:
  explicit Client(const TestServer& server, bool small_buffers = false) : socket_(io_) {
    socket_.open(asio::ip::tcp::v4());
    if (small_buffers) socket_.set_option(asio::socket_base::receive_buffer_size(16 * 1024));
    socket_.connect({asio::ip::address_v4::loopback(), server.port()});
  }

  void send(std::string_view bytes) {
    std::error_code ignored;  // a server that has refused may have closed already
    asio::write(socket_, asio::buffer(bytes.data(), bytes.size()), ignored);
  }
  /// Sends while the test receives or calls `push`. Only one at a time.
  void send_meanwhile(std::string bytes) {
    sending_ = std::move(bytes);
    asio::async_write(socket_, asio::buffer(sending_), [](std::error_code, std::size_t) {});
  }
  void push() {
    io_.restart();
    io_.poll();
  }
  void end() { socket_.shutdown(asio::ip::tcp::socket::shutdown_send); }
  void close() { socket_.close(); }
  void reset() {
    socket_.set_option(asio::socket_base::linger(true, 0));
    socket_.close();
  }
  asio::ip::tcp::socket& socket() { return socket_; }

  /// More input. False at the end of the stream; fails the test where nothing comes in time.
  bool receive() {
    char bytes[16 * 1024];
    bool done = false;
    std::error_code result;
    std::size_t size = 0;
    io_.restart();
    socket_.async_read_some(asio::buffer(bytes), [&](std::error_code ec, std::size_t count) {
      done = true;
      result = ec;
      size = count;
    });
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!done && io_.run_one_until(end) > 0) {
    }
    if (!done) {
      socket_.close();
      io_.restart();
      io_.run();
      FAIL("nothing came in time; so far: " << received.substr(0, 500));
    }
    received.append(bytes, size);
    return !result;
  }
  void receive_bytes(std::size_t size) {
    while (received.size() < size) REQUIRE(receive());
  }
  std::string to_end() {
    while (receive()) {
    }
    return std::exchange(received, {});
  }
  bool ends() { return to_end().empty(); }

  /// Not complete where the stream ends before the response.
  Response response(bool to_head_request = false) {
    Response response;
    while (received.find("\r\n\r\n") == std::string::npos) {
      if (!receive()) return response;
    }
    const std::size_t head_size = received.find("\r\n\r\n") + 4;
    response.head = received.substr(0, head_size);
    received.erase(0, head_size);
    response.status = std::stoi(response.head.substr(9, 3));
    if (to_head_request || response.status < 200 || response.status == 204 || response.status == 304) {
      response.complete = true;
    } else if (response.has("Transfer-Encoding: chunked")) {
      response.complete = chunks(response.body);
    } else if (const auto at = response.head.find("Content-Length: "); at != std::string::npos) {
      const auto length = static_cast<std::size_t>(std::stoul(response.head.substr(at + 16)));
      while (received.size() < length && receive()) {
      }
      response.complete = received.size() >= length;
      response.body = received.substr(0, length);
      received.erase(0, length);
    } else {
      response.body = to_end();
      response.complete = true;
    }
    return response;
  }

  std::string received;

 private:
  bool chunks(std::string& body) {
    for (;;) {
      while (received.find("\r\n") == std::string::npos) {
        if (!receive()) return false;
      }
      const auto size = static_cast<std::size_t>(std::stoul(received, nullptr, 16));
      const std::size_t begin = received.find("\r\n") + 2;
      while (received.size() < begin + size + 2) {
        if (!receive()) return false;
      }
      body.append(received, begin, size);
      received.erase(0, begin + size + 2);
      if (size == 0) return true;
    }
  }

  std::string sending_;
  asio::io_context io_;
  asio::ip::tcp::socket socket_;
};

/// A value that a loop or a thread sets and the test waits for.
template <class T>
class Awaited {
 public:
  void set(T value) { promise_.set_value(std::move(value)); }
  T get() {
    REQUIRE(future_.wait_for(patience) == std::future_status::ready);
    return future_.get();
  }

 private:
  std::promise<T> promise_;
  std::future<T> future_ = promise_.get_future();
};

inline std::string get(std::string_view path, std::string_view fields = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n";
}

inline std::string post(std::string_view path, std::string_view body, std::string_view fields = "") {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n" + std::string(fields) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

}  // namespace http_test
