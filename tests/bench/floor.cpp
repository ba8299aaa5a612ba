/// flux-bench-floor: the least work that a WebSocket server on Asio can do, as a baseline for flux.
///
/// It validates nothing and keeps nothing: an idle connection waits without a buffer, all reads share one buffer, what
/// a loop turn adds to the room is one batch of frames, and each member is sent it with one send(). It has no outbox: a
/// member whose socket does not accept the whole batch is closed, so that the load generator notices and the run does
/// not count.
///
/// Paths that begin with /echo echo; every other connection is a member of the one room and receives everything that
/// members send, including its own frames.
#include <sys/socket.h>

#include <algorithm>
#include <asio.hpp>
#include <cerrno>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "frame.hpp"

namespace flux::bench {
namespace {

using Tcp = asio::ip::tcp;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<Tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<Tcp, Executor>;

class Connection;

/// Shared by all connections. There is one thread, so nothing is locked.
struct Floor {
  asio::io_context io{ASIO_CONCURRENCY_HINT_UNSAFE};
  std::vector<char> receive_buffer = std::vector<char>(512 * 1024);
  std::vector<Connection*> members;
  std::string batch;  ///< frames that this loop turn adds to the room
  bool flush_posted = false;

  void publish(std::string_view masked_payload, std::string_view mask);
  void flush();
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Floor& floor, Socket socket) : floor_(floor), socket_(std::move(socket)) {}
  ~Connection() { std::erase(floor_.members, this); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void wait() {
    socket_.async_wait(Socket::wait_read, [self = shared_from_this()](const std::error_code& error) {
      if (!error) self->readable();
    });
  }

  void send(std::string_view bytes) {
    const ssize_t sent = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent == static_cast<ssize_t>(bytes.size())) return;
    std::error_code ignored;
    socket_.close(ignored);  // ends the pending wait, and with it the connection
  }

 private:
  void readable() {
    std::vector<char>& buffer = floor_.receive_buffer;
    const ssize_t received = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), 0);
    if (received == 0 || (received < 0 && errno != EAGAIN)) return;  // no wait is pending any more: the connection ends
    if (received > 0) consume({buffer.data(), static_cast<std::size_t>(received)});
    if (socket_.is_open()) wait();
  }

  void consume(std::string_view data) {
    if (!remainder_.empty()) {
      remainder_.append(data);
      data = remainder_;
    }
    std::size_t used = 0;
    if (!upgraded_) used = upgrade(data);
    if (upgraded_) used += consume_frames(data.substr(used));
    // An idle connection owns no buffer, so the remainder's memory is freed with it.
    if (used < data.size()) {
      std::string rest(data.substr(used));
      remainder_.swap(rest);
    } else if (!remainder_.empty()) {
      std::string().swap(remainder_);
    }
  }

  /// Returns the bytes of the request, or 0 while it is not complete.
  std::size_t upgrade(std::string_view data) {
    const std::size_t end = data.find("\r\n\r\n");
    if (end == std::string_view::npos) return 0;
    upgraded_ = true;
    echo_ = data.starts_with("GET /echo");
    std::string response = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    response.append("Sec-WebSocket-Accept: ").append(handshake_accept).append("\r\n\r\n");
    send(response);
    if (!echo_) floor_.members.push_back(this);
    return end + 4;
  }

  /// Returns the bytes of the whole frames in `data`.
  std::size_t consume_frames(std::string_view data) {
    std::size_t used = 0;
    std::string echoes;
    while (const auto head = read_head(data.substr(used))) {
      if (data.size() - used < head->frame_bytes()) break;
      const std::string_view mask = data.substr(used + head->head_bytes - mask_bytes, mask_bytes);
      const std::string_view payload = data.substr(used + head->head_bytes, head->payload_bytes);
      used += head->frame_bytes();
      if (!echo_) {
        floor_.publish(payload, mask);
        continue;
      }
      append_head(echoes, Opcode::text, false, payload.size());
      append_masked(echoes, payload, mask);
    }
    if (!echoes.empty()) send(echoes);
    return used;
  }

  Floor& floor_;
  Socket socket_;
  std::string remainder_;  ///< of an unfinished request or frame
  bool upgraded_ = false;
  bool echo_ = false;
};

void Floor::publish(std::string_view masked_payload, std::string_view mask) {
  append_head(batch, Opcode::text, false, masked_payload.size());
  append_masked(batch, masked_payload, mask);
  if (flush_posted) return;
  flush_posted = true;
  asio::post(io, [this] { flush(); });
}

void Floor::flush() {
  flush_posted = false;
  for (Connection* member : members) member->send(batch);
  batch.clear();
}

void accept_next(Floor& floor, Acceptor& acceptor) {
  acceptor.async_accept(floor.io.get_executor(), [&](const std::error_code& error, Socket socket) {
    if (!error) {
      socket.set_option(Tcp::no_delay(true));
      socket.non_blocking(true);
      std::make_shared<Connection>(floor, std::move(socket))->wait();
    }
    accept_next(floor, acceptor);
  });
}

void serve(unsigned short port) {
  Floor floor;
  Acceptor acceptor(floor.io, Tcp::endpoint(asio::ip::address_v4::loopback(), port));
  std::cout << "listening on http://127.0.0.1:" << acceptor.local_endpoint().port() << "/" << std::endl;
  accept_next(floor, acceptor);
  floor.io.run();
}

}  // namespace
}  // namespace flux::bench

int main(int argc, char** argv) {
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  const bool has_port = arguments.size() == 2 && arguments[0] == "--port";
  if (!arguments.empty() && !has_port) {
    const bool help = arguments[0] == "--help";
    (help ? std::cout : std::cerr)
        << "usage: flux-bench-floor [--port P]\n"
           "The least WebSocket server on Asio: /echo... echoes, any other path is one room.\n"
           "  --port P  the port on 127.0.0.1 (default 0: any; the first line printed names it)\n";
    return help ? EXIT_SUCCESS : 2;
  }
  try {
    const int port = has_port ? std::stoi(argv[2]) : 0;
    if (port < 0 || port > 65535) throw std::out_of_range("the port must be from 0 to 65535");
    flux::bench::serve(static_cast<unsigned short>(port));
  } catch (const std::exception& error) {
    std::cerr << "flux-bench-floor: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
