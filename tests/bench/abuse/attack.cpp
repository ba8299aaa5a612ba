#include "attack.hpp"

#include <array>
#include <map>
#include <stdexcept>
#include <utility>

#include <flux/detail/endpoints/live/live_session.hpp>
#include <flux/detail/endpoints/sharing/sharing_session.hpp>

#include "scene.hpp"

namespace flux::bench {
namespace {

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
                         return "{\"type\":\"" + std::string(name) + "\",\"id\":" + std::to_string(n) +
                                ",\"payload\":" + payload + "}";
                       }});
  }
}

void add_sharing(std::vector<Attack>& attacks, Door door) {
  const std::string join = std::string("42[\"room:join\",\"") + full_room + "\"]";
  for (const auto& type : detail::SharingSession::request_types()) {
    const std::string_view name = type.name;
    const std::string& payload = payload_of(sharing_payloads(), "data sharing", name);
    attacks.push_back({door, std::string(name), {"40", join}, [name = name, &payload](std::size_t n) {
                         return "42" + std::to_string(n) + "[\"" + std::string(name) + "\"" +
                                (payload.empty() ? "" : "," + payload) + "]";
                       }});
  }
}

void add_packets(std::vector<Attack>& attacks) {
  const auto constant = [](std::string text) { return [text = std::move(text)](std::size_t) { return text; }; };
  for (const Door door : {Door::socketio, Door::polling}) {
    attacks.push_back({door, "CONNECT, again and again", {}, constant("40")});
    attacks.push_back(
        {door, "CONNECT to new namespaces", {}, [](std::size_t n) { return "40/" + std::to_string(n) + ","; }});
    attacks.push_back({door, "CONNECT and DISCONNECT", {}, [](std::size_t n) { return n % 2 == 0 ? "40" : "41"; }});
    attacks.push_back({door, "an event without a handler", {"40"}, [](std::size_t n) {
                         return "42" + std::to_string(n) + "[\"nobody\"]";
                       }});
    attacks.push_back({door, "an unexpected acknowledgment", {"40"}, constant("431[]")});
    attacks.push_back({door, "pong", {"40"}, constant("3")});
  }
  attacks.push_back({Door::socketio, "ping with probe", {}, constant("2probe")});
  attacks.push_back({Door::raw, "a text, echoed", {}, constant("hello")});
  attacks.push_back({Door::raw, "ping", {}, constant("")});
}

/// Every method at every kind of path, whether the server supports it or not.
void add_http(std::vector<Attack>& attacks) {
  const std::array<std::string, 7> methods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
  const std::array<std::pair<std::string_view, std::string>, 7> places{{
      {"a route", "/hello"},
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
      head += "Content-Length: 0\r\n\r\n";
      attacks.push_back({Door::http, method + " " + std::string(place), {}, [head](std::size_t) { return head; }});
    }
  }
}

}  // namespace

std::string_view name_of(Door door) {
  switch (door) {
    case Door::live: return "live";
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
  add_sharing(attacks, Door::socketio);
  add_sharing(attacks, Door::polling);
  add_packets(attacks);
  add_http(attacks);
  return attacks;
}

}  // namespace flux::bench
