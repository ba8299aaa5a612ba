// Private messages for unmodified socket.io-client: the example of Socket.IO's documentation, with its events. A user may
// have several tabs, and stays the same user after a reload, a lost connection or a closed tab.
//
//     const socket = io({auth: {username: "Ada"}});        // later {sessionID}
//     socket.on("session", ({sessionID, userID}) => …);    // keep sessionID: it is what proves who the user is
//     socket.on("users", (users) => …);                    // [{userID, username, connected, messages}]
//     socket.on("user connected", (user) => …);            // its first tab
//     socket.on("user disconnected", (userID) => …);       // its last tab
//     socket.emit("private message", {to: userID, content: "hello"}, ({error}) => …);
//     socket.on("private message", ({from, to, content}) => …);  // in the tabs of both, except the sending one
//
//     flux-example-socketio_private [PAGE_FOLDER CLIENT_BUNDLE [PORT]]
#include <flux/flux.hpp>
#include <flux/signals.hpp>
#include <flux/socketio.hpp>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using flux::JsonText;
using flux::socketio::Event;
using flux::socketio::Next;
using flux::socketio::Socket;

namespace {

constexpr std::size_t users_max = 1'000;
constexpr std::size_t messages_max = 1'000;  // the newest, of all users together
constexpr std::size_t name_bytes_max = 80;
constexpr std::size_t content_bytes_max = 500;

/// The users and their messages. Real programs keep both in a database.
/// Threading: any thread.
class Users {
 public:
  /// Finds the user of a session, or else adds one with this name; the user's id. None if that is impossible.
  std::optional<std::string> enter(const std::string& session, const std::string& name) {
    const std::lock_guard lock(mutex_);
    if (const auto known = sessions_.find(session); known != sessions_.end()) return known->second;
    if (name.empty() || name.size() > name_bytes_max || users_.size() == users_max) return std::nullopt;
    std::string id = flux::random_token();
    User user{.session = flux::random_token(), .name = name};
    sessions_[user.session] = id;
    users_[id] = std::move(user);
    return id;
  }

  /// Counts a tab; true for the user's first one.
  bool add_tab(const std::string& id) {
    const std::lock_guard lock(mutex_);
    return users_.at(id).tabs++ == 0;
  }
  /// Stops counting a tab; true for the user's last one.
  bool remove_tab(const std::string& id) {
    const std::lock_guard lock(mutex_);
    return --users_.at(id).tabs == 0;
  }

  bool keep_message(const std::string& from, const std::string& to, const std::string& content) {
    const std::lock_guard lock(mutex_);
    if (!users_.contains(to)) return false;
    messages_.push_back({from, to, content});
    if (messages_.size() > messages_max) messages_.pop_front();
    return true;
  }

  JsonText session(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    return JsonText::object({{"sessionID", users_.at(id).session}, {"userID", id}});
  }
  /// The user as the others see it, without messages.
  JsonText user(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    return describe(id, users_.at(id), {});
  }
  /// Everybody, each with its conversation with `reader`.
  JsonText seen_by(const std::string& reader) const {
    const std::lock_guard lock(mutex_);
    std::map<std::string, std::vector<JsonText>> conversations;
    for (const Message& message : messages_) {
      if (message.from != reader && message.to != reader) continue;
      conversations[message.from == reader ? message.to : message.from].push_back(message.json());
    }
    std::vector<JsonText> list;
    for (const auto& [id, user] : users_) list.push_back(describe(id, user, conversations[id]));
    return JsonText::array(list);
  }

  struct Message {
    std::string from;
    std::string to;
    std::string content;
    JsonText json() const { return JsonText::object({{"from", from}, {"to", to}, {"content", content}}); }
  };

 private:
  struct User {
    std::string session;
    std::string name;
    std::size_t tabs = 0;
  };

  static JsonText describe(const std::string& id, const User& user, const std::vector<JsonText>& messages) {
    return JsonText::object({{"userID", id},
                             {"username", user.name},
                             {"connected", user.tabs > 0},
                             {"messages", JsonText::array(messages)}});
  }

  mutable std::mutex mutex_;
  std::map<std::string, User> users_;            // by user id, which everybody sees
  std::map<std::string, std::string> sessions_;  // user ids by session id, which only the user sees
  std::deque<Message> messages_;
};

void send_private(Users& users, const Socket& socket, const std::string& self, const Event& event) {
  const JsonText& sent = event.arg(0).json();
  const Users::Message message{self, sent.get<std::string>("/to").value_or(""),
                               sent.get<std::string>("/content").value_or("")};
  const auto refuse = [&](const char* reason) { event.ack({JsonText::object({{"error", reason}})}); };
  if (message.content.empty()) return refuse("say something");
  if (message.content.size() > content_bytes_max) return refuse("a message has at most 500 bytes");
  // Rooms are named by user ids: without this check a client could send to any room.
  if (!users.keep_message(message.from, message.to, message.content)) return refuse("there is no such user");
  socket.to(message.to).to(self).emit("private message", {message.json()});
  event.ack({JsonText::object({})});
}

}  // namespace

int main(int count, char** arguments) {
  const char* const port = count > 3 ? arguments[3] : "8080";
  Users users;  // outlives the server
  flux::Server server({.listen = {{"127.0.0.1", static_cast<std::uint16_t>(std::atoi(port))}}});
  flux::socketio::Io io(server, {.client_file = count > 2 ? arguments[2] : ""});
  const flux::socketio::Namespace all = io.of("/");
  if (count > 1) server.static_files("/", arguments[1]);

  io.use([&users](const Socket& socket, const Next& next) {
    const JsonText& auth = socket.handshake().auth();
    const auto user =
        users.enter(auth.get<std::string>("/sessionID").value_or(""), auth.get<std::string>("/username").value_or(""));
    if (!user) return next.refuse("invalid username");  // becomes the client's connect_error
    socket.set_data(JsonText::string(*user));
    next();
  });

  io.on_connection([&users, all](const Socket& socket) {
    const std::string self = socket.data().get<std::string>().value_or("");
    const bool is_first_tab = users.add_tab(self);
    socket.join(self).value();  // the room of the user's tabs
    socket.emit("session", {users.session(self)});
    socket.emit("users", {users.seen_by(self)});
    if (is_first_tab) all.except(self).emit("user connected", {users.user(self)});

    socket.on("private message", [&users, socket, self](Event& event) { send_private(users, socket, self, event); });
    socket.on_disconnect([&users, all, self](std::string_view) {
      if (users.remove_tab(self)) all.except(self).emit("user disconnected", {JsonText::string(self)});
    });
  });

  flux::stop_on_signals(server);
  server.start();
  std::printf("open %s/ in two windows\n", server.urls().front().c_str());
  std::fflush(stdout);
  server.wait();
}
