#include "catch.hpp"

#include <flux/detail/endpoints/socketio/engineio_codec.hpp>
#include <flux/detail/endpoints/socketio/socketio_codec.hpp>
#include <flux/detail/transport/websocket_frame.hpp>

#include <random>
#include <string>
#include <thread>
#include <vector>

namespace socketio_codec_test {

using namespace flux;
using namespace flux::literals;
using namespace flux::protocol;
using Catch::Matchers::ContainsSubstring;

namespace {

SocketIoPacket read(std::string_view text, const SocketIoLimits& limits = {}) {
  SocketIoPacket packet;
  read_socketio_packet(text, limits, packet).value();
  return packet;
}

std::optional<Error> error_of(std::string_view text, const SocketIoLimits& limits = {}) {
  SocketIoPacket packet;
  const auto done = read_socketio_packet(text, limits, packet);
  if (done) return std::nullopt;
  return done.error();
}

std::vector<std::string> argument_texts(const SocketIoPacket& packet) {
  std::vector<std::string> texts;
  for (const auto& argument : packet.arguments) texts.emplace_back(argument.text);
  return texts;
}

SharedBytes shared(std::string bytes) { return std::make_shared<const std::string>(std::move(bytes)); }

SocketIoMessagePtr event(std::string_view nsp, std::string_view name, const std::vector<SocketIoValue>& arguments,
                         std::optional<std::uint64_t> id = {}) {
  return encode_socketio_event(nsp, name, arguments, id).value();
}

/// Opcodes and payloads of consecutive whole frames.
std::vector<std::pair<int, std::string>> frames(std::string_view bytes) {
  std::vector<std::pair<int, std::string>> out;
  while (!bytes.empty()) {
    const auto size = static_cast<std::size_t>(transport::server_frame_size(bytes));
    REQUIRE(size != 0);
    REQUIRE(size <= bytes.size());
    const std::size_t header = (bytes[1] & 0x7f) < 126 ? 2 : (bytes[1] & 0x7f) == 126 ? 4 : 10;
    REQUIRE((static_cast<unsigned char>(bytes[0]) & 0xf0u) == 0x80u);
    out.emplace_back(bytes[0] & 0x0f, bytes.substr(header, size - header));
    bytes.remove_prefix(size);
  }
  return out;
}

constexpr std::string_view one = R"({"_placeholder":true,"num":0})";

}  // namespace

// --- Packets ---

TEST_CASE("socket.io packet: the specification's examples, they are read", "[socketio]") {
  SocketIoPacket packet = read("0");
  CHECK(packet.type == SocketIoType::connect);
  CHECK(packet.nsp == "/");
  CHECK(packet.data.empty());
  packet = read(R"(0/admin,{"sid":"oSO0OpakMV_3jnilAAAA"})");
  CHECK(packet.nsp == "/admin");
  CHECK(packet.data == R"({"sid":"oSO0OpakMV_3jnilAAAA"})");
  packet = read(R"(4{"message":"Not authorized"})");
  CHECK(packet.type == SocketIoType::connect_error);
  CHECK(read(R"(4"no")").data == R"("no")");
  packet = read(R"(2["foo"])");
  CHECK(packet.is_event());
  CHECK(packet.event == "foo");
  CHECK(packet.arguments.empty());
  CHECK(!packet.id);
  packet = read(R"(2/admin,["bar"])");
  CHECK(packet.nsp == "/admin");
  packet = read(R"(212["foo"])");
  CHECK(packet.id == 12);
  packet = read(R"(3/admin,13["bar"])");
  CHECK(packet.is_ack());
  CHECK(packet.id == 13);
  CHECK(argument_texts(packet) == std::vector<std::string>{"\"bar\""});
  CHECK(read("312[]").arguments.empty());
  packet = read("1/admin,");
  CHECK(packet.type == SocketIoType::disconnect);
  CHECK(packet.nsp == "/admin");
  CHECK(read("1/admin").nsp == "/admin");
  packet = read(R"(52-/admin,["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])");
  CHECK(packet.type == SocketIoType::binary_event);
  CHECK(packet.attachments == 2);
  REQUIRE(packet.placeholders.size() == 2);
  CHECK(packet.data.substr(packet.placeholders[0].begin, packet.placeholders[0].end - packet.placeholders[0].begin) ==
        one);
  packet = read(R"(61-15["bar",{"_placeholder":true,"num":0}])");
  CHECK(packet.type == SocketIoType::binary_ack);
  CHECK(packet.id == 15);
}

TEST_CASE("socket.io packet: arguments are returned as they were written", "[socketio]") {
  const SocketIoPacket packet = read(R"(27["m\u0065", 1.50 ,"\u00e9",{ "a":[1,{"b":null}]},[],[[2]] ,null,true])");
  CHECK(packet.event == "me");
  CHECK(packet.id == 7);
  CHECK(argument_texts(packet) ==
        std::vector<std::string>{"1.50", R"("\u00e9")", R"({ "a":[1,{"b":null}]})", "[]", "[[2]]", "null", "true"});
  CHECK(packet.arguments[2].kind == JsonText::Kind::object);
  CHECK(packet.arguments[6].kind == JsonText::Kind::boolean);
  CHECK(read("2[5,1]").event == "5");
}

TEST_CASE("socket.io packet: a namespace with a query, the query is part of its name", "[socketio]") {
  CHECK(read(R"(0/admin?token=1&a=b,{"x":1})").nsp == "/admin?token=1&a=b");
}

TEST_CASE("socket.io packet: lone surrogates are returned as they were written", "[socketio]") {
  const SocketIoPacket packet =
      read(R"(2["m",{"\\\ud800":["\ud83d\ude00\udc00","\\ud800"]},"\uD83D","\ud83d\ud83d\ude00"])");
  CHECK(argument_texts(packet) == std::vector<std::string>{R"({"\\\ud800":["\ud83d\ude00\udc00","\\ud800"]})",
                                                           R"("\uD83D")", R"("\ud83d\ud83d\ude00")"});
  CHECK(read(R"(51-["m","\udbff",{"_placeholder":true,"num":0,"\ud800":1}])").placeholders.size() == 1);
}

TEST_CASE("socket.io packet: a reused packet object, nothing of the last packet is left", "[socketio]") {
  SocketIoPacket packet;
  REQUIRE(read_socketio_packet(R"(51-/a,7["x",{"_placeholder":true,"num":0}])", {}, packet));
  REQUIRE(read_socketio_packet("0", {}, packet));
  CHECK(packet.nsp == "/");
  CHECK(!packet.id);
  CHECK(packet.attachments == 0);
  CHECK(packet.data.empty());
  CHECK(packet.event.empty());
  CHECK(packet.arguments.empty());
  CHECK(packet.placeholders.empty());
}

TEST_CASE("socket.io packet: malformed packets are refused with the reason", "[socketio]") {
  struct Case {
    std::string_view text, part;
  };
  const Case cases[] = {
      {"", "empty"},
      {"7", "type"},
      {"abc", "type"},
      {" 2[\"a\"]", "type"},
      {"-1", "type"},
      {"2", "EVENT must have an array"},
      {"2/a", "EVENT must have an array"},
      {"2{}", "must be an array"},
      {"2\"a\"", "must be an array"},
      {"2[]", "must have a name"},
      {"2[null]", "string or a number"},
      {"2[true]", "string or a number"},
      {"2[{}]", "string or a number"},
      {"2[[\"a\"]]", "string or a number"},
      {"2abc[\"a\"]", "object, an array or a string"},
      {"2 [\"a\"]", "object, an array or a string"},
      {"2-1[\"a\"]", "object, an array or a string"},
      {"21.5[\"a\"]", "object, an array or a string"},
      {"2[\"a\"", "invalid JSON"},
      {"2[\"a\",]", "invalid JSON"},
      {"2[\"a\"]x", "invalid JSON"},
      {"2[\"a\"][]", "invalid JSON"},
      {"2['a']", "invalid JSON"},
      {"2[\"a\",\"\xff\"]", "invalid JSON"},
      {"2[\"a\",NaN]", "invalid JSON"},
      {std::string_view("2[\"a\"]\0", 7), "invalid JSON"},
      {"2[\"\\udc00\"]", "surrogate"},
      {"29007199254740992[\"a\"]", "past 9007199254740991"},
      {"299999999999999999999999[\"a\"]", "past 9007199254740991"},
      {"3[\"a\"]", "ACK must have the id"},
      {"3", "ACK must have the id"},
      {"31", "ACK must have an array"},
      {"31{}", "must be an array"},
      {"61-[{\"_placeholder\":true,\"num\":0}]", "BINARY_ACK must have the id"},
      {"0[]", "CONNECT must be an object"},
      {"0\"a\"", "CONNECT must be an object"},
      {"0null", "object, an array or a string"},
      {"0/a,1x", "object, an array or a string"},
      {"1{}", "DISCONNECT must have no data"},
      {"1/a,[]", "DISCONNECT must have no data"},
      {"4[]", "object or a string"},
      {"4null", "object, an array or a string"},
      {"2/a\n,[\"a\"]", "control characters"},
      {"2/a\x7f,[\"a\"]", "control characters"},
      {"2/\xc3,[\"a\"]", "invalid UTF-8"},
      {"5[\"a\"]", "number of its attachments"},
      {"5", "number of its attachments"},
      {"51", "number of its attachments"},
      {"5-[\"a\"]", "number of its attachments"},
      {"5a-[\"a\"]", "number of its attachments"},
      {"5-1-[\"a\"]", "number of its attachments"},
      {"51.0-[\"a\"]", "number of its attachments"},
      {"50-[\"a\"]", "0 attachments"},
      {"500-[\"a\"]", "0 attachments"},
      {"51-", "must have an array"},
      {"51-{\"_placeholder\":true,\"num\":0}", "must be an array"},
      {"51-[{\"_placeholder\":true,\"num\":0}]", "string or a number"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    const auto error = error_of(c.text);
    REQUIRE(error);
    CHECK_THAT(error->message(), ContainsSubstring(std::string(c.part)));
    CHECK((error->code() == Errc::invalid_message || error->code() == Errc::invalid_json));
  }
}

TEST_CASE("socket.io packet: reserved event names are refused however they are written", "[socketio]") {
  for (const std::string name :
       {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}) {
    CAPTURE(name);
    CHECK(is_reserved_socketio_event(name));
    CHECK(error_of("2[\"" + name + "\"]"));
    CHECK(error_of("51-[\"" + name + "\"," + std::string(one) + "]"));
    CHECK(!error_of("2[\"" + name + "x\"]"));
    CHECK(!error_of("31[\"" + name + "\"]"));
    CHECK(!encode_socketio_event("/", name, {}));
  }
  CHECK(error_of(R"(2["c\u006fnnect"])"));
  CHECK(!error_of(R"(2["Connect"])"));
  CHECK(!error_of(R"(2[""])"));
}

TEST_CASE("socket.io packet: placeholders at any depth, each is found", "[socketio]") {
  const SocketIoPacket packet = read(
      R"(53-["m",{"a":[{"num":2,"_placeholder":true}],"num":{"num":1}}, { "_placeholder" : true, "x":[1], "num" : 0 },)"
      R"({"\u005fplaceholder":true,"num":1},{"_placeholder":false,"num":0},{"_placeholder":"true"},{"_placeholder":[true]}])");
  REQUIRE(packet.placeholders.size() == 3);
  const auto slice = [&](std::size_t i) {
    return packet.data.substr(packet.placeholders[i].begin, packet.placeholders[i].end - packet.placeholders[i].begin);
  };
  CHECK(slice(0) == R"({"num":2,"_placeholder":true})");
  CHECK(packet.placeholders[0].num == 2);
  CHECK(slice(1) == R"({ "_placeholder" : true, "x":[1], "num" : 0 })");
  CHECK(packet.placeholders[1].num == 0);
  CHECK(packet.placeholders[2].num == 1);
  CHECK(packet.arguments.size() == 6);
}

TEST_CASE("socket.io packet: placeholders that do not match the attachments are refused", "[socketio]") {
  struct Case {
    std::string_view data, part;
  };
  const Case cases[] = {
      {R"(["m"])", "attachment 0 has no placeholder"},
      {R"(["m",{"_placeholder":true,"num":0}])", "attachment 1 has no placeholder"},
      {R"(["m",{"_placeholder":true,"num":1}])", "attachment 0 has no placeholder"},
      {R"(["m",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}])", "two placeholders have the num 0"},
      {R"(["m",{"_placeholder":true,"num":0},{"_placeholder":true,"num":2}])", "num is 2"},
      {R"(["m",{"_placeholder":true,"num":0},{"_placeholder":true,"num":-1}])", "num is -1"},
      {R"(["m",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1.0}])", "num is 1.0"},
      {R"(["m",{"_placeholder":true,"num":0},{"_placeholder":true,"num":18446744073709551617}])",
       "num is 18446744073709551617"},
      {R"(["m",{"_placeholder":true,"num":0},{"_placeholder":true,"num":"1"}])", "num is no number"},
      {R"(["m",{"_placeholder":true,"num":0},{"_placeholder":true,"num":[1]}])", "num is no number"},
      {R"(["m",{"_placeholder":true,"num":0},{"_placeholder":true}])", "num is no number"},
      {R"(["m",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0,"num":1}])", "duplicate member"},
      {R"(["m",{"_placeholder":true,"num":0},{"_placeholder":false,"_placeholder":true,"num":1}])", "duplicate member"},
      {R"(["m",{"_placeholder":true,"num":0,"in":{"_placeholder":true,"num":1}}])", "contains another"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.data);
    const auto error = error_of("52-" + std::string(c.data));
    REQUIRE(error);
    CHECK(error->code() == Errc::invalid_message);
    CHECK_THAT(error->message(), ContainsSubstring(std::string(c.part)));
  }
  // Without attachments they are ordinary values.
  CHECK(argument_texts(read(R"(2["m",{"_placeholder":true,"num":5}])")).front() == R"({"_placeholder":true,"num":5})");
}

TEST_CASE("socket.io packet: its limits, values at a limit are accepted and values past it refused", "[socketio]") {
  SocketIoLimits limits;
  limits.attachments_max = 2;
  limits.arguments_max = 2;
  limits.namespace_bytes_max = 4;
  limits.event_name_bytes_max = 3;
  limits.json_depth_max = 3;
  const auto code = [&](std::string_view text) -> std::optional<Errc> {
    const auto error = error_of(text, limits);
    if (!error) return std::nullopt;
    return error->code();
  };
  CHECK(code(R"(52-["m",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])") == std::nullopt);
  CHECK(code(R"(53-["m"])") == Errc::limit_exceeded);
  CHECK(code(R"(599999999999999999999999-["m"])") == Errc::limit_exceeded);
  CHECK(code(R"(2["m",1,2])") == std::nullopt);
  CHECK(code(R"(2["m",1,2,3])") == Errc::limit_exceeded);
  CHECK(code(R"(31[1,2])") == std::nullopt);
  CHECK(code(R"(31[1,2,3])") == Errc::limit_exceeded);
  CHECK(code(R"(2/abc,["m"])") == std::nullopt);
  CHECK(code(R"(2/abcd,["m"])") == Errc::message_too_large);
  CHECK(code(R"(2["abc"])") == std::nullopt);
  CHECK(code(R"(2["abcd"])") == Errc::message_too_large);
  CHECK(code(R"(2["m",[[]]])") == std::nullopt);
  CHECK(code(R"(2["m",[[[]]]])") == Errc::invalid_json);
  CHECK(code(R"(0{"a":{"b":{}}})") == std::nullopt);
  CHECK(code("2" + std::string(100'000, '[')) == Errc::invalid_json);
}

// --- Values ---

TEST_CASE("socket.io value: bytes in JSON are numbered in the order of the text", "[socketio]") {
  const auto value =
      SocketIoValue::parse(R"({"b":{"num":1,"_placeholder":true,"x":0},"a":[{"_placeholder":true,"num":0}]})",
                           {shared("zero"), shared("one")})
          .value();
  CHECK(value.json().text() == R"({"b":{"_placeholder":true,"num":0},"a":[{"_placeholder":true,"num":1}]})");
  REQUIRE(value.attachments().size() == 2);
  CHECK(*value.attachments()[0] == "one");
  CHECK(*value.bytes_at("/b") == "one");
  CHECK(*value.bytes_at("/a/0") == "zero");
  CHECK(!value.bytes_at(""));
  CHECK(!value.bytes_at("/a"));
  CHECK(!value.bytes_at("/c"));
  CHECK(!value.bytes_at("/b/num"));
  CHECK(!value.at("/b/num"));
  CHECK(!value.at("/nothing"));
  CHECK(value.at("").value() == value);
  const auto part = value.at("/a").value();
  CHECK(part.json().text() == "[" + std::string(one) + "]");
  CHECK(*part.bytes_at("/0") == "zero");
  CHECK(value.at("/b").value() == SocketIoValue::bytes(std::string("one")));
  CHECK(!(value.at("/b").value() == SocketIoValue::bytes(std::string("two"))));
  CHECK(!(SocketIoValue("1"_json) == SocketIoValue("2"_json)));
  // Text that resembles a placeholder is not one.
  const SocketIoValue plain(JsonText::trusted(std::string(one)));
  CHECK(!(plain == SocketIoValue::bytes(std::string("one"))));
  CHECK(!plain.bytes_at());
  CHECK(*SocketIoValue::bytes(std::string("x")).bytes_at() == "x");
  CHECK(SocketIoValue().json().text() == "null");
}

TEST_CASE("socket.io value: JSON that does not match its bytes is refused", "[socketio]") {
  CHECK(SocketIoValue::parse("[1,", {}).error().code() == Errc::invalid_json);
  CHECK(SocketIoValue::parse("[1]", {shared("a")}).error().code() == Errc::invalid_message);
  CHECK(SocketIoValue::parse(R"([{"_placeholder":true,"num":1}])", {shared("a")}).error().code() ==
        Errc::invalid_message);
  CHECK(SocketIoValue::parse("[[[]]]", {}, 2).error().code() == Errc::invalid_json);
  CHECK(SocketIoValue::parse(R"([{"_placeholder":true,"num":1}])", {}).value().attachments().empty());
}

// --- Reassembly ---

TEST_CASE("socket.io decoder: attachments in any order of placeholders, arguments hold their bytes", "[socketio]") {
  SocketIoDecoder decoder(SocketIoLimits{});
  {
    const std::string text =
        R"(52-/a,9["m",[1],{"f":{"_placeholder":true,"num":1},"n":"x"},{"_placeholder":true,"num":0}])";
    CHECK(!decoder.text(text).value());  // the text may be freed before the attachments arrive
  }
  CHECK(decoder.waiting());
  CHECK(decoder.bytes() > 60);
  CHECK(!decoder.binary("zero").value());
  CHECK(decoder.waiting());
  CHECK(decoder.binary("one").value());
  CHECK(!decoder.waiting());
  CHECK(decoder.bytes() == 0);
  CHECK(decoder.packet().event == "m");
  CHECK(decoder.packet().nsp == "/a");
  CHECK(decoder.packet().id == 9);
  const auto arguments = decoder.arguments();
  REQUIRE(arguments.size() == 3);
  CHECK(arguments[0].json().text() == "[1]");
  CHECK(arguments[0].attachments().empty());
  CHECK(arguments[1].json().text() == R"({"f":{"_placeholder":true,"num":0},"n":"x"})");
  CHECK(*arguments[1].bytes_at("/f") == "one");
  CHECK(*arguments[2].bytes_at() == "zero");
  CHECK(decoder.text(R"(2["n"])").value());
  CHECK(decoder.packet().event == "n");
  CHECK(decoder.attachments().empty());
  decoder.reset();
  CHECK(decoder.packet().arguments.capacity() == 0);
}

TEST_CASE("socket.io decoder: input out of order is an error and nothing is kept", "[socketio]") {
  SocketIoDecoder decoder(SocketIoLimits{});
  const std::string binary = "51-[\"m\"," + std::string(one) + "]";
  CHECK_THAT(decoder.binary("x").error().message(), ContainsSubstring("no attachment was due"));
  REQUIRE(!decoder.text(binary).value());
  CHECK_THAT(decoder.text(R"(2["a"])").error().message(), ContainsSubstring("attachment 0 of 1 was due"));
  CHECK(!decoder.waiting());
  CHECK(decoder.bytes() == 0);
  CHECK(!decoder.binary("x"));
  REQUIRE(!decoder.text(binary).value());
  REQUIRE(decoder.binary("x").value());
  CHECK(!decoder.binary("y"));  // one too many
  CHECK(!decoder.text("51-[\"m\"]"));
  CHECK(!decoder.waiting());
  CHECK(!decoder.binary("x"));
  REQUIRE(!decoder.text(binary).value());
  decoder.reset();
  CHECK(decoder.text(R"(2["a"])").value());
}

TEST_CASE("socket.io packet: text past its own limit is refused and the next one is read", "[socketio]") {
  SocketIoLimits limits;
  limits.text_bytes_max = 12;
  SocketIoDecoder decoder(limits);
  CHECK(decoder.text(R"(2["e","123"])").value());
  CHECK(decoder.text(R"(2["e","1234"])").error().code() == Errc::message_too_large);
  CHECK(decoder.text(R"(2["e"])").value());
}

TEST_CASE("socket.io decoder: attachments whose total exceeds the limit are refused", "[socketio]") {
  SocketIoLimits limits;
  limits.attachment_bytes_max = 10;
  SocketIoDecoder decoder(limits);
  const std::string two = R"(52-["m",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])";
  REQUIRE(!decoder.text(two).value());
  REQUIRE(!decoder.binary("123456").value());
  CHECK(decoder.bytes() == two.size() + 6);
  const auto last = decoder.binary("12345");
  REQUIRE(!last);
  CHECK(last.error().code() == Errc::message_too_large);
  CHECK(!decoder.waiting());
  REQUIRE(!decoder.text(two).value());
  REQUIRE(!decoder.binary("123456").value());
  CHECK(decoder.binary("1234").value());
  REQUIRE(
      !decoder
           .text(
               R"(53-["m",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},{"_placeholder":true,"num":2}])")
           .value());
  REQUIRE(!decoder.binary("12345").value());
  REQUIRE(!decoder.binary("1234").value());
  CHECK(!decoder.binary("12"));
}

// --- Writing ---

TEST_CASE("socket.io message: each type has the specification's text", "[socketio]") {
  CHECK(event("/", "foo", {})->text() == R"(2["foo"])");
  CHECK(event("/admin", "bar", {})->text() == R"(2/admin,["bar"])");
  CHECK(event("/", "foo", {JsonText::string("x"), R"({"a": 1})"_json, SocketIoValue()}, 12)->text() ==
        R"(212["foo","x",{"a": 1},null])");
  CHECK(event("/", "foo", {R"(["\ud83d","\ude00","\ud83d\ude00"])"_json})->text() ==
        R"(2["foo",["\ufffd","\ufffd","\ud83d\ude00"]])");
  CHECK(encode_socketio_connect_error("/", "no", R"("\ud83d")"_json).value()->text() ==
        R"(4{"message":"no","data":"\ufffd"})");
  CHECK(event("/", "a\"\xff", {})->text() == "2[\"a\\\"\xef\xbf\xbd\"]");
  CHECK(encode_socketio_ack("/admin", 13, std::vector<SocketIoValue>{JsonText::string("bar")}).value()->text() ==
        R"(3/admin,13["bar"])");
  CHECK(encode_socketio_ack("/", 0, {}).value()->text() == "30[]");
  CHECK(encode_socketio_connect("/").value()->text() == "0");
  CHECK(encode_socketio_connect("/admin", R"({"sid":"x"})"_json).value()->text() == R"(0/admin,{"sid":"x"})");
  CHECK(encode_socketio_connect_error("/", "Not authorized").value()->text() == R"(4{"message":"Not authorized"})");
  CHECK(encode_socketio_connect_error("/a", "no", R"({"code":1})"_json).value()->text() ==
        R"(4/a,{"message":"no","data":{"code":1}})");
  CHECK(encode_socketio_disconnect("/admin").value()->text() == "1/admin,");
  CHECK(encode_socketio_disconnect("/").value()->text() == "1");

  const auto binary =
      event("/admin", "baz", {SocketIoValue::bytes(std::string("ab")), SocketIoValue::bytes(std::string("c"))});
  CHECK(binary->text() == R"(52-/admin,["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])");
  CHECK(binary->packets() == 3);
  const std::vector<SocketIoValue> mixed = {
      JsonText::string("bar"), SocketIoValue::parse(R"({"b":{"_placeholder":true,"num":0}})", {shared("ab")}).value(),
      SocketIoValue::bytes(std::string("c"))};
  CHECK(encode_socketio_ack("/", 15, mixed).value()->text() ==
        R"(62-15["bar",{"b":{"_placeholder":true,"num":0}},{"_placeholder":true,"num":1}])");
}

TEST_CASE("socket.io message: invalid messages are refused", "[socketio]") {
  const auto code = [](const Result<SocketIoMessagePtr>& result) { return result ? Errc{} : result.error().code(); };
  for (const std::string_view nsp : {"", "admin", "/a,b", "/a\n", "/\xff"}) {
    CAPTURE(nsp);
    CHECK(code(encode_socketio_event(nsp, "m", {})) == Errc::invalid_argument);
    CHECK(code(encode_socketio_ack(nsp, 1, {})) == Errc::invalid_argument);
    CHECK(code(encode_socketio_connect(nsp)) == Errc::invalid_argument);
    CHECK(code(encode_socketio_connect_error(nsp, "m")) == Errc::invalid_argument);
    CHECK(code(encode_socketio_disconnect(nsp)) == Errc::invalid_argument);
  }
  CHECK(code(encode_socketio_connect("/", "[]"_json)) == Errc::invalid_argument);
  CHECK(code(encode_socketio_ack("/", socketio_id_max + 1, {})) == Errc::invalid_argument);
  CHECK(encode_socketio_ack("/", socketio_id_max, {}));
}

TEST_CASE("socket.io message: JSON that resembles a placeholder beside bytes is refused", "[socketio]") {
  for (const std::string_view look_alike :
       {R"({"_placeholder":true,"num":0})", R"([{"_placeholder":true}])", R"({"a":{"\u005fplaceholder":true}})",
        R"({"_placeholder":false,"_placeholder":true})", R"({"_placeholder":true,"a":{"_placeholder":true}})"}) {
    CAPTURE(look_alike);
    const SocketIoValue value(JsonText::trusted(std::string(look_alike)));
    CHECK(event("/", "m", {value})->text() == "2[\"m\"," + std::string(look_alike) + "]");
    const std::vector<SocketIoValue> both = {SocketIoValue::bytes(std::string("x")), value};
    const auto encoded = encode_socketio_event("/", "m", both);
    REQUIRE(!encoded);
    CHECK(encoded.error().code() == Errc::invalid_argument);
    CHECK_THAT(encoded.error().message(), ContainsSubstring("argument 1"));
  }
  CHECK(event("/", "m",
              {SocketIoValue::bytes(std::string("x")), R"({"_placeholder":"no","a":"\n\"_placeholder\""})"_json}));
}

TEST_CASE("socket.io message: encoded once, every transport has its own form", "[socketio]") {
  for (const std::size_t size : {0u, 1u, 100u, 200u, 70'000u}) {
    CAPTURE(size);
    const SharedBytes first = shared(std::string(size, 'a'));
    const SharedBytes second = shared("bc");
    const auto message =
        event("/n", "m",
              {SocketIoValue::bytes(first), JsonText::string(std::string(size, 'j')), SocketIoValue::bytes(second)});
    const std::string packet = "4" + std::string(message->text());

    std::string bytes = "before";
    message->append_websocket(bytes);
    const std::vector<std::pair<int, std::string>> expected = {{1, packet}, {2, *first}, {2, "bc"}};
    CHECK(frames(std::string_view(bytes).substr(6)) == expected);
    std::string joined = "before";
    bool same_first = false;
    for (const SharedBytes& piece : message->websocket()) {
      joined += *piece;
      same_first |= piece == first;
    }
    CHECK(joined == bytes);
    CHECK(same_first);  // shared, not copied

    std::string base64 = "b", in_text;
    append_engineio_frame(in_text, EngineIoType::message, message->text());
    append_engineio_base64_frame(in_text, *first);
    append_engineio_base64_frame(in_text, *second);
    std::string written;
    message->append_websocket_base64(written);
    CHECK(written == in_text);

    EngineIoPayloadReader reader(std::string(message->polling()), {});
    CHECK(reader.next() == EngineIoPacket{EngineIoType::message, false, message->text()});
    CHECK(reader.next() == EngineIoPacket{EngineIoType::message, true, *first});
    CHECK(reader.next() == EngineIoPacket{EngineIoType::message, true, *second});
    CHECK(!reader.next());
    CHECK(!reader.error());
    CHECK(message->polling().data() == message->polling().data());  // created once
  }
  const auto plain = event("/", "m", {});
  CHECK(plain->polling() == R"(42["m"])");
  CHECK(plain->websocket().size() == 1);
  CHECK(plain->packets() == 1);
}

TEST_CASE("socket.io message: several threads poll at once, all get the same text", "[socketio]") {
  const auto message = event("/", "m", {SocketIoValue::bytes(std::string(100'000, 'x'))});
  std::vector<std::string_view> seen(4);
  {
    std::vector<std::thread> threads;
    for (std::string_view& text : seen) threads.emplace_back([&message, &text] { text = message->polling(); });
    for (std::thread& thread : threads) thread.join();
  }
  for (const std::string_view text : seen) CHECK((text.data() == seen[0].data() && text.size() == seen[0].size()));
}

// --- Encoding and decoding ---

namespace {

class RandomValues {
 public:
  explicit RandomValues(unsigned seed) : random_(seed) {}
  std::size_t below(std::size_t n) { return random_() % n; }

  SocketIoValue value(std::size_t bytes_max) {
    std::vector<SharedBytes> attachments;
    std::string json;
    put(json, attachments, bytes_max, 0);
    return SocketIoValue::parse(std::move(json), std::move(attachments)).value();
  }

 private:
  void put(std::string& json, std::vector<SharedBytes>& attachments, std::size_t bytes_max, int depth) {
    switch (below(depth > 4 ? 5 : 8)) {
      case 0: json += std::to_string(below(1000)); return;
      case 1: json += R"("\"_placeholder\":true")"; return;
      case 2: json += "false"; return;
      case 3: json += R"({"_placeholder":false,"num":7})"; return;
      case 4:
        if (attachments.size() == bytes_max) {
          json += "null";
          return;
        }
        json += R"({"_placeholder":true,"num":)" + std::to_string(attachments.size()) + "}";
        attachments.push_back(shared(std::string(below(5), static_cast<char>(below(256)))));
        return;
      case 5:
      case 6: {
        json += '[';
        for (std::size_t n = below(4), i = 0; i < n; ++i) {
          if (i != 0) json += " ,";
          put(json, attachments, bytes_max, depth + 1);
        }
        json += ']';
        return;
      }
      default: {
        json += '{';
        for (std::size_t n = below(4), i = 0; i < n; ++i) {
          if (i != 0) json += ',';
          json += "\"" + std::string(i == 1 ? "num" : "k" + std::to_string(i)) + "\": ";
          put(json, attachments, bytes_max, depth + 1);
        }
        json += '}';
      }
    }
  }

  std::mt19937 random_;
};

}  // namespace

TEST_CASE("socket.io: any arguments survive encoding and decoding, over WebSocket and polling", "[socketio]") {
  RandomValues random(Catch::rngSeed());
  SocketIoLimits limits;
  limits.attachments_max = 20;
  for (int round = 0; round < 1'000; ++round) {
    std::vector<SocketIoValue> arguments;
    for (std::size_t n = random.below(5), i = 0; i < n; ++i) arguments.push_back(random.value(4));
    const std::string nsp = random.below(2) == 0 ? "/" : "/room";
    std::optional<std::uint64_t> id;
    if (random.below(2) == 0) id = random.below(100);
    const bool ack = id && random.below(2) == 0;
    const auto message =
        (ack ? encode_socketio_ack(nsp, *id, arguments) : encode_socketio_event(nsp, "m", arguments, id)).value();

    const auto check = [&](const SocketIoDecoder& decoder) {
      REQUIRE(decoder.packet().nsp == nsp);
      REQUIRE(decoder.packet().id == id);
      REQUIRE(decoder.packet().is_ack() == ack);
      REQUIRE(decoder.arguments() == arguments);
    };
    std::string bytes;
    message->append_websocket(bytes);
    SocketIoDecoder over_websocket(limits);
    bool whole = false;
    for (const auto& [opcode, payload] : frames(bytes)) {
      REQUIRE(!whole);
      whole = (opcode == 1 ? over_websocket.text(std::string_view(payload).substr(1)) : over_websocket.binary(payload))
                  .value();
      if (whole) check(over_websocket);
    }
    REQUIRE(whole);

    EngineIoPayloadReader reader(std::string(message->polling()), {});
    SocketIoDecoder over_polling(limits);
    whole = false;
    while (const auto packet = reader.next()) {
      REQUIRE(!whole);
      whole =
          (packet->binary ? over_polling.binary(std::string(packet->data)) : over_polling.text(packet->data)).value();
    }
    REQUIRE(whole);
    check(over_polling);
  }
}

}  // namespace socketio_codec_test
