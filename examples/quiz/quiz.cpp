// A quiz inside an HTTP program. Players enter over HTTP, with a name, and play over protocol live; the server decides
// what counts. The host, whose link is printed at the start, opens the questions, and removes players.
//
//     flux-example-quiz EXAMPLES_FOLDER [PORT [SECONDS_TO_ANSWER [PLAYERS]]]
#include "game.hpp"

#include <flux/flux.hpp>
#include <flux/signals.hpp>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

using flux::JsonText;

namespace {

const std::string room = "quiz";
constexpr const char* hosts_only = "only the host may do that";

/// Threading: the server's only event loop, on which handlers, routes and timers run one after the other.
class Quiz {
 public:
  Quiz(flux::Server& server, Game game, std::size_t players_max) : server_(server), game_(std::move(game)) {
    // A singleton room keeps only its newest item, so players who join late receive the current question.
    server.create_room(room, {.mode = flux::RoomMode::singleton, .capacity = players_max + 1, .permanent = true});
    show();
    server.route("POST", "/enter", [this](const flux::HttpExchange& exchange) {
      exchange.read_body([this, exchange](const std::string& body) { enter(exchange, body); });
    });
    server.on_connect([this](flux::ConnectRequest& request) {
      const auto account = accounts_.find(request.token());
      account == accounts_.end() ? request.refuse("enter your name again") : request.accept(account->second);
    });
    server.on_create_room([](flux::RoomCreation& creation) { creation.refuse("there is only the quiz"); });
    server.on_joined([this](const flux::Session& session, const flux::RoomId&) { welcome(session); });
    server.on_event([this](flux::EventMessage& message) { answer(message); });
    server.on_share([](flux::ShareDraft& share) { share.refuse("only the quiz shares data"); });
    server.on_chat([this](flux::ChatDraft& chat) { moderate(chat); });
    server.on_call("next", [this](flux::Call& call) { is_host(call.session()) ? next() : call.refuse(hosts_only); });
    server.on_call("remove", [this](flux::Call& call) {
      is_host(call.session()) ? remove(call.payload().get<std::string>().value_or("")) : call.refuse(hosts_only);
    });
  }

  const std::string host_key = flux::random_token();

 private:
  static bool is_host(const flux::Session& session) { return session.grant().claims.get<bool>("/host") == true; }

  void enter(const flux::HttpExchange& exchange, const std::string& body) {
    const auto form = JsonText::parse(body);
    const auto name = form ? form->get<std::string>("/name").value_or("") : "";
    const auto key = form ? form->get<std::string>("/hostKey") : std::nullopt;
    if (name.empty() || name.size() > 60) return exchange.respond(400, "A name has 1 to 60 bytes.");
    if (key && *key != host_key) return exchange.respond(403, "This is not the link of the host.");
    if (accounts_.size() == 1'000) return exchange.respond(503, "The quiz takes no more names.");
    const std::string token = flux::random_token();
    accounts_[token] = flux::Grant({.user_id = flux::random_token(), .name = name});
    accounts_[token].claims = JsonText::object({{"host", key.has_value()}});  // no client gets it
    exchange.respond(200, JsonText::object({{"token", token}}).text(), "application/json");
  }

  void welcome(const flux::Session& session) {
    const flux::Identity who = session.identity();
    if (!is_host(session)) game_.add_player(who.user_id, who.name);
    session.send("you", game_.seen_by(who.user_id), room);
    show();
  }

  void answer(flux::EventMessage& message) {
    if (message.event != "answer") return message.refuse("players only answer");
    const JsonText answer = message.payload.value_or(JsonText());
    const auto number = answer.get<std::size_t>("/number").value_or(0);
    const auto refusal =
        game_.answer(message.session.identity().user_id, number, answer.get<int>("/choice").value_or(-1));
    if (refusal) return message.refuse(*refusal);
    const auto missing = JsonText::number(game_.missing());
    message.consume(missing);  // nobody else hears of the answer itself
    const auto others = flux::Recipients::except({message.session.id()});
    server_.broadcast(room, "missing", missing, others, flux::Delivery::newest("missing"));
    if (game_.missing() == 0) next();
  }

  void next() {
    timer_.cancel();
    if (const auto open_for = game_.next()) timer_ = server_.call_after(*open_for, [this] { next(); });
    show();
    for (const flux::ChatPost& post : std::exchange(held_, {})) server_.send_chat(room, post);
  }

  void moderate(flux::ChatDraft& chat) {
    if (chat.message.find("://") != std::string::npos) return chat.refuse("no links, please");
    if (held_.size() == 100) return chat.refuse("wait until the question is over");
    chat.metadata = JsonText::object({{"name", chat.session.identity().name}});
    if (game_.question_is_open()) held_.push_back(chat.hold());  // it could give the answer away
  }

  void remove(const std::string& id) {
    game_.remove_player(id);
    std::erase_if(accounts_, [&](const auto& account) { return account.second.identity.user_id == id; });
    std::erase_if(held_, [&](const auto& post) { return post.user_id == id; });
    server_.leave_user(id, room, "the host has removed you");
    server_.revoke_user(id);
    show();
  }

  void show() { server_.share(room, game_.state()); }

  flux::Server& server_;
  Game game_;
  flux::Timer timer_;                            // closes the question
  std::vector<flux::ChatPost> held_;             // until the question is closed
  std::map<std::string, flux::Grant> accounts_;  // by token
};

}  // namespace

int main(int count, char** arguments) {
  const auto number = [&](int at, int otherwise) { return count > at ? std::atoi(arguments[at]) : otherwise; };
  const std::string folder = count > 1 ? arguments[1] : "examples";
  std::ifstream file(folder + "/quiz/questions.json");
  const auto questions = JsonText::parse({std::istreambuf_iterator<char>(file), {}});
  flux::Server server({.listen = {{"127.0.0.1", static_cast<std::uint16_t>(number(2, 8080))}}});
  Quiz quiz(server, Game(questions.value(), std::chrono::seconds(number(3, 20))), static_cast<unsigned>(number(4, 50)));
  server.static_files("/", folder + "/quiz/page");
  server.static_files("/collab", folder + "/collab");  // its style sheet and a few modules
  flux::stop_on_signals(server);
  server.start();
  const std::string url = server.urls().front();
  std::fprintf(stderr, "players: %s/\nhost:    %s/#host=%s\n", url.c_str(), url.c_str(), quiz.host_key.c_str());
  server.wait();
}
