#include "catch.hpp"

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/live/live_session.hpp>
#include <flux/detail/transport/websocket_frame.hpp>

#include <map>
#include <string>
#include <vector>

namespace live_codec_test {

using namespace flux;
using namespace flux::protocol;
using namespace std::string_literals;

namespace {

/// How a text is read; `error` is "CODE: message" or empty.
struct Read {
  std::string_view type() const { return request.type != nullptr ? request.type->name : request.added->name; }
  bool has(std::string_view member) const { return request.members.has(member); }
  const std::string& text(std::string_view member) const { return request.members.text(member); }
  std::string_view json(std::string_view member) const { return request.members.json(member).value_or(""); }
  std::uint64_t number(std::string_view member) const { return request.members.number(member); }

  LiveRequest request;
  std::string error;
};

Read read(std::string_view text, const Limits& limits = {}) {
  static const features::RequestTable none;
  const LiveRequestTable table{detail::LiveSession::request_types(), none};
  Read result;
  if (const auto done = read_live_request(text, limits, table, result.request); !done) {
    result.error = std::string(to_string(done.error().code())) + ": " + done.error().message();
  }
  return result;
}

void refused(std::string_view text, const std::string& error, const Limits& limits = {}) {
  INFO(text);
  const std::string found = read(text, limits).error;
  CHECK_THAT(found, Catch::Matchers::ContainsSubstring(error));
  CHECK(core::valid_utf8(found));
}

std::string message(const std::string& type, const std::string& payload, const std::string& more = "") {
  return "{\"type\":\"" + type + "\",\"payload\":" + payload + more + "}";
}

std::string repeated(std::string_view piece, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) text += piece;
  return text;
}

/// The payloads of the frames in `bytes`, inflated; each is one JSON value. Fails on anything else.
std::vector<std::string> frames(std::string_view bytes) {
  std::vector<std::string> texts;
  transport::Inflater inflater;
  while (!bytes.empty()) {
    const std::uint64_t size = transport::server_frame_size(bytes);
    REQUIRE(size != 0);
    REQUIRE(size <= bytes.size());
    const auto first = static_cast<unsigned char>(bytes[0]);
    REQUIRE((first & ~0x40u) == 0x81u);                             // a final text frame
    REQUIRE((static_cast<unsigned char>(bytes[1]) & 0x80u) == 0u);  // not masked
    const unsigned code = static_cast<unsigned char>(bytes[1]);
    const std::size_t header = code < 126 ? 2 : code == 126 ? 4 : 10;
    std::string text(bytes.substr(header, static_cast<std::size_t>(size) - header));
    if ((first & 0x40u) != 0) {
      REQUIRE(inflater.inflate(text, 10'000'000) == transport::Inflater::Status::ok);
      text = inflater.output();
    }
    REQUIRE(JsonText::parse(text).ok());
    texts.push_back(text);
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
  return texts;
}

std::string frame(std::string_view bytes) {
  const auto all = frames(bytes);
  REQUIRE(all.size() == 1);
  return all[0];
}

ChatMessage stored(std::string text, std::string user = {}, std::string metadata = {}) {
  return {"m1", "r", "c1", std::move(user), std::move(text), std::move(metadata), 1'700'000'000'000, 7};
}

}  // namespace

// --- Reading ---

TEST_CASE("live: join_room, with every member it may have", "[live]") {
  const std::string text =
      message("join_room",
              R"({"roomId":"r\u00e9","presence": {"x" : 1},"accessToken":"t","name":"Ann","email":"a@b","more":[]})");
  const Read r = read(text);
  CHECK(r.error.empty());
  CHECK(r.type() == "join_room");
  CHECK(r.request.id.empty());
  CHECK(r.text("roomId") == "r\xC3\xA9");
  CHECK(r.json("presence") == R"({"x" : 1})");
  CHECK(r.text("accessToken") == "t");
  CHECK(r.text("name") == "Ann");
  CHECK(r.text("email") == "a@b");
  const Read bare = read(message("join_room", R"({"roomId":""})"));
  CHECK(bare.error.empty());
  CHECK(bare.text("roomId") == "");
  CHECK(bare.json("presence").empty());
  CHECK_FALSE(bare.has("accessToken"));
  CHECK_FALSE(bare.has("name"));
}

TEST_CASE("live: refresh needs a token, and is answered with the expiry", "[live]") {
  const Read r = read(R"({"type":"refresh","id":1,"payload":{"accessToken":"t"}})");
  CHECK(r.error.empty());
  CHECK(r.type() == "refresh");
  CHECK(r.text("accessToken") == "t");
  refused(message("refresh", "{}"), "accessToken is missing");
  refused(message("refresh", R"({"accessToken":7})"), "accessToken is a number; it must be a string");
  const LiveWriter writer(nullptr);
  std::string out;
  writer.refreshed(out, R"("a")", 1'700'000'000'000);
  CHECK(frame(out) == R"({"type":"refreshed","id":"a","payload":{"expiresAt":1700000000000}})");
  out.clear();
  writer.refreshed(out, {}, std::numeric_limits<std::int64_t>::max());
  CHECK(frame(out) == R"({"type":"refreshed","payload":{}})");
  out.clear();
  writer.notice(out, {flux::live::reply::access_expiring, R"({"expiresAt":7})"});
  CHECK(frame(out) == R"({"type":"access_expiring","payload":{"expiresAt":7}})");
}

TEST_CASE("live: leave_room, with or without a payload", "[live]") {
  for (const char* text : {R"({"type":"leave_room"})", R"({"type":"leave_room","payload":null})",
                           R"({"type":"leave_room","payload":{}})"}) {
    const Read r = read(text);
    CHECK(r.error.empty());
    CHECK(r.type() == "leave_room");
    CHECK_FALSE(r.has("roomId"));
  }
  CHECK(read(message("leave_room", R"({"roomId":"r"})")).text("roomId") == "r");
}

TEST_CASE("live: update_presence, broadcast_event and send_chat keep the JSON unchanged", "[live]") {
  CHECK(read(message("update_presence", R"({"presence":{ "a":1e2 }})")).json("presence") == R"({ "a":1e2 })");
  const std::string text = message("broadcast_event", R"({"event":"e","payload": [1, {"roomId":"no"}] })");
  const Read event = read(text);
  CHECK(event.text("event") == "e");
  CHECK(event.json("payload") == R"([1, {"roomId":"no"}])");
  CHECK_FALSE(event.has("roomId"));
  for (const char* payload : {"null", "false", "0", R"("s")", "[]", "{}", "18446744073709551616", "1e300"}) {
    const std::string any = message("broadcast_event", R"({"event":"e","payload":)"s + payload + "}");
    CHECK(read(any).json("payload") == payload);
  }
  CHECK(read(message("broadcast_event", R"({"event":"e"})")).json("payload").empty());
  const std::string chat =
      message("send_chat", R"({"message":"a\n\"b\" \ud83d\ude00","metadata":{"k":[]},"roomId":"r"})");
  const Read c = read(chat);
  CHECK(c.text("message") == "a\n\"b\" \xF0\x9F\x98\x80");
  CHECK(c.json("metadata") == R"({"k":[]})");
  CHECK(c.text("roomId") == "r");
  CHECK(read(message("send_chat", R"({"message":"","metadata":null})")).json("metadata").empty());
}

TEST_CASE("live: create_room, share, get_history and the public space", "[live]") {
  const std::map<std::string, RoomMode> modes = {
      {"live", RoomMode::live}, {"singleton", RoomMode::singleton}, {"history", RoomMode::history}};
  for (const auto& [name, mode] : modes) {
    const Read r = read(message("create_room", "{\"roomId\":\"r\",\"mode\":\"" + name + "\",\"capacity\":5}"));
    CHECK(r.error.empty());
    const RoomOptions options = room_options(r.request.members);
    CHECK(options.mode == mode);
    CHECK(options.capacity == 5);
    CHECK_FALSE(options.permanent);
  }
  CHECK_FALSE(read(message("create_room", R"({"roomId":"r","mode":"live"})")).has("capacity"));
  const std::string data = R"({"content":"c","type":"string"})";
  for (const char* type : {"share", "public_share"}) {
    const std::string text = message(type, "{\"data\":" + data + "}");
    const Read r = read(text);
    CHECK(r.error.empty());
    CHECK(r.json("data") == data);
  }
  const Read page = read(message("get_history", R"({"limit":7,"before":18446744073709551615})", R"(,"id":1)"));
  CHECK(page.number("limit") == 7);
  CHECK(page.number("before") == UINT64_MAX);
  const Read first = read(message("get_history", "{}", R"(,"id":1)"));
  CHECK(limit_of(first.request.members, hundred) == 100);
  CHECK(first.number("before") == 0);
  CHECK(read(R"({"type":"public_history","id":1})").type() == "public_history");
  for (const char* type : {"public_history", "room_items", "get_presence"}) {
    const std::string text = message(type, R"({"limit":7,"before":3,"after":9})", R"(,"id":1)");
    const Read part = read(text);
    CHECK(part.number("limit") == 7);
    CHECK(part.number("before") == (type == "get_presence"s ? 0 : 3));
    CHECK(part.number("after") == (type == "get_presence"s ? 9 : 0));
    CHECK(limit_of(read(message(type, "{}", R"(,"id":1)")).request.members) == features::no_limit);
    CHECK(read(message(type, "{}")).error == "invalid_message: id is missing: the answer is an ack");
    CHECK(read(message(type, R"({"limit":1001})", R"(,"id":1)")).error ==
          "invalid_message: limit is 1001; it must be an integer from 1 to 1000");
  }
  CHECK(read(R"({"type":"public_delete_last"})").type() == "public_delete_last");
  const Read ticket = read(message("upload_ticket", R"({"roomId":"r"})", R"(,"id":1)"));
  CHECK(ticket.type() == "upload_ticket");
  CHECK(ticket.text("roomId") == "r");
}

TEST_CASE("live: members in any order, escaped names match, unknown members are ignored", "[live]") {
  const Read r = read(
      R"({"x":{"roomId":1,"type":2},"payload":{"y":{"roomId":3},"room\u0049d":"r"},"\u0074ype":"join\u005froom","id":"i"})");
  CHECK(r.error.empty());
  CHECK(r.text("roomId") == "r");
  CHECK(r.request.id == R"("i")");
  const Read late = read(R"({"payload":{"message":"a\ud83d","metadata":["\udc00"]},"id":2,"type":"send_chat"})");
  CHECK(late.error.empty());
  CHECK(late.text("message") == "a\xEF\xBF\xBD");
  CHECK(late.json("metadata") == R"(["\ufffd"])");
  refused(R"({"payload":{"message":"a","message":"b"},"type":"send_chat"})", "\"message\" appears twice");
  // Members that belong in the payload, in the wrong place.
  CHECK_FALSE(read(R"({"type":"leave_room","roomId":"r"})").has("roomId"));
  CHECK_FALSE(read(R"({"type":"leave_room","x":[{"roomId":"r"}]})").has("roomId"));
}

TEST_CASE("live: an id is a string or a number of at most 256 bytes, kept as its text", "[live]") {
  for (const char* id : {"1", "-0.5e3", "18446744073709551616", R"("")", R"("a\u0000\"b")", R"("é")"}) {
    const std::string text = R"({"type":"leave_room","id":)"s + id + "}";
    CHECK(read(text).request.id == id);
  }
  CHECK(read(R"({"type":"leave_room","id":null})").error.empty());
  CHECK(read(R"({"type":"leave_room","id":null})").request.id.empty());
  for (const char* id : {"true", "[]", "{}"})
    refused(R"({"type":"leave_room","id":)"s + id + "}", "invalid_message: id must be");
  CHECK(read(R"({"type":"leave_room","id":")" + std::string(254, 'x') + "\"}").error.empty());
  refused(R"({"type":"leave_room","id":")" + std::string(255, 'x') + "\"}", "invalid_message: id must be");
}

TEST_CASE("live: an error has the id of its message, wherever the id is", "[live]") {
  for (const char* text : {R"({"type":"nonsense","id":7})", R"({"type":"join_room","payload":{},"id":7})",
                           R"({"id":7})", R"({"id":7,"type":"join_room","payload":[]})", R"({"id":7,"type":1})"}) {
    const Read r = read(text);
    CHECK_FALSE(r.error.empty());
    CHECK(r.request.id == "7");
  }
}

TEST_CASE("live: an invalid message is refused with a reason", "[live]") {
  refused("", "invalid_json");
  refused("nonsense", "invalid_json");
  refused(R"({"type":"leave_room"}x)", "invalid_json");
  refused("{\"type\":\"leave_room\"}\0"s, "invalid_json");
  refused("{\"type\":\"leave_room\",\"x\":\"\xFF\"}", "invalid_json");
  CHECK(read(R"({"type":"leave_room","x":"\ud800"})").error.empty());  // the value is not used
  for (const char* text : {"null", "1", "true", R"("join_room")", "[]", R"([{"type":"leave_room"}])"}) {
    refused(text, "invalid_message: a message must be an object");
  }
  refused("{}", "invalid_message: type is missing");
  refused(R"({"type":null})", "invalid_message: type must be a string");
  refused(R"({"type":["leave_room"]})", "invalid_message: type must be a string");
  refused(R"({"type":"join"})", "unknown_type: unknown type \"join\"");
  refused(R"({"type":""})", "unknown_type");
  refused(R"({"type":"leave_room\u0000"})", "unknown_type");
  refused(R"({"type":"\udc00"})", "unknown_type");
  for (const char* payload : {"1", "[]", R"("x")", "true"})
    refused(message("leave_room", payload), "invalid_message: payload must be an object");
}

TEST_CASE("live: a duplicate member is refused, unless it is not used", "[live]") {
  refused(R"({"type":"leave_room","type":"leave_room"})", "\"type\" appears twice");
  refused(R"({"type":"leave_room","id":1,"id":2})", "\"id\" appears twice");
  refused(R"({"type":"leave_room","payload":{},"payload":{}})", "\"payload\" appears twice");
  refused(R"({"type":"leave_room","payload":{"roomId":"a","roomId":"b"}})", "\"roomId\" appears twice");
  refused(R"({"type":"leave_room","payload":{"roomId":null,"room\u0049d":"b"}})", "\"roomId\" appears twice");
  CHECK(read(R"({"type":"leave_room","x":1,"x":2,"payload":{"y":1,"y":2}})").error.empty());
}

TEST_CASE("live: a member of the wrong type is named in the error, with its type and the expected one", "[live]") {
  const auto wrong_kinds = [](const std::string& type, const std::string& before, const std::string& name,
                              const std::vector<std::string>& values, const std::string& right) {
    for (const std::string& value : values) {
      refused(message(type, "{" + before + "\"" + name + "\":" + value + "}", R"(,"id":1)"),
              "invalid_message: " + name + " is ");
      refused(message(type, "{" + before + "\"" + name + "\":" + value + "}", R"(,"id":1)"), "it must be " + right);
    }
  };
  const std::vector<std::string> no_string = {"1", "true", "[]", "{}"};
  const std::vector<std::string> no_object = {"1", "true", "[]", R"("x")"};
  const std::vector<std::string> no_integer = {
      R"("1")", "true", "[]", "{}", "1.5", "1.0", "1e1", "-1", "18446744073709551616"};
  for (const char* type : {"join_room", "leave_room", "create_room", "get_history", "share"})
    wrong_kinds(type, "", "roomId", no_string, "a string");
  for (const char* name : {"accessToken", "name", "email"})
    wrong_kinds("join_room", R"("roomId":"r",)", name, no_string, "a string");
  wrong_kinds("join_room", R"("roomId":"r",)", "presence", no_object, "an object");
  wrong_kinds("update_presence", "", "presence", no_object, "an object");
  wrong_kinds("broadcast_event", "", "event", no_string, "a string");
  wrong_kinds("send_chat", "", "message", no_string, "a string");
  wrong_kinds("create_room", R"("roomId":"r",)", "mode", no_string, "a string");
  wrong_kinds("create_room", R"("roomId":"r","mode":"live",)", "capacity", no_integer, "an integer from 1 to 10000");
  wrong_kinds("create_room", R"("roomId":"r","mode":"live",)", "capacity", {"0", "10001"},
              "an integer from 1 to 10000");
  wrong_kinds("get_history", "", "limit", no_integer, "an integer from 1 to 1000");
  wrong_kinds("get_history", "", "limit", {"0", "1001"}, "an integer from 1 to 1000");
  wrong_kinds("get_history", "", "before", no_integer, "an integer from 0 to 18446744073709551615");
  wrong_kinds("share", "", "data", no_object, "an object");
  wrong_kinds("public_share", "", "data", no_object, "an object");
}

TEST_CASE("live: a required member that is absent or null is missing", "[live]") {
  const std::map<std::string, std::string> needed = {{"join_room", "roomId"},      {"update_presence", "presence"},
                                                     {"broadcast_event", "event"}, {"send_chat", "message"},
                                                     {"create_room", "roomId"},    {"share", "data"},
                                                     {"public_share", "data"}};
  for (const auto& [type, name] : needed) {
    refused(message(type, "{}"), "invalid_message: " + name + " is missing");
    refused(message(type, "{\"" + name + "\":null}"), "invalid_message: " + name + " is missing");
    refused("{\"type\":\"" + type + "\"}", "invalid_message: " + name + " is missing");
  }
  refused(message("create_room", R"({"roomId":"r"})"), "mode is missing");
  refused(message("edit_chat", R"({"offset":1})"), "message is missing");
  for (const char* type : {"edit_chat", "delete_chat"}) {
    refused(message(type, R"({"message":"m"})"), "offset is missing");
    refused(message(type, R"({"offset":0,"message":"m"})"), "offset is 0; it must be an integer from 1");
  }
  refused(message("broadcast_event", R"({"event":""})"), "event is empty");
  refused(message("get_history", "{}"), "id is missing");
  refused(message("call", R"({"payload":1})"), "method is missing");
  refused(message("call", R"({"method":""})"), "method is empty");
  refused(message("call", R"({"method":"m"})"), "id is missing");
  refused(message("upload_ticket", "{}"), "id is missing");
  refused(message("public_upload_ticket", "{}"), "id is missing");
  refused(R"({"type":"public_history"})", "id is missing");
  // null counts as absent.
  CHECK(read(message("join_room", R"({"roomId":"r","presence":null,"accessToken":null,"name":null})")).error.empty());
}

TEST_CASE("live: invalid values of each member", "[live]") {
  refused(message("create_room", R"({"roomId":"r","mode":"Live"})"), "mode is \"Live\"");
  refused(message("send_chat", R"({"message":"a\u0000b"})"), "message contains NUL");
  refused(message("send_chat", R"({"message":"a","messageId":"\ud83d"})"), "messageId contains a lone surrogate");
  for (const char* type : {"join_room", "leave_room"})
    refused(message(type, R"({"roomId":"\udc00"})"), "roomId contains a lone surrogate");
  refused(message("join_room", R"({"roomId":"r","email":"\ud83d"})"), "email contains a lone surrogate");
  refused(message("join_room", R"({"roomId":"r","accessToken":"\ud83d"})"), "accessToken contains a lone surrogate");
  refused(message("broadcast_event", R"({"event":"\ude00"})"), "event contains a lone surrogate");
  refused(R"({"type":"leave_room","id":"\ud83d"})", "id contains a lone surrogate");
  refused(message("share", R"({"data":{}})"), "data.type must be");
  refused(message("share", R"({"data":{"type":"image","content":"x"}})"), "data.type must be \"string\" or \"file\"");
  refused(message("share", R"({"data":{"type":"file","content":"x"}})"), "data.fileId must be the id of a file");
  refused(message("public_share", R"({"data":{"type":"file","fileId":7}})"), "data.fileId must be the id of a file");
  refused(message("share", R"({"data":{"type":"string"}})"), "data.content must be");
  refused(message("share", R"({"data":{"type":"string","content":1}})"), "data.content must be");
}

TEST_CASE("live: a lone surrogate in relayed JSON becomes U+FFFD", "[live]") {
  const std::string fffd = "\xEF\xBF\xBD";
  for (const std::string half : {R"(\ud83d)", R"(\uDE00)"}) {
    CAPTURE(half);
    const auto with = [&](std::string text) {
      for (std::size_t at = text.find('@'); at != std::string::npos; at = text.find('@')) text.replace(at, 1, half);
      return text;
    };
    const std::string chat = with(message("send_chat", R"({"message":"a@b","metadata":{"@":["@"]}})"));
    const Read said = read(chat);
    CHECK(said.error.empty());
    CHECK(said.text("message") == "a" + fffd + "b");
    CHECK(said.json("metadata") == R"({"\ufffd":["\ufffd"]})");
    const std::string joining = with(message("join_room", R"({"roomId":"r","name":"@","presence":{"x":"@"}})"));
    const Read joined = read(joining);
    CHECK(joined.text("name") == fffd);
    CHECK(joined.json("presence") == R"({"x":"\ufffd"})");
    const std::string event = with(message("broadcast_event", R"({"event":"e","payload":"@ \ud83d\ude00"})"));
    CHECK(read(event).json("payload") == R"("\ufffd \ud83d\ude00")");
    const std::string sharing = with(message("share", R"({"data":{"type":"string","content":"@"}})"));
    CHECK(read(sharing).json("data") == R"({"type":"string","content":"\ufffd"})");
  }
}

TEST_CASE("live: an error has an id that comes before the fault, none that comes after", "[live]") {
  const auto id_of = [](const std::string& text) {
    const Read result = read(text);
    CHECK_FALSE(result.error.empty());
    return std::string(result.request.id);
  };
  for (const std::string id : {"7", "\"seven\"", "-1.5e3"}) {
    const std::string begin = "{\"type\":\"send_chat\",\"id\":" + id + ",\"payload\":{\"message\":";
    for (const std::string& fault :
         {std::string("1e400}}"), "\"\xFF\"}}"s, std::string("\"\\x\"}}"), repeated("[", 100), std::string("7}}"),
          std::string("\"a\"}}}"), std::string("\"a\""), std::string()}) {
      CHECK(id_of(begin + fault) == id);
    }
    CHECK(id_of("{\"payload\":1e400,\"id\":" + id + "}").empty());
    CHECK(id_of("{\"payload\":{\"id\":" + id + ",\"x\":1e400}}").empty());
  }
  CHECK(id_of(R"({"id":null,"x":1e400})").empty());
  CHECK(id_of(R"({"id":[1],"x":1e400})").empty());
}

TEST_CASE("live: an error that quotes its input is itself UTF-8, however long that was", "[live]") {
  for (std::size_t shift = 0; shift < 4; ++shift) {
    const std::string name = std::string(shift, 'x') + repeated("\xF0\x9F\x98\x80", 12);
    refused("{\"type\":\"" + name + "\"}", "unknown_type");
    refused(message("create_room", "{\"roomId\":\"r\",\"mode\":\"" + name + "\"}"), "mode is");
  }
}

TEST_CASE("live: values over a limit are refused, values at it are not", "[live]") {
  Limits limits;
  limits.presence_bytes_max = 11;
  limits.event_name_bytes_max = 4;
  limits.chat_bytes_max = 4;
  limits.metadata_bytes_max = 6;
  limits.identity_field_bytes_max = 4;
  limits.json_depth_max = 5;
  const auto at_limit = [&](const std::string& fine, const std::string& over) {
    INFO(fine);
    CHECK(read(fine, limits).error.empty());
    refused(over, "message_too_large: ", limits);
  };
  at_limit(message("update_presence", R"({"presence":{"a":"123"}})"),
           message("update_presence", R"({"presence":{"a":"1234"}})"));
  at_limit(message("join_room", R"({"roomId":"r","presence":{"a":"123"}})"),
           message("join_room", R"({"roomId":"r","presence":{"a":"1234"}})"));
  at_limit(message("broadcast_event", R"({"event":"\u00e9\u00e9"})"),
           message("broadcast_event", R"({"event":"\u00e9\u00e9x"})"));
  at_limit(message("send_chat", R"({"message":"1234"})"), message("send_chat", R"({"message":"12345"})"));
  at_limit(message("send_chat", R"({"message":"","metadata":"1234"})"),
           message("send_chat", R"({"message":"","metadata":"12345"})"));
  at_limit(message("join_room", R"({"roomId":"r","name":"1234"})"),
           message("join_room", R"({"roomId":"r","name":"12345"})"));
  at_limit(message("join_room", R"({"roomId":"r","email":"1234"})"),
           message("join_room", R"({"roomId":"r","email":"12345"})"));
  CHECK(read(message("broadcast_event", R"({"event":"e","payload":[[[]]]})"), limits).error.empty());
  refused(message("broadcast_event", R"({"event":"e","payload":[[[[]]]]})"),
          "invalid_json: JSON nested deeper than 5 levels", limits);
  refused(R"({"type":"leave_room","payload":)" + repeated("[", 100'000), "deeper than 64 levels");
}

TEST_CASE("live: views of a request point into its text", "[live]") {
  const std::string text = message("send_chat", R"({"message":"m","metadata":{"a":1}})", R"(,"id":"i")");
  const Read r = read(text);
  for (const std::string_view view : {r.request.id, r.json("metadata")}) {
    CHECK(view.data() >= text.data());
    CHECK(view.data() + view.size() <= text.data() + text.size());
  }
}

// --- Writing ---

TEST_CASE("live frames: an edited and a deleted message, exact text", "[live]") {
  const LiveWriter writer(nullptr);
  ChatMessage message{"m1", "r", "c1", "u1", "hi", "", 5, 2, 6};
  std::string out;
  writer.chat(out, message);
  message.message.clear();
  message.deleted_at = 7;
  writer.chat(out, message);
  CHECK(
      frames(out) ==
      std::vector<std::string>{
          R"({"type":"chat_edited","payload":{"id":"m1","roomId":"r","connectionId":"c1","userId":"u1","message":"hi","createdAt":5,"offset":2,"editedAt":6}})",
          R"({"type":"chat_deleted","payload":{"id":"m1","roomId":"r","connectionId":"c1","userId":"u1","message":"","createdAt":5,"offset":2,"editedAt":6,"deletedAt":7}})"});
  CHECK(protocol::live_changed_payload(message) == R"({"id":"m1","offset":2,"deletedAt":7})");
}

TEST_CASE("live frames: events, chat and data, exact text", "[live]") {
  const LiveWriter writer(nullptr);
  std::string out;
  writer.event(out, {"r", "c1", "u1", "e", R"([1, 2])"});
  writer.event(out, {"r", "c1", "", "e", {}});
  writer.chat(out, stored("hi", "u1", R"({"k":1})"));
  writer.chat(out, stored("hi"));
  writer.data(out, "r", {"c1", JsonText::trusted(R"({"type":"string","content":"x"})"), 9});
  writer.closed(out, "r", "over");
  writer.closed(out, "r", "");
  CHECK(
      frames(out) ==
      std::vector<std::string>{
          R"({"type":"broadcast_event","payload":{"roomId":"r","connectionId":"c1","userId":"u1","event":"e","payload":[1, 2]}})",
          R"({"type":"broadcast_event","payload":{"roomId":"r","connectionId":"c1","event":"e"}})",
          R"({"type":"chat_message","payload":{"id":"m1","roomId":"r","connectionId":"c1","userId":"u1","message":"hi","metadata":{"k":1},"createdAt":1700000000000,"offset":7}})",
          R"({"type":"chat_message","payload":{"id":"m1","roomId":"r","connectionId":"c1","message":"hi","createdAt":1700000000000,"offset":7}})",
          R"({"type":"room_data","payload":{"roomId":"r","connectionId":"c1","data":{"type":"string","content":"x"},"offset":9}})",
          R"({"type":"room_closed","payload":{"roomId":"r","reason":"over"}})",
          R"({"type":"room_closed","payload":{"roomId":"r"}})"});
}

TEST_CASE("live frames: presence omits absent members", "[live]") {
  const LiveWriter writer(nullptr);
  const Identity known{"u", "Ann", "a@b", "p", true};
  const Identity named{"", "Bob", "", "", false};
  std::string out;
  writer.presence(out, {"r", {{"c1", &known, "{}"}}, {}, {}});
  writer.presence(out, {"r", {}, {"c1", "c2"}, {}});
  writer.presence(out, {"r", {}, {}, {{"c1", nullptr, R"({"x":1})"}, {"c2", &named, "{}"}}});
  CHECK(
      frames(out) ==
      std::vector<std::string>{
          R"({"type":"presence_updated","payload":{"roomId":"r","joined":[{"connectionId":"c1","userId":"u","name":"Ann","email":"a@b","provider":"p","presence":{}}]}})",
          R"({"type":"presence_updated","payload":{"roomId":"r","left":["c1","c2"]}})",
          R"({"type":"presence_updated","payload":{"roomId":"r","updated":[{"connectionId":"c1","presence":{"x":1}},{"connectionId":"c2","name":"Bob","presence":{}}]}})"});
}

TEST_CASE("live frames: room_joined has members, history, mode, position and kept items", "[live]") {
  const LiveWriter writer(nullptr);
  const RoomId room = "r";
  const std::vector<features::PresenceEntry> members = {{"c1", nullptr, "{}"}, {"c2", nullptr, R"({"x":1})"}};
  const std::deque<SharedItem> none;
  const std::deque<SharedItem> items = {{"c1", JsonText::trusted("1"), 1}, {"c1", JsonText::trusted("2"), 2}};
  const auto joined = [&](RoomMode mode, const std::deque<SharedItem>* kept, const std::vector<ChatMessage>& chat) {
    std::string out;
    writer.room_joined(out,
                       {room, "c2", mode, {"ep", 5}, members, {}, features::newest_items(*kept, {}), 1'700'000'000'000},
                       features::ChatPage{chat});
    return frame(out);
  };
  const std::string start =
      R"({"type":"room_joined","payload":{"roomId":"r","connectionId":"c2","presence":{"c1":{"connectionId":"c1","presence":{}},"c2":{"connectionId":"c2","presence":{"x":1}}},"chatHistory":)";
  const std::string position = R"("position":{"epoch":"ep","offset":5},"serverTime":1700000000000)";
  const std::string item1 = R"({"connectionId":"c1","data":1,"offset":1})";
  const std::string item2 = R"({"connectionId":"c1","data":2,"offset":2})";
  CHECK(joined(RoomMode::live, &none, {}) == start + R"([],"mode":"live",)" + position + "}}");
  CHECK(
      joined(RoomMode::live, &none, {stored("hi")}) ==
      start +
          R"([{"id":"m1","roomId":"r","connectionId":"c1","message":"hi","createdAt":1700000000000,"offset":7}],"mode":"live",)" +
          position + "}}");
  CHECK(joined(RoomMode::singleton, &none, {}) == start + R"([],"mode":"singleton",)" + position + "}}");
  CHECK(joined(RoomMode::singleton, &items, {}) ==
        start + R"([],"mode":"singleton",)" + position + ",\"data\":" + item2 + "}}");
  CHECK(joined(RoomMode::history, &none, {}) == start + R"([],"mode":"history",)" + position + ",\"data\":[]}}");
  CHECK(joined(RoomMode::history, &items, {}) ==
        start + R"([],"mode":"history",)" + position + ",\"data\":[" + item1 + "," + item2 + "]}}");
}

TEST_CASE("live frames: room_joined has what the application tells the client", "[live]") {
  const LiveWriter writer(nullptr);
  const RoomId room = "r";
  const std::vector<features::PresenceEntry> members;
  std::string out;
  writer.room_joined(out, {room, "c", RoomMode::live, {"ep", 5}, members, {}, {}, 7, R"({"score":1})"},
                     features::ChatPage{});
  CHECK(
      frame(out) ==
      R"({"type":"room_joined","payload":{"roomId":"r","connectionId":"c","presence":{},"chatHistory":[],"mode":"live","position":{"epoch":"ep","offset":5},"serverTime":7,"welcome":{"score":1}}})");
}

TEST_CASE("live frames: acks and errors, with and without an id", "[live]") {
  const LiveWriter writer(nullptr);
  std::string out;
  writer.ack(out, R"("i")");
  writer.ack(out, "7", R"({"offset":1})");
  writer.error(out, "7", Error(Errc::room_full, "full \"r\""));
  writer.error(out, "", Error(Errc::invalid_json, "bad"));
  const std::deque<SharedItem> items{{"c1", JsonText::trusted("1"), 3}};
  writer.public_history(out, {items.begin(), items.end()});
  writer.public_history(out, {items.begin(), items.end(), 3});
  writer.public_item(out, items.front());
  writer.public_removed(out, 3);
  CHECK(
      frames(out) ==
      std::vector<std::string>{
          R"({"type":"ack","id":"i"})", R"({"type":"ack","id":7,"payload":{"offset":1}})",
          R"({"type":"error","id":7,"payload":{"code":"ROOM_FULL","message":"full \"r\""}})",
          R"({"type":"error","payload":{"code":"INVALID_JSON","message":"bad"}})",
          R"({"type":"public_history","payload":{"items":[{"connectionId":"c1","data":1,"offset":3}]}})",
          R"({"type":"public_history","payload":{"items":[{"connectionId":"c1","data":1,"offset":3}],"more":true,"before":3}})",
          R"({"type":"public_item","payload":{"item":{"connectionId":"c1","data":1,"offset":3},"offset":3}})",
          R"({"type":"public_removed","payload":{"offset":3}})"});
}

TEST_CASE("live frames: payloads of acks", "[live]") {
  CHECK(live_room_payload("r\"") == R"({"roomId":"r\""})");
  CHECK(live_offset_payload(UINT64_MAX) == R"({"offset":18446744073709551615})");
  CHECK(live_history_payload("r", {}) == R"({"roomId":"r","messages":[]})");
  CHECK(
      live_history_payload("r", {{stored("a")}}) ==
      R"({"roomId":"r","messages":[{"id":"m1","roomId":"r","connectionId":"c1","message":"a","createdAt":1700000000000,"offset":7}]})");
  CHECK(live_items_payload({}, {{{"c1", JsonText::trusted("1"), 1}}}) ==
        R"({"items":[{"connectionId":"c1","data":1,"offset":1}]})");
}

TEST_CASE("live frames: text is escaped and survives the round trip", "[live]") {
  const LiveWriter writer(nullptr);
  std::string all;
  for (int c = 1; c < 128; ++c) all += static_cast<char>(c);
  all += "\xC3\xA9\xF0\x9F\x98\x80";
  std::string out;
  writer.chat(out, stored(all));
  CHECK(JsonText::trusted(frame(out)).get<std::string>("/payload/message") == all);
}

TEST_CASE("live frames: headers of every size, appended to existing frames", "[live]") {
  const LiveWriter writer(nullptr);
  const std::size_t rest = [&] {
    std::string out;
    writer.event(out, {"r", "c1", "", "", {}});
    return frame(out).size();
  }();
  for (const std::size_t size : {rest, std::size_t{125}, std::size_t{126}, std::size_t{127}, std::size_t{65'535},
                                 std::size_t{65'536}, std::size_t{200'000}}) {
    std::string out;
    writer.ack(out, "1");
    const std::size_t before = out.size();
    writer.event(out, {"r", "c1", "", std::string(size - rest, 'e'), {}});
    CHECK(out.size() - before == size + (size < 126 ? 2 : size < 65'536 ? 4 : 10));
    writer.ack(out, "2");
    const auto all = frames(out);
    REQUIRE(all.size() == 3);
    CHECK(all[0] == R"({"type":"ack","id":1})");
    CHECK(all[1].size() == size);
    CHECK(all[2] == R"({"type":"ack","id":2})");
  }
}

TEST_CASE("live frames: compressed ones inflate to the same text, small and incompressible ones stay plain", "[live]") {
  const DeflateOptions options{.enabled = true, .level = 6, .message_bytes_min = 200};
  const LiveWriter plain(nullptr);
  MessageCompressor compressor(options, transport::deflate_window_bits_max);
  const LiveWriter deflating(&compressor);
  const auto compressed = [](const std::string& bytes) { return (static_cast<unsigned char>(bytes[0]) & 0x40u) != 0; };
  std::string dense;
  for (unsigned i = 0, x = 1; i < 500; ++i) {
    x = x * 1103515245 + 12345;
    dense += static_cast<char>(' ' + (x >> 16) % 95);
  }
  for (const std::string& text : {std::string("short"), std::string(200, 'x'), std::string(100'000, 'y'), dense}) {
    std::string a, b;
    plain.ack(a, "1");
    deflating.ack(b, "1");
    const std::size_t at = b.size();
    plain.chat(a, stored(text));
    deflating.chat(b, stored(text));
    CHECK(frames(a) == frames(b));
    CHECK(compressed(b.substr(at)) == (b.size() < a.size()));
    CHECK(compressed(b.substr(at)) == (text != "short"));
  }
}

TEST_CASE("live request: a call has a method, and any JSON as its payload or none") {
  const auto call = read(message("call", R"({"method":"m","payload":[1,"\ud83d"]})", R"(,"id":7)"));
  REQUIRE(call.error.empty());
  CHECK(call.type() == "call");
  CHECK(call.text("method") == "m");
  CHECK(call.json("payload") == R"([1,"\ufffd"])");
  CHECK(read(message("call", R"({"method":"m"})", R"(,"id":7)")).json("payload").empty());
}

}  // namespace live_codec_test
