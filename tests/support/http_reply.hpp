// HTTP/1.1 requests and replies as text, for the tests' raw clients.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace flux_test {

struct HttpReply {
  int status = 0;
  std::string head;  // including the status line and the empty line
  std::string body;  // without the chunk framing
  bool complete = false;

  bool has(std::string_view line) const { return head.find("\r\n" + std::string(line) + "\r\n") != std::string::npos; }
};

/// The body of a chunked reply. False if the stream ends before the body does.
template <class Stream>
bool read_chunks(Stream& stream, std::string& body) {
  std::string& received = stream.received;
  for (;;) {
    while (received.find("\r\n") == std::string::npos) {
      if (!stream.receive()) return false;
    }
    const auto size = static_cast<std::size_t>(std::stoul(received, nullptr, 16));
    const std::size_t begin = received.find("\r\n") + 2;
    while (received.size() < begin + size + 2) {
      if (!stream.receive()) return false;
    }
    body.append(received, begin, size);
    received.erase(0, begin + size + 2);
    if (size == 0) return true;
  }
}

/// Reads the next reply from `stream`, which has `received`, the bytes read and not used yet; `receive()`, which
/// appends to it and returns false at the end of the stream; and `to_end()`. Incomplete if the stream ends before the
/// reply does.
template <class Stream>
HttpReply read_reply(Stream& stream, bool to_head_request = false) {
  std::string& received = stream.received;
  HttpReply reply;
  while (received.find("\r\n\r\n") == std::string::npos) {
    if (!stream.receive()) return reply;
  }
  const std::size_t head_size = received.find("\r\n\r\n") + 4;
  reply.head = received.substr(0, head_size);
  received.erase(0, head_size);
  reply.status = std::stoi(reply.head.substr(9, 3));
  if (to_head_request || reply.status < 200 || reply.status == 204 || reply.status == 304) {
    reply.complete = true;
  } else if (reply.has("Transfer-Encoding: chunked")) {
    reply.complete = read_chunks(stream, reply.body);
  } else if (const auto at = reply.head.find("Content-Length: "); at != std::string::npos) {
    const auto length = static_cast<std::size_t>(std::stoul(reply.head.substr(at + 16)));
    while (received.size() < length && stream.receive()) {
    }
    reply.complete = received.size() >= length;
    reply.body = received.substr(0, length);
    received.erase(0, length);
  } else {
    reply.body = stream.to_end();
    reply.complete = true;
  }
  return reply;
}

inline std::string get(std::string_view path, std::string_view fields = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n";
}

inline std::string post(std::string_view path, std::string_view body, std::string_view fields = "") {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n" + std::string(fields) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

}  // namespace flux_test
