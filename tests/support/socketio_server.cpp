// A Socket.IO server driven by the tests with socket.io-client: each event exercises one thing that servers do.
//
// usage: flux-socketio-server [--threads N] [--recovery-ms N] [--recovery-packets N] [--rate N] [--origin ORIGIN]
//                             [--cors-with-credentials ORIGIN] [--payload-bytes N] [--path PATH] [--client-file FILE]
//                             [--ping-ms N] [--patience-ms N]     of pings, request heads, CONNECT and attachments
//                             [--certificate FILE --key FILE]
// Ends on SIGTERM.
#include <flux/flux.hpp>
#include <flux/socketio.hpp>

#include "support/server_program.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using flux::JsonText;
using flux::socketio::Args;
using flux::socketio::Event;
using flux::socketio::Next;
using flux::socketio::Socket;
using flux::socketio::Value;

Value text(std::string_view value) { return JsonText::string(value); }
std::string string_at(const Event& event, std::size_t index) {
  return event.arg(index).json().get<std::string>().value_or("");
}
Args from(const Event& event, std::size_t first) {
  return {event.args().begin() + static_cast<std::ptrdiff_t>(std::min(first, event.args().size())), event.args().end()};
}

/// The disconnections so far, for a client that connects later to query.
class Log {
 public:
  void add(const std::string& id, std::string_view reason) {
    const std::lock_guard lock(mutex_);
    reasons_[id] = reason;
  }
  std::string of(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = reasons_.find(id);
    return found == reasons_.end() ? std::string() : found->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> reasons_;
};

Later& later() {
  static Later main_thread;
  return main_thread;
}

void serve_values(const Socket& socket) {
  socket.on("echo", [socket](Event& event) { socket.emit("echoed", event.args()); });
  socket.on("ack", [](Event& event) { event.ack(event.args()); });
  socket.on("ack twice", [](Event& event) {
    event.ack({text("first")});
    event.ack({text("second")});
  });
  socket.on("ack later",
            [](Event& event) { later().add(20ms, [ack = event.later(), args = event.args()] { ack(args); }); });
  socket.on("bytes", [socket](Event& event) {  // returns bytes received, and some of the server's own
    const auto bytes = event.arg(0).bytes_at("/deep/0");
    std::string reversed = bytes ? std::string(bytes->rbegin(), bytes->rend()) : "none";
    const auto nested =
        Value::parse(R"({"in":[{"_placeholder":true,"num":0}]})", {std::make_shared<const std::string>(reversed)});
    socket.emit("bytes", {*nested, Value::bytes(std::move(reversed)), text("after")});
  });
  socket.on("ask me", [socket](Event& event) {
    const auto timeout = std::chrono::milliseconds(event.arg(0).json().get<std::int64_t>().value_or(1000));
    socket.emit("question", from(event, 1), timeout, [socket](flux::Result<Args> answer) {
      if (answer) {
        socket.emit("answered", *answer);
      } else {
        socket.emit("unanswered", {text(flux::to_string(answer.error().code()))});
      }
    });
  });
  socket.on("size", [](Event& event) {
    const auto bytes = event.arg(0).bytes_at();
    event.ack({bytes ? JsonText::trusted(std::to_string(bytes->size())) : JsonText()});
  });
  socket.on("length", [](Event& event) {  // of a plain string, without its quotes
    event.ack({JsonText::trusted(std::to_string(event.arg(0).json().text().size() - 2))});
  });
  socket.on("transport", [socket](Event& event) { event.ack({text(socket.transport())}); });
  socket.on("handshake", [socket](Event& event) {
    const auto& handshake = socket.handshake();
    event.ack({handshake.auth(), text(handshake.query("token").value_or("none")),
               text(handshake.header("X-Test").value_or("none")), text(handshake.remote_address().substr(0, 10))});
  });
  socket.on("bad emits", [socket](Event& event) {
    const auto reserved = socket.emit("disconnect");
    event.ack({text(reserved ? "sent" : flux::to_string(reserved.error().code()))});
  });
}

void serve_listeners(const Socket& socket) {
  socket.on("listen once", [socket](Event& event) {
    socket.once("once", [](Event& now) { now.ack({text("the only time")}); });
    event.ack();
  });
  socket.on("stop", [socket](Event& event) {
    socket.off(string_at(event, 0));
    event.ack();
  });
  socket.on("guarded", [](Event& event) { event.ack({text("handled")}); });
  socket.use([](Event& event, Next next) {
    if (event.name() != "guarded") return next();
    const std::string how = string_at(event, 0);
    if (how == "throw") throw std::runtime_error("as the test wants it");
    if (how == "refuse") return next.refuse("not you", JsonText::trusted("[1]"));
    if (how == "later") return later().add(20ms, [next] { next(); });
    if (how != "ignore") next();
  });
  socket.use([](Event& event, Next next) {
    if (event.name() == "guarded" && string_at(event, 0) == "second") return next.refuse("the second one");
    next();
  });
  socket.on_refused([](Event& event, const std::string& message, const std::optional<JsonText>& data) {
    event.ack({text(event.name()), text(message), data.value_or(JsonText())});
  });
}

void serve_rooms(flux::socketio::Namespace nsp, const Socket& socket) {
  socket.on("join", [socket](Event& event) {
    const auto joined = socket.join(string_at(event, 0));
    event.ack({text(joined ? "joined" : flux::to_string(joined.error().code()))});
  });
  socket.on("leave", [socket](Event& event) {
    socket.leave(string_at(event, 0));
    event.ack();
  });
  socket.on("rooms", [socket](Event& event) {
    Args rooms;
    for (const auto& room : socket.rooms()) rooms.push_back(text(room));
    event.ack(rooms);
  });
  socket.on("to", [socket](Event& event) { socket.to(string_at(event, 0)).emit("news", from(event, 1)); });
  socket.on("in", [nsp](Event& event) { nsp.to(string_at(event, 0)).emit("news", from(event, 1)); });
  socket.on("in two",
            [nsp](Event& event) { nsp.to(string_at(event, 0)).to(string_at(event, 1)).emit("news", from(event, 2)); });
  socket.on("except", [nsp](Event& event) { nsp.except(string_at(event, 0)).emit("news", from(event, 1)); });
  socket.on("ask room", [nsp, socket](Event& event) {
    const auto timeout = std::chrono::milliseconds(event.arg(1).json().get<std::int64_t>().value_or(1000));
    const auto done = [ack = event.later()](const std::optional<flux::Error>& missing,
                                            const std::vector<Args>& answers) {
      Args all{missing ? text(flux::to_string(missing->code())) : Value()};
      for (const Args& answer : answers) all.insert(all.end(), answer.begin(), answer.end());
      ack(all);
    };
    nsp.to(string_at(event, 0)).except(socket.id()).timeout(timeout).emit("question", from(event, 2), done);
  });
  socket.on("all join", [nsp](Event& event) {
    nsp.to(string_at(event, 0)).sockets_join(string_at(event, 1));
    event.ack();
  });
  socket.on("all leave", [nsp](Event& event) {
    nsp.to(string_at(event, 0)).sockets_leave(string_at(event, 1));
    event.ack();
  });
  socket.on("in, then all but", [nsp](Event& event) {
    const auto room = nsp.to(string_at(event, 0));
    room.except(string_at(event, 1)).emit("news", {text("but")});
    room.emit("news", {text("all")});
  });
  socket.on("in turns", [nsp](Event& event) {  // to two rooms and to all, in one turn of the loop
    for (int n = 0; n < 6; ++n) {
      const Args number{JsonText::trusted(std::to_string(n))};
      n % 3 == 2 ? nsp.emit("news", number)
                 : nsp.to(string_at(event, static_cast<std::size_t>(n % 3))).emit("news", number);
    }
  });
  socket.on("broadcast", [socket](Event& event) { socket.broadcast().emit("news", event.args()); });
  socket.on("all", [nsp](Event& event) { nsp.emit("news", event.args()); });
  socket.on("all volatile", [nsp](Event& event) { nsp.except("").volatile_().emit("news", event.args()); });
  socket.on("volatile", [socket](Event& event) {
    for (int i = 0; i < 1000; ++i) socket.volatile_emit("news", event.args());
    socket.emit("volatile done");
  });
  socket.on("members", [nsp](Event& event) {
    event.ack({JsonText::trusted(std::to_string(nsp.sockets_in(string_at(event, 0)).size())),
               JsonText::trusted(std::to_string(nsp.sockets().size()))});
  });
}

void serve_ends(flux::socketio::Namespace nsp, const Socket& socket, Log& log) {
  socket.on_disconnecting([socket, &log](std::string_view) {
    std::string rooms;
    for (const auto& room : socket.rooms()) rooms += room == socket.id() ? "" : room + ";";
    log.add("rooms of " + socket.id(), rooms);
    for (const auto& room : socket.rooms()) socket.to(room).emit("leaving", {text(socket.id())});
  });
  socket.on_disconnect([socket, &log](std::string_view reason) {
    log.add(socket.id(), reason);
    log.add("rooms then of " + socket.id(), std::to_string(socket.rooms().size()));
  });
  socket.on("reason of", [&log](Event& event) { event.ack({text(log.of(string_at(event, 0)))}); });
  socket.on("disconnect me", [socket](Event&) {
    socket.emit("last words");
    socket.disconnect();
  });
  socket.on("close me", [socket](Event&) {
    socket.emit("last words");
    socket.disconnect(true);
  });
  socket.on("disconnect", [](Event&) {});  // no client can send this event
  socket.on("set data", [socket](Event& event) {
    socket.set_data(event.arg(0).json());
    event.ack();
  });
  socket.on("data", [socket](Event& event) {
    event.ack({socket.data(), JsonText::trusted(socket.recovered() ? "true" : "false")});
  });
  socket.on("throw", [](Event&) { throw std::runtime_error("as the test wants it"); });
  socket.on("anyone", [nsp](Event& event) {
    const auto found = nsp.socket(string_at(event, 0));
    event.ack({JsonText::trusted(found && found->connected() ? "true" : "false")});
  });
}

void serve(flux::socketio::Namespace nsp, Log& log) {
  nsp.on_connection([nsp, &log](const Socket& socket) {
    serve_values(socket);
    serve_listeners(socket);
    serve_rooms(nsp, socket);
    serve_ends(nsp, socket, log);
  });
}

/// Decides by the client's name; some answers are given later, from another thread.
void ask_for_names(flux::socketio::Namespace nsp) {
  nsp.use([](const Socket& socket, const Next& next) {
    const auto name = socket.handshake().auth().get<std::string>("/name");
    if (!name) return next.refuse("no name", JsonText::trusted(R"({"wants":["name"]})"));
    if (*name == "thrower") throw std::runtime_error("as the test wants it");
    if (*name == "ignored") return;
    socket.set_data(JsonText::string(*name));
    if (*name == "joiner") static_cast<void>(socket.join("joined while asked"));
    later().add(*name == "slow" ? 1s : 20ms, [next, admitted = *name != "late refused"] {
      if (admitted) return next();
      next.refuse("thought about it");
    });
  });
  nsp.use([](const Socket& socket, const Next& next) {
    if (socket.data() == JsonText::string("second refused")) return next.refuse("the second one");
    next();
  });
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  later();  // before any other thread starts

  Log log;
  flux::Config config = config_of(arguments);
  config.limits.messages_per_second = arguments.number<std::uint32_t>("--rate", 0);
  config.limits.message_burst = 5;
  config.limits.handshake_timeout = arguments.ms("--patience-ms", 10s);
  config.limits.rate_limit_strikes_max = 20;
  if (arguments.has("--cors-with-credentials")) config.origins = {"*"};
  if (arguments.has("--origin")) config.origins = {arguments.text("--origin")};
  config.tls = {arguments.text("--certificate"), arguments.text("--key")};
  flux::Server server(config);

  flux::socketio::Options socketio;
  socketio.ping_interval = arguments.ms("--ping-ms", 25s);
  socketio.ping_timeout = arguments.ms("--patience-ms", 20s);
  socketio.connect_timeout = socketio.attachments_timeout = socketio.ping_timeout;
  socketio.namespaces_per_connection_max = 4;
  socketio.rooms_per_socket_max = 3;
  socketio.payload_bytes_max = arguments.number<std::size_t>("--payload-bytes", 1'000'000);
  if (arguments.has("--path")) socketio.path = arguments.text("--path");
  socketio.client_file = arguments.text("--client-file");
  if (arguments.has("--cors-with-credentials")) {
    socketio.cors_origins = {arguments.text("--cors-with-credentials")};  // config.origins limits which may connect
    socketio.cors_credentials = true;
  }
  socketio.recovery_max = arguments.ms("--recovery-ms", 0ms);
  socketio.recovery_packets_max = arguments.number<std::size_t>("--recovery-packets", 1'000);
  flux::socketio::Io io(server, socketio);
  serve(io.of("/"), log);
  serve(io.of("/named"), log);
  serve(io.of("/other"), log);
  ask_for_names(io.of("/named"));
  io.of([](std::string_view name, const JsonText&) { return name.substr(0, 6) == "/room-"; },
        [&log](flux::socketio::Namespace nsp) { serve(std::move(nsp), log); });

  run_server(server, later(), arguments.has("--certificate") ? "https" : "http");
}
