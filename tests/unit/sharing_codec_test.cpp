#include "catch.hpp"

#include <flux/detail/endpoints/sharing/sharing_session.hpp>
#include <flux/detail/endpoints/socketio/engineio_codec.hpp>

#include <memory>

namespace sharing_codec_test {

using namespace flux;
using namespace flux::protocol;
using namespace flux::literals;
using Catch::Matchers::ContainsSubstring;

namespace {

const Limits limits;

/// The arguments of one event, as they are read.
struct Read {
  Read(std::string_view event, std::vector<SocketIoValue> values)
      : arguments(std::move(values)), request(read(event)) {}
  Read(std::string_view event, const std::string& json, std::vector<SharedBytes> attachments = {})
      : Read(event, std::vector{SocketIoValue::parse(json, std::move(attachments)).value()}) {}

  const core::Members& members() const { return request.value().members; }
  bool has(std::string_view member) const { return members().has(member); }
  const std::string& text(std::string_view member) const { return members().text(member); }
  std::optional<JsonText> json(std::string_view member) const { return members().copy(member); }
  std::uint64_t number(std::string_view member) const { return members().number(member); }
  Result<TransferData> data() const { return request ? read_transfer(*request, limits) : request.error(); }

  std::vector<SocketIoValue> arguments;
  Result<SharingRequest> request;

 private:
  Result<SharingRequest> read(std::string_view event) const {
    const auto* const type = find_request(detail::SharingSession::request_types(), event);
    REQUIRE(type != nullptr);
    return read_sharing_request(*type, type->arguments, arguments, limits);
  }
};

/// The error's message; "(read)" if there is none.
std::string why(const Read& read) {
  if (!read.request) return read.request.error().message();
  if (!read.has("data")) return "(read)";
  const auto data = read.data();
  return data ? "(read)" : data.error().message();
}
std::string refused(std::string_view event, const std::string& json, std::vector<SharedBytes> attachments = {}) {
  return why(Read(event, json, std::move(attachments)));
}
SharedBytes bytes(std::string content) { return std::make_shared<const std::string>(std::move(content)); }

constexpr const char* placeholder = R"({"_placeholder":true,"num":0})";

std::string file(const std::string& more = R"("fileName":"a.txt","mimeType":"text/plain")") {
  return R"({"type":"file","content":)" + std::string(placeholder) + "," + more + "}";
}

std::string websocket_text(std::string_view frame) {
  REQUIRE(static_cast<unsigned char>(frame[0]) == 0x81);
  const auto length = static_cast<unsigned char>(frame[1]);
  return std::string(frame.substr(length < 126 ? 2 : 4));
}

}  // namespace

// --- Reading ---

TEST_CASE("sharing request: every event is recognised, and no other name") {
  for (const char* name :
       {"public:upload", "public:deleteLast", "room:create",       "room:join",           "room:history",
        "room:upload",   "room:leave",        "room:close",        "room:list",           "room:members",
        "room:event",    "room:chat",         "room:editChat",     "room:deleteChat",     "room:chatHistory",
        "room:presence", "public:items",      "room:uploadTicket", "public:uploadTicket", "call",
        "refresh"}) {
    CHECK(find_request(detail::SharingSession::request_types(), name) != nullptr);
  }
  for (const char* name :
       {"", "room", "room:", "Room:join", "room:joined", "room:data", "public:history", "__proto__"}) {
    CHECK(find_request(detail::SharingSession::request_types(), name) == nullptr);
  }
}

TEST_CASE("sharing request: refresh needs a token") {
  CHECK(Read("refresh", R"({"accessToken":"t"})").text("accessToken") == "t");
  CHECK(refused("refresh", "{}") == "accessToken is missing; it must be a string");
  CHECK_FALSE(Read("refresh", "\"t\"").request);
}

TEST_CASE("sharing request: a string is kept unchanged") {
  const std::string data = R"({ "type":"string", "content":"h\u00e9\n\ud83d\ude00", "more":{"a":[1]} })";
  CHECK(Read("public:upload", data).data()->string.text() == data);
  const auto upload = Read("room:upload", R"({"roomId":"r","data":)" + data + "}");
  REQUIRE(upload.request);
  CHECK(upload.text("roomId") == "r");
  CHECK(upload.data()->string.text() == data);
  CHECK_FALSE(upload.data()->bytes);
  CHECK(upload.data()->file_id.empty());
}

TEST_CASE("sharing request: a file in the message has its bytes, name and type") {
  const auto content = bytes("abc");
  const auto upload = Read("room:upload", R"({"data":)" + file() + R"(,"roomId":"r"})", {content});
  REQUIRE(upload.request);
  CHECK(upload.data()->bytes == content);  // not a copy
  CHECK(upload.data()->file_name == "a.txt");
  CHECK(upload.data()->media_type == "text/plain");
  const auto shared = Read("public:upload", file(R"("fileName":"../../etc/passwd")"), {bytes("")});
  REQUIRE(shared.request);
  CHECK(shared.data()->file_name == "../../etc/passwd");  // a name, never part of a path
  CHECK(shared.data()->media_type == "application/octet-stream");
  CHECK(Read("public:upload", file(R"("fileName":"b","mimeType":"")"), {content}).data()->media_type ==
        "application/octet-stream");
}

TEST_CASE("sharing request: a file referred to by its id") {
  const std::string id = "01234567-89ab-4def-8123-456789abcdef";
  CHECK(Read("public:upload", R"({"type":"file","fileId":")" + id + R"("})").data()->file_id == id);
  for (const char* bad : {"", "x", "../01234567-89ab-4def-8123-456789abcd", "01234567-89AB-4DEF-8123-456789ABCDEF"}) {
    CHECK(refused("public:upload", R"({"type":"file","fileId":")" + std::string(bad) + R"("})") ==
          "data.fileId is not the id of a file");
  }
  CHECK(refused("public:upload", R"({"type":"file","fileId":7})") == "data.fileId is a number; it must be a string");
  CHECK_THAT(refused("public:upload", R"({"type":"file","content":"x","fileId":")" + id + R"("})"),
             ContainsSubstring("one of them"));
}

TEST_CASE("sharing request: invalid data is refused with the reason") {
  const auto upload = [](const char* json) { return refused("public:upload", json); };
  CHECK(upload("null") == "data is missing; it must be an object");
  CHECK(upload("[]") == "data is an array; it must be an object");
  CHECK(upload("{}") == "data.type is missing; it must be a string");
  CHECK(upload(R"({"type":null})") == "data.type is missing; it must be a string");
  CHECK(upload(R"({"type":1})") == "data.type is a number; it must be a string");
  CHECK(upload(R"({"type":"String","content":"x"})") == "data.type is \"String\"; it must be string or file");
  CHECK(upload(R"({"type":"string"})") == "data.content is missing; it must be a string");
  CHECK(upload(R"({"type":"string","content":{"a":1}})") == "data.content is an object; it must be a string");
  CHECK(upload(R"({"type":"file","content":"eA=="})") == "data.content is a string; it must be bytes");
  CHECK(upload(R"({"type":"file","fileName":"a"})") == "data.content is missing; it must be bytes");
  // Without an attachment it is an ordinary object that resembles one.
  CHECK(why(Read("public:upload", std::vector<SocketIoValue>{JsonText::parse(file()).value()})) ==
        "data.content is an object; it must be bytes");
  CHECK(upload(R"({"type":"string","content":"a","content":"b"})") == "member \"content\" appears twice");
  CHECK(why(Read("public:upload", std::vector<SocketIoValue>())) == "data is missing; it must be an object");
  CHECK(refused("room:upload", R"({"roomId":"r"})") == "data is missing; it must be an object");
  CHECK(refused("room:upload", R"({"data":{"type":"string","content":""}})") ==
        "roomId is missing; it must be a string");
}

TEST_CASE("sharing request: bytes are only accepted as the content of a file") {
  const auto content = bytes("abc");
  const auto wrong = "bytes may only be the content of a file";
  CHECK(refused("public:upload", R"({"type":"string","content":"x","more":)" + std::string(placeholder) + "}",
                {content}) == wrong);
  CHECK(
      refused(
          "public:upload",
          R"({"type":"file","fileName":"a","content":{"_placeholder":true,"num":0},"x":{"_placeholder":true,"num":1}})",
          {content, content}) == wrong);
  CHECK(refused("room:event", R"({"roomId":"r","event":"e","payload":)" + std::string(placeholder) + "}", {content}) ==
        wrong);
  CHECK_THAT(refused("public:upload", R"({"type":"string","content":)" + std::string(placeholder) + "}", {content}),
             ContainsSubstring("data.content is an object"));
}

TEST_CASE("sharing request: a lone surrogate is relayed as U+FFFD, and refused in names") {
  const auto value = [](const std::string& json) { return std::vector<SocketIoValue>{JsonText::parse(json).value()}; };
  for (const std::string half : {R"("\ud83d")", R"("\ude00")"}) {
    CAPTURE(half);
    const Read chat("room:chat", value(R"({"roomId":"r","message":)" + half + R"(,"metadata":)" + half + "}"));
    REQUIRE(chat.request);
    CHECK(chat.text("message") == "\xEF\xBF\xBD");
    CHECK(chat.json("metadata")->text() == R"("\ufffd")");
    const auto upload = Read("public:upload", value(R"({"type":"string", "content":)" + half + "}"));
    REQUIRE(upload.request);
    CHECK(upload.data()->string.text() == R"({"type":"string", "content":"\ufffd"})");
    CHECK(refused("room:event", R"({"roomId":)" + half + R"(,"event":"e"})") ==
          "roomId contains a lone surrogate, which is not a character");
    CHECK(refused("room:event", R"({"roomId":"r","event":)" + half + "}") ==
          "event contains a lone surrogate, which is not a character");
  }
}

TEST_CASE("sharing request: names and types of files are limited") {
  const auto content = bytes("abc");
  const auto upload = [&](const std::string& more) { return refused("public:upload", file(more), {content}); };
  CHECK(upload(R"("mimeType":"a/b")") == "data.fileName is missing; it must be a string");
  CHECK(upload(R"("fileName":"")") == "data.fileName is empty");
  CHECK(upload(R"("fileName":"a\u0000b")") == "data.fileName contains control characters");
  CHECK(upload(R"("fileName":"a\r\nSet-Cookie: x")") == "data.fileName contains control characters");
  CHECK(upload(R"("fileName":"\udc00")") == "data.fileName contains a lone surrogate, which is not a character");
  CHECK(upload("\"fileName\":\"" + std::string(513, 'x') + "\"") ==
        "data.fileName has 513 bytes; at most 512 are allowed");
  CHECK(upload("\"fileName\":\"" + std::string(512, 'x') + "\"") == "(read)");
  CHECK(upload(R"("fileName":"a","mimeType":{})") == "data.mimeType is an object; it must be a string");
  CHECK_THAT(upload(R"("fileName":"a","mimeType":"a/b\r\nX: y")"), ContainsSubstring("printable ASCII"));
  CHECK_THAT(upload("\"fileName\":\"a\",\"mimeType\":\"" + std::string(256, 'x') + "\""),
             ContainsSubstring("at most 255"));
}

TEST_CASE("sharing request: a string over the message limit is refused with both sizes") {
  const std::string overhead = R"({"type":"string","content":""})";
  const auto data = [](std::size_t size) { return R"({"type":"string","content":")" + std::string(size, 'x') + "\"}"; };
  const std::size_t most = limits.message_bytes_max - overhead.size();
  CHECK(refused("public:upload", data(most)) == "(read)");
  CHECK(refused("public:upload", data(most + 1)) == "data has 1048577 bytes; at most 1048576 are allowed");
}

TEST_CASE("sharing request: room:create, capacity and mode") {
  const auto create = [](const std::string& capacity, const std::string& mode = "\"live\"") {
    return Read("room:create", R"({"roomId":"r","capacity":)" + capacity + R"(,"mode":)" + mode + "}");
  };
  const auto made = create("10000", "\"history\"");
  REQUIRE(made.request);
  CHECK(made.text("roomId") == "r");
  CHECK(room_options(made.members()).capacity == 10000);
  CHECK(room_options(made.members()).mode == RoomMode::history);
  CHECK(room_options(create("1", "\"singleton\"").members()).mode == RoomMode::singleton);
  for (const char* bad : {"-1", "0", "10001", "1.5", "1e1", "99999999999999999999", "\"10\"", "[]", "true"}) {
    CAPTURE(bad);
    CHECK(why(create(bad)) == "capacity is " + std::string(bad) + "; it must be an integer from 1 to 10000");
  }
  CHECK(why(create("null")) == "capacity is missing; it must be an integer from 1 to 10000");
  for (const char* bad : {"\"\"", "\"Live\"", "\"__proto__\""}) {
    CHECK_THAT(why(create("1", bad)), ContainsSubstring("it must be live, singleton or history"));
  }
  CHECK(why(create("1", "7")) == "mode is a number; it must be a string");
  CHECK(refused("room:create", "\"r\"") == "the first argument is a string; it must be an object");
}

TEST_CASE("sharing request: rooms by the argument or its member") {
  CHECK(Read("room:join", "\"r\"").text("roomId") == "r");
  CHECK(refused("room:join", R"({"roomId":"r"})") == "roomId is an object; it must be a string");
  CHECK(refused("room:history", "7") == "roomId is a number; it must be a string");
  for (const char* const type : {"room:leave", "room:close", "room:members", "room:chatHistory"}) {
    CHECK(Read(type, "\"r\"").text("roomId") == "r");
    CHECK(Read(type, R"({"roomId":"r"})").text("roomId") == "r");
    CHECK(refused(type, "null") == "the first argument is missing; it must be an object");
  }
  CHECK(Read("room:close", R"({"roomId":"r","reason":"done"})").text("reason") == "done");
}

TEST_CASE("sharing request: events, chat, presence and pages") {
  const auto event = Read("room:event", R"({"roomId":"r","event":"e","payload":null})");
  CHECK(event.text("event") == "e");
  CHECK(event.json("payload") == JsonText());
  CHECK_FALSE(Read("room:event", R"({"roomId":"r","event":"e"})").has("payload"));
  CHECK(refused("room:event", R"({"roomId":"r","event":""})") == "event is empty");
  const auto chat = Read("room:chat", R"({"roomId":"r","message":"m","metadata":[1]})");
  CHECK(chat.text("message") == "m");
  CHECK(chat.json("metadata") == "[1]"_json);
  CHECK(refused("room:chat", R"({"roomId":"r","message":"a\u0000"})") == "message contains NUL");
  CHECK(refused("room:chat", R"({"roomId":"r"})") == "message is missing; it must be a string");
  CHECK(Read("room:presence", R"({"roomId":"r","presence":{"a":1}})").json("presence")->text() == R"({"a":1})");
  CHECK(refused("room:presence", R"({"roomId":"r","presence":"x"})") == "presence is a string; it must be an object");
  const auto page = Read("room:chatHistory", R"({"roomId":"r","limit":5,"before":9})");
  CHECK(page.number("limit") == 5);
  CHECK(page.number("before") == 9);
  CHECK(refused("room:chatHistory", R"({"roomId":"r","limit":1001})") ==
        "limit is 1001; it must be an integer from 1 to 1000");
  CHECK_FALSE(Read("room:list", "null").has("limit"));
  CHECK(Read("room:list", R"({"limit":2})").number("limit") == 2);
  CHECK(Read("room:list", R"({"after":"r"})").text("after") == "r");
  CHECK(refused("room:list", R"({"after":7})") == "after is a number; it must be a string");
  const auto members = Read("room:members", R"({"roomId":"r","limit":5,"after":9})");
  CHECK(members.number("limit") == 5);
  CHECK(members.number("after") == 9);
  CHECK_FALSE(Read("room:members", "\"r\"").has("limit"));
  CHECK_FALSE(Read("public:items", "null").has("limit"));
  CHECK(Read("public:items", R"({"before":9})").number("before") == 9);
  CHECK(refused("public:items", "7") == "the argument with options is a number; it must be an object");
  const auto history = [](const std::string& options) {
    const std::vector<SocketIoValue> arguments{JsonText::string("r"), JsonText::trusted(options)};
    return Read("room:history", arguments);
  };
  CHECK(history(R"({"limit":5,"before":9})").number("before") == 9);
  CHECK_FALSE(history("null").has("limit"));
  CHECK(why(history(R"({"limit":0})")) == "limit is 0; it must be an integer from 1 to 1000");
}

// --- Writing ---

TEST_CASE("sharing writer: the same packet as a frame and in a poll") {
  const SharingWriter framed(SharingWriter::Form::websocket);
  const SharingWriter polled(SharingWriter::Form::polling);
  const auto both = [&](const auto& write, const std::string& packet) {
    std::string frame = "before";
    std::string poll = "before";
    write(framed, frame);
    write(polled, poll);
    CHECK(websocket_text(frame.substr(6)) == packet);
    CHECK(poll == "before" + packet);
  };
  const SharedItem item{"c1", R"({"type":"string","content":"é"})"_json, 7, nullptr};
  both([&](const SharingWriter& w, std::string& out) { w.data(out, "a \"room\"", item); },
       R"(42["room:data",{"type":"string","content":"é"},"a \"room\""])");
  both(
      [&](const SharingWriter& w, std::string& out) {
        const std::deque<SharedItem> items{item, item};
        w.public_history(out, {items.begin(), items.end()});
      },
      R"(42["public:history",[{"type":"string","content":"é"},{"type":"string","content":"é"}]])");
  both([&](const SharingWriter& w, std::string& out) { w.public_history(out, {}); }, R"(42["public:history",[]])");
  both([&](const SharingWriter& w, std::string& out) { w.notice(out, {"tick", "[1]"}); }, R"(42["tick",[1]])");
  both(
      [&](const SharingWriter& w, std::string& out) {
        w.event(out, {"r", "c1", "u1", "wave", "[1]"});
      },
      R"(42["room:event",{"roomId":"r","connectionId":"c1","userId":"u1","event":"wave","payload":[1]}])");
  both(
      [&](const SharingWriter& w, std::string& out) {
        w.chat(out, {"m1", "r", "c1", "", "hi", "{}", 5, 2});
      },
      R"(42["room:chat",{"id":"m1","roomId":"r","connectionId":"c1","message":"hi","metadata":{},"createdAt":5,"offset":2}])");
  both(
      [&](const SharingWriter& w, std::string& out) {
        w.chat(out, {"m1", "r", "c1", "", "hi", "", 5, 2, 6});
      },
      R"(42["room:chatEdited",{"id":"m1","roomId":"r","connectionId":"c1","message":"hi","createdAt":5,"offset":2,"editedAt":6}])");
  both(
      [&](const SharingWriter& w, std::string& out) {
        w.chat(out, {"m1", "r", "c1", "", "", "", 5, 2, 6, 7});
      },
      R"(42["room:chatDeleted",{"id":"m1","roomId":"r","connectionId":"c1","message":"","createdAt":5,"offset":2,"editedAt":6,"deletedAt":7}])");
  both(
      [&](const SharingWriter& w, std::string& out) {
        w.presence(out, {"r", {{"c1", nullptr, "{}"}}, {"c2"}, {}});
      },
      R"(42["room:presence",{"roomId":"r","joined":[{"connectionId":"c1","presence":{}}],"left":["c2"]}])");
  both([&](const SharingWriter& w, std::string& out) { w.closed(out, "r", "done"); },
       R"(42["room:closed",{"roomId":"r","reason":"done"}])");
}

TEST_CASE("sharing answer: members are escaped and keep their order") {
  CHECK(SharingAnswer(true, "a \"b\"").string("roomId", "r\n").json("data", "[1]").take().text() ==
        R"({"success":true,"message":"a \"b\"","roomId":"r\n","data":[1]})");
  CHECK(SharingAnswer(false, "no").take().text() == R"({"success":false,"message":"no"})");
  const RoomInfo room{"r", RoomMode::history, 5, 2, {}};
  CHECK(sharing_rooms({&room, 1}) == R"([{"roomId":"r","mode":"history","capacity":5,"members":2}])");
}

}  // namespace sharing_codec_test
