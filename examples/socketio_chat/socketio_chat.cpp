// A chat for unmodified socket.io-client: a client that gives a name may connect, and talks in rooms.
//
//     const socket = io("http://localhost:8080", {auth: {name: "Ada"}});
//     socket.on("said", (who, text) => …);
//     socket.emit("join", "lobby", (others) => socket.emit("say", "lobby", "hello"));
#include <flux/flux.hpp>
#include <flux/signals.hpp>
#include <flux/socketio.hpp>

#include <string>

using flux::JsonText;
using flux::socketio::Event;
using flux::socketio::Next;
using flux::socketio::Socket;

namespace {

std::string text(const Event& event, std::size_t index) {
  return event.arg(index).json().get<std::string>().value_or("");
}

}  // namespace

int main() {
  flux::Server server({.listen = {{"127.0.0.1", 8080}}});
  flux::socketio::Io io(server);
  const flux::socketio::Namespace chat = io.of("/");

  io.use([](const Socket& socket, const Next& next) {
    const auto name = socket.handshake().auth().get<std::string>("/name");
    if (!name || name->empty()) return next.refuse("give a name");  // becomes the client's connect_error
    socket.set_data(JsonText::string(*name));
    next();
  });

  io.on_connection([chat](const Socket& socket) {
    socket.on("join", [chat, socket](Event& event) {
      const std::string room = text(event, 0);
      const JsonText others = JsonText::number(chat.sockets_in(room).size());
      if (socket.join(room)) event.ack({others});
    });
    socket.on("say", [chat, socket](Event& event) {
      const std::string room = text(event, 0);
      chat.to(room).emit("said", {socket.data(), event.arg(1)});  // arg(1) may hold files: bytes pass unchanged
      event.ack();
    });
  });

  flux::stop_on_signals(server);
  server.run();
}
