// Who may connect, and who may join which room.
//
// A token comes with the handshake (?access_token=… or "Authorization: Bearer …") or with join_room. The accounts are
// in a database that blocks, so it has a thread of its own, and the answers are given later, from there.
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

/// Stands for a database: one thread, one question at a time, each of which takes a while.
class Accounts {
 public:
  using Found = std::function<void(std::optional<flux::Identity>)>;

  ~Accounts() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

  /// Calls `found` from the database's thread.
  void find(std::string token, Found found) {
    {
      const std::lock_guard lock(mutex_);
      questions_.push_back({std::move(token), std::move(found)});
    }
    changed_.notify_one();
  }

 private:
  struct Question {
    std::string token;
    Found found;
  };

  void work() {
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ending_ || !questions_.empty(); });
      if (ending_) return;  // who still waits is refused
      const Question question = std::move(questions_.front());
      questions_.pop_front();
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // where SELECT would be
      const auto row = rows_.find(question.token);
      question.found(row == rows_.end() ? std::nullopt : std::optional(row->second));
    }
  }

  const std::map<std::string, flux::Identity> rows_ = {
      {"ada-secret", {.user_id = "1", .name = "Ada", .email = "ada@example.com"}},
      {"bob-secret", {.user_id = "2", .name = "Bob", .email = "bob@example.com"}},
  };
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Question> questions_;
  bool ending_ = false;
  std::thread thread_{[this] { work(); }};
};

/// Both kinds of questions are answered alike. The last copy of `answer` that goes without an answer refuses.
void answer_from(Accounts& accounts, std::string token, const flux::LaterAnswer& answer) {
  accounts.find(std::move(token), [answer](std::optional<flux::Identity> account) {
    if (account) {
      answer.accept(std::move(*account));
    } else {
      answer.refuse("unknown token");
    }
  });
}

}  // namespace

int main() {
  Accounts accounts;                                   // outlives the server, whose handlers use it
  const std::set<std::string> administrators = {"1"};  // by user id; flux knows of no roles
  flux::Server server({.listen = {{"127.0.0.1", 8080}}});

  // The handshake. Who shows no token is a guest; who shows a wrong one is refused with HTTP 401.
  server.on_connect([&](flux::ConnectRequest& request) {
    std::string token = request.token();
    if (!token.empty()) answer_from(accounts, std::move(token), request.later());
  });

  // The accessToken of a join_room: a guest becomes somebody.
  server.on_token([&](flux::TokenRequest& request) { answer_from(accounts, request.token(), request.later()); });

  // Guests stay in the lobby, and staff-only rooms are for administrators.
  server.on_join([&](flux::JoinRequest& join) {
    const flux::Identity who = join.session.identity();
    if (!who.verified && join.room != "lobby") return join.refuse("log in to join " + join.room);
    if (join.room.starts_with("staff-") && !administrators.contains(who.user_id)) join.refuse("administrators only");
  });

  server.run();
}
