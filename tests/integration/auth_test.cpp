// flux::Auth: who gets in with a token or an API key, over every protocol, and what they may do then.
#include "support/memory_file_store.hpp"
#include "support/server.hpp"
#include "support/socketio_client.hpp"
#include "support/socketio_poller.hpp"
#include "support/temp_folder.hpp"
#include "support/token_keys.hpp"
#include "unit/support/issuer.hpp"

#include <flux/auth.hpp>
#include <flux/detail/core/base64url.hpp>
#include <flux/detail/core/digest.hpp>
#include <flux/engineio.hpp>
#include <flux/sharing.hpp>
#include <flux/testing/manual_clock.hpp>

#include <atomic>
#include <fstream>
#include <stdexcept>

namespace auth_test {

using namespace flux_test;
using namespace flux::literals;
using flux::Auth;
using flux::AuthOptions;
using flux::JsonText;
using flux::jwt::Algorithm;
using flux::jwt::Key;
using flux::testing::TokenKey;

namespace {

const std::string secret_bytes(32, 's');

AuthOptions with_secret() { return {.keys = {Key::secret(Algorithm::hs256, secret_bytes)}}; }

flux::Config closing_with_status() {
  auto config = test_config();
  config.refuse_with = flux::RefuseWith::http_status;
  return config;
}

/// A server with every kind of endpoint, behind an `Auth`. It starts when its port is first used.
struct House {
  explicit House(AuthOptions options = with_secret(), flux::Config config = closing_with_status())
      : server(with_files(std::move(config))), auth(server, std::move(options)), io(server) {
    flux::socketio::serve_sharing(server, io);
    server.websocket("/raw", {});
    server.route("GET", "/me",
                 [](const flux::HttpExchange& exchange) { exchange.respond(200, exchange.identity().user_id); },
                 {.authenticated = true});
  }
  std::uint16_t port() {
    if (!server.running()) server.start();
    return server.port();
  }
  std::string token(std::string_view user, std::chrono::seconds valid_for = std::chrono::hours(1)) const {
    return auth.issue({.user_id = std::string(user)}, {"read:*"}, valid_for).value();
  }

  /// Whether a client that shows this text (raw, as it goes into a query, a header field or a JSON string) gets in, by door.
  std::map<std::string, bool> doors(const std::string& token) {
    std::map<std::string, bool> open;
    for (const std::string path : {"/live", "/raw"}) {
      HttpClient by_query(port());
      open[path + "?"] = by_query.request(handshake(path + "?access_token=" + token)).status == 101;
    }
    HttpClient http(port());
    open["route"] = http.request(get("/me", "Authorization: Bearer " + token + "\r\n")).status == 200;
    HttpClient uploader(port());
    open["file"] = uploader.request(post("/files?access_token=" + token, "x")).status == 201;
    WebSocketClient socket(port(), "/socket.io/?EIO=4&transport=websocket");
    socket.message();
    socket.send_text("40" + JsonText::object({{"token", token}}).text());
    open["socket.io websocket"] = socket.message().substr(0, 2) == "40";
    Poller poller(port(), false);
    poller.post("40" + JsonText::object({{"token", token}}).text());
    open["socket.io polling"] = poller.poll().substr(0, 2) == "40";
    return open;
  }
  bool all(const std::string& token, bool expected) {
    bool as_expected = true;
    for (const auto& [door, open] : doors(token)) {
      if (open != expected) UNSCOPED_INFO(door << (open ? " is open" : " is shut"));
      as_expected = as_expected && open == expected;
    }
    return as_expected;
  }

  std::shared_ptr<MemoryFileStore> files;
  flux::Server server;
  Auth auth;
  flux::socketio::Io io;

 private:
  flux::Config with_files(flux::Config config) {
    files = std::make_shared<MemoryFileStore>();
    config.files.store = files;
    return config;
  }
};

std::string base64url(std::string_view bytes) {
  std::string text;
  flux::core::append_base64url(text, bytes);
  return text;
}

/// A token with this header and these claims, and `signature`.
std::string forged(std::string_view header, std::string_view claims, std::string_view signature) {
  return base64url(header) + "." + base64url(claims) + "." + base64url(signature);
}

AuthOptions with_keys(std::shared_ptr<flux::KeyStore> store = nullptr) {
  auto options = with_secret();
  options.api_keys.emplace().store = std::move(store);
  return options;
}

flux::Grant::TimePoint in(std::chrono::milliseconds time) {
  return std::chrono::time_point_cast<flux::Grant::TimePoint::duration>(std::chrono::system_clock::now()) + time;
}

/// A store of API keys that can't be read on demand.
class FailingKeyStore final : public flux::KeyStore {
 public:
  flux::Result<std::vector<flux::ApiKeyRecord>> load() override {
    if (fails) return flux::Error(flux::Errc::store_failed, "db7 is down");
    return rows.load();
  }
  flux::Result<void> put(const flux::ApiKeyRecord& record) override { return rows.put(record); }
  flux::Result<void> remove(const std::string& id) override { return rows.remove(id); }

  flux::MemoryKeyStore rows;
  std::atomic<bool> fails{false};
};

constexpr const char* own_key = "an-old-key-of-the-application-itself";

std::string lasting(std::string_view more = {}) { return R"({"sub":"ann","exp":4000000000)" + std::string(more) + "}"; }

/// A token with this header and these claims, which `secret` signs as HS256 does, whatever the header says.
std::string hmac_signed(std::string_view header, std::string_view claims, std::string_view secret = secret_bytes) {
  const std::string text = base64url(header) + "." + base64url(claims);
  return forged(header, claims, flux::core::hmac_sha256(secret, text).value());
}

/// An `Auth` that takes tokens of one issuer, in three algorithms, and tokens that it must refuse.
struct ThreeKeys {
  AuthOptions options() const {
    AuthOptions options{.keys = {Key::secret(Algorithm::hs256, secret_bytes),
                                 Key::pem(Algorithm::rs256, rsa.public_pem()),
                                 Key::pem(Algorithm::es256, ec.public_pem())}};
    options.tokens.issuers = {"https://login.example.com"};
    return options;
  }
  static std::string claims(std::string_view more = {}) {
    return lasting(R"(,"iss":"https://login.example.com")" + std::string(more));
  }
  static std::string signed_by(const Key& key) { return flux::jwt::sign(JsonText::trusted(claims()), key).value(); }

  std::vector<std::string> good() const {
    return {signed_by(Key::secret(Algorithm::hs256, secret_bytes)),
            signed_by(Key::pem(Algorithm::rs256, rsa.private_pem())),
            signed_by(Key::pem(Algorithm::es256, ec.private_pem()))};
  }
  std::vector<std::string> bad() const {
    const std::string hs256 = R"({"alg":"HS256"})", es256 = R"({"alg":"ES256"})";
    const std::string es256_text = base64url(es256) + "." + base64url(claims());
    std::vector<std::string> tokens{
        hmac_signed(hs256, claims(), rsa.public_pem()),  // a public key as a secret
        hmac_signed(hs256, claims(), rsa.public_der()),
        hmac_signed(R"({"alg":"RS256"})", claims()),
        es256_text + "." + base64url(ec.openssl_signature(es256_text, EVP_sha256())),  // in DER
        hmac_signed(hs256, lasting()),                                                 // no issuer
        hmac_signed(hs256, lasting(R"(,"iss":"https://login.example.com/")")),
        hmac_signed(hs256, claims(R"(,"sub":"bob")")),
        hmac_signed(hs256, claims(R"(,"nbf":3999999999.5)")),
        hmac_signed(hs256, R"({"sub":"ann","iss":"https://login.example.com","exp":1000000000.5})"),
        hmac_signed(hs256, R"({"sub":"ann","iss":"https://login.example.com","exp":9007199254740993})"),
        hmac_signed(hs256, claims(R"(,"more":")" + std::string(20'000, 'x') + "\"")),
        good()[0] + "%00",
        good()[0] + "\\u0000",
    };
    for (const std::string member : {R"("jku":"https://evil.example/keys")", R"("x5u":"https://evil.example/keys")",
                                     R"("jwk":{"kty":"oct","k":"c3Nz"})", R"("crit":["exp"])", R"("alg":"HS256")"}) {
      tokens.push_back(hmac_signed(R"({"alg":"HS256",)" + member + "}", claims()));
    }
    return tokens;
  }

  const TokenKey rsa = TokenKey::rsa();
  const TokenKey ec = TokenKey::ec(NID_X9_62_prime256v1);
};

}  // namespace

TEST_CASE("auth: a token that was issued opens every door, and is its client's identity") {
  House house;
  const std::string token = house.token("ann");
  CHECK(house.all(token, true));
  HttpClient http(house.port());
  CHECK(http.request(get("/me", "Authorization: Bearer " + token + "\r\n")).body == "ann");
  LiveClient live(house.port(), "/live?access_token=" + token);
  live.join("r");
  const auto session = house.server.session(live.id).value();
  CHECK(session.identity().user_id == "ann");
  CHECK(session.identity().verified);
  CHECK(session.grant().allows("read", "news"));
  CHECK_FALSE(session.grant().allows("write", "news"));
  CHECK(session.grant().credential == session.grant().claims.get<std::string>("/jti"));
  CHECK(session.grant().claims.get<std::string>("/sub") == "ann");
}

TEST_CASE("auth: what is not a valid token shuts every door") {
  House house;
  const std::string good = house.token("ann");
  const auto other = Key::secret(Algorithm::hs256, std::string(32, 'o'));
  const auto hs512 = Key::secret(Algorithm::hs512, std::string(64, 's'));
  const auto key = Key::secret(Algorithm::hs256, secret_bytes);
  const auto signed_claims = [&](const std::string& claims) {
    return flux::jwt::sign(JsonText::trusted(claims), key).value();
  };
  const std::string tokens[] = {
      "x",
      good.substr(0, good.size() - 1),
      good + "=",
      good + ".x",
      forged(R"({"alg":"none"})", lasting(), ""),
      forged(R"({"alg":"None","typ":"JWT"})", lasting(), "x"),
      flux::jwt::sign(JsonText::trusted(lasting()), other).value(),
      flux::jwt::sign(JsonText::trusted(lasting()), hs512).value(),
      signed_claims(R"({"sub":"ann","exp":1000000000})"),
      signed_claims(R"({"sub":"ann"})"),
      signed_claims(lasting(R"(,"nbf":3999999999)")),
      signed_claims(lasting(R"(,"aud":"another application")")),
      signed_claims(R"({"exp":4000000000})"),
      signed_claims(R"({"sub":"ann","exp":1e300})"),
  };
  for (const std::string& token : tokens) {
    CAPTURE(token);
    CHECK(house.all(token, false));
  }
}

TEST_CASE("auth: keys of three algorithms open every door, and what only looks signed by one of them opens none") {
  const ThreeKeys keys;
  House house(keys.options());
  for (const std::string& token : keys.good()) CHECK(house.all(token, true));
  for (const std::string& token : keys.bad()) {
    CAPTURE(token.substr(0, 400));
    CHECK(house.all(token, false));
  }
}

TEST_CASE("auth: a token shown to a connection that is open is verified like any other") {
  const ThreeKeys keys;
  auto options = keys.options();
  options.required = false;
  House house(std::move(options));
  LiveClient client(house.port());
  const auto shows = [](const std::string& token) { return JsonText::object({{"accessToken", token}}).text(); };
  const auto joins = [](const std::string& token) {
    return JsonText::object({{"roomId", "r"}, {"accessToken", token}}).text();
  };
  for (const std::string& token : keys.bad()) {
    CAPTURE(token.substr(0, 400));
    CHECK(text_at(client.request("join_room", joins(token)), "/payload/code") == "UNAUTHORIZED");
    CHECK(text_at(client.request("refresh", shows(token)), "/payload/code") == "UNAUTHORIZED");
  }
  client.join("r");
  const auto session = house.server.session(client.id).value();
  CHECK_FALSE(session.identity().verified);
  for (const std::string& token : keys.good()) {
    CHECK(type_of(client.request("refresh", shows(token))) == "refreshed");
  }
  CHECK(session.identity().user_id == "ann");
}

TEST_CASE("auth: without a token or key every door is shut, unless a handler opens it or login is not required") {
  SECTION("by default") {
    House house;
    CHECK(house.all("", false));
  }
  SECTION("a connect handler decides about clients that show neither, and about them alone") {
    House house;
    std::atomic<int> asked{0};
    house.server.on_connect([&](flux::ConnectRequest& request) {
      ++asked;
      request.accept({.user_id = "guest"});
    });
    CHECK(house.all("", true));
    CHECK(asked > 0);
    asked = 0;
    CHECK(house.all("wrong", false));
    CHECK(house.all(house.token("ann"), true));
    CHECK(asked == 0);
  }
  SECTION("not required: everybody gets in, but not with a bad token, and not to routes that ask who they are") {
    auto options = with_secret();
    options.required = false;
    House house(options);
    auto doors = house.doors("");
    CHECK_FALSE(doors["route"]);
    doors.erase("route");
    for (const auto& [door, open] : doors) {
      CAPTURE(door);
      CHECK(open);
    }
    CHECK(house.all("wrong", false));
  }
}

TEST_CASE("auth: a live client shows its token when it joins, and a new one of the same user to stay") {
  auto options = with_secret();
  options.required = false;
  House house(options);
  LiveClient client(house.port());
  const auto shows = [](const std::string& token) { return JsonText::object({{"accessToken", token}}).text(); };
  client.join("r", R"("accessToken":)" + JsonText::string(house.token("ann")).text());
  const auto session = house.server.session(client.id).value();
  CHECK(session.identity().user_id == "ann");
  for (const std::string& token : {house.token("bob"), std::string("wrong")}) {
    CHECK(text_at(client.request("refresh", shows(token)), "/payload/code") == "UNAUTHORIZED");
    CHECK(session.identity().user_id == "ann");
  }
  const auto before = session.grant().credential;
  CHECK(type_of(client.request("refresh", shows(house.token("ann")))) == "refreshed");
  CHECK(session.grant().credential != before);
}

TEST_CASE("auth: a token ends its client at its exp plus the leeway") {
  auto options = with_secret();
  options.tokens.leeway = 0s;
  House house(options);
  LiveClient client(house.port(), "/live?access_token=" + house.token("ann", 2s));
  client.join("r");
  CHECK(client.closed().code == 4401);
}

TEST_CASE("auth: a revoked user, token or key is disconnected and does not get in again") {
  auto options = with_secret();
  options.api_keys.emplace();
  House house(options);
  const auto key = house.auth.add_api_key({.name = "printer"}).value();
  const std::string token = house.token("ann");
  const std::string shown = GENERATE(as<std::string>(), "user", "token", "key");
  CAPTURE(shown);
  LiveClient client(house.port(), shown == "key" ? "/live?api_key=" + key.key : "/live?access_token=" + token);
  client.join("r");
  const auto until =
      std::chrono::time_point_cast<flux::Grant::TimePoint::duration>(std::chrono::system_clock::now()) + 1h;
  if (shown == "user") CHECK(house.server.revoke_user("ann", until).value() == 1);
  if (shown == "token") {
    const auto credential = house.server.session(client.id)->grant().credential;
    CHECK(house.server.revoke_credential(credential, until).value() == 1);
  }
  if (shown == "key") CHECK(house.auth.revoke_api_key(key.id).ok());
  CHECK(client.closed().code == 4401);
  CHECK(house.all(shown == "key" ? key.key : token, false));
  CHECK_FALSE(house.auth.authenticate(shown == "key" ? key.key : token));
  if (shown == "token") CHECK(house.all(house.token("ann"), true));
}

TEST_CASE("auth: an API key opens every door as a token does, with its user and permissions") {
  auto options = with_secret();
  options.api_keys.emplace();
  House house(options);
  const auto key = house.auth.add_api_key({.name = "printer", .permissions = {"write:jobs"}, .user_id = "ann"}).value();
  CHECK(key.key.substr(0, 5) == "flux_");
  CHECK(house.all(key.key, true));
  CHECK(house.all(key.key.substr(0, key.key.size() - 1), false));
  HttpClient http(house.port());
  CHECK(http.request(get("/me", "X-API-Key: " + key.key + "\r\n")).body == "ann");
  CHECK(http.request(get("/me", "X-API-Key: flux_unknown\r\n")).status == 401);
  CHECK(house.auth.authenticate(key.key)->allows("write", "jobs:1"));
  WebSocketClient socket(house.port(), "/socket.io/?EIO=4&transport=websocket");
  socket.message();
  socket.send_text("40" + JsonText::object({{"apiKey", key.key}}).text());
  CHECK(socket.message().substr(0, 2) == "40");
  const std::string own = "an-old-key-of-the-application-itself";
  CHECK(house.auth.add_api_key(own, {.name = "own"}).ok());
  CHECK(house.all(own, true));
  CHECK(house.auth.api_keys().size() == 2);
}

TEST_CASE("auth: keys come from a JSON Web Key Set in a file, and a token with an unknown key is refused") {
  TempFolder folder;
  const std::string file = folder / "keys.json";
  std::ofstream(file) << R"({"keys":[{"kty":"oct","alg":"HS256","kid":"one","k":")" + base64url(secret_bytes) +
                             R"("}]})";
  House house({.jwks = file});
  const auto signed_by = [](const std::string& id) {
    return flux::jwt::sign(JsonText::trusted(lasting()), Key::secret(Algorithm::hs256, secret_bytes, id)).value();
  };
  CHECK(eventually([&] { return house.auth.authenticate(signed_by("one")).ok(); }));
  CHECK(house.all(signed_by("one"), true));
  CHECK(house.all(signed_by("two"), false));
  CHECK_FALSE(house.auth.issue("{}"_json, 1h));
}

TEST_CASE(
    "auth: a token with a key that its issuer has published since opens every door when the key has been fetched") {
  const TokenKey first = TokenKey::ec(NID_X9_62_prime256v1), second = TokenKey::ec(NID_X9_62_prime256v1);
  const auto published = [](const TokenKey& key, const std::string& id) {
    const std::string der = key.public_der();
    const std::string x = der.substr(der.size() - 64, 32), y = der.substr(der.size() - 32);
    return JsonText::object({{"kty", "EC"}, {"crv", "P-256"}, {"kid", id}, {"x", base64url(x)}, {"y", base64url(y)}})
        .text();
  };
  const auto signed_by = [](const TokenKey& key, const std::string& id) {
    return flux::jwt::sign(JsonText::trusted(lasting()), Key::pem(Algorithm::es256, key.private_pem(), id)).value();
  };
  std::atomic<bool> has_both{false};
  Issuer issuer(Issuer::answer([&](const std::string&) {
    const std::string more = has_both ? "," + published(second, "second") : "";
    return ok_response(R"({"keys":[)" + published(first, "first") + more + "]}");
  }));
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  auto config = closing_with_status();
  config.clock = clock;
  House house({.jwks = issuer.url()}, config);
  house.port();
  CHECK(eventually([&] { return house.auth.authenticate(signed_by(first, "first")).ok(); }));
  CHECK(house.all(signed_by(first, "first"), true));
  CHECK(house.all(signed_by(second, "second"), false));
  CHECK(issuer.clients() == 1);  // not for every stranger
  has_both = true;
  clock->advance(11s);
  CHECK(house.all(signed_by(second, "second"), true));
  CHECK(house.all(signed_by(first, "second"), false));
  CHECK(issuer.clients() == 2);
}

TEST_CASE("auth: on_token changes a grant or refuses it, and one that throws refuses") {
  auto options = with_secret();
  options.claims.permissions = "/scope";
  options.on_token = [](const flux::jwt::Token& token, flux::Grant& grant) -> flux::Result<void> {
    if (token.claims.get<bool>("/throws")) throw std::runtime_error("thrown on purpose");
    if (token.claims.get<bool>("/banned")) return flux::Error(flux::Errc::forbidden, "you are banned");
    if (token.claims.get<std::string>("/role") == "chief") grant.permissions.emplace_back("*:*");
    return {};
  };
  House house(options);
  const auto granted = [&](const JsonText& claims) {
    return house.auth.authenticate(house.auth.issue(claims, 1h).value());
  };
  CHECK(granted(R"({"sub":7,"scope":"read:a  write:b"})"_json)->permissions ==
        std::vector<std::string>{"read:a", "write:b"});
  CHECK(granted(R"({"sub":7})"_json)->identity.user_id == "7");
  CHECK(granted(R"({"sub":"a","role":"chief"})"_json)->allows("delete", "anything"));
  CHECK(granted(R"({"sub":"a","banned":true})"_json).error().message() == "you are banned");
  const auto thrown = granted(R"({"sub":"a","throws":true})"_json);
  CHECK(thrown.error().code() == flux::Errc::server_error);
  CHECK(thrown.error().message().find("purpose") == std::string::npos);
  CHECK(house.all(house.auth.issue(R"({"sub":"a","banned":true})"_json, 1h).value(), false));
}

TEST_CASE("auth: a file handler finds the verified grant, and accept() accepts the client as that user") {
  House house;
  Awaited<std::string> user, owner;
  house.server.on_file_stored([&](const flux::StoredFile& stored) { owner.set(stored.file.owner); });
  house.server.on_file([&](flux::FileRequest& request) {
    user.set(request.grant().identity.user_id);
    request.accept();
  });
  const auto uploaded = [&](const std::string& query) {
    return HttpClient(house.port()).request(post("/files" + query, "x")).status;
  };
  CHECK(uploaded("?access_token=" + house.token("ann")) == 201);
  CHECK(user.get() == "ann");
  CHECK(owner.get() == "ann");
  CHECK(uploaded("?access_token=wrong") == 401);
  CHECK(uploaded("") == 401);
}

TEST_CASE("auth: a client that is revoked while a file handler's answer is pending is refused") {
  House house;
  Awaited<flux::LaterAnswer> question;
  house.server.on_file([&](flux::FileRequest& request) { question.set(request.later()); });
  const std::string token = house.token("ann");
  HttpClient http(house.port());
  http.send(post("/files?access_token=" + token, "x"));
  const auto later = question.get();
  const auto until =
      std::chrono::time_point_cast<flux::Grant::TimePoint::duration>(std::chrono::system_clock::now()) + 1h;
  CHECK(house.server.revoke_user("ann", until).ok());
  later.accept();
  CHECK(http.reply().status == 401);
  CHECK(house.files->files() == 0);
}

TEST_CASE("auth: an e-mail that the issuer has not verified is left out, and what can't be revoked is refused") {
  House house;
  const auto granted = [&](const JsonText& claims) {
    return house.auth.authenticate(house.auth.issue(claims, 1h).value());
  };
  CHECK(granted(R"({"sub":"a","email":"a@example.com"})"_json)->identity.email == "a@example.com");
  CHECK(granted(R"({"sub":"a","email":"a@example.com","email_verified":false})"_json)->identity.email.empty());
  CHECK_FALSE(granted(R"({"sub":"a\u0000b"})"_json));
  CHECK_FALSE(granted(JsonText::object({{"sub", std::string(2'000, 'x')}})));
}

TEST_CASE("auth: no token is issued that would be refused, or that would say something else") {
  using Catch::Matchers::ContainsSubstring;
  auto options = with_secret();
  options.tokens.token_bytes_max = 600;
  House house(options);
  const auto refused = [&](const flux::Identity& identity, const std::vector<std::string>& permissions = {}) {
    const auto token = house.auth.issue(identity, permissions, 1h);
    REQUIRE_FALSE(token.ok());
    CHECK(token.error().code() == flux::Errc::invalid_argument);
    return token.error().message();
  };
  CHECK_THAT(refused({}), ContainsSubstring("user_id is empty"));
  CHECK_THAT(refused({.user_id = "a\xff"}), ContainsSubstring("user_id") && ContainsSubstring("UTF-8"));
  CHECK_THAT(refused({.user_id = std::string("a\0b", 3)}), ContainsSubstring("without NUL"));
  CHECK_THAT(refused({.user_id = std::string(1'025, 'x')}), ContainsSubstring("1025 bytes; at most 1024"));
  CHECK_THAT(refused({.user_id = "a", .name = "\xff"}), ContainsSubstring("Identity::name must be UTF-8"));
  CHECK_THAT(refused({.user_id = "a", .email = "\xff"}), ContainsSubstring("Identity::email must be UTF-8"));
  CHECK_THAT(refused({.user_id = "a", .provider = "\xff"}), ContainsSubstring("Identity::provider must be UTF-8"));
  for (const std::string permission : {"", "read", ":x", "read:", "read:\xff", "read:a\nb"}) {
    CHECK_THAT(refused({.user_id = "a"}, {"read:*", permission}), ContainsSubstring("a permission must be"));
  }
  CHECK_THAT(refused({.user_id = "a"}, {"read"}), ContainsSubstring("not \"read\""));
  CHECK_THAT(refused({.user_id = "a", .name = std::string(500, 'n')}), ContainsSubstring("token_bytes_max, 600"));
  CHECK_FALSE(house.auth.issue(JsonText::object({{"sub", std::string(500, 's')}}), 1h));
  const auto token = house.auth.issue({.user_id = "ann", .name = "J\xc3\xb6rg"}, {"read:*", "admin"}, 1h);
  const auto granted = house.auth.authenticate(token.value());
  REQUIRE(granted.ok());
  CHECK(granted->identity.name == "J\xc3\xb6rg");
  CHECK(granted->permissions == std::vector<std::string>{"read:*", "admin"});
}

TEST_CASE("auth: options that can't be used are refused by name at the start") {
  const auto refused = [](AuthOptions options) {
    flux::Server server(test_config());
    const auto [code, message] = thrown_by([&] { Auth(server, std::move(options)); });
    CHECK(code == flux::Errc::bad_config);
    return message;
  };
  using Catch::Matchers::ContainsSubstring;
  CHECK_THAT(refused({}), ContainsSubstring("keys, jwks or api_keys"));
  auto pointless = with_secret();
  pointless.claims.user_id = "sub";
  CHECK_THAT(refused(pointless), ContainsSubstring("AuthOptions::claims") && ContainsSubstring("\"sub\""));
  CHECK_THAT(refused({.jwks = "http://issuer.example/keys"}), ContainsSubstring("issuer.example"));
  CHECK_THROWS_AS(AuthOptions::microsoft("common", "app"), flux::Error);
  CHECK_THROWS_AS(AuthOptions::google(""), flux::Error);
  CHECK_THROWS_AS(AuthOptions::microsoft("00000000-0000-4000-8000-000000000000", ""), flux::Error);
  CHECK(AuthOptions::google("app").tokens.audiences == std::vector<std::string>{"app"});

  flux::Server server(test_config());
  Auth first(server, with_secret());
  CHECK(thrown_by([&] { Auth(server, with_secret()); }).first == flux::Errc::bad_config);
  server.start();
  flux::Server running(test_config());
  running.start();
  CHECK(thrown_by([&] { Auth(running, with_secret()); }).first == flux::Errc::already_running);
}

TEST_CASE("auth: channels and messages are checked as channels.md words it") {
  auto options = with_secret();
  options.refuse_scripts = true;
  options.message_bytes_max = 20;
  options.rate = {.count = 2, .per = 1h};
  House house(options);
  CHECK(house.auth.enforce_rate_limit("ann").ok());
  CHECK(house.auth.enforce_rate_limit("ann").ok());
  CHECK(house.auth.enforce_rate_limit("bob").ok());
  const auto over = house.auth.enforce_rate_limit("ann");
  CHECK((!over && over.error().message() == "Rate limit exceeded: Too many messages sent"));
  CHECK((!over && over.error().retry_after() > 1min && over.error().retry_after() <= 1h));
  const flux::Grant grant({.user_id = "ann"}, {"read:*", "write:chat"});
  const auto checked = [&](std::string_view operation, std::string_view channel) {
    const auto allowed = house.auth.check_channel_permission(grant, operation, channel);
    return allowed ? std::string("yes") : allowed.error().message();
  };
  CHECK(checked("read", "orders:1") == "yes");
  CHECK(checked("write", "chat:lobby") == "yes");
  CHECK(checked("write", "chatter") == "Insufficient permissions for channel: chatter");
  CHECK(checked("read", "system:load") == "System channels require admin permission");
  for (const std::string_view name : {"", "a/b", "a..b", "\xff"})
    CHECK(checked("read", name) == "Invalid channel name format");
  CHECK(house.auth.validate_message("on the table = x").ok());
  CHECK(house.auth.validate_message("common = javascript").ok());
  CHECK(house.auth.validate_message(std::string(21, 'x')).error().message() == "Message too large");
  for (const std::string_view text : {"<SCRIPT src=x>", "JavaScript:x()", "<b onClick =x>", "\xff"}) {
    CAPTURE(text);
    const auto valid = house.auth.validate_message(text);
    CHECK((!valid && valid.error().message() == "Message contains invalid content"));
  }
}

// --- Keys that change while a client waits ---

TEST_CASE("auth: a client whose key is changed or removed while a middleware's answer is pending is refused") {
  const std::string how = GENERATE("changed", "removed", "changed, and the middleware has changed the grant");
  CAPTURE(how);
  House house(with_keys());
  std::atomic<bool> thinks{true};
  Awaited<std::pair<flux::socketio::Socket, flux::socketio::Next>> question;
  house.io.use([&](const flux::socketio::Socket& socket, flux::socketio::Next next) {
    if (!thinks) return next();
    question.set({socket, next});
  });
  const std::string id = house.auth.add_api_key(own_key, {.permissions = {"read:*", "write:*"}}).value();
  const auto connected = [&] {
    WebSocketClient socket(house.port(), "/socket.io/?EIO=4&transport=websocket");
    socket.message();
    socket.send_text("40" + JsonText::object({{"apiKey", own_key}}).text());
    return socket;
  };
  auto client = connected();
  const auto [socket, next] = question.get();
  CHECK(socket.grant().allows("write", "a"));
  if (how.size() > 7) {
    auto grant = socket.grant();
    grant.permissions.emplace_back("delete:*");
    REQUIRE(socket.set_grant(grant).ok());
  }
  if (how == "removed") {
    REQUIRE(house.auth.revoke_api_key(id).ok());
    REQUIRE(house.server.allow_credential("key:" + id));  // the key is gone all the same
  } else {
    REQUIRE(house.auth.add_api_key(own_key, {.permissions = {"read:*"}}).value() == id);
  }
  next();
  CHECK(client.message() == R"(44{"message":"the API key was revoked or changed"})");
  CHECK(house.server.sessions().empty());
  thinks = false;
  auto again = connected();
  if (how == "removed") {
    CHECK(again.message() == R"(44{"message":"Invalid API key"})");
  } else {
    CHECK(again.message().substr(0, 2) == "40");
    CHECK(again.message() == R"(42["public:history",[]])");
    const auto session = house.server.sessions_of_user("key:" + id).at(0);
    CHECK(session.grant().allows("read", "a"));
    CHECK_FALSE(session.grant().allows("write", "a"));
  }
}

TEST_CASE("auth: a client whose key is changed while a file handler's answer is pending is refused") {
  House house(with_keys());
  const bool as_somebody = GENERATE(false, true);
  CAPTURE(as_somebody);
  Awaited<flux::LaterAnswer> question;
  house.server.on_file([&](flux::FileRequest& request) { question.set(request.later()); });
  REQUIRE(house.auth.add_api_key(own_key, {.permissions = {"write:*"}}).ok());
  HttpClient http(house.port());
  http.send(post("/files", "x", "X-API-Key: " + std::string(own_key) + "\r\n"));
  const auto later = question.get();
  REQUIRE(house.auth.add_api_key(own_key, {}).ok());
  later.accept(as_somebody ? flux::Identity{.user_id = "bob"} : flux::Identity{});
  const auto reply = http.reply();
  CHECK(reply.status == 401);
  CHECK(reply.body == "the API key was revoked or changed");
  CHECK(house.files->files() == 0);
}

TEST_CASE("auth: an upload that a file handler has accepted as somebody ends if the user who logged in is revoked") {
  House house;
  house.server.on_file([](flux::FileRequest& request) { request.accept({.user_id = "bob"}); });
  const std::string who = GENERATE("ann", "bob", "eve");
  CAPTURE(who);
  HttpClient http(house.port());
  http.send("POST /files?access_token=" + house.token("ann") + " HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nx");
  REQUIRE(eventually([&] { return house.files->files() == 1; }));
  CHECK(house.server.revoke_user(who) == (who == "eve" ? 0U : 1U));
  if (who == "eve") {
    http.send("y");
    CHECK(http.reply().status == 201);
  } else {
    CHECK(http.to_end().empty());
  }
}

TEST_CASE("auth: a request is ended by a revocation that its own handler makes, unless that has answered it") {
  House house;
  const bool answers_first = GENERATE(false, true);
  CAPTURE(answers_first);
  std::optional<flux::HttpExchange> unanswered;
  Awaited<std::size_t> found;
  house.server.route("GET", "/leave",
                     [&](const flux::HttpExchange& exchange) {
                       if (answers_first) {
                         exchange.respond(200, "bye");
                       } else {
                         unanswered = exchange;
                       }
                       found.set(house.server.revoke_user(exchange.identity().user_id));
                     },
                     {.authenticated = true});
  HttpClient http(house.port());
  http.send(get("/leave", "Authorization: Bearer " + house.token("ann") + "\r\n"));
  if (answers_first) {
    CHECK(http.reply().body == "bye");
    CHECK(found.get() == 0);
  } else {
    CHECK(http.to_end().empty());
    CHECK(found.get() == 1);
  }
  house.server.stop(std::chrono::milliseconds(100));
}

TEST_CASE("auth: a key that was removed and is added again is accepted, unless the application has revoked it") {
  House house(with_keys());
  const auto key = house.auth.add_api_key({.name = "printer"}).value();
  const std::string credential = "key:" + key.id;
  REQUIRE(house.auth.revoke_api_key(key.id).ok());
  CHECK(house.all(key.key, false));
  CHECK(house.server.revocations().size() == 1);  // of grants that the application may have made for it
  REQUIRE(house.auth.add_api_key(key.key, {.name = "printer"}).value() == key.id);
  CHECK(house.all(key.key, true));
  CHECK(house.server.revocations().empty());
  // One that ends before or after the module's own would, both stay.
  const auto lasts = GENERATE(std::chrono::minutes(2), std::chrono::minutes(60));
  REQUIRE(house.server.revoke_credential(credential, in(lasts), "leaked").ok());
  REQUIRE(house.auth.revoke_api_key(key.id).ok());
  REQUIRE(house.auth.add_api_key(key.key, {.name = "printer"}).value() == key.id);
  CHECK(house.all(key.key, false));
  CHECK(house.auth.authenticate(key.key).error().message() == "leaked");
  const auto revoked = house.server.revocations();
  REQUIRE(revoked.size() == 1);
  CHECK(revoked.front().reason == "leaked");
  CHECK(house.server.allow_credential(credential));
  CHECK(house.all(key.key, true));
}

// --- Not now ---

TEST_CASE("auth: a key that another process has just added is accepted at every door") {
  const auto store = std::make_shared<FailingKeyStore>();
  House house(with_keys(store));
  house.port();
  House other(with_keys(store));
  for (int i = 0; i < 3; ++i) CHECK(house.all(other.auth.add_api_key({}).value().key, true));
}

TEST_CASE("auth: while the store of keys can't be read, each door tells a client with an unknown key to try again") {
  const auto store = std::make_shared<FailingKeyStore>();
  auto config = test_config();
  const bool by_status = GENERATE(true, false);
  if (by_status) config.refuse_with = flux::RefuseWith::http_status;
  House house(with_keys(store), config);
  flux::engineio::serve(house.server, {});
  const auto port = house.port();
  const std::string token = house.token("ann");
  LiveClient live(port, "/live?access_token=" + token);
  WebSocketClient sharing(port, "/socket.io/?EIO=4&transport=websocket");
  sharing.message();
  sharing.send_text("40" + JsonText::object({{"token", token}}).text());
  REQUIRE(sharing.message().substr(0, 2) == "40");
  REQUIRE(sharing.message() == R"(42["public:history",[]])");
  CHECK(house.server.stats().store_errors == 0);
  store->fails = true;
  const std::string shown = "?api_key=" + std::string(own_key);
  for (const std::string path : {"/live", "/raw"}) {
    CAPTURE(path);
    if (by_status) {
      const auto reply = HttpClient(port).request(handshake(path + shown));
      CHECK(reply.status == 503);
      CHECK(reply.has("Retry-After: 1"));
    } else {
      CHECK(how_closed(port, path + shown).code == 1013);
    }
  }
  for (const std::string& request :
       {get("/me" + shown), get("/engine.io/" + shown + "&EIO=4&transport=polling"), post("/files" + shown, "x"),
        get("/files/00000000-0000-4000-8000-000000000000" + shown),
        handshake("/engine.io/" + shown + "&EIO=4&transport=websocket")}) {
    CAPTURE(request);
    const auto reply = HttpClient(port).request(request);
    CHECK(reply.status == 503);
    CHECK(reply.has("Retry-After: 1"));
    CHECK(reply.body.find("try again") != std::string::npos);
  }
  const std::string told =
      R"(44{"message":"the API key can't be checked now; try again","data":{"code":"OVERLOADED"}})";
  const std::string auth = "40" + JsonText::object({{"apiKey", own_key}}).text();
  WebSocketClient socket(port, "/socket.io/?EIO=4&transport=websocket");
  socket.message();
  socket.send_text(auth);
  CHECK(socket.message() == told);
  Poller poller(port, false);
  poller.post(auth);
  CHECK(poller.poll() == told);
  const std::string in_band = JsonText::object({{"accessToken", own_key}}).text();
  CHECK(text_at(live.request("refresh", in_band), "/payload/code") == "OVERLOADED");
  live.send("join_room", R"({"roomId":"r","accessToken":")" + std::string(own_key) + "\"}", "j");
  CHECK(text_at(live.next("error"), "/payload/code") == "OVERLOADED");
  sharing.send_text(R"(421["refresh",)" + in_band + "]");
  CHECK(sharing.message() == R"(431[{"success":false,"message":"the API key can't be checked now; try again"}])");
  CHECK(house.server.stats().connections_refused == 0);
  CHECK(house.server.stats().store_errors > 0);
  CHECK(house.auth.authenticate(own_key).error().code() == flux::Errc::overloaded);
  CHECK(house.all(token, true));  // what needs no store
}

}  // namespace auth_test
