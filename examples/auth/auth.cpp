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

/// Stands in for a database: one thread that answers one query at a time, slowly.
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

  /// Calls `found` on the database's thread.
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
      if (ending_) return;  // callers that are still waiting are refused
      const Question question = std::move(questions_.front());
      questions_.pop_front();
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // a real program would SELECT here
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

/// Answers both kinds of requests. If the last copy of `answer` is destroyed without an answer, the client is refused.
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
  const std::set<std::string> administrators = {"1"};  // by user id; flux has no notion of roles
  flux::Server server({.listen = {{"127.0.0.1", 8080}}});

  // The handshake. A client without a token is a guest; one with a wrong token is refused with HTTP 401.
  server.on_connect([&](flux::ConnectRequest& request) {
    std::string token = request.token();
    if (token.empty()) return request.accept();
    answer_from(accounts, std::move(token), request.later());
  });

  // The accessToken of a join_room turns a guest into a known user.
  server.on_token([&](flux::TokenRequest& request) { answer_from(accounts, request.token(), request.later()); });

  // Guests may only enter the lobby, and only administrators may enter staff-only rooms.
  server.on_join([&](flux::JoinRequest& join) {
    const flux::Identity who = join.session.identity();
    if (!who.verified && join.room != "lobby") return join.refuse("log in to join " + join.room);
    if (join.room.starts_with("staff-") && !administrators.contains(who.user_id)) join.refuse("administrators only");
  });

  server.run();
}
