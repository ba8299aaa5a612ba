#include "attack.hpp"

#include <zlib.h>

#include <array>
#include <map>
#include <stdexcept>
#include <utility>

#include <flux/detail/endpoints/live/live_session.hpp>
#include <flux/detail/endpoints/sharing/sharing_session.hpp>

#include "scene.hpp"

namespace flux::bench {
namespace {

/// The same every time.
std::function<Message(std::size_t)> constant(Message message) {
  return [message = std::move(message)](std::size_t) { return message; };
}

/// What a WebSocket sends of `text`, compressed.
std::string deflated(const std::string& text) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, -MAX_WBITS, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("deflateInit2 failed");
  }
  std::string out(deflateBound(&stream, text.size()) + 16, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const bool done = ::deflate(&stream, Z_SYNC_FLUSH) == Z_OK && stream.avail_in == 0;
  const std::size_t size = stream.total_out;
  deflateEnd(&stream);
  if (!done) throw std::runtime_error("deflate failed");
  out.resize(size - 4);  // RFC 7692, section 7.2.1: without 00 00 FF FF
  return out;
}

/// The most expensive payload of each request: the longest list, the largest room.
using Payloads = std::map<std::string_view, std::string>;

const std::string& payload_of(const Payloads& payloads, std::string_view protocol, std::string_view name) {
  const auto found = payloads.find(name);
  if (found != payloads.end()) return found->second;
  throw std::runtime_error("the request " + std::string(name) + " of " + std::string(protocol) +
                           " has no payload in tests/bench/abuse/attack.cpp");
}

/// The payload of each request of protocol live.
const Payloads& live_payloads() {
  static const std::string room = std::string(R"("roomId":")") + full_room + "\"";
  static const Payloads payloads{
      {"join_room", "{" + room + "}"},
      {"refresh", R"({"accessToken":"t"})"},
      {"leave_room", "{" + room + "}"},
      {"update_presence", R"({"presence":{"x":1}})"},
      {"broadcast_event", R"({"event":"e"})"},
      {"send_chat", R"({"message":"m"})"},
      {"edit_chat", R"({"offset":1,"message":"m"})"},
      {"delete_chat", R"({"offset":1})"},
      {"create_room", R"({"roomId":"made","mode":"history"})"},
      {"share", R"({"data":{"type":"string","content":"s"}})"},
      {"get_history", R"({"limit":1000})"},
      {"get_presence", R"({"limit":1000})"},
      {"room_items", R"({"limit":1000})"},
      {"upload_ticket", "{" + room + "}"},
      {"public_share", R"({"data":{"type":"string","content":"s"}})"},
      {"public_history", "{}"},
      {"public_delete_last", "{}"},
      {"public_upload_ticket", "{}"},
      {"call", R"({"method":"list"})"},
  };
  return payloads;
}

/// The argument of each event of data sharing; empty: none.
const Payloads& sharing_payloads() {
  static const std::string id = std::string("\"") + full_room + "\"";
  static const std::string room = "\"roomId\":" + id;
  static const std::string text = R"({"type":"string","content":"s"})";
  static const Payloads payloads{
      {"public:upload", text},
      {"public:deleteLast", ""},
      {"public:uploadTicket", ""},
      {"room:create", R"({"roomId":"made","capacity":10,"mode":"history"})"},
      {"room:join", id},
      {"room:history", id},
      {"room:upload", "{" + room + ",\"data\":" + text + "}"},
      {"room:leave", id},
      {"room:close", "{" + room + "}"},
      {"room:list", R"({"limit":1000})"},
      {"room:members", id},
      {"room:uploadTicket", id},
      {"room:event", "{" + room + R"(,"event":"e"})"},
      {"room:chat", "{" + room + R"(,"message":"m"})"},
      {"room:editChat", "{" + room + R"(,"offset":1,"message":"m"})"},
      {"room:deleteChat", "{" + room + R"(,"offset":1})"},
      {"room:chatHistory", "{" + room + R"(,"limit":1000})"},
      {"room:presence", "{" + room + R"(,"presence":{"x":1}})"},
      {"public:items", ""},
      {"call", R"("list")"},
      {"refresh", R"({"accessToken":"t"})"},
  };
  return payloads;
}

void add_live(std::vector<Attack>& attacks) {
  const std::string join = std::string(R"({"type":"join_room","payload":{"roomId":")") + full_room + "\"}}";
  for (const auto& type : detail::LiveSession::request_types()) {
    const std::string_view name = type.name;
    const std::string& payload = payload_of(live_payloads(), "protocol live", name);
    attacks.push_back({Door::live, std::string(name), {join}, [name = name, &payload](std::size_t n) {
                         return Message{"{\"type\":\"" + std::string(name) + "\",\"id\":" + std::to_string(n) +
                                        ",\"payload\":" + payload + "}"};
                       }});
  }
}

/// Messages that are a thousandth of their size on the wire, some at the limit of what is accepted.
void add_deflated(std::vector<Attack>& attacks) {
  const std::string join = std::string(R"({"type":"join_room","payload":{"roomId":")") + full_room + "\"}}";
  const auto event = [](std::size_t bytes) {
    return R"({"type":"broadcast_event","payload":{"event":"e","payload":")" + std::string(bytes, 'x') + "\"}}";
  };
  const Limits limits;
  const std::array<std::pair<std::string_view, std::string>, 4> messages{{
      {"an event of 60 kB", event(60'000)},
      {"an event of 1 MB", event(limits.message_bytes_max - 100)},
      {"1 MB that is not JSON", std::string(limits.message_bytes_max, ' ')},
      {"a message over the limit", std::string(4 * limits.message_bytes_max, ' ')},
  }};
  for (const auto& [name, text] : messages) {
    attacks.push_back(
        {Door::deflate, std::string(name), {join}, [bytes = deflated(text)](std::size_t) { return Message{bytes}; }});
  }
}

void add_sharing(std::vector<Attack>& attacks, Door door) {
  const std::string join = std::string("42[\"room:join\",\"") + full_room + "\"]";
  for (const auto& type : detail::SharingSession::request_types()) {
    const std::string_view name = type.name;
    const std::string& payload = payload_of(sharing_payloads(), "data sharing", name);
    attacks.push_back({door, std::string(name), {"40", join}, [name = name, &payload](std::size_t n) {
                         return Message{"42" + std::to_string(n) + "[\"" + std::string(name) + "\"" +
                                        (payload.empty() ? "" : "," + payload) + "]"};
                       }});
  }
}

void add_packets(std::vector<Attack>& attacks) {
  for (const Door door : {Door::socketio, Door::polling}) {
    attacks.push_back({door, "CONNECT, again and again", {}, constant({"40"})});
    attacks.push_back({door, "CONNECT to new namespaces", {}, [](std::size_t n) {
                         return Message{"40/" + std::to_string(n) + ","};
                       }});
    attacks.push_back(
        {door, "CONNECT and DISCONNECT", {}, [](std::size_t n) { return Message{n % 2 == 0 ? "40" : "41"}; }});
    attacks.push_back({door, "an event without a handler", {"40"}, [](std::size_t n) {
                         return Message{"42" + std::to_string(n) + "[\"nobody\"]"};
                       }});
    for (const std::size_t bytes : {std::size_t(10), std::size_t(100'000)}) {
      attacks.push_back({door,
                         "an event with " + std::to_string(bytes) + " bytes attached",
                         {"40"},
                         constant({R"(451-["nobody",{"_placeholder":true,"num":0}])", Message::Kind::text,
                                   std::string(bytes, 'b')})});
    }
    attacks.push_back({door, "an event that announces attachments", {"40"}, constant({R"(4510-["nobody"])"})});
    attacks.push_back({door, "an unexpected acknowledgment", {"40"}, constant({"431[]"})});
    attacks.push_back({door, "pong", {"40"}, constant({"3"})});
  }
  attacks.push_back({Door::socketio, "ping with probe", {}, constant({"2probe"})});
  attacks.push_back({Door::raw, "a text, echoed", {}, constant({"hello"})});
  attacks.push_back({Door::raw, "bytes, echoed", {}, constant({std::string(10'000, 'b'), Message::Kind::binary})});
  attacks.push_back({Door::raw, "ping", {}, constant({"", Message::Kind::ping})});
}

/// Every method at every kind of path, whether the server supports it or not.
void add_http(std::vector<Attack>& attacks) {
  const std::array<std::string, 7> methods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
  const std::array<std::pair<std::string_view, std::string>, 8> places{{
      {"a route", "/hello"},
      {"a route that reads", "/read"},
      {"a static file", std::string("/static/") + static_file},
      {"nothing", "/nothing"},
      {"files", "/files"},
      {"a file", std::string("/files/") + unknown_file},
      {"Socket.IO, a new session", "/socket.io/?EIO=4&transport=polling"},
      {"protocol live", "/live"},
  }};
  for (const auto& [place, path] : places) {
    for (const std::string& method : methods) {
      std::string head = method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\n";
      if (path == "/files") head += "Upload-Length: 1000000\r\n";
      attacks.push_back(
          {Door::http, method + " " + std::string(place), {}, constant({head + "Content-Length: 0\r\n\r\n"})});
      if (method != "POST" && method != "PATCH") continue;
      std::string type = "Content-Type: application/octet-stream\r\nUpload-Offset: 0\r\n";
      std::string body(1'000, 'b');
      if (path == "/files" && method == "POST") {  // a form
        type = "Content-Type: multipart/form-data; boundary=b\r\n";
        body = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n" + body + "\r\n--b--\r\n";
      }
      attacks.push_back(
          {Door::http,
           method + " " + std::string(place) + ", with a body",
           {},
           constant({head + type + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body})});
      std::string chunks;
      for (std::size_t i = 0; i < 1'000; ++i) chunks += "1\r\nb\r\n";
      attacks.push_back({Door::http,
                         method + " " + std::string(place) + ", in chunks of one byte",
                         {},
                         constant({head +
                                   "Content-Type: application/octet-stream\r\nUpload-Offset: 0\r\n"
                                   "Transfer-Encoding: chunked\r\n\r\n" +
                                   chunks + "0\r\n\r\n"})});
    }
  }
}

}  // namespace

std::string_view name_of(Door door) {
  switch (door) {
    case Door::live: return "live";
    case Door::deflate: return "live, deflate";
    case Door::socketio: return "Socket.IO";
    case Door::polling: return "Socket.IO, polling";
    case Door::raw: return "raw WebSocket";
    case Door::http: return "HTTP";
  }
  return "";
}

std::vector<Attack> all_attacks() {
  std::vector<Attack> attacks;
  add_live(attacks);
  add_deflated(attacks);
  add_sharing(attacks, Door::socketio);
  add_sharing(attacks, Door::polling);
  add_packets(attacks);
  add_http(attacks);
  return attacks;
}

}  // namespace flux::bench
