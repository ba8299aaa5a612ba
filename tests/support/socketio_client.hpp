// A client of a Socket.IO server under test, over a WebSocket: blocking, with a bound on every wait.
#pragma once

#include "support/client.hpp"

#include <flux/json.hpp>

#include <deque>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace flux_test {

/// In the namespace "/".
class SocketIoClient : public WebSocketClient {
 public:
  explicit SocketIoClient(std::uint16_t port) : SocketIoClient(Target{port}) {}
  explicit SocketIoClient(const Target& target) : WebSocketClient(target, "/socket.io/?EIO=4&transport=websocket") {
    if (message().substr(0, 1) != "0") throw std::runtime_error("no open packet");
    send_text("40");
    const std::string answer = packet();
    if (answer.substr(0, 2) != "40") throw std::runtime_error("not let in: " + answer);
    sid = text_at(flux::JsonText::parse(answer.substr(2)).value(), "/sid");
  }

  /// `arguments`: JSON, separated by commas.
  void emit(std::string_view event, std::string_view arguments = "") { send_text("42" + list(event, arguments)); }
  /// Emits and returns the first argument of the acknowledgment; events before it are set aside.
  flux::JsonText ask(std::string_view event, std::string_view arguments = "") {
    const std::string id = std::to_string(next_id_++);
    send_text("42" + id + list(event, arguments));
    return answer(id);
  }
  /// The same with an attachment, referred to by `{"_placeholder":true,"num":0}`.
  flux::JsonText ask_with_bytes(std::string_view event, std::string_view arguments, std::string_view bytes) {
    const std::string id = std::to_string(next_id_++);
    send_text("451-" + id + list(event, arguments));
    send_binary(bytes);
    return answer(id);
  }
  /// The next event, as its array: `["name", …]`.
  flux::JsonText next() {
    if (aside_.empty()) return event_of(packet());
    auto first = std::move(aside_.front());
    aside_.pop_front();
    return first;
  }
  /// The next event of this name; earlier ones are dropped.
  flux::JsonText next(std::string_view event) {
    for (;;) {
      auto array = next();
      if (text_at(array, "/0") == event) return array;
    }
  }
  /// Events that arrived before the last acknowledgment and have not been read.
  std::vector<flux::JsonText> before_answer() {
    std::vector<flux::JsonText> all(aside_.begin(), aside_.end());
    aside_.clear();
    return all;
  }
  /// All events received so far: sends an unknown event and reads up to its reply.
  std::vector<flux::JsonText> so_far() {
    ask("nobody knows this");
    return before_answer();
  }

  std::string sid;

 private:
  static std::string list(std::string_view event, std::string_view arguments) {
    std::string text = "[\"" + std::string(event) + "\"";
    if (!arguments.empty()) text.append(",").append(arguments);
    return text + "]";
  }
  /// The next Socket.IO packet; Engine.IO pings are answered.
  std::string packet() {
    for (;;) {
      std::string text = message();
      if (text != "2") return text;
      send_text("3");
    }
  }
  static flux::JsonText event_of(const std::string& packet) {
    if (packet.substr(0, 2) != "42") throw std::runtime_error("not an event: " + packet);
    return flux::JsonText::parse(packet.substr(2)).value();
  }
  flux::JsonText answer(const std::string& id) {
    for (;;) {
      const std::string text = packet();
      if (text.substr(0, 2 + id.size()) == "43" + id)
        return *flux::JsonText::parse(text.substr(2 + id.size())).value().at("/0");
      aside_.push_back(event_of(text));
    }
  }

  std::deque<flux::JsonText> aside_;
  int next_id_ = 0;
};

}  // namespace flux_test
