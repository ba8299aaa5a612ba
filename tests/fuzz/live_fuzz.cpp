// Fuzzes the JSON readers. The first byte of the input is the length of a JSON Pointer, which follows; the rest is the
// text of a client's message. Checked besides what the sanitizers detect: views point into the text, or the repaired
// text, and are JSON themselves, decoded strings and errors are UTF-8, and what a pointer finds parses and is found
// again.
#include <flux/detail/core/json_scanner.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/live/live_session.hpp>
#include <flux/json.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace flux;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_slice(std::string_view slice, std::string_view text, bool object) {
  if (slice.empty()) return;
  require(slice.data() >= text.data() && slice.data() + slice.size() <= text.data() + text.size());
  const auto parsed = JsonText::parse(std::string(slice));
  require(parsed.ok());
  if (object) require(parsed->kind() == JsonText::Kind::object);
}

void check_utf8(const std::optional<std::string>& text) { require(!text || core::valid_utf8(*text)); }

void check_request(std::string_view text) {
  const Limits limits;
  static const features::RequestTable none;
  protocol::LiveRequest request;
  const auto read = protocol::read_live_request(text, limits, {detail::LiveSession::request_types(), none}, request);
  check_slice(request.id, text, false);
  require(request.id.size() <= 256);
  const protocol::LiveWriter writer(nullptr);
  std::string frame;
  if (!read) {
    require(core::valid_utf8(read.error().message()));
    writer.error(frame, request.id, read.error());
  } else {
    require(JsonText::parse(std::string(text)).ok());
    const core::Members& members = request.members;
    for (const char* name : {"presence", "payload", "metadata", "data"}) {
      const std::string_view json = members.json(name).value_or(std::string_view());
      require(!flux::detail::without_lone_surrogates(json));
      check_slice(json, flux::detail::without_lone_surrogates(text) ? json : text, name[0] == 'd');
    }
    for (const char* name : {"roomId", "accessToken", "name", "email", "event", "message"}) {
      require(core::valid_utf8(members.text(name)));
    }
    const std::string& event = members.text("event");
    const std::string& message = members.text("message");
    require(members.number("limit") <= 1000);
    require(event.size() <= limits.event_name_bytes_max && message.size() <= limits.chat_bytes_max);
    require(message.find('\0') == std::string::npos);
    writer.event(frame,
                 {members.has("roomId") ? members.text("roomId") : "r", "c", {}, event, members.json("payload")});
    if (!request.id.empty()) writer.ack(frame, request.id, members.json("data").value_or(std::string_view()));
  }
  // Output is valid, whatever the input was.
  for (std::string_view left = frame; !left.empty();) {
    const auto code = static_cast<unsigned char>(left[1]);
    const std::size_t header = code < 126 ? 2 : code == 126 ? 4 : 10;
    const auto size = [&] {
      std::size_t n = code;
      if (header > 2) n = 0;
      for (std::size_t i = 2; i < header; ++i) n = n << 8 | static_cast<unsigned char>(left[i]);
      return n;
    }();
    require(JsonText::parse(std::string(left.substr(header, size))).ok());
    left.remove_prefix(header + size);
  }
}

void check_json(std::string_view text, std::string_view pointer) {
  const auto json = JsonText::parse(std::string(text));
  if (!json) {
    require(core::valid_utf8(json.error().message()));
    return;
  }
  require(core::valid_utf8(text) && json->text() == text);
  const auto whole = json->at("");
  require(whole && whole->at("") == whole);
  const auto found = json->at(pointer);
  if (found) {
    const auto again = JsonText::parse(found->text());
    require(again.ok() && again->at("") == *found);
  }
  // Every typed read reads the value found, and at most one type fits.
  const auto string = json->get<std::string>(pointer);
  const auto boolean = json->get<bool>(pointer);
  const auto number = json->get<double>(pointer);
  const auto integer = json->get<std::int64_t>(pointer);
  const auto natural = json->get<std::uint64_t>(pointer);
  check_utf8(string);
  require(found || (!string && !boolean && !number && !integer && !natural));
  if (!found) return;
  const auto kind = found->kind();
  require(!string || kind == JsonText::Kind::string);
  require(!boolean || kind == JsonText::Kind::boolean);
  require((!number && !integer && !natural) || kind == JsonText::Kind::number);
  require(found->get<std::string>() == string && found->get<std::int64_t>() == integer);
  if (string) require(JsonText::string(*string).get<std::string>() == string);
  if (integer && natural) require(static_cast<std::uint64_t>(*integer) == *natural);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string_view pointer = bytes.substr(0, data[0]);
  const std::string_view text = bytes.substr(std::min<std::size_t>(data[0], bytes.size()));
  check_request(text);
  check_json(text, pointer);
  require(core::valid_utf8(JsonText::string(text).text()));
  require(JsonText::parse(JsonText::string(text).text()).ok());
  return 0;
}
