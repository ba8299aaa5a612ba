/// flux-bench-transfer: uploads a file to a server over HTTP, or downloads one, with as little work as a client can do:
/// the kernel sends the file, and received bytes are written as they arrive.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "descriptor.hpp"
#include "http_response.hpp"

namespace flux::bench {
namespace {

constexpr std::string_view usage =
    "usage: flux-bench-transfer put PORT PATH FILE\n"
    "       flux-bench-transfer get PORT PATH FILE\n"
    "put sends FILE in a POST to PATH on 127.0.0.1 and prints the path of the file's Location.\n"
    "get writes what a GET of PATH brings to FILE, which it makes.\n";

constexpr int pipe_bytes = 1024 * 1024;  // the most that an unprivileged user may have

[[noreturn]] void fail(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

Descriptor open_file(const std::string& name, int flags) {
  Descriptor file(::open(name.c_str(), flags | O_CLOEXEC, 0600));
  if (file.get() < 0) fail(name);
  return file;
}

Descriptor connect_to(std::uint16_t port) {
  Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) fail("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("connection to port " + std::to_string(port));
  }
  return socket;
}

void write_all(const Descriptor& to, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(to.get(), bytes.data(), bytes.size());
    if (written <= 0) fail("write");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::string request(std::string_view method, const std::string& path, std::uint16_t port) {
  return std::string(method) + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) + "\r\n";
}

/// The head of a response, and the part of its body that arrived with it.
class Answer {
 public:
  /// Errors: throws std::runtime_error if the connection ends before the head does, or if the status is not 2xx.
  explicit Answer(const Descriptor& socket) {
    std::vector<char> buffer(64 * 1024);
    while (!(head_ = read_response_head(start_))) {
      const ssize_t received = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
      if (received < 0) fail("recv");
      if (received == 0) throw std::runtime_error("the server ended the connection without an answer");
      start_.append(buffer.data(), static_cast<std::size_t>(received));
    }
    if (head_->status / 100 != 2) throw std::runtime_error("the server answered " + start_);
  }
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;

  std::string_view location() const { return field_of(head_->text, "Location").value_or(""); }
  std::string_view body_start() const { return std::string_view(start_).substr(head_->head_bytes()); }
  std::uint64_t body_bytes() const { return head_->body_bytes; }

 private:
  std::string start_;
  std::optional<ResponseHead> head_;
};

/// Moves `bytes` from the socket to the file through a pipe, so that the kernel need not copy them through this
/// process.
void splice_all(const Descriptor& socket, const Descriptor& file, std::uint64_t bytes) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail("pipe");
  const Descriptor out(ends[0]);
  const Descriptor in(ends[1]);
  if (::fcntl(in.get(), F_SETPIPE_SZ, pipe_bytes) < 0) fail("F_SETPIPE_SZ");
  while (bytes > 0) {
    ssize_t piped = ::splice(socket.get(), nullptr, in.get(), nullptr, std::min<std::uint64_t>(bytes, pipe_bytes), 0);
    if (piped < 0) fail("splice");
    if (piped == 0) throw std::runtime_error("the server ended the connection in the middle of the file");
    bytes -= static_cast<std::uint64_t>(piped);
    while (piped > 0) {
      const ssize_t written = ::splice(out.get(), nullptr, file.get(), nullptr, static_cast<std::size_t>(piped), 0);
      if (written <= 0) fail("splice");
      piped -= written;
    }
  }
}

void put(std::uint16_t port, const std::string& path, const std::string& name) {
  const Descriptor file = open_file(name, O_RDONLY);
  struct stat about {};
  if (::fstat(file.get(), &about) != 0) fail(name);
  const Descriptor socket = connect_to(port);
  write_all(socket, request("POST", path, port) + "Content-Type: application/octet-stream\r\nContent-Length: " +
                        std::to_string(about.st_size) + "\r\n\r\n");
  for (off_t sent = 0; sent < about.st_size;) {
    const auto rest = static_cast<std::size_t>(about.st_size - sent);
    if (::sendfile(socket.get(), file.get(), &sent, rest) > 0) continue;
    if (errno == EPIPE || errno == ECONNRESET) break;  // the server's response says why
    fail("sendfile");
  }
  // Relative to the request's path (RFC 9110, section 10.2.2).
  std::cout << path.substr(0, path.rfind('/') + 1) << Answer(socket).location() << std::endl;
}

void get(std::uint16_t port, const std::string& path, const std::string& name) {
  const Descriptor file = open_file(name, O_WRONLY | O_CREAT | O_EXCL);
  const Descriptor socket = connect_to(port);
  write_all(socket, request("GET", path, port) + "\r\n");
  const Answer answer(socket);
  if (answer.body_start().size() > answer.body_bytes()) throw std::runtime_error("the answer is longer than it says");
  write_all(file, answer.body_start());
  splice_all(socket, file, answer.body_bytes() - answer.body_start().size());
}

}  // namespace
}  // namespace flux::bench

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool help = arguments.size() == 1 && arguments[0] == "--help";
  const bool known = arguments.size() == 4 && (arguments[0] == "put" || arguments[0] == "get");
  std::uint16_t port = 0;
  if (known) std::from_chars(arguments[1].data(), arguments[1].data() + arguments[1].size(), port);
  if (port == 0) {
    (help ? std::cout : std::cerr) << flux::bench::usage;
    return help ? EXIT_SUCCESS : 2;
  }
  std::signal(SIGPIPE, SIG_IGN);  // a server that closes the connection has sent its reason first
  try {
    (arguments[0] == "put" ? flux::bench::put : flux::bench::get)(port, arguments[2], arguments[3]);
  } catch (const std::exception& error) {
    std::cerr << "flux-bench-transfer: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
