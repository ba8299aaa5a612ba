// A loop on its own thread that serves HTTP on loopback, and a raw client. For http_connection_test.cpp.
#pragma once

#include "catch.hpp"
#include "support/awaited.hpp"
#include "support/http_reply.hpp"

#include <flux/detail/transport/http_connection.hpp>
#include <flux/testing/manual_clock.hpp>

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
using flux_test::Awaited;
using flux_test::eventually;
using flux_test::get;
using flux_test::patience;
using flux_test::post;
using Response = flux_test::HttpReply;

/// Failures seen by handlers. They run concurrently with the test, and Catch2 allows assertions on one thread at a
/// time.
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
    group.set_limits(limits);
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
      task();  // may contain assertions: the test makes none meanwhile, as Catch2 allows them on one thread at a time
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

  /// Receives more input. False at the end of the stream; fails the test if nothing arrives in time.
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

  /// Incomplete if the stream ends before the response does.
  Response response(bool to_head_request = false) { return flux_test::read_reply(*this, to_head_request); }

  std::string received;

 private:
  std::string sending_;
  asio::io_context io_;
  asio::ip::tcp::socket socket_;
};

}  // namespace http_test
