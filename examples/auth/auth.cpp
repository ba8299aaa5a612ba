// Who may connect, and who may join which room.
//
// A token comes with the handshake (?access_token=… or "Authorization: Bearer …") or with join_room. The account
// database blocks, so it runs on its own thread and answers later from there.
#include <flux/flux.hpp>

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
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

  /// Calls `found` on the database's thread.
  void find_account(std::string token, std::function<void(std::optional<flux::Identity>)> found) {
    add([this, token = std::move(token), found = std::move(found)] {
      const auto row = accounts_.find(token);
      found(row == accounts_.end() ? std::nullopt : std::optional(row->second));
    });
  }
  /// The same; false: the user is not one of those who may enter the room.
  void find_permission(std::string user, std::string room, std::function<void(bool)> found) {
    add([this, user = std::move(user), room = std::move(room), found = std::move(found)] {
      const auto row = staff_rooms_.find(room);
      found(row != staff_rooms_.end() && row->second.contains(user));
    });
  }

 private:
  using Query = std::function<void()>;

  void add(Query query) {
    {
      const std::lock_guard lock(mutex_);
      queries_.push_back(std::move(query));
    }
    changed_.notify_one();
  }
  void work() {
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ending_ || !queries_.empty(); });
      if (ending_) return;  // pending queries are destroyed, and clients that wait for them are refused
      const Query query = std::move(queries_.front());
      queries_.pop_front();
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // a real program would SELECT here
      query();
    }
  }

  const std::map<std::string, flux::Identity> accounts_ = {
      {"ada-secret", {.user_id = "1", .name = "Ada", .email = "ada@example.com"}},
      {"bob-secret", {.user_id = "2", .name = "Bob", .email = "bob@example.com"}},
  };
  const std::map<std::string, std::set<std::string>> staff_rooms_ = {{"staff-1", {"1"}}};  // user ids
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Query> queries_;
  bool ending_ = false;
  std::thread thread_{[this] { work(); }};
};

/// Answers both kinds of requests. If the last copy of `answer` is destroyed without an answer, the client is refused.
void answer_from(Database& database, std::string token, const flux::LaterAnswer& answer) {
  database.find_account(std::move(token), [answer](std::optional<flux::Identity> account) {
    if (account) {
      answer.accept(std::move(*account));
    } else {
      answer.refuse("unknown token");
    }
  });
}

}  // namespace

int main() {
  Database database;  // outlives the server, whose handlers use it
  flux::Server server({.listen = {{"127.0.0.1", 8080}}});

  // The handshake. A client without a token is a guest; one with a wrong token is refused with HTTP 401.
  server.on_connect([&](flux::ConnectRequest& request) {
    std::string token = request.token();
    if (token.empty()) return request.accept();
    answer_from(database, std::move(token), request.later());
  });

  // The accessToken of a join_room turns a guest into a known user.
  server.on_token([&](flux::TokenRequest& request) { answer_from(database, request.token(), request.later()); });

  // Guests may only enter the lobby, and who may enter a staff room is in the database. The client's next messages wait.
  server.on_join([&](flux::JoinRequest& join) {
    const flux::Identity who = join.session.identity();
    if (!who.verified && join.room != "lobby") return join.refuse("log in to join " + join.room);
    if (!join.room.starts_with("staff-")) return;
    database.find_permission(who.user_id, join.room, [verdict = join.later()](bool permitted) {
      permitted ? verdict.accept() : verdict.refuse("administrators only");
    });
  });

  server.run();
}
