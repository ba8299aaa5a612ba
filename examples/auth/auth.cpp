// Decides which clients may connect, and which rooms they may join.
//
// Users show a JSON Web Token: with the handshake (?access_token=… or "Authorization: Bearer …") or with join_room, which
// turns a guest into a known user. Services show an API key (X-API-Key or ?api_key=…). Clients that show neither are guests.
// Who may enter a staff room is in the account database, which blocks: it runs on its own thread and answers later.
//
//     head -c 32 /dev/urandom >secret.key
//     flux-example-auth secret.key [PORT]     # prints a token and an API key to try
#include <flux/auth.hpp>
#include <flux/flux.hpp>
#include <flux/signals.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>

namespace {

/// Stands in for a database: one thread that runs one query at a time, slowly.
class Database {
 public:
  ~Database() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

  /// Calls `found` on the database's thread; false: the user may not enter the room.
  void find_permission(std::string user, std::string room, std::function<void(bool)> found) {
    {
      const std::lock_guard lock(mutex_);
      queries_.push_back([this, user = std::move(user), room = std::move(room), found = std::move(found)] {
        const auto row = staff_rooms_.find(room);
        found(row != staff_rooms_.end() && row->second.contains(user));
      });
    }
    changed_.notify_one();
  }

 private:
  void work() {
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ending_ || !queries_.empty(); });
      if (ending_) return;  // pending queries are destroyed, and clients that wait for them are refused
      const auto query = std::move(queries_.front());
      queries_.pop_front();
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // a real program would SELECT here
      query();
    }
  }

  const std::map<std::string, std::set<std::string>> staff_rooms_ = {{"staff-1", {"1"}}};  // user ids
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queries_;
  bool ending_ = false;
  std::thread thread_{[this] { work(); }};
};

}  // namespace

int main(int count, char** arguments) {
  const int port = count == 3 ? std::atoi(arguments[2]) : 8080;
  if (count < 2 || count > 3 || port < 0 || port > 65'535) {
    return std::fprintf(stderr, "usage: flux-example-auth SECRET_FILE [PORT]\n"), 2;
  }
  Database database;  // outlives the server, whose handlers use it
  flux::Server server({.listen = {{"127.0.0.1", static_cast<std::uint16_t>(port)}}});

  flux::AuthOptions options;
  options.keys = {flux::jwt::Key::read_file(flux::jwt::Algorithm::hs256, arguments[1])};
  options.api_keys = flux::ApiKeysOptions{};
  options.required = false;  // guests; a client with a wrong token is refused all the same
  flux::Auth auth(server, options);

  // Everybody may follow the news; only those with this permission may write them.
  server.create_room("news", {.permanent = true, .demands = flux::Demands{.events = "write", .chat = "write"}});

  // Guests may only enter the lobby and the news; the database knows the users of staff rooms. The client's next messages
  // wait.
  server.on_join([&](flux::JoinRequest& join) {
    const flux::Identity who = join.session.identity();
    if (!who.verified && join.room != "lobby" && join.room != "news") return join.refuse("log in to join " + join.room);
    if (!join.room.starts_with("staff-")) return;
    database.find_permission(who.user_id, join.room, [verdict = join.later()](bool permitted) {
      permitted ? verdict.accept() : verdict.refuse("administrators only");
    });
  });

  const std::string token = auth.issue({.user_id = "1", .name = "Ada"}, {}, std::chrono::hours(1)).value();
  const std::string key = auth.add_api_key({.name = "editor", .permissions = {"write:news"}}).value().key;
  std::fprintf(stderr, "token of Ada: %s\nAPI key of the editor: %s\n", token.c_str(), key.c_str());
  flux::stop_on_signals(server);
  server.start();
  std::fprintf(stderr, "clients connect to %s/live\n", server.urls().front().c_str());
  server.wait();
}
