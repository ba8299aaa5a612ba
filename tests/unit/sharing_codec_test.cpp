#include "catch.hpp"

#include <flux/detail/endpoints/sharing/sharing_codec.hpp>
#include <flux/detail/endpoints/socketio/engineio_codec.hpp>

#include <memory>

using namespace flux;
using namespace flux::protocol;
using namespace flux::literals;
using Catch::Matchers::ContainsSubstring;

namespace {

const Limits limits;

Result<SharingRequest> read(SharingType type, const std::string& json, std::vector<SharedBytes> attachments = {}) {
  const SocketIoValue argument = SocketIoValue::parse(json, std::move(attachments)).value();
  return read_sharing_request(type, {&argument, 1}, limits);
}
/// The error's message; "(read)" if there is none.
std::string refused(SharingType type, const std::string& json, std::vector<SharedBytes> attachments = {}) {
  const auto request = read(type, json, std::move(attachments));
  return request ? "(read)" : request.error().message();
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

TEST_CASE("sharing request: every event of the table and of ours is recognised, and no other") {
  for (const char* name :
       {"public:upload", "public:deleteLast", "room:create", "room:join", "room:history", "room:upload", "room:leave",
        "room:close", "room:list", "room:members", "room:event", "room:chat", "room:chatHistory", "room:presence",
        "public:items", "room:uploadTicket", "public:uploadTicket", "call"}) {
    CHECK(sharing_type(name));
  }
  for (const char* name :
       {"", "room", "room:", "Room:join", "room:joined", "room:data", "public:history", "__proto__"}) {
    CHECK_FALSE(sharing_type(name));
  }
}

TEST_CASE("sharing request: a string is kept unchanged") {
  const std::string data = R"({ "type":"string", "content":"h\u00e9\n\ud83d\ude00", "more":{"a":[1]} })";
  CHECK(read(SharingType::public_upload, data)->data.string.text() == data);
  const auto upload = read(SharingType::room_upload, R"({"roomId":"r","data":)" + data + "}");
  REQUIRE(upload);
  CHECK(upload->room == "r");
  CHECK(upload->data.string.text() == data);
  CHECK_FALSE(upload->data.bytes);
  CHECK(upload->data.file_id.empty());
}

TEST_CASE("sharing request: a file in the message has its bytes, name and type") {
  const auto content = bytes("abc");
  const auto upload = read(SharingType::room_upload, R"({"data":)" + file() + R"(,"roomId":"r"})", {content});
  REQUIRE(upload);
  CHECK(upload->data.bytes == content);  // not a copy
  CHECK(upload->data.file_name == "a.txt");
  CHECK(upload->data.media_type == "text/plain");
  const auto shared = read(SharingType::public_upload, file(R"("fileName":"../../etc/passwd")"), {bytes("")});
  REQUIRE(shared);
  CHECK(shared->data.file_name == "../../etc/passwd");  // a name, never part of a path
  CHECK(shared->data.media_type == "application/octet-stream");
  CHECK(read(SharingType::public_upload, file(R"("fileName":"b","mimeType":"")"), {content})->data.media_type ==
        "application/octet-stream");
}

TEST_CASE("sharing request: a file referred to by its id") {
  const std::string id = "01234567-89ab-4def-8123-456789abcdef";
  CHECK(read(SharingType::public_upload, R"({"type":"file","fileId":")" + id + R"("})")->data.file_id == id);
  for (const char* bad : {"", "x", "../01234567-89ab-4def-8123-456789abcd", "01234567-89AB-4DEF-8123-456789ABCDEF"}) {
    CHECK(refused(SharingType::public_upload, R"({"type":"file","fileId":")" + std::string(bad) + R"("})") ==
          "data.fileId is not the id of a file");
  }
  CHECK(refused(SharingType::public_upload, R"({"type":"file","fileId":7})") ==
        "data.fileId is a number; it must be a string");
  CHECK_THAT(refused(SharingType::public_upload, R"({"type":"file","content":"x","fileId":")" + id + R"("})"),
             ContainsSubstring("one of them"));
}

TEST_CASE("sharing request: invalid data is refused with the reason") {
  const auto upload = [](const char* json) { return refused(SharingType::public_upload, json); };
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
  CHECK(read_sharing_request(SharingType::public_upload, std::vector<SocketIoValue>{JsonText::parse(file()).value()},
                             limits)
            .error()
            .message() == "data.content is an object; it must be bytes");
  CHECK(upload(R"({"type":"string","content":"a","content":"b"})") == "member \"content\" is there twice");
  CHECK(read_sharing_request(SharingType::public_upload, {}, limits).error().message() ==
        "data is missing; it must be an object");
  CHECK(refused(SharingType::room_upload, R"({"roomId":"r"})") == "data is missing; it must be an object");
  CHECK(refused(SharingType::room_upload, R"({"data":{"type":"string","content":""}})") ==
        "roomId is missing; it must be a string");
}

TEST_CASE("sharing request: bytes are only accepted as the content of a file") {
  const auto content = bytes("abc");
  const auto wrong = "bytes may only be the content of a file";
  CHECK(refused(SharingType::public_upload,
                R"({"type":"string","content":"x","more":)" + std::string(placeholder) + "}", {content}) == wrong);
  CHECK(
      refused(
          SharingType::public_upload,
          R"({"type":"file","fileName":"a","content":{"_placeholder":true,"num":0},"x":{"_placeholder":true,"num":1}})",
          {content, content}) == wrong);
  CHECK(refused(SharingType::room_event, R"({"roomId":"r","event":"e","payload":)" + std::string(placeholder) + "}",
                {content}) == wrong);
  CHECK_THAT(
      refused(SharingType::public_upload, R"({"type":"string","content":)" + std::string(placeholder) + "}", {content}),
      ContainsSubstring("data.content is an object"));
}

TEST_CASE("sharing request: half of a surrogate pair, relayed as U+FFFD, refused in names") {
  const auto value = [](const std::string& json) { return std::vector<SocketIoValue>{JsonText::parse(json).value()}; };
  for (const std::string half : {R"("\ud83d")", R"("\ude00")"}) {
    CAPTURE(half);
    const auto chat = read_sharing_request(
        SharingType::room_chat, value(R"({"roomId":"r","message":)" + half + R"(,"metadata":)" + half + "}"), limits);
    REQUIRE(chat);
    CHECK(chat->message == "\xEF\xBF\xBD");
    CHECK(chat->metadata->text() == R"("\ufffd")");
    const auto upload =
        read_sharing_request(SharingType::public_upload, value(R"({"type":"string", "content":)" + half + "}"), limits);
    REQUIRE(upload);
    CHECK(upload->data.string.text() == R"({"type":"string", "content":"\ufffd"})");
    CHECK(refused(SharingType::room_event, R"({"roomId":)" + half + R"(,"event":"e"})") ==
          "roomId holds a lone surrogate, which is no character");
    CHECK(refused(SharingType::room_event, R"({"roomId":"r","event":)" + half + "}") ==
          "event holds a lone surrogate, which is no character");
  }
}

TEST_CASE("sharing request: names and types of files are limited") {
  const auto content = bytes("abc");
  const auto upload = [&](const std::string& more) {
    return refused(SharingType::public_upload, file(more), {content});
  };
  CHECK(upload(R"("mimeType":"a/b")") == "data.fileName is missing; it must be a string");
  CHECK(upload(R"("fileName":"")") == "data.fileName is empty");
  CHECK(upload(R"("fileName":"a\u0000b")") == "data.fileName holds control characters");
  CHECK(upload(R"("fileName":"a\r\nSet-Cookie: x")") == "data.fileName holds control characters");
  CHECK(upload(R"("fileName":"\udc00")") == "data.fileName holds a lone surrogate, which is no character");
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
  CHECK(refused(SharingType::public_upload, data(most)) == "(read)");
  CHECK(refused(SharingType::public_upload, data(most + 1)) == "data has 1048577 bytes; at most 1048576 are allowed");
}

TEST_CASE("sharing request: room:create, capacity and mode") {
  const auto create = [](const std::string& capacity, const std::string& mode = "\"live\"") {
    return read(SharingType::room_create, R"({"roomId":"r","capacity":)" + capacity + R"(,"mode":)" + mode + "}");
  };
  const auto made = create("10000", "\"history\"");
  REQUIRE(made);
  CHECK(made->room == "r");
  CHECK(made->options.capacity == 10000);
  CHECK(made->options.mode == RoomMode::history);
  CHECK(create("1", "\"singleton\"")->options.mode == RoomMode::singleton);
  for (const char* bad : {"-1", "0", "10001", "1.5", "1e1", "99999999999999999999", "\"10\"", "[]", "true"}) {
    CAPTURE(bad);
    CHECK(create(bad).error().message() ==
          "capacity is " + std::string(bad) + "; it must be an integer from 1 to 10000");
  }
  CHECK(create("null").error().message() == "capacity is missing; it must be an integer from 1 to 10000");
  for (const char* bad : {"\"\"", "\"Live\"", "\"__proto__\""}) {
    CHECK_THAT(create("1", bad).error().message(), ContainsSubstring("it must be live, singleton or history"));
  }
  CHECK(create("1", "7").error().message() == "mode is a number; it must be a string");
  CHECK(refused(SharingType::room_create, "\"r\"") == "the first argument is a string; it must be an object");
}

TEST_CASE("sharing request: rooms by the argument or its member") {
  CHECK(read(SharingType::room_join, "\"r\"")->room == "r");
  CHECK(refused(SharingType::room_join, R"({"roomId":"r"})") == "roomId is an object; it must be a string");
  CHECK(refused(SharingType::room_history, "7") == "roomId is a number; it must be a string");
  for (const auto type :
       {SharingType::room_leave, SharingType::room_close, SharingType::room_members, SharingType::room_chat_history}) {
    CHECK(read(type, "\"r\"")->room == "r");
    CHECK(read(type, R"({"roomId":"r"})")->room == "r");
    CHECK(refused(type, "null") == "the first argument is missing; it must be an object");
  }
  CHECK(read(SharingType::room_close, R"({"roomId":"r","reason":"done"})")->reason == "done");
}

TEST_CASE("sharing request: events, chat, presence and pages") {
  const auto event = read(SharingType::room_event, R"({"roomId":"r","event":"e","payload":null})");
  CHECK(event->event == "e");
  CHECK(event->payload == JsonText());
  CHECK_FALSE(read(SharingType::room_event, R"({"roomId":"r","event":"e"})")->payload);
  CHECK(refused(SharingType::room_event, R"({"roomId":"r","event":""})") == "event is empty");
  const auto chat = read(SharingType::room_chat, R"({"roomId":"r","message":"m","metadata":[1]})");
  CHECK(chat->message == "m");
  CHECK(chat->metadata == "[1]"_json);
  CHECK(refused(SharingType::room_chat, R"({"roomId":"r","message":"a\u0000"})") == "message holds NUL");
  CHECK(refused(SharingType::room_chat, R"({"roomId":"r"})") == "message is missing; it must be a string");
  CHECK(read(SharingType::room_presence, R"({"roomId":"r","presence":{"a":1}})")->presence.text() == R"({"a":1})");
  CHECK(refused(SharingType::room_presence, R"({"roomId":"r","presence":"x"})") ==
        "presence is a string; it must be an object");
  const auto page = read(SharingType::room_chat_history, R"({"roomId":"r","limit":5,"before":9})");
  CHECK(page->limit == 5);
  CHECK(page->before == 9);
  CHECK(refused(SharingType::room_chat_history, R"({"roomId":"r","limit":1001})") ==
        "limit is 1001; it must be an integer from 1 to 1000");
  CHECK(read(SharingType::room_list, "null")->limit == 100);
  CHECK(read(SharingType::room_list, R"({"limit":2})")->limit == 2);
  CHECK(read(SharingType::room_list, R"({"after":"r"})")->after_room == "r");
  CHECK(refused(SharingType::room_list, R"({"after":7})") == "after is a number; it must be a string");
  const auto members = read(SharingType::room_members, R"({"roomId":"r","limit":5,"after":9})");
  CHECK(members->limit == 5);
  CHECK(members->after == 9);
  CHECK(read(SharingType::room_members, "\"r\"")->limit == features::no_limit);
  CHECK(read(SharingType::public_items, "null")->limit == features::no_limit);
  CHECK(read(SharingType::public_items, R"({"before":9})")->before == 9);
  CHECK(refused(SharingType::public_items, "7") == "the argument with options is a number; it must be an object");
  const auto history = [](const std::string& options) {
    const std::vector<SocketIoValue> arguments{JsonText::string("r"), JsonText::trusted(options)};
    return read_sharing_request(SharingType::room_history, arguments, Limits());
  };
  CHECK(history(R"({"limit":5,"before":9})")->before == 9);
  CHECK(history("null")->limit == features::no_limit);
  CHECK(history(R"({"limit":0})").error().message() == "limit is 0; it must be an integer from 1 to 1000");
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
