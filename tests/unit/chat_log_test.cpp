#include "catch.hpp"

#include <flux/detail/features/chat_log.hpp>
#include <flux/storage/memory_chat_store.hpp>

#include <algorithm>
#include <atomic>
#include <future>
#include <span>
#include <stdexcept>
#include <thread>

namespace chat_log_test {

using namespace flux;
using namespace flux::features;
using namespace std::chrono_literals;

namespace {

ChatMessage message_of(const std::string& room, const std::string& id) {
  ChatMessage message;
  message.id = id;
  message.room = room;
  message.message = "text " + id;
  return message;
}

enum class Failure { none, error, exception, odd_exception };

/// A memory store that can be made to fail.
class TestStore final : public ChatStore {
 public:
  explicit TestStore(bool blocks, std::size_t batch_max = 1) : blocks_(blocks), batch_max_(batch_max) {}
  Result<Offset> append(const RoomId& room, const ChatMessage& message) override {
    if (const auto error = fault()) return *error;
    const auto offset = store_.append(room, message);
    return gives_instead ? Result<Offset>(*gives_instead) : offset;
  }
  Result<std::vector<ChatMessage>> history(const RoomId& room, std::size_t limit, Offset before) override {
    if (const auto error = fault()) return *error;
    if (fails_reading) return Error(Errc::store_failed, "can't be read");
    return store_.history(room, limit, before);
  }
  bool can_edit() const override { return true; }
  Result<bool> replace(const RoomId& room, const ChatMessage& message) override {
    if (const auto error = fault()) return *error;
    return store_.replace(room, message);
  }
  bool may_block() const override { return blocks_; }
  std::size_t batch_max() const override { return batch_max_; }
  std::vector<Result<Offset>> append_all(std::span<const ChatMessage> messages) override {
    if (inside_.exchange(true)) overlapped = true;
    largest_batch = std::max(largest_batch, messages.size());
    auto results = ChatStore::append_all(messages);
    if (loses_a_result) results.pop_back();
    inside_ = false;
    return results;
  }

  std::atomic<Failure> failure{Failure::none};
  std::atomic<bool> fails_reading{false};
  std::atomic<bool> overlapped{false};
  std::size_t largest_batch = 0;  // calls of append_all don't overlap
  bool loses_a_result = false;
  std::optional<Offset> gives_instead;  // of the offset that it stored a message with

 private:
  std::optional<Error> fault() const {
    switch (failure.load()) {
      case Failure::none: return std::nullopt;
      case Failure::error: return Error(Errc::store_failed, "disk full");
      case Failure::exception: throw std::runtime_error("lost the disk");
      case Failure::odd_exception: throw 7;
    }
    return std::nullopt;
  }
  const bool blocks_;
  const std::size_t batch_max_;
  std::atomic<bool> inside_{false};
  MemoryChatStore store_;
};

/// How the log under test calls its store.
enum class Way { inline_calls, one_by_one, batches };

/// A log over a store that blocks or does not block.
struct Fixture {
  explicit Fixture(bool blocks, std::size_t per_room_max = 1000)
      : Fixture(blocks ? Way::one_by_one : Way::inline_calls, per_room_max) {}
  explicit Fixture(Way way, std::size_t per_room_max = 1000)
      : Fixture(way != Way::inline_calls, way == Way::batches ? 16 : 1, per_room_max) {}
  Fixture(bool blocks, std::size_t batch_max, std::size_t per_room_max)
      : store(std::make_shared<TestStore>(blocks, batch_max)),
        queue(blocks ? std::make_shared<storage::StoreQueue>(2, per_room_max, 10'000) : nullptr),
        log(store, queue, Limits(),
            std::make_shared<StoreFaults>("the chat store", std::make_shared<SystemClock>(),
                                          [this](std::string_view what) {
                                            const std::lock_guard lock(mutex);
                                            failures.emplace_back(what);
                                          })) {}
  ~Fixture() {
    if (queue) queue->stop();
  }
  Result<StoredChat> append(const ChatMessage& message, Retry retry) {
    std::promise<Result<StoredChat>> done;
    auto result = done.get_future();
    log.append(message, retry, [&](const Result<StoredChat>& stored, const ChatLog::Turn&) { done.set_value(stored); });
    REQUIRE(result.wait_for(10s) == std::future_status::ready);
    return result.get();
  }
  Result<ChatMessage> append(const ChatMessage& message) {
    return append(message, Retry::no).transform([](const StoredChat& stored) { return stored.message; });
  }
  Result<ChatPage> history(const RoomId& room, std::size_t limit, Offset before) {
    std::promise<Result<ChatPage>> done;
    auto result = done.get_future();
    log.history(room, {limit, before},
                [&](const Result<ChatPage>& page, const ChatLog::Turn&) { done.set_value(page); });
    REQUIRE(result.wait_for(10s) == std::future_status::ready);
    return result.get();
  }
  using MaybeMessage = Result<std::optional<ChatMessage>>;
  MaybeMessage find(const RoomId& room, Offset offset) {
    std::promise<MaybeMessage> done;
    auto result = done.get_future();
    log.find(room, offset, [&](MaybeMessage found) { done.set_value(std::move(found)); });
    REQUIRE(result.wait_for(10s) == std::future_status::ready);
    return result.get();
  }
  MaybeMessage change(const RoomId& room, Offset offset, const ChatLog::Change& change) {
    std::promise<MaybeMessage> done;
    auto result = done.get_future();
    log.change(room, offset, change,
               [&](MaybeMessage changed, const ChatLog::Turn&) { done.set_value(std::move(changed)); });
    REQUIRE(result.wait_for(10s) == std::future_status::ready);
    return result.get();
  }
  std::mutex mutex;
  std::vector<std::string> failures;
  std::shared_ptr<TestStore> store;
  std::shared_ptr<storage::StoreQueue> queue;
  ChatLog log;
};

}  // namespace

TEST_CASE("chat log: a stored message is returned with its offset, then by the history", "[chat_log][threads]") {
  const bool blocks = GENERATE(false, true);
  Fixture f(blocks);
  CHECK(f.log.blocks() == blocks);
  for (int i = 1; i <= 3; ++i) {
    const auto stored = f.append(message_of("r", std::to_string(i)));
    CHECK(stored->offset == static_cast<Offset>(i));
    CHECK(stored->message == "text " + std::to_string(i));
  }
  const auto page = f.history("r", 2, 3);
  REQUIRE(page->entries.size() == 2);
  CHECK(page->entries[0].id == "1");
  CHECK(page->entries[1].id == "2");
  CHECK(f.failures.empty());
}

TEST_CASE("chat log: a store that does not block answers before the call returns", "[chat_log]") {
  Fixture f(false);
  bool answered = false;
  f.log.append(message_of("r", "1"), Retry::no, [&](const Result<StoredChat>& stored, const ChatLog::Turn& turn) {
    answered = stored.ok() && turn == nullptr;
  });
  CHECK(answered);
}

TEST_CASE("chat log: a store's errors and exceptions are logged, clients get a message of flux's own",
          "[chat_log][threads]") {
  Fixture f(GENERATE(false, true));
  f.store->failure = Failure::error;
  for (const auto& error : {f.append(message_of("r", "1")).error(), f.history("r", 1, 0).error()}) {
    CHECK(error.code() == Errc::store_failed);
    CHECK(error.message() == "the chat store failed");
    CHECK(error.cause() == "disk full");
  }
  f.store->failure = Failure::exception;
  CHECK(f.append(message_of("r", "1")).error().code() == Errc::store_failed);
  CHECK(f.history("r", 1, 0).error().code() == Errc::store_failed);
  f.store->failure = Failure::odd_exception;
  CHECK(f.append(message_of("r", "1")).error().code() == Errc::store_failed);
  CHECK(f.failures == std::vector<std::string>{"the chat store failed: disk full", "the chat store failed: disk full",
                                               "the chat store threw: lost the disk",
                                               "the chat store threw: lost the disk",
                                               "the chat store threw: something that is not a std::exception"});
  // Nothing of it was kept, and the room continues.
  f.store->failure = Failure::none;
  CHECK(f.append(message_of("r", "1"))->offset == 1);
}

TEST_CASE("chat log: past the queue's limit a call is answered with overloaded", "[chat_log][threads]") {
  Fixture f(true, 1);
  std::promise<ChatLog::Turn> first;
  auto held = first.get_future();
  f.log.append(message_of("r", "1"), Retry::no,
               [&](const Result<StoredChat>&, const ChatLog::Turn& turn) { first.set_value(turn); });
  REQUIRE(held.wait_for(10s) == std::future_status::ready);
  ChatLog::Turn turn = held.get();
  std::promise<void> second;
  auto stored = second.get_future();
  f.log.append(message_of("r", "2"), Retry::no,
               [&](const Result<StoredChat>&, const ChatLog::Turn&) { second.set_value(); });
  CHECK(f.append(message_of("r", "3")).error().code() == Errc::overloaded);
  CHECK(stored.wait_for(0s) == std::future_status::timeout);
  turn.reset();
  CHECK(stored.wait_for(10s) == std::future_status::ready);
}

TEST_CASE("chat log: messages from many threads are passed on in the order of their offsets", "[chat_log][threads]") {
  const Way way = GENERATE(Way::inline_calls, Way::one_by_one, Way::batches);
  constexpr int threads = 4;
  constexpr int each = 200;
  std::vector<Offset> order;  // guarded by the log: one callback of a room at a time
  {
    Fixture f(way);
    std::vector<std::thread> writers;
    for (int t = 0; t < threads; ++t) {
      writers.emplace_back([&, t] {
        for (int i = 0; i < each; ++i) {
          f.log.append(
              message_of("r", std::to_string(t) + "-" + std::to_string(i)), Retry::no,
              [&](const Result<StoredChat>& stored, const ChatLog::Turn&) { order.push_back(stored->message.offset); });
        }
      });
    }
    for (std::thread& writer : writers) writer.join();
  }
  REQUIRE(order.size() == threads * each);
  for (std::size_t i = 0; i < order.size(); ++i) REQUIRE(order[i] == i + 1);
}

TEST_CASE("chat log: while a page holds its turn, nothing is stored in its room, other rooms continue",
          "[chat_log][threads]") {
  Fixture f(true);
  REQUIRE(f.append(message_of("r", "1")).ok());
  std::promise<ChatLog::Turn> reading;
  auto held = reading.get_future();
  f.log.history("r", {10}, [&](const Result<ChatPage>&, const ChatLog::Turn& turn) { reading.set_value(turn); });
  REQUIRE(held.wait_for(10s) == std::future_status::ready);
  ChatLog::Turn turn = held.get();
  std::promise<void> done;
  auto stored = done.get_future();
  f.log.append(message_of("r", "2"), Retry::no,
               [&](const Result<StoredChat>&, const ChatLog::Turn&) { done.set_value(); });
  CHECK(f.append(message_of("other", "1")).ok());
  CHECK(stored.wait_for(0s) == std::future_status::timeout);
  turn.reset();
  CHECK(stored.wait_for(10s) == std::future_status::ready);
}

TEST_CASE("chat log: with a store that takes batches, messages of several rooms share calls and keep their order",
          "[chat_log][threads]") {
  constexpr int rooms = 5;
  constexpr int each = 100;
  std::vector<std::vector<std::string>> ids(rooms);  // each guarded by the turns of its room
  std::size_t largest = 0;
  {
    Fixture f(Way::batches);
    // A page holds its turn in every room: messages meanwhile are queued and stored together.
    std::vector<ChatLog::Turn> turns;
    for (int r = 0; r < rooms; ++r) {
      std::promise<ChatLog::Turn> reading;
      auto held = reading.get_future();
      f.log.history(std::to_string(r), {1},
                    [&](const Result<ChatPage>&, const ChatLog::Turn& turn) { reading.set_value(turn); });
      REQUIRE(held.wait_for(10s) == std::future_status::ready);
      turns.push_back(held.get());
    }
    for (int i = 0; i < each; ++i) {
      for (int r = 0; r < rooms; ++r) {
        f.log.append(message_of(std::to_string(r), std::to_string(i)), Retry::no,
                     [&own = ids[static_cast<std::size_t>(r)], room = std::to_string(r), i](
                         const Result<StoredChat>& stored, const ChatLog::Turn& turn) {
                       if (!stored || stored->message.room != room ||
                           stored->message.offset != static_cast<Offset>(i + 1) || turn.use_count() == 0)
                         return;
                       own.push_back(stored->message.id + " " + stored->message.message);
                     });
      }
    }
    turns.clear();
    f.queue->stop();
    largest = f.store->largest_batch;
    CHECK_FALSE(f.store->overlapped);
  }
  CHECK(largest > 1);
  CHECK(largest <= 16);
  for (const auto& own : ids) {
    REQUIRE(own.size() == each);
    for (std::size_t i = 0; i < own.size(); ++i) CHECK(own[i] == std::to_string(i) + " text " + std::to_string(i));
  }
}

TEST_CASE("chat log: in a batch too, errors are passed on, exceptions logged, wrong results refused",
          "[chat_log][threads]") {
  Fixture f(Way::batches);
  f.store->failure = Failure::error;
  CHECK(f.append(message_of("r", "1")).error().cause() == "disk full");
  f.store->failure = Failure::exception;
  // The failure ends append_all, so the store still counts as being inside it.
  CHECK(f.append(message_of("r", "1")).error().code() == Errc::store_failed);
  f.store->failure = Failure::none;
  CHECK(f.append(message_of("r", "1"))->offset == 1);
  f.store->loses_a_result = true;
  CHECK(f.append(message_of("r", "2")).error().code() == Errc::store_failed);
  CHECK(f.failures == std::vector<std::string>{"the chat store failed: disk full",
                                               "the chat store threw: lost the disk",
                                               "the chat store gave 0 results for 1 messages"});
}

TEST_CASE("chat log: an offset that can't be one is the store's failure", "[chat_log][threads]") {
  const auto way = GENERATE(Way::inline_calls, Way::one_by_one, Way::batches);
  const auto retry = GENERATE(Retry::no, Retry::possible);
  Fixture f(way);
  f.store->gives_instead = 0;
  CHECK(f.append(message_of("r", "1"), retry).error().code() == Errc::store_failed);
  f.store->gives_instead = Offset{1} << 53;
  CHECK(f.append(message_of("r", "2"), retry).error().code() == Errc::store_failed);
  const std::string begin = "the chat store failed: it gave a message of room \"r\" the offset ";
  CHECK(f.failures == std::vector<std::string>{begin + "0; offsets are 1 to 9007199254740991",
                                               begin + "9007199254740992; offsets are 1 to 9007199254740991"});
  f.store->gives_instead = (Offset{1} << 53) - 1;
  CHECK(f.append(message_of("r", "3"), Retry::no)->message.offset == (Offset{1} << 53) - 1);
}

TEST_CASE("chat log: past the queue's limit a message for a batch is answered with overloaded", "[chat_log][threads]") {
  Fixture f(Way::batches, 1);
  std::promise<ChatLog::Turn> reading;
  auto held = reading.get_future();
  f.log.history("r", {1}, [&](const Result<ChatPage>&, const ChatLog::Turn& turn) { reading.set_value(turn); });
  REQUIRE(held.wait_for(10s) == std::future_status::ready);
  ChatLog::Turn turn = held.get();
  std::promise<void> second;
  auto stored = second.get_future();
  f.log.append(message_of("r", "1"), Retry::no,
               [&](const Result<StoredChat>&, const ChatLog::Turn&) { second.set_value(); });
  CHECK(f.append(message_of("r", "2")).error().code() == Errc::overloaded);
  CHECK(f.append(message_of("other", "1")).ok());
  turn.reset();
  CHECK(stored.wait_for(10s) == std::future_status::ready);
}

TEST_CASE("chat log: a retry of a stored message gets the stored one, and says so", "[chat_log][threads]") {
  const Way way = GENERATE(Way::inline_calls, Way::one_by_one, Way::batches);
  Fixture f(way);
  ChatMessage first = message_of("r", "1");
  first.created_at = 1000;
  CHECK_FALSE(f.append(first, Retry::possible)->is_repeat);
  CHECK_FALSE(f.append(message_of("r", "2"), Retry::possible)->is_repeat);
  ChatMessage retry = message_of("r", "1");
  retry.message = "another text";
  retry.created_at = 2000;
  const auto repeat = f.append(retry, Retry::possible);
  REQUIRE(repeat.ok());
  CHECK(repeat->is_repeat);
  first.offset = 1;
  CHECK(repeat->message == first);
  CHECK_FALSE(f.append(message_of("other", "1"), Retry::possible)->is_repeat);
  CHECK(f.append(message_of("r", "3"))->offset == 3);
}

TEST_CASE("chat log: a message and its retries that are pending at once are stored once, and only the first is new",
          "[chat_log][threads]") {
  const Way way = GENERATE(Way::one_by_one, Way::batches);
  std::vector<std::string> outcomes;  // guarded by the turns of the room
  {
    Fixture f(way);
    std::promise<ChatLog::Turn> reading;
    auto held = reading.get_future();
    f.log.history("r", {1}, [&](const Result<ChatPage>&, const ChatLog::Turn& turn) { reading.set_value(turn); });
    REQUIRE(held.wait_for(10s) == std::future_status::ready);
    ChatLog::Turn turn = held.get();
    for (const char* id : {"0", "1", "1", "2", "1"}) {
      const Retry retry = std::string_view(id) == "1" ? Retry::possible : Retry::no;
      f.log.append(message_of("r", id), retry, [&](const Result<StoredChat>& stored, const ChatLog::Turn&) {
        outcomes.push_back(std::to_string(stored->message.offset) + (stored->is_repeat ? " again" : ""));
      });
    }
    turn.reset();
    f.queue->stop();
  }
  CHECK(outcomes == std::vector<std::string>{"1", "2", "2 again", "3", "2 again"});
}

TEST_CASE("chat log: if the store can't be read, a message that may be a retry fails, others are stored",
          "[chat_log][threads]") {
  const Way way = GENERATE(Way::inline_calls, Way::one_by_one, Way::batches);
  Fixture f(way);
  f.store->fails_reading = true;
  CHECK(f.append(message_of("r", "1"), Retry::possible).error().code() == Errc::store_failed);
  CHECK(f.append(message_of("r", "2"))->offset == 1);
}

// --- Changing ---

TEST_CASE("chat log: a message is found by its offset, changed, and stays in its place when deleted",
          "[chat_log][threads]") {
  Fixture f(GENERATE(Way::inline_calls, Way::one_by_one, Way::batches));
  for (const char* id : {"1", "2", "3"}) REQUIRE(f.append(message_of("r", id)).ok());
  CHECK(f.find("r", 2)->value().id == "2");
  for (const Offset offset : {Offset{0}, Offset{4}, ~Offset{0}}) CHECK_FALSE(f.find("r", offset)->has_value());
  CHECK_FALSE(f.find("other", 1)->has_value());

  const auto changed = f.change("r", 2, [](ChatMessage& message) {
    message.message = "new";
    message.edited_at = 5;
  });
  REQUIRE(changed->has_value());
  CHECK(f.history("r", 10, 0)->entries.at(1) == **changed);
  CHECK(f.find("r", 2)->value().message == "new");

  REQUIRE(f.change("r", 2, [](ChatMessage& message) {
             message.message.clear();
             message.deleted_at = 6;
           })->has_value());
  CHECK_FALSE(f.find("r", 2)->has_value());
  CHECK_FALSE(f.change("r", 2, [](ChatMessage& message) { message.message = "back"; })->has_value());
  CHECK_FALSE(f.change("r", 4, [](ChatMessage&) {})->has_value());
  const auto page = f.history("r", 2, 0);
  REQUIRE(page->entries.size() == 2);
  CHECK(page->entries[0].deleted_at == 6);
  CHECK(page->entries[0].message.empty());
  CHECK(page->before == 2);
  CHECK(f.append(message_of("r", "2"), Retry::possible)->is_repeat);  // its id is still stored
  CHECK(f.append(message_of("r", "4"))->offset == 4);
}

TEST_CASE("chat log: changes and messages of one room keep their order", "[chat_log][threads]") {
  Fixture f(GENERATE(Way::one_by_one, Way::batches));
  REQUIRE(f.append(message_of("r", "1")).ok());
  std::vector<std::string> order;  // guarded by the turns of the room
  for (int i = 2; i <= 20; i += 2) {
    f.log.append(message_of("r", std::to_string(i)), Retry::no, [&](const Result<StoredChat>& stored, const auto&) {
      order.push_back("new " + std::to_string(stored->message.offset));
    });
    f.log.change(
        "r", 1, [i](ChatMessage& message) { message.edited_at = i; },
        [&](const Fixture::MaybeMessage& changed, const ChatLog::Turn&) {
          order.push_back("edit " + std::to_string(changed->value().edited_at));
        });
  }
  f.queue->stop();
  std::vector<std::string> expected;
  for (int i = 2; i <= 20; i += 2) {
    expected.push_back("new " + std::to_string(i / 2 + 1));
    expected.push_back("edit " + std::to_string(i));
  }
  CHECK(order == expected);
}

TEST_CASE("chat log: a store that fails to find or to change a message is reported as one", "[chat_log][threads]") {
  Fixture f(GENERATE(false, true));
  REQUIRE(f.append(message_of("r", "1")).ok());
  f.store->failure = GENERATE(Failure::error, Failure::exception);
  CHECK(f.find("r", 1).error().message() == "the chat store failed");
  CHECK(f.change("r", 1, [](ChatMessage&) {}).error().message() == "the chat store failed");
}

}  // namespace chat_log_test
