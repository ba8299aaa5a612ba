// A chat whose clients show tokens that last a minute. Logging in makes a session of some hours, whose id is in a cookie
// that scripts can't read; with it the page gets one token after the other. A connection shows the next token before the
// present one ends, and stays open. A moderator, whose link is printed at the start, ends both at once for a member.
//
//     flux-example-chat_with_tokens EXAMPLES_FOLDER [PORT [SECONDS_OF_A_TOKEN]]
#include <flux/auth.hpp>
#include <flux/flux.hpp>
#include <flux/signals.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

using flux::JsonText;

namespace {

const std::string room = "chat";
constexpr std::chrono::hours login_lasts{8};
constexpr std::size_t logins_max = 1'000;

/// Signs with a key that ends with the program. A program that runs on several machines, or whose tokens must survive its
/// restart, reads one: `flux::jwt::Key::read_file`.
flux::AuthOptions tokens() {
  flux::AuthOptions options;
  options.keys = {flux::jwt::Key::secret(flux::jwt::Algorithm::hs256, flux::random_token(32))};
  options.tokens.issuers = options.tokens.audiences = {"flux-example-chat_with_tokens"};
  options.tokens.leeway = std::chrono::seconds(0);  // the issuer's clock is ours
  return options;
}

/// Threading: the server's only event loop, on which handlers and routes run one after the other.
class Chat {
 public:
  Chat(flux::Server& server, std::chrono::seconds valid_for)
      : server_(server), auth_(server, tokens()), valid_for_(valid_for) {
    flux::RoomOptions options;
    options.permanent = true;
    options.demands =
        flux::Demands{.join = "read", .events = "write", .presence = "write", .chat = "write", .share = "write"};
    server.create_room(room, options);
    server.route("POST", "/login", [this](const flux::HttpExchange& exchange) {
      exchange.read_body([this, exchange](const std::string& body) { log_in(exchange, body); });
    });
    server.route("POST", "/token", [this](const flux::HttpExchange& exchange) { renew(exchange); });
    server.route("POST", "/logout", [this](const flux::HttpExchange& exchange) { log_out(exchange); });
    server.on_create_room([](flux::RoomCreation& creation) { creation.refuse("there is only the chat"); });
    server.on_chat([](flux::ChatDraft& chat) {
      chat.metadata = JsonText::object({{"name", chat.session.identity().name}});
    });
    server.on_call("remove", [this](flux::Call& call) { remove(call); }, {.permission = "moderate:" + room});
  }

  const std::string moderator_key = flux::random_token(32);

 private:
  struct Login {
    flux::Identity user;
    std::vector<std::string> permissions;
    std::chrono::steady_clock::time_point ends;
  };

  void log_in(const flux::HttpExchange& exchange, const std::string& body) {
    const auto form = JsonText::parse(body);
    const auto name = form ? form->get<std::string>("/name").value_or("") : "";
    const auto key = form ? form->get<std::string>("/moderatorKey") : std::nullopt;
    // An application with accounts checks a password here, or sends its users to an identity provider.
    if (name.empty() || name.size() > 60) return exchange.respond(400, "A name has 1 to 60 bytes.");
    if (key && *key != moderator_key) return exchange.respond(403, "This is not the link of the moderator.");
    const auto now = std::chrono::steady_clock::now();
    std::erase_if(logins_, [now](const auto& login) { return login.second.ends <= now; });
    if (logins_.size() == logins_max) return exchange.respond(503, "The chat is full.");
    Login login{{.user_id = flux::random_token(), .name = name}, {"read:" + room, "write:" + room}, now + login_lasts};
    if (key) login.permissions.push_back("moderate:" + room);
    const std::string id = flux::random_token(32);
    logins_[id] = login;
    // Over https add "; Secure".
    const std::string cookie = "login=" + id + "; HttpOnly; SameSite=Strict; Path=/; Max-Age=" +
                               std::to_string(std::chrono::seconds(login_lasts).count());
    respond_with_token(exchange, login, {{"Set-Cookie", cookie}});
  }

  void renew(const flux::HttpExchange& exchange) {
    const auto login = logins_.find(exchange.cookie("login").value_or(""));
    if (login == logins_.end() || login->second.ends <= std::chrono::steady_clock::now()) {
      return exchange.respond(401, "Please log in again.");
    }
    respond_with_token(exchange, login->second, {});
  }

  void respond_with_token(const flux::HttpExchange& exchange, const Login& login, flux::HttpFields fields) {
    const auto token = auth_.issue(login.user, login.permissions, valid_for_);
    if (!token) return exchange.respond(500, "There is no token at the moment.");
    std::vector<JsonText> permissions;
    for (const std::string& each : login.permissions) permissions.push_back(JsonText::string(each));
    fields.emplace_back("Cache-Control", "no-store");
    exchange.respond(200,
                     JsonText::object({{"token", *token},
                                       {"userId", login.user.user_id},
                                       {"name", login.user.name},
                                       {"permissions", JsonText::array(permissions)},
                                       {"validFor", static_cast<std::int64_t>(valid_for_.count())}})
                         .text(),
                     "application/json", std::move(fields));
  }

  void log_out(const flux::HttpExchange& exchange) {
    logins_.erase(exchange.cookie("login").value_or(""));
    exchange.respond(204, "", "text/plain", {{"Set-Cookie", "login=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0"}});
  }

  /// The method that moderators call. Without the login there are no more tokens, and the one that the member has is
  /// refused as long as it would last.
  void remove(flux::Call& call) {
    const auto user = call.payload().get<std::string>().value_or("");
    const auto is_users = [&](const auto& login) { return login.second.user.user_id == user; };
    if (user == call.session().identity().user_id) return call.refuse("you can't remove yourself");
    if (std::erase_if(logins_, is_users) == 0) return call.refuse("there is no such member");
    server_.revoke_user(user, std::chrono::system_clock::now() + valid_for_, "A moderator has removed you.");
  }

  flux::Server& server_;
  flux::Auth auth_;
  const std::chrono::seconds valid_for_;  // of a token
  std::map<std::string, Login> logins_;   // by the value of the cookie
};

}  // namespace

int main(int count, char** arguments) {
  const auto number = [&](int at, int otherwise) { return count > at ? std::atoi(arguments[at]) : otherwise; };
  const std::string folder = count > 1 ? arguments[1] : "examples";
  const std::chrono::seconds valid_for(number(3, 60));
  flux::Config config;
  config.listen = {{"127.0.0.1", static_cast<std::uint16_t>(number(2, 8080))}};
  config.expiry_notice = valid_for / 3;
  flux::Server server(config);
  Chat chat(server, valid_for);
  server.static_files("/", folder + "/chat_with_tokens/page");
  server.static_files("/collab", folder + "/collab");  // its style sheet and a few modules
  flux::stop_on_signals(server);
  server.start();
  const std::string url = server.urls().front();
  std::fprintf(stderr, "members:   %s/\nmoderator: %s/#moderator=%s\n", url.c_str(), url.c_str(),
               chat.moderator_key.c_str());
  server.wait();
}
