// Histories that a store keeps: without a socket.
#include "../support/memory_channel_store.hpp"
#include "channel_fixture.hpp"

#include <algorithm>
#include <atomic>
#include <future>
#include <stdexcept>
#include <thread>

namespace channel_log_test {

using namespace channel_test;
using Catch::Matchers::ContainsSubstring;
using flux_test::MemoryChannelStore;

namespace {

using StorePtr = std::shared_ptr<MemoryChannelStore>;

StorePtr unblocking() { return std::make_shared<MemoryChannelStore>(MemoryChannelStore::Behaviour{false}); }

ChannelsOptions stored_in(StorePtr store, std::size_t history_max = 10) {
  ChannelsOptions options;
  options.defaults.history_max = history_max;
  options.store = std::move(store);
  return options;
}

/// The results of publications, which come on other threads.
class Results {
 public:
  ~Results() {
    for (auto& result : results_) result.wait_for(20s);
  }
  void publish(ChannelHub& hub, const ChannelPost& post) {
    const auto promise = std::make_shared<std::promise<Result<Published>>>();
    results_.push_back(promise->get_future());
    auto published = hub.publish(
        post, [&] { return [promise](Result<Published> result) { promise->set_value(std::move(result)); }; });
    if (published) promise->set_value(std::move(*published));
  }
  /// "1 2 2* overloaded": offsets, repetitions with a star, and the codes of errors.
  std::string all() {
    std::string text;
    for (auto& future : std::exchange(results_, {})) {
      REQUIRE(future.wait_for(20s) == std::future_status::ready);
      const auto result = future.get();
      if (!text.empty()) text += ' ';
      text += result ? std::to_string(result->position.offset) + (result->is_repeat ? "*" : "")
                     : std::string(to_wire_name(result.error().code()));
    }
    return text;
  }

 private:
  std::vector<std::future<Result<Published>>> results_;
};

/// Breaks the duties of a store, once for each instruction.
class UnrulyChannelStore final : public ChannelStore {
 public:
  enum class Fault { none, throws, one_result_less, one_result_more };

  void misbehave(Fault fault) { fault_ = fault; }
  Result<std::vector<StoredChannel>> load() override {
    may_throw(fault_.exchange(Fault::none));
    return store_.load();
  }
  Result<void> append(const ChannelAppend& append) override {
    may_throw(fault_.exchange(Fault::none));
    return store_.append(append);
  }
  Result<void> remove(const std::string& channel, const std::string& epoch) override {
    may_throw(fault_.exchange(Fault::none));
    return store_.remove(channel, epoch);
  }
  std::size_t batch_max() const override { return 100; }
  std::vector<Result<void>> append_all(std::span<const ChannelAppend> appends) override {
    const Fault fault = fault_.exchange(Fault::none);
    may_throw(fault);
    auto results = store_.append_all(appends);
    if (fault == Fault::one_result_less) results.pop_back();
    if (fault == Fault::one_result_more) results.emplace_back();
    return results;
  }
  MemoryChannelStore& inner() { return store_; }

 private:
  static void may_throw(Fault fault) {
    if (fault == Fault::throws) throw std::runtime_error("the store is on fire");
  }

  std::atomic<Fault> fault_{Fault::none};
  MemoryChannelStore store_{MemoryChannelStore::Behaviour{true, 100}};
};

StoredPublication publication(Offset offset, std::string data, std::int64_t timestamp) {
  StoredPublication made;
  made.offset = offset;
  made.timestamp = timestamp;
  made.data = std::move(data);
  return made;
}

}  // namespace

TEST_CASE("channel log: a publication is stored, then sent and acknowledged", "[channels][channel_store]") {
  const auto store = unblocking();
  Station s(stored_in(store));
  Client& ann = s.client("ann");
  s.ask(ann, "subscribe", R"({"channel":"a"})");
  const auto answer = s.ask(ann, "publish", R"({"channel":"a","data":[1],"key":"k"})");
  s.loops.settle();
  CHECK(s.heard_data(ann) == "[1] ");
  const auto stored = store->load().value();
  REQUIRE(stored.size() == 1);
  CHECK(stored[0].epoch == s.epoch_of("a"));
  CHECK(stored[0].offset == 1);
  REQUIRE(stored[0].publications.size() == 1);
  StoredPublication expected = publication(1, "[1]", s.loops.clock()->unix_ms());
  expected.key = "k";
  expected.client_id = ann.id();
  expected.user_id = "ann";
  CHECK(stored[0].publications[0] == expected);
}

TEST_CASE("channel log: what the store refuses is not sent, and its place is given to the next",
          "[channels][channel_store]") {
  const auto store = unblocking();
  Station s(stored_in(store));
  Client& ann = s.client();
  s.ask(ann, "subscribe", R"({"channel":"a"})");
  Results results;
  results.publish(*s.hub, {"a", "1"});
  const bool kept = GENERATE(false, true);
  store->fail(2, kept);
  results.publish(*s.hub, {"a", "2"});
  results.publish(*s.hub, {"a", "3"});
  results.publish(*s.hub, {"a", "4"});
  CHECK(results.all() == "1 STORE_FAILED STORE_FAILED 2");
  CHECK(s.heard_data(ann) == "1 4 ");
  CHECK(store->publications_of("a") == "1:1 2:4 ");
}

TEST_CASE("channel log: another server with the store recovers clients, from positions and by keys",
          "[channels][channel_store]") {
  const auto store = unblocking();
  std::string epoch;
  {
    Station s(stored_in(store));
    for (int i = 1; i <= 3; ++i) {
      const std::string key = "k" + std::to_string(i), data = std::to_string(i);
      Results results;
      results.publish(*s.hub, {"a", data, key, {}, "ann"});
      CHECK(results.all() == data);
    }
    epoch = s.epoch_of("a");
    s.hub->stop();
  }
  Station s(stored_in(store));
  Client& ann = s.client();
  CHECK(s.subscribe_since(ann, "a", epoch, 1) == R"({"channel":"a","epoch":"E","offset":3,"recovered":true})");
  CHECK(s.told_data(ann) == "2 3 ");
  Client& ben = s.client();
  CHECK(s.subscribe_since(ben, "a", epoch, 3) == R"({"channel":"a","epoch":"E","offset":3,"recovered":true})");
  CHECK_THAT(s.subscribe_since(s.client(), "a", epoch, 4), ContainsSubstring("the position is in the future"));
  Results results;
  results.publish(*s.hub, {"a", "3", "k3", {}, "ann"});
  results.publish(*s.hub, {"a", "4", "k4", {}, "ann"});
  CHECK(results.all() == "3* 4");
  CHECK(s.heard_data(ann) == "4 ");
}

TEST_CASE("channel log: the application's own subscription does not hide what is stored", "[channels][channel_store]") {
  const auto store = unblocking();
  store->put({"a", core::key_text(77), 2, {publication(1, "1", 1), publication(2, "2", 1)}});
  Scene scene;
  const auto hub = std::make_shared<ChannelHub>(scene.backend, stored_in(store));
  hub->add(std::make_shared<ChannelListener>(
               "a", [](const ChannelMessage&) {}, ChannelListener::Executor(), scene.backend.call_faults))
      .value();
  hub->prepare();
  CHECK(hub->history("a", std::nullopt, 10, 1000)->position == Position{core::key_text(77), 2});
}

TEST_CASE("channel log: of what a store gives, only what has no gaps up to the newest is used",
          "[channels][channel_store]") {
  const auto store = unblocking();
  const std::string epoch = core::key_text(5);
  const auto restored = [&](std::vector<StoredPublication> publications, Offset newest) {
    store->put({"a", epoch, newest, std::move(publications)});
    Station s(stored_in(store));
    std::string data;
    const auto part = s.hub->history("a", std::nullopt, 10, 1000);
    for (const auto& one : part->publications) data += std::string(one.data()) + " ";
    return data + "of " + std::to_string(part->position.offset);
  };
  const std::int64_t now = flux::SystemClock().unix_ms() + 10'000'000;
  CHECK(restored({publication(4, "4", now), publication(5, "5", now)}, 5) == "4 5 of 5");
  CHECK(restored({publication(3, "3", now), publication(5, "5", now)}, 5) == "5 of 5");
  CHECK(restored({publication(4, "4", now), publication(5, "5", now)}, 6) == "of 6");
  CHECK(restored({publication(4, "{", now), publication(5, "5", now)}, 5) == "5 of 5");
  CHECK(restored({publication(4, "4", 0), publication(5, "5", now)}, 5) == "5 of 5");
  store->put({"no epoch", "?", 1, {}});
  store->put({"a//b", epoch, 1, {}});
  Station s(stored_in(store));
  CHECK(s.hub->stats().size() == 1);
}

TEST_CASE(
    "channel log: publications of one turn are stored together; repetitions and what the store refuses among them",
    "[channels][channel_store]") {
  const auto store = std::make_shared<MemoryChannelStore>(MemoryChannelStore::Behaviour{true, 100});
  Station s(stored_in(store));
  Client& ann = s.client();
  s.ask(ann, "subscribe", R"({"channel":"*"})");
  Results results;
  store->hold();
  results.publish(*s.hub, {"first", "0"});
  REQUIRE(store->somebody_waits());
  store->refuse("\"bad\"");
  for (const char* data : {"1", "2", "\"bad\"", "3"}) results.publish(*s.hub, {"a", data});
  results.publish(*s.hub, {"b", "4", "key"});
  results.publish(*s.hub, {"b", "4", "key"});
  results.publish(*s.hub, {"b", "5", "key"});
  store->let_through();
  CHECK(results.all() == "1 1 2 INVALID_MESSAGE 3 1 1* INVALID_MESSAGE");
  s.loops.settle();
  CHECK(s.heard_data(ann) == "0 1 2 3 4 ");
  CHECK(store->publications_of("a") == "1:1 2:2 3:3 ");
  CHECK(store->publications_of("b") == "1:4 ");
  s.hub->stop();
}

TEST_CASE(
    "channel log: bytes pending for a slow store are bounded in a channel and in all, and the loop is not blocked",
    "[channels][channel_store]") {
  const auto store = std::make_shared<MemoryChannelStore>();
  auto options = stored_in(store);
  options.waiting_bytes_max = 400;
  Station s(std::move(options));
  Client& ann = s.client();
  Results results;
  const std::string data(60, '1');
  const int round = GENERATE(1, 2);
  for (int i = 1; i <= round; ++i) {
    store->hold();
    results.publish(*s.hub, {"a", data});
    results.publish(*s.hub, {"a", data});  // more than a quarter
    for (const char* channel : {"b", "c", "d", "e", "f", "g"}) results.publish(*s.hub, {channel, data});
    CHECK(s.ask(ann, "publish", R"({"channel":"x","data":1})") == "(none)");
    store->let_through();
    const std::string n = std::to_string(i);
    CHECK(results.all() == n + " OVERLOADED " + n + " " + n + " " + n + " " + n + " " + n + " OVERLOADED");
  }
  results.publish(*s.hub, {"x", "2"});
  CHECK_FALSE(results.all().empty());                           // what ann has published there is stored, too
  results.publish(*s.hub, {"large", std::string(1'000, '1')});  // alone
  CHECK(results.all() == "1");
  s.hub->stop();
  results.publish(*s.hub, {"a", data});
  CHECK(results.all() == "STOPPED");
}

TEST_CASE("channel log: a channel that ends is removed from the store, later if that fails",
          "[channels][channel_store]") {
  const auto store = GENERATE(true, false) ? std::make_shared<MemoryChannelStore>() : unblocking();
  auto options = stored_in(store);
  options.defaults.history_age = 10s;
  Station s(std::move(options));
  Results results;
  for (const char* channel : {"a", "b"}) results.publish(*s.hub, {channel, "1"});
  CHECK(results.all() == "1 1");
  const auto stored = [&] { return store->publications_of("a") + store->publications_of("b"); };
  store->fail(1);
  s.loops.advance(12s);
  s.loops.settle();
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (stored() != "nonenone" && std::chrono::steady_clock::now() < until) {
    s.loops.advance(1s);
    s.loops.settle();
  }
  CHECK(stored() == "nonenone");
  results.publish(*s.hub, {"a", "2"});
  CHECK(results.all() == "1");
  s.hub->stop();
  CHECK(store->publications_of("a") == "1:2 ");
}

TEST_CASE("channel log: a callback may publish in the same channel, also where its executor runs it at once",
          "[channels][channel_store]") {
  Station s(stored_in(unblocking()));
  Results results;
  std::string heard;
  const auto listener = std::make_shared<ChannelListener>(
      "a",
      [&](const ChannelMessage& message) {
        heard += message.data.text() + " ";
        if (message.data.text() == "1") results.publish(*s.hub, {"a", "2"});
      },
      [](const std::function<void()>& task) { task(); }, s.backend.call_faults);
  s.hub->add(listener).value();
  results.publish(*s.hub, {"a", "1"});
  CHECK(heard == "1 2 ");
  CHECK(results.all() == "1 2");
}

TEST_CASE("channel log: an executor that runs its task at once does not run on a worker of the store",
          "[channels][channel_store]") {
  Station s(stored_in(std::make_shared<MemoryChannelStore>()));
  Results results;
  std::thread::id on;
  const auto listener = std::make_shared<ChannelListener>(
      "a", [&](const ChannelMessage&) { on = std::this_thread::get_id(); },
      [](const std::function<void()>& task) { task(); }, s.backend.call_faults);
  s.hub->add(listener).value();
  results.publish(*s.hub, {"a", "1"});
  CHECK(results.all() == "1");
  s.loops.settle();
  CHECK(on == std::this_thread::get_id());
  s.hub->stop();
}

TEST_CASE("channel log: a store that throws, or gives a wrong number of results, fails what it was asked, no more",
          "[channels][channel_store]") {
  using Fault = UnrulyChannelStore::Fault;
  const auto store = std::make_shared<UnrulyChannelStore>();
  ChannelsOptions options;
  options.defaults.history_max = 10;
  options.store = store;
  {
    Scene scene;
    store->misbehave(Fault::throws);
    CHECK_THROWS_WITH(ChannelHub(scene.backend, options).prepare(), ContainsSubstring("the channel store failed"));
  }
  Station s(std::move(options));
  Client& ann = s.client();
  s.ask(ann, "subscribe", R"({"channel":"*"})");
  Results results;
  store->misbehave(Fault::throws);
  results.publish(*s.hub, {"a", "1"});
  CHECK(results.all() == "STORE_FAILED");
  const Fault fault = GENERATE(Fault::throws, Fault::one_result_less, Fault::one_result_more);
  store->inner().hold();
  results.publish(*s.hub, {"first", "0"});
  REQUIRE(store->inner().somebody_waits());
  store->misbehave(fault);
  for (const char* channel : {"a", "b"}) results.publish(*s.hub, {channel, "2"});
  store->inner().let_through();
  CHECK(results.all() == "1 STORE_FAILED STORE_FAILED");
  for (const char* channel : {"a", "b"}) results.publish(*s.hub, {channel, "3"});
  CHECK(results.all() == "1 1");
  s.loops.settle();
  CHECK(s.heard_data(ann) == "0 3 3 ");
  CHECK(store->inner().publications_of("a") + store->inner().publications_of("b") == "1:3 1:3 ");
  s.hub->stop();
}

TEST_CASE("channel log: a stop carries out what is pending, and acknowledges nothing that is not stored",
          "[channels][channel_store]") {
  const auto store = std::make_shared<MemoryChannelStore>();
  Station s(stored_in(store));
  Results results;
  store->hold();
  for (const char* data : {"1", "2", "3"}) results.publish(*s.hub, {"a", data});
  for (const char* data : {"4", "5"}) results.publish(*s.hub, {"b", data});
  std::thread stopping([&] { s.hub->stop(); });
  const auto is_stopping = [&] {
    const auto late = s.hub->publish({"c", "1"}, [] { return [](const Result<Published>&) {}; });
    return late && !*late && late->error().code() == Errc::stopped;
  };
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (!is_stopping() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  store->let_through();
  stopping.join();
  CHECK(results.all() == "1 2 3 1 2");
  CHECK(store->publications_of("a") + store->publications_of("b") == "1:1 2:2 3:3 1:4 2:5 ");
}

TEST_CASE("channel log: after a stop and another start in the same process, the history goes on",
          "[channels][channel_store]") {
  const auto store = GENERATE(true, false) ? std::make_shared<MemoryChannelStore>() : unblocking();
  Station s(stored_in(store));
  Results results;
  results.publish(*s.hub, {"a", "1"});
  CHECK(results.all() == "1");
  const std::string epoch = s.epoch_of("a");
  s.hub->stop();
  results.publish(*s.hub, {"a", "2"});
  CHECK(results.all() == "STOPPED");
  s.hub->prepare();
  s.hub->start(*s.loops[0]);
  s.loops.settle();
  results.publish(*s.hub, {"a", "3"});
  CHECK(results.all() == "2");
  Client& ann = s.client();
  CHECK(s.subscribe_since(ann, "a", epoch, 0) == R"({"channel":"a","epoch":"E","offset":2,"recovered":true})");
  CHECK(s.told_data(ann) == "1 3 ");
  CHECK(store->publications_of("a") == "1:1 2:3 ");
  s.hub->stop();
}

TEST_CASE("channel log: a channel outlives its last subscriber while a publication is pending",
          "[channels][channel_store]") {
  const auto store = std::make_shared<MemoryChannelStore>();
  auto options = stored_in(store);
  options.defaults.history_age = 10s;
  Station s(std::move(options));
  Client& ann = s.client();
  s.ask(ann, "subscribe", R"({"channel":"a"})");
  Results results;
  store->hold();
  results.publish(*s.hub, {"a", "1"});
  REQUIRE(store->somebody_waits());
  s.ask(ann, "unsubscribe", R"({"channel":"a"})");
  s.loops.advance(12s);  // its age passes, too
  CHECK(s.hub->stats().size() == 1);
  store->let_through();
  CHECK(results.all() == "1");
  s.loops.advance(12s);
  CHECK(s.hub->stats().empty());
  s.hub->stop();
}

TEST_CASE("channel log: what a client has published is stored and sent, also if the client disconnects meanwhile",
          "[channels][channel_store]") {
  const auto store = std::make_shared<MemoryChannelStore>();
  Station s(stored_in(store));
  Client& ann = s.client();
  Client& ben = s.client();
  for (Client* const client : {&ann, &ben}) s.ask(*client, "subscribe", R"({"channel":"a"})");
  store->hold();
  CHECK(s.ask(ann, "publish", R"({"channel":"a","data":1})") == "(none)");
  REQUIRE(store->somebody_waits());
  ann.go();
  store->let_through();
  Results results;
  results.publish(*s.hub, {"a", "2"});  // after it, in the same channel
  CHECK(results.all() == "2");
  s.loops.settle();
  CHECK(s.heard_data(ben) == "1 2 ");
  CHECK(store->publications_of("a") == "1:1 2:2 ");
  s.hub->stop();
}

TEST_CASE("channel log: a store for nothing, or one that can't be read, is an error at the start",
          "[channels][channel_store]") {
  Scene scene;
  const auto store = unblocking();
  ChannelsOptions options;
  options.store = store;
  CHECK_THROWS_WITH(ChannelHub(scene.backend, options), ContainsSubstring("no channels keep a history in it"));
  options.namespaces = {{"news", {.history_max = 1}}};
  ChannelHub hub(scene.backend, options);
  store->fail(1);
  CHECK_THROWS_WITH(hub.prepare(), ContainsSubstring("the channel store failed"));
  CHECK_NOTHROW(hub.prepare());
}

TEST_CASE("channel log: a namespace may keep its history in memory only", "[channels][channel_store]") {
  const auto store = unblocking();
  auto options = stored_in(store);
  options.namespaces = {{"volatile", {.history_max = 1, .stored = false}}};
  Station s(std::move(options));
  Results results;
  results.publish(*s.hub, {"volatile:1", "1"});
  CHECK(results.all() == "1");
  CHECK(store->done().empty());
}

}  // namespace channel_log_test
