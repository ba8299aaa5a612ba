#pragma once

#include <flux/detail/core/base64.hpp>
#include <flux/detail/core/json_scanner.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/socketio/engineio_codec.hpp>
#include <flux/detail/endpoints/socketio/socketio_codec.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/websocket_frame.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

namespace flux::protocol {

namespace socketio_detail {

inline constexpr std::string_view type_names[] = {"CONNECT",       "DISCONNECT",   "EVENT",     "ACK",
                                                  "CONNECT_ERROR", "BINARY_EVENT", "BINARY_ACK"};

inline bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

inline bool has_control(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

/// A whole number of plain digits; none if it is not one, or above `most`.
FLUX_DECL std::optional<std::uint64_t> whole_number(std::string_view digits, std::uint64_t most) {
  std::uint64_t number = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (ec != std::errc() || end != digits.data() + digits.size() || number > most) return std::nullopt;
  return number;
}

/// Collects the elements of an array and the placeholders anywhere in a value: objects whose member `_placeholder` is
/// true. Their members may be in any order and among others.
class DataVisitor {
 public:
  struct Found {
    std::size_t begin;
    std::size_t end;
    std::string_view num;  // empty: not a number
  };

  DataVisitor(std::string_view text, bool find_placeholders, std::vector<SocketIoPacket::Slice>* elements,
              std::size_t elements_max)
      : text_(text), find_placeholders_(find_placeholders), elements_(elements), elements_max_(elements_max) {}

  bool key(std::size_t depth, std::string_view name) {
    if (!find_placeholders_) return true;
    member_ = name == "_placeholder" ? Member::placeholder : name == "num" ? Member::num : Member::other;
    if (member_ == Member::other) return true;
    if (objects_.empty() || objects_.back().depth != depth) objects_.push_back({depth, false, {}, 0, 0});
    Object& object = objects_.back();
    ++(member_ == Member::placeholder ? object.placeholders : object.nums);
    return true;
  }
  bool open(std::size_t depth, JsonText::Kind kind, std::size_t) {
    if (depth == 0) root = kind;
    member_ = Member::other;
    return true;
  }
  bool value(std::size_t depth, JsonText::Kind kind, std::size_t begin, std::size_t end) {
    const std::string_view slice = text_.substr(begin, end - begin);
    if (depth == 0) root = kind;
    const Member member = std::exchange(member_, Member::other);
    if (member == Member::placeholder) objects_.back().is_true |= slice == "true";
    if (member == Member::num && kind == JsonText::Kind::number) objects_.back().num = slice;
    if (kind == JsonText::Kind::object && !objects_.empty() && objects_.back().depth == depth + 1 &&
        !close(begin, end)) {
      return false;
    }
    if (depth != 1 || elements_ == nullptr || root != JsonText::Kind::array) return true;
    if (elements_->size() == elements_max_) {
      too_many_elements = true;
      return false;
    }
    elements_->push_back({slice, kind});
    return true;
  }

  JsonText::Kind root = JsonText::Kind::null;
  bool too_many_elements = false;
  std::vector<Found> placeholders;  // in the order of the text
  std::string problem;              // with them; the scan stops there

 private:
  enum class Member : std::uint8_t { other, placeholder, num };
  /// An object, still open, with a member of these names; its members are at `depth`.
  struct Object {
    std::size_t depth;
    bool is_true;
    std::string_view num;
    std::size_t placeholders;
    std::size_t nums;
  };

  bool close(std::size_t begin, std::size_t end) {
    const Object object = objects_.back();
    objects_.pop_back();
    if (!object.is_true) return true;
    if (object.placeholders != 1 || object.nums > 1) {
      problem = "a placeholder has a duplicate member";
    } else if (!placeholders.empty() && placeholders.back().begin > begin) {
      problem = "a placeholder contains another";
    } else {
      placeholders.push_back({begin, end, object.num});
    }
    return problem.empty();
  }

  std::string_view text_;
  bool find_placeholders_;
  std::vector<SocketIoPacket::Slice>* elements_;
  std::size_t elements_max_;
  std::vector<Object> objects_;
  Member member_ = Member::other;  // whose value comes next, where that is a scalar
};

/// Checks that there is exactly one placeholder for each of `attachments` attachments, and numbers them.
FLUX_DECL Result<void> match_placeholders(const DataVisitor& seen, std::size_t attachments,
                                          std::vector<SocketIoPlaceholder>& out) {
  if (!seen.problem.empty()) return Error(Errc::invalid_message, seen.problem);
  std::vector<bool> used(attachments);
  for (const DataVisitor::Found& found : seen.placeholders) {
    const auto num = attachments == 0 ? std::nullopt : whole_number(found.num, attachments - 1);
    if (!num) {
      return Error(Errc::invalid_message,
                   "a placeholder's num is " + (found.num.empty() ? "no number" : core::shown(found.num)) +
                       "; the packet has " + std::to_string(attachments) + " attachments, counted from 0");
    }
    const auto index = static_cast<std::size_t>(*num);
    if (used[index]) {
      return Error(Errc::invalid_message, "two placeholders have the num " + std::to_string(index));
    }
    used[index] = true;
    out.push_back({found.begin, found.end, index});
  }
  if (out.size() == attachments) return {};
  const auto unused = static_cast<std::size_t>(std::find(used.begin(), used.end(), false) - used.begin());
  return Error(Errc::invalid_message, "attachment " + std::to_string(unused) + " has no placeholder");
}

FLUX_DECL void append_placeholder(std::string& out, std::size_t num) {
  out += "{\"_placeholder\":true,\"num\":";
  out += std::to_string(num);
  out += '}';
}

/// Whether a receiver of attachments would find a placeholder in `json`. Without a backslash a name is spelled
/// literally.
FLUX_DECL bool looks_like_placeholder(std::string_view json) {
  if (json.find("\"_placeholder\"") == std::string_view::npos && json.find('\\') == std::string_view::npos)
    return false;
  DataVisitor seen(json, true, nullptr, 0);
  constexpr std::size_t any_depth = static_cast<std::size_t>(-1);  // the text was checked when it was created
  return !detail::scan_json(json, any_depth, seen) || !seen.problem.empty() || !seen.placeholders.empty();
}

/// Parses a packet from its front.
class PacketReader {
 public:
  PacketReader(std::string_view text, const SocketIoLimits& limits, SocketIoPacket& out)
      : rest_(text), limits_(limits), out_(out) {}

  Result<void> read() {
    if (auto done = type(); !done) return done;
    if (auto done = attachments(); !done) return done;
    if (auto done = nsp(); !done) return done;
    if (auto done = id(); !done) return done;
    return data();
  }

 private:
  Error bad(std::string what) const { return Error(Errc::invalid_message, std::move(what)); }
  std::string name() const { return std::string(type_names[static_cast<std::size_t>(out_.type)]); }
  bool binary() const { return out_.type == SocketIoType::binary_event || out_.type == SocketIoType::binary_ack; }
  std::string_view take(std::size_t size) {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(taken.size());
    return taken;
  }

  Result<void> type() {
    if (rest_.empty()) return bad("a packet is empty; it must begin with its type, 0 to 6");
    const char first = rest_.front();
    if (first < '0' || first > '6') return bad("a packet must begin with its type, 0 to 6");
    out_.type = static_cast<SocketIoType>(first - '0');
    take(1);
    return {};
  }

  Result<void> attachments() {
    if (!binary()) return {};
    std::size_t digits = 0;
    while (digits < rest_.size() && is_digit(rest_[digits])) ++digits;
    if (digits == 0 || digits == rest_.size() || rest_[digits] != '-') {
      return bad(name() + " must begin with the number of its attachments and a hyphen");
    }
    const std::string_view number = take(digits);
    take(1);
    if (number.find_first_not_of('0') == std::string_view::npos) return bad(name() + " has 0 attachments");
    const auto count = whole_number(number, limits_.attachments_max);
    if (!count) {
      return Error(Errc::limit_exceeded, "the packet has " + core::shown(number) + " attachments; at most " +
                                             std::to_string(limits_.attachments_max) + " are allowed");
    }
    out_.attachments = static_cast<std::size_t>(*count);
    return {};
  }

  Result<void> nsp() {
    if (rest_.empty() || rest_.front() != '/') return {};
    out_.nsp = take(rest_.find(','));
    take(1);
    if (out_.nsp.size() > limits_.namespace_bytes_max) {
      return Error(Errc::message_too_large, "the namespace has " + std::to_string(out_.nsp.size()) +
                                                " bytes; at most " + std::to_string(limits_.namespace_bytes_max) +
                                                " are allowed");
    }
    if (has_control(out_.nsp) || !core::valid_utf8(out_.nsp)) {
      return bad("the namespace contains control characters or invalid UTF-8");
    }
    return {};
  }

  Result<void> id() {
    std::size_t digits = 0;
    while (digits < rest_.size() && is_digit(rest_[digits])) ++digits;
    if (digits != 0) {
      const std::string_view number = take(digits);
      out_.id = whole_number(number, socketio_id_max);
      if (!out_.id) return bad("the id " + core::shown(number) + " is past " + std::to_string(socketio_id_max));
    }
    if (out_.is_ack() && !out_.id) return bad(name() + " must have the id of what it acknowledges");
    return {};
  }

  Result<void> data() {
    out_.data = rest_;
    if (rest_.empty()) {
      if (!out_.is_event() && !out_.is_ack()) return {};
      return bad(name() + " must have an array as its data");
    }
    if (out_.type == SocketIoType::disconnect) return bad("DISCONNECT must have no data");
    if (rest_.front() != '[' && rest_.front() != '{' && rest_.front() != '"') {
      return bad("the data of a packet must be an object, an array or a string");
    }
    const bool list = out_.is_event() || out_.is_ack();
    const std::size_t elements_max = limits_.arguments_max + (out_.is_event() ? 1 : 0);
    DataVisitor seen(rest_, binary(), list ? &out_.arguments : nullptr, elements_max);
    if (auto scanned = detail::scan_json(rest_, limits_.json_depth_max, seen); !scanned) return scanned;
    if (seen.too_many_elements) {
      return Error(Errc::limit_exceeded,
                   "the packet has more than " + std::to_string(limits_.arguments_max) + " arguments");
    }
    if (auto matched = match_placeholders(seen, out_.attachments, out_.placeholders); !matched) return matched;
    return check_kind(seen.root);
  }

  Result<void> check_kind(JsonText::Kind kind) {
    using Kind = JsonText::Kind;
    switch (out_.type) {
      case SocketIoType::connect:
        if (kind != Kind::object) return bad("the data of CONNECT must be an object");
        return {};
      case SocketIoType::connect_error:
        if (kind != Kind::object && kind != Kind::string) {
          return bad("the data of CONNECT_ERROR must be an object or a string");
        }
        return {};
      case SocketIoType::ack:
      case SocketIoType::binary_ack:
        if (kind != Kind::array) return bad("the data of " + name() + " must be an array");
        return {};
      default:
        if (kind != Kind::array) return bad("the data of " + name() + " must be an array");
        return event();
    }
  }

  Result<void> event() {
    if (out_.arguments.empty()) return bad("an event must have a name");
    const SocketIoPacket::Slice first = out_.arguments.front();
    out_.arguments.erase(out_.arguments.begin());
    if (first.kind == JsonText::Kind::number) {
      out_.event = first.text;
    } else if (first.kind == JsonText::Kind::string) {
      auto decoded = detail::decode_json_string(first.text);
      if (!decoded) return bad("the event's name contains a lone surrogate, which is not a character");
      out_.event = std::move(*decoded);
    } else {
      return bad("an event's name must be a string or a number");
    }
    if (out_.event.size() > limits_.event_name_bytes_max) {
      return Error(Errc::message_too_large, "the event's name has " + std::to_string(out_.event.size()) +
                                                " bytes; at most " + std::to_string(limits_.event_name_bytes_max) +
                                                " are allowed");
    }
    if (is_reserved_socketio_event(out_.event)) return bad("the event's name " + out_.event + " is reserved");
    return {};
  }

  std::string_view rest_;
  const SocketIoLimits& limits_;
  SocketIoPacket& out_;
};

}  // namespace socketio_detail

FLUX_DECL bool is_reserved_socketio_event(std::string_view name) noexcept {
  for (const std::string_view reserved :
       {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}) {
    if (name == reserved) return true;
  }
  return false;
}

// --- Values ---

}  // namespace flux::protocol

namespace flux::socketio {

FLUX_DECL Value Value::bytes(SharedBytes bytes) {
  std::string text;
  protocol::socketio_detail::append_placeholder(text, 0);
  const detail::SocketIoPlaceholder whole{0, text.size(), 0};
  return cut(text, 0, text.size(), {&whole, 1}, {&bytes, 1});
}

FLUX_DECL Value Value::bytes(std::string bytes) {
  return Value::bytes(std::make_shared<const std::string>(std::move(bytes)));
}

FLUX_DECL Result<Value> Value::parse(const std::string& json, std::vector<SharedBytes> attachments,
                                     std::size_t depth_max) {
  protocol::socketio_detail::DataVisitor seen(json, !attachments.empty(), nullptr, 0);
  if (const auto scanned = detail::scan_json(json, depth_max, seen); !scanned) return scanned.error();
  std::vector<detail::SocketIoPlaceholder> placeholders;
  if (const auto matched = protocol::socketio_detail::match_placeholders(seen, attachments.size(), placeholders);
      !matched) {
    return matched.error();
  }
  return cut(json, 0, json.size(), placeholders, attachments);
}

FLUX_DECL Value Value::cut(std::string_view text, std::size_t begin, std::size_t end,
                           std::span<const detail::SocketIoPlaceholder> placeholders,
                           std::span<const SharedBytes> attachments) {
  Value value;
  std::string json;
  for (const detail::SocketIoPlaceholder& placeholder : placeholders) {
    if (placeholder.begin < begin || placeholder.end > end) continue;
    json.append(text, begin, placeholder.begin - begin);
    const std::size_t at = json.size();
    protocol::socketio_detail::append_placeholder(json, value.attachments_.size());
    value.placeholders_.push_back({at, json.size(), value.attachments_.size()});
    value.attachments_.push_back(attachments[placeholder.num]);
    begin = placeholder.end;
  }
  json.append(text, begin, end - begin);
  value.json_ = detail::CheckedJson::text(std::move(json));
  return value;
}

FLUX_DECL SharedBytes Value::bytes_at(std::string_view pointer) const {
  if (attachments_.empty()) return nullptr;
  const auto found = detail::json_at(json_.text(), pointer);
  if (!found) return nullptr;
  const auto begin = static_cast<std::size_t>(found->data() - json_.text().data());
  for (const detail::SocketIoPlaceholder& placeholder : placeholders_) {
    if (placeholder.begin == begin && placeholder.end == begin + found->size()) return attachments_[placeholder.num];
  }
  return nullptr;
}

FLUX_DECL std::optional<Value> Value::at(std::string_view pointer) const {
  const auto found = detail::json_at(json_.text(), pointer);
  if (!found) return std::nullopt;
  const auto begin = static_cast<std::size_t>(found->data() - json_.text().data());
  for (const detail::SocketIoPlaceholder& placeholder : placeholders_) {
    if (placeholder.begin < begin && begin < placeholder.end) return std::nullopt;  // bytes have no members
  }
  return cut(json_.text(), begin, begin + found->size(), placeholders_, attachments_);
}

FLUX_DECL bool operator==(const Value& a, const Value& b) {
  return a.json_ == b.json_ &&
         std::equal(a.attachments_.begin(), a.attachments_.end(), b.attachments_.begin(), b.attachments_.end(),
                    [](const SharedBytes& left, const SharedBytes& right) { return left == right || *left == *right; });
}

}  // namespace flux::socketio

namespace flux::protocol {

// --- Reading ---

FLUX_DECL Result<void> read_socketio_packet(std::string_view text, const SocketIoLimits& limits, SocketIoPacket& out) {
  out.nsp = "/";
  out.id.reset();
  out.attachments = 0;
  out.data = {};
  out.event.clear();
  out.arguments.clear();
  out.placeholders.clear();
  return socketio_detail::PacketReader(text, limits, out).read();
}

FLUX_DECL Error SocketIoDecoder::fail(Errc code, std::string what) {
  reset();
  return Error(code, std::move(what));
}

FLUX_DECL void SocketIoDecoder::reset() {
  packet_ = SocketIoPacket();
  text_ = std::string();
  attachments_ = std::vector<SharedBytes>();
  attachment_bytes_ = 0;
}

FLUX_DECL Result<bool> SocketIoDecoder::text(std::string_view text) {
  if (waiting()) {
    return fail(Errc::invalid_message, "text came where attachment " + std::to_string(attachments_.size()) + " of " +
                                           std::to_string(packet_.attachments) + " was due");
  }
  if (limits_.text_bytes_max && text.size() > *limits_.text_bytes_max) {
    return fail(Errc::message_too_large, "a packet has " + std::to_string(text.size()) + " bytes of text; at most " +
                                             std::to_string(*limits_.text_bytes_max) + " are allowed");
  }
  attachments_.clear();
  attachment_bytes_ = 0;
  if (!text.empty() && (text.front() == '5' || text.front() == '6')) {
    text_ = text;
    text = text_;
  }
  if (auto read = read_socketio_packet(text, limits_, packet_); !read) {
    reset();
    return read.error();
  }
  return !waiting();
}

FLUX_DECL Result<bool> SocketIoDecoder::binary(SharedBytes bytes) {
  if (!waiting()) return fail(Errc::invalid_message, "received bytes, but no attachment was due");
  if (bytes->size() > *limits_.attachment_bytes_max - attachment_bytes_) {
    return fail(Errc::message_too_large, "the attachments of a packet have more than " +
                                             std::to_string(*limits_.attachment_bytes_max) + " bytes together");
  }
  attachment_bytes_ += bytes->size();
  attachments_.push_back(std::move(bytes));
  return !waiting();
}

FLUX_DECL SocketIoValue SocketIoDecoder::argument(std::size_t index) const {
  const std::string_view slice = packet_.arguments[index].text;
  const auto begin = static_cast<std::size_t>(slice.data() - packet_.data.data());
  return SocketIoValue::cut(packet_.data, begin, begin + slice.size(), packet_.placeholders, attachments_);
}

FLUX_DECL std::vector<SocketIoValue> SocketIoDecoder::arguments() const {
  std::vector<SocketIoValue> values;
  values.reserve(packet_.arguments.size());
  for (std::size_t i = 0; i < packet_.arguments.size(); ++i) values.push_back(argument(i));
  return values;
}

// --- Writing ---

/// Writes one packet as a WebSocket frame. The frame's header depends on the size, which is not known yet: space for
/// the usual header is reserved, and corrected at the end.
class SocketIoWriter {
 public:
  static Result<SocketIoMessagePtr> list(SocketIoType type, std::string_view nsp, std::optional<std::uint64_t> id,
                                         std::optional<std::string_view> event,
                                         std::span<const SocketIoValue> arguments) {
    std::vector<SharedBytes> attachments;
    for (const SocketIoValue& argument : arguments) {
      attachments.insert(attachments.end(), argument.attachments_.begin(), argument.attachments_.end());
    }
    if (!attachments.empty()) {
      if (const auto checked = check_plain(arguments); !checked) return checked.error();
      type = type == SocketIoType::event ? SocketIoType::binary_event : SocketIoType::binary_ack;
    }
    if (id && *id > socketio_id_max) {
      return Error(Errc::invalid_argument,
                   "the id " + std::to_string(*id) + " is past " + std::to_string(socketio_id_max));
    }
    if (const auto checked = check_nsp(nsp); !checked) return checked.error();
    SocketIoWriter writer(type, nsp, attachments.size());
    if (id) writer.frame_ += std::to_string(*id);
    writer.put_list(event, arguments);
    return std::move(writer).finish(std::move(attachments));
  }

  static Result<SocketIoMessagePtr> plain(SocketIoType type, std::string_view nsp, std::string_view data) {
    if (const auto checked = check_nsp(nsp); !checked) return checked.error();
    SocketIoWriter writer(type, nsp, 0);
    writer.frame_ += data;
    return std::move(writer).finish({});
  }

 private:
  static constexpr std::size_t header_room = 4;

  SocketIoWriter(SocketIoType type, std::string_view nsp, std::size_t attachments) : frame_(header_room, '\0') {
    frame_ += '4';
    frame_ += static_cast<char>('0' + static_cast<int>(type));
    if (attachments != 0) frame_.append(std::to_string(attachments)).append("-");
    if (nsp != "/") frame_.append(nsp).append(",");
  }

  static Result<void> check_nsp(std::string_view nsp) {
    if (!nsp.empty() && nsp.front() == '/' && nsp.find(',') == std::string_view::npos &&
        !socketio_detail::has_control(nsp) && core::valid_utf8(nsp)) {
      return {};
    }
    return Error(Errc::invalid_argument, "\"" + core::shown(nsp) +
                                             "\" is no namespace: one begins with / and holds no comma, no control "
                                             "characters and no invalid UTF-8");
  }

  static Result<void> check_plain(std::span<const SocketIoValue> arguments) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if (arguments[i].attachments_.empty() && socketio_detail::looks_like_placeholder(arguments[i].json().text())) {
        return Error(Errc::invalid_argument, "argument " + std::to_string(i) +
                                                 " holds an object with \"_placeholder\": true, which cannot go out "
                                                 "beside bytes");
      }
    }
    return {};
  }

  void put_list(std::optional<std::string_view> event, std::span<const SocketIoValue> arguments) {
    frame_ += '[';
    if (event) frame_ += JsonText::string(*event).text();
    std::size_t num = 0;
    bool first = !event;
    for (const SocketIoValue& argument : arguments) {
      if (!first) frame_ += ',';
      first = false;
      put(argument, num);
    }
    frame_ += ']';
  }

  /// The value, its placeholders numbered from `num`.
  void put(const SocketIoValue& value, std::size_t& num) {
    const auto mended = detail::without_lone_surrogates(value.json().text());  // as long: placeholders stay in place
    const std::string_view text = mended ? *mended : value.json().text();
    std::size_t from = 0;
    for (const SocketIoPlaceholder& placeholder : value.placeholders_) {
      frame_.append(text, from, placeholder.begin - from);
      socketio_detail::append_placeholder(frame_, num++);
      from = placeholder.end;
    }
    frame_.append(text, from);
  }

  static std::string_view binary_header(char* to, const std::string& attachment) {
    return {to, transport::write_frame_header(to, transport::Opcode::binary, attachment.size())};
  }

  SocketIoMessagePtr finish(std::vector<SharedBytes> attachments) && {
    const std::shared_ptr<SocketIoMessage> message(new SocketIoMessage());
    char header[transport::frame_header_bytes_max];
    message->size_ = frame_.size() - header_room;
    message->begin_ = transport::write_frame_header(header, transport::Opcode::text, message->size_);
    frame_.replace(0, header_room, header, message->begin_);
    if (!attachments.empty()) frame_ += binary_header(header, *attachments.front());
    message->pieces_.reserve(std::max<std::size_t>(1, attachments.size() * 2));
    message->pieces_.push_back(std::make_shared<const std::string>(std::move(frame_)));
    for (std::size_t i = 0; i < attachments.size(); ++i) {
      if (i != 0) {
        message->pieces_.push_back(std::make_shared<const std::string>(binary_header(header, *attachments[i])));
      }
      message->pieces_.push_back(attachments[i]);
    }
    message->attachments_ = std::move(attachments);
    return message;
  }

  std::string frame_;
};

FLUX_DECL void SocketIoMessage::append_websocket(std::string& out) const {
  for (const SharedBytes& piece : pieces_) out += *piece;
}

FLUX_DECL void SocketIoMessage::append_websocket_base64(std::string& out) const {
  out.append(*pieces_.front(), 0, begin_ + size_);
  for (const SharedBytes& attachment : attachments_) append_engineio_base64_frame(out, *attachment);
}

FLUX_DECL std::string_view SocketIoMessage::polling() const {
  if (attachments_.empty()) return message();
  std::call_once(polling_once_, [this] {
    std::size_t size = size_;
    for (const SharedBytes& attachment : attachments_) size += 2 + base64_size(attachment->size());
    polling_.reserve(size);
    polling_ += message();
    for (const SharedBytes& attachment : attachments_) {
      polling_ += engineio_separator;
      polling_ += 'b';
      append_base64(polling_, *attachment);
    }
  });
  return polling_;
}

FLUX_DECL Result<SocketIoMessagePtr> encode_socketio_event(std::string_view nsp, std::string_view event,
                                                           std::span<const SocketIoValue> arguments,
                                                           std::optional<std::uint64_t> id) {
  if (is_reserved_socketio_event(event)) {
    return Error(Errc::invalid_argument, "the event's name " + std::string(event) + " is reserved");
  }
  return SocketIoWriter::list(SocketIoType::event, nsp, id, event, arguments);
}

FLUX_DECL Result<SocketIoMessagePtr> encode_socketio_ack(std::string_view nsp, std::uint64_t id,
                                                         std::span<const SocketIoValue> arguments) {
  return SocketIoWriter::list(SocketIoType::ack, nsp, id, std::nullopt, arguments);
}

FLUX_DECL Result<SocketIoMessagePtr> encode_socketio_connect(std::string_view nsp,
                                                             const std::optional<JsonText>& payload) {
  if (payload && payload->kind() != JsonText::Kind::object) {
    return Error(Errc::invalid_argument, "the payload of CONNECT must be an object");
  }
  return SocketIoWriter::plain(SocketIoType::connect, nsp,
                               payload ? std::string_view(payload->text()) : std::string_view());
}

FLUX_DECL Result<SocketIoMessagePtr> encode_socketio_connect_error(std::string_view nsp, std::string_view message,
                                                                   const std::optional<JsonText>& data) {
  std::string error = "{\"message\":" + JsonText::string(message).text();
  if (data) {
    const auto mended = detail::without_lone_surrogates(data->text());
    error.append(",\"data\":").append(mended ? *mended : data->text());
  }
  error += '}';
  return SocketIoWriter::plain(SocketIoType::connect_error, nsp, error);
}

FLUX_DECL Result<SocketIoMessagePtr> encode_socketio_disconnect(std::string_view nsp) {
  return SocketIoWriter::plain(SocketIoType::disconnect, nsp, {});
}

}  // namespace flux::protocol
