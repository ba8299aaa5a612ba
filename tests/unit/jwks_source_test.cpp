// Keys of an issuer that is up, down, slow or hostile, and of a file.

#include "catch.hpp"
#include "support/temp_folder.hpp"
#include "unit/support/issuer.hpp"

#include <flux/detail/gate/jwks_source.hpp>
#include <flux/detail/transport/http_date.hpp>
#include <flux/testing/manual_clock.hpp>

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace jwks_source_test {

#if defined(FLUX_WITH_TLS) && FLUX_WITH_TLS  // keys need OpenSSL

namespace {

using flux::LogLevel;
using flux::gate::JwksOptions;
using flux::gate::JwksSource;
using flux::gate::keys_lifetime;
using flux::testing::ManualClock;
using flux_test::Issuer;
using flux_test::IssuerPeer;
using flux_test::ok_response;
using Refresh = JwksSource::Refresh;
using std::chrono::seconds;

constexpr seconds long_time{20};  // a bound for what ends by itself

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string key(const std::string& id, const std::string& more = "") {
  return R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwaaPJHURo0","kid":")" + id + "\"" +
         more + "}";
}
/// A set with these keys, each an object.
std::string set_of(const std::vector<std::string>& keys) {
  std::string text;
  for (const std::string& one : keys) text += (text.empty() ? "" : ",") + one;
  return R"({"keys":[)" + text + "]}";
}

/// The ids of the keys, or "none".
std::string ids(const JwksSource& source) {
  const auto keys = source.keys();
  if (!keys) return "none";
  std::string text;
  for (const flux::jwt::Key& one : *keys) text += (text.empty() ? "" : " ") + one.id();
  return text;
}

/// Collects the lines of a source's log.
class Lines {
 public:
  flux::LogSink sink() {
    return [this](LogLevel level, std::string_view text) {
      const std::lock_guard lock(mutex_);
      lines_.push_back(std::string(flux::to_string(level)) + " " + std::string(text));
      changed_.notify_all();
    };
  }
  /// The line with this number, from 0; "" if it does not come within 20 s.
  std::string at(std::size_t index) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, long_time, [&] { return lines_.size() > index; }) ? lines_[index] : "";
  }
  std::size_t size() {
    const std::lock_guard lock(mutex_);
    return lines_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

/// What an issuer answers, which the test changes.
class Answers {
 public:
  explicit Answers(std::string first) : next_(std::move(first)) {}
  void set(std::string next) {
    const std::lock_guard lock(mutex_);
    next_ = std::move(next);
  }
  Issuer::Serve serve() {
    return Issuer::answer([this](const std::string& head) {
      const std::lock_guard lock(mutex_);
      heads_.push_back(head);
      return next_;
    });
  }
  std::string last_head() {
    const std::lock_guard lock(mutex_);
    return heads_.back();
  }

 private:
  std::mutex mutex_;
  std::string next_;
  std::vector<std::string> heads_;
};

/// Asks for newer keys as for a token with an unknown key, and waits.
Refresh refresh(JwksSource& source) {
  auto done = std::make_shared<std::promise<void>>();
  auto ended = done->get_future();
  const Refresh what = source.refresh(source.keys(), [done = std::move(done)] { done->set_value(); });
  if (what == Refresh::pending) REQUIRE(ended.wait_for(long_time) == std::future_status::ready);
  return what;
}

/// Asks without waiting; counts the calls.
Refresh ask(JwksSource& source, const JwksSource::Keys& seen, std::atomic<int>& calls) {
  return source.refresh(seen, [&calls] { ++calls; });
}

struct Scene {
  explicit Scene(Issuer::Serve serve) : issuer(std::move(serve)), source({issuer.url()}, clock, lines.sink()) {}
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  Lines lines;
  Issuer issuer;
  JwksSource source;
};

std::string error_of(JwksOptions options) {
  try {
    const JwksSource source(std::move(options), nullptr, {});
    return "none";
  } catch (const flux::Error& error) {
    CHECK((error.code() == flux::Errc::bad_config));
    return error.message();
  }
}

seconds lifetime(const flux::transport::HttpFields& fields) {
  return keys_lifetime(fields, std::chrono::sys_seconds(seconds(1'700'000'000)));
}

}  // namespace

TEST_CASE("jwks: caching fields of a response, its lifetime follows within the bounds", "[jwks]") {
  using std::chrono::hours;
  CHECK(lifetime({}) == hours(1));
  CHECK(lifetime({{"Cache-Control", "public"}}) == hours(1));
  CHECK(lifetime({{"cache-control", "public, max-age=7200, must-revalidate"}}) == hours(2));
  CHECK(lifetime({{"Cache-Control", "MAX-AGE=\"7200\""}, {"Age", "600"}}) == seconds(6600));
  CHECK(lifetime({{"Cache-Control", "max-age=7200"}, {"Age", "nonsense"}}) == hours(2));
  CHECK(lifetime({{"Cache-Control", "max-age=7200"}, {"Age", "99999999999999999999"}}) == seconds(60));
  CHECK(lifetime({{"Cache-Control", "max-age=7200"}, {"Cache-Control", "max-age=3000"}}) == seconds(3000));
  CHECK(lifetime({{"Cache-Control", "s-maxage=100"}}) == hours(1));
  for (const char* control : {"no-store", "no-cache", "max-age=0", "max-age=59", "max-age=-5", "max-age",
                              "max-age=", "max-age=x", "max-age=7200, no-store", "max-age=10"}) {
    INFO(control);
    CHECK(lifetime({{"Cache-Control", control}}) == seconds(60));
  }
  CHECK(lifetime({{"Cache-Control", "max-age=86401"}}) == hours(24));
  CHECK(lifetime({{"Cache-Control", "max-age=99999999999999999999"}}) == hours(24));
  const auto date = [](int after) {
    return flux::transport::http_date(std::chrono::sys_seconds(seconds(1'700'000'000 + after)));
  };
  CHECK(lifetime({{"Expires", date(7200)}}) == hours(2));
  CHECK(lifetime({{"Expires", date(7200)}, {"Date", date(3600)}}) == hours(1));
  CHECK(lifetime({{"Expires", date(-5)}}) == seconds(60));
  CHECK(lifetime({{"Expires", "0"}}) == seconds(60));
  CHECK(lifetime({{"Expires", date(7200)}, {"Cache-Control", "max-age=120"}}) == seconds(120));
}

TEST_CASE("jwks: sources that can't be used, the error says why", "[jwks]") {
  const TempFolder folder;
  const auto file = [&](const std::string& text) {
    write_bytes(folder / "keys.json", text);
    return JwksOptions{folder / "keys.json"};
  };
  CHECK(error_of({""}) == "JWKS: the URL or file is empty");
  CHECK(contains(error_of({"http://login.example.com/keys"}), "JWKS: the URL begins with http://"));
  CHECK(contains(error_of({"ftp://login.example.com/keys"}), "JWKS: the URL must begin with https://"));
  CHECK(error_of({folder / "none"}) == "JWKS " + folder / "none" + ": can't read the file: it does not exist");
  CHECK(error_of({folder.path().string()}) ==
        "JWKS " + folder.path().string() + ": can't read the file: it is not a regular file");
  CHECK(contains(error_of(file(std::string(300'000, ' '))), "it has more than 262144 bytes"));
  CHECK(contains(error_of(file("{")), "JWKS " + folder / "keys.json" + ": "));
  CHECK(contains(error_of(file(set_of({}))), "the set has no key for verifying signatures: 0 keys"));
  CHECK(contains(error_of(file(set_of({key("a", R"(,"use":"enc")")}))), "the set has no key for verifying signatures"));
  CHECK(error_of(file(set_of({key("a")}))) == "none");
  CHECK(contains(error_of({"https://a.b/", {}, std::chrono::milliseconds(0)}), "the timeout must be from 1 ms"));
}

TEST_CASE("jwks: a file, its keys are there at once, and changes within 10 s", "[jwks]") {
  const TempFolder folder;
  const std::string path = folder / "keys.json";
  write_bytes(path, set_of({key("a")}));
  const auto clock = std::make_shared<ManualClock>();
  Lines lines;
  JwksSource source({path}, clock, lines.sink());
  CHECK(ids(source) == "a");
  source.start();
  const auto before = source.keys();
  refresh(source);  // whether the thread has read the file since the start, or is about to: now it has
  CHECK((refresh(source) == Refresh::not_now));
  CHECK(source.keys() == before);
  CHECK(lines.size() == 0);

  write_bytes(path, set_of({key("a"), key("b")}));
  clock->advance(seconds(10));
  CHECK(lines.at(0) == "info JWKS " + path + ": 2 keys");
  CHECK(ids(source) == "a b");

  write_bytes(path, set_of({key("a"), key("b")}).substr(0, 100));
  clock->advance(seconds(10));
  CHECK(contains(lines.at(1), "warning JWKS " + path + ": "));
  CHECK(contains(lines.at(1), "; the keys it had are kept; next attempt in 10 s"));
  CHECK(ids(source) == "a b");

  write_bytes(path, set_of({key("c")}));
  clock->advance(seconds(10));
  CHECK(lines.at(2) == "info JWKS " + path + ": 1 key");
  CHECK(ids(source) == "c");
}

TEST_CASE("jwks: secrets are keys in a file, and none from a URL", "[jwks]") {
  const std::string secret =
      R"({"kty":"oct","alg":"HS256","kid":"s","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})";
  const TempFolder folder;
  write_bytes(folder / "keys.json", set_of({secret, key("a")}));
  CHECK(ids(JwksSource({folder / "keys.json"}, nullptr, {})) == "s a");
  Scene scene(Issuer::answer(ok_response(set_of({secret, key("a"), key("e", R"(,"use":"enc")")}))));
  scene.source.start();
  CHECK(contains(scene.lines.at(0), ": 1 key; "));
  CHECK(ids(scene.source) == "a");
}

TEST_CASE("jwks: a URL, keys are fetched at the start and when their lifetime has ended", "[jwks]") {
  Answers answers(ok_response(set_of({key("a")}), "Cache-Control: max-age=7200\r\n"));
  Scene scene(answers.serve());
  CHECK(ids(scene.source) == "none");
  scene.source.start();
  CHECK(scene.lines.at(0) == "info JWKS " + scene.issuer.url() + ": 1 key");
  CHECK(ids(scene.source) == "a");
  answers.set(ok_response(set_of({key("b")})));
  scene.clock->advance(std::chrono::hours(2));
  CHECK(scene.lines.at(1) == "info JWKS " + scene.issuer.url() + ": 1 key");
  CHECK(ids(scene.source) == "b");
  CHECK(scene.issuer.clients() == 2);
}

TEST_CASE("jwks: a flood of tokens with unknown keys, they share one fetch in 10 s", "[jwks]") {
  Answers answers(ok_response(set_of({key("a")})));
  std::promise<void> let_go;
  std::shared_future<void> going(let_go.get_future());
  std::atomic<bool> slow{false};
  Scene scene([&, serve = answers.serve()](IssuerPeer& peer) {
    if (slow) going.wait();
    serve(peer);
  });
  std::atomic<int> calls{0};
  scene.source.start();
  REQUIRE(scene.lines.at(0) != "");
  const auto seen = scene.source.keys();
  for (int i = 0; i < 1000; ++i) CHECK((ask(scene.source, seen, calls) == Refresh::not_now));
  scene.clock->advance(std::chrono::milliseconds(9'999));
  CHECK((ask(scene.source, seen, calls) == Refresh::not_now));
  CHECK(scene.issuer.clients() == 1);

  scene.clock->advance(std::chrono::milliseconds(1));
  slow = true;
  answers.set(ok_response(set_of({key("a"), key("b")})));
  for (int i = 0; i < 1000; ++i) CHECK((ask(scene.source, seen, calls) == Refresh::pending));
  REQUIRE(scene.issuer.wait_for_clients(2));
  for (int i = 0; i < 1000; ++i) CHECK((ask(scene.source, seen, calls) == Refresh::pending));
  CHECK(calls == 0);
  auto last = std::make_shared<std::promise<void>>();
  auto ended = last->get_future();
  CHECK((scene.source.refresh(seen, [last] { last->set_value(); }) == Refresh::pending));
  let_go.set_value();
  REQUIRE(ended.wait_for(long_time) == std::future_status::ready);
  CHECK(calls == 2000);
  CHECK(ids(scene.source) == "a b");
  CHECK((ask(scene.source, seen, calls) == Refresh::newer));
  CHECK((ask(scene.source, scene.source.keys(), calls) == Refresh::not_now));
  CHECK(scene.issuer.clients() == 2);
  CHECK(calls == 2000);
}

TEST_CASE("jwks: too many that wait for one fetch, the rest is refused", "[jwks]") {
  Scene scene([](IssuerPeer& peer) { peer.wait_for_end(); });
  std::atomic<int> calls{0};
  scene.source.start();
  for (std::size_t i = 0; i < JwksSource::waiting_max; ++i) {
    REQUIRE((ask(scene.source, nullptr, calls) == Refresh::pending));
  }
  CHECK((ask(scene.source, nullptr, calls) == Refresh::not_now));
}

TEST_CASE("jwks: the issuer is down at the start, attempts follow in growing intervals", "[jwks]") {
  Answers answers("HTTP/1.1 503 x\r\n\r\n");
  Scene scene(answers.serve());
  scene.source.start();
  std::atomic<int> calls{0};
  std::size_t line = 0;
  for (const int wait : {1, 2, 4, 8, 16, 32, 60, 60}) {
    CHECK(scene.lines.at(line++) ==
          "warning JWKS " + scene.issuer.url() +
              ": the server answers with status 503 (Service Unavailable); there are no keys, so tokens are refused; "
              "next attempt in " +
              std::to_string(wait) + " s");
    CHECK(ids(scene.source) == "none");
    CHECK((ask(scene.source, nullptr, calls) == Refresh::not_now));
    scene.clock->advance(seconds(wait) - std::chrono::milliseconds(1));
    CHECK((ask(scene.source, nullptr, calls) == Refresh::not_now));
    if (line == 8) answers.set(ok_response(set_of({key("a")})));
    scene.clock->advance(std::chrono::milliseconds(1));
  }
  CHECK(scene.lines.at(line) == "info JWKS " + scene.issuer.url() + ": 1 key");
  CHECK(ids(scene.source) == "a");
  CHECK(scene.issuer.clients() == 9);
}

TEST_CASE("jwks: answers without good keys, the last good ones are kept", "[jwks]") {
  Answers answers(ok_response(set_of({key("a")})));
  Scene scene(answers.serve());
  scene.source.start();
  REQUIRE(scene.lines.at(0) != "");
  const auto good = scene.source.keys();
  const std::string too_many = [] {
    std::vector<std::string> keys;
    for (int i = 0; i < 101; ++i) keys.push_back(key(std::to_string(i)));
    return set_of(keys);
  }();
  std::size_t line = 1;
  for (const std::string& bad :
       {std::string("HTTP/1.1 500 x\r\n\r\n"), std::string("HTTP/1.1 302 x\r\nLocation: https://a.b/\r\n\r\n"),
        ok_response("<html>"), ok_response(""), ok_response("[]"), ok_response(set_of({})), ok_response(too_many),
        ok_response(set_of({key("b", R"(,"use":"enc")"), key("c", R"(,"key_ops":["sign"])")})),
        ok_response(std::string(300'000, ' ')), ok_response("{}", "Content-Encoding: gzip\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}")}) {
    answers.set(bad);
    scene.clock->advance(std::chrono::hours(1));
    const std::string text = scene.lines.at(line++);
    INFO(text);
    CHECK(contains(text, "warning JWKS "));
    CHECK(contains(text, "; the keys it had are kept; next attempt in "));
    CHECK(scene.source.keys() == good);
  }
  answers.set(ok_response(set_of({key("a")})));
  scene.clock->advance(std::chrono::hours(1));
  CHECK(contains(scene.lines.at(line), "info JWKS "));
  CHECK(contains(scene.lines.at(line), "it can be fetched again; its keys are the same"));
  CHECK(scene.source.keys() == good);
}

TEST_CASE("jwks: an ETag, it is sent with the next fetch, and 304 keeps the keys", "[jwks]") {
  Answers answers(ok_response(set_of({key("a")}), "ETag: W/\"x1\"\r\n"));
  Scene scene(answers.serve());
  scene.source.start();
  REQUIRE(scene.lines.at(0) != "");
  CHECK_FALSE(contains(answers.last_head(), "If-None-Match"));
  const auto keys = scene.source.keys();
  answers.set("HTTP/1.1 304 x\r\nCache-Control: max-age=7200\r\n\r\n");
  scene.clock->advance(seconds(10));
  CHECK((refresh(scene.source) == Refresh::pending));
  CHECK(contains(answers.last_head(), "\r\nIf-None-Match: W/\"x1\"\r\n"));
  CHECK(scene.source.keys() == keys);
  CHECK(scene.lines.size() == 1);
  answers.set(ok_response(set_of({key("b")})));
  scene.clock->advance(std::chrono::hours(2));
  REQUIRE(scene.lines.at(1) != "");
  CHECK(ids(scene.source) == "b");
  CHECK(contains(answers.last_head(), "If-None-Match"));
}

TEST_CASE("jwks: stop while the issuer is silent, it ends at once and starts again", "[jwks]") {
  Answers answers(ok_response(set_of({key("a")})));
  std::atomic<bool> silent{true};
  Scene scene([&, serve = answers.serve()](IssuerPeer& peer) { silent ? peer.wait_for_end() : serve(peer); });
  const auto kept = std::make_shared<std::atomic<int>>(0);
  scene.source.start();
  REQUIRE(scene.issuer.wait_for_clients(1));
  CHECK((scene.source.refresh(nullptr, [kept] { ++*kept; }) == Refresh::pending));
  CHECK(kept.use_count() == 2);
  auto stopped = std::async(std::launch::async, [&] { scene.source.stop(); });
  REQUIRE(stopped.wait_for(seconds(5)) == std::future_status::ready);
  CHECK(kept.use_count() == 1);
  CHECK(*kept == 0);
  CHECK((scene.source.refresh(nullptr, [kept] { ++*kept; }) == Refresh::not_now));
  CHECK(scene.lines.size() == 0);

  silent = false;
  scene.source.start();
  REQUIRE(scene.lines.at(0) != "");
  CHECK(ids(scene.source) == "a");
  scene.source.begin_stop();
  scene.source.stop();
  CHECK(ids(scene.source) == "a");
}

TEST_CASE("jwks: a resolver that hangs, stop does not wait for it", "[jwks]") {
  const auto release = std::make_shared<std::promise<void>>();
  const auto looking_up = std::make_shared<std::promise<void>>();
  const auto looked_up = std::make_shared<std::promise<void>>();
  JwksOptions options{"https://login.example.com/keys"};
  options.resolve = [release, looking_up, looked_up](const std::string&) {
    looking_up->set_value();
    release->get_future().wait();
    looked_up->set_value();
    return std::vector<flux::core::IpAddress>{};
  };
  auto source = std::make_unique<JwksSource>(options, nullptr, flux::LogSink());
  source->start();
  REQUIRE(looking_up->get_future().wait_for(long_time) == std::future_status::ready);
  auto ended = std::async(std::launch::async, [&] { source.reset(); });
  CHECK(ended.wait_for(seconds(5)) == std::future_status::ready);
  release->set_value();
  CHECK(looked_up->get_future().wait_for(long_time) == std::future_status::ready);
}

TEST_CASE("jwks: the last owner is released by a function that waited, the thread ends by itself", "[jwks]") {
  const Issuer issuer(Issuer::answer(ok_response(set_of({key("a")}))));
  auto source =
      std::make_shared<JwksSource>(JwksOptions{issuer.url()}, std::make_shared<ManualClock>(), flux::LogSink());
  source->start();
  std::promise<void> ended;
  auto& raw = *source;
  const auto what = raw.refresh(nullptr, [&ended, owner = std::move(source)]() mutable {
    owner.reset();
    ended.set_value();
  });
  REQUIRE((what == Refresh::pending || what == Refresh::newer));
  if (what == Refresh::pending) CHECK(ended.get_future().wait_for(long_time) == std::future_status::ready);
}

TEST_CASE("jwks: on the machine's clock, a failed fetch is repeated", "[jwks]") {
  std::atomic<int> requests{0};
  const Issuer issuer(Issuer::answer([&](const std::string&) {
    return ++requests == 1 ? std::string("HTTP/1.1 503 x\r\n\r\n") : ok_response(set_of({key("a")}));
  }));
  Lines lines;
  JwksSource source({issuer.url()}, nullptr, lines.sink());
  source.start();
  CHECK(contains(lines.at(0), "next attempt in 1 s"));
  CHECK(contains(lines.at(1), ": 1 key"));
  CHECK(ids(source) == "a");
}

#endif

}  // namespace jwks_source_test
