#include "catch.hpp"

#include <flux/storage/memory_chat_store.hpp>
#include <flux/testing/chat_store_contract.hpp>
#include <flux/testing/contract.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace contract_test {

using namespace flux;
using namespace flux::testing;
using Catch::Matchers::ContainsSubstring;

namespace {

struct Checked {
  int checks = 0;
  std::vector<std::string> failures;
  std::map<std::string, int> failures_by_duty;

  CheckFunction function() {
    return [this](const Check& check) {
      ++checks;
      if (check.passed) return;
      failures.push_back(check.text());
      ++failures_by_duty[std::string(check.duty)];
    };
  }
};

/// Numbers messages from 0.
class WrongStore final : public ChatStore {
 public:
  Result<Offset> append(const RoomId& room, const ChatMessage& message) override {
    auto offset = store_.append(room, message);
    if (offset) --*offset;
    return offset;
  }
  Result<std::vector<ChatMessage>> history(const RoomId& room, std::size_t limit, Offset before) override {
    if (room == "nobody") throw std::runtime_error("no such room");
    return store_.history(room, limit, before);
  }

 private:
  MemoryChatStore store_;
};

/// As if rooms were paths of files.
class PathStore final : public ChatStore {
 public:
  Result<Offset> append(const RoomId& room, const ChatMessage& message) override {
    return store_.append(file_of(room), message);
  }
  Result<std::vector<ChatMessage>> history(const RoomId& room, std::size_t limit, Offset before) override {
    auto page = store_.history(file_of(room), limit, before);
    for (ChatMessage& message : *page) message.room = room;
    return page;
  }

 private:
  static RoomId file_of(const RoomId& room) {
    return std::filesystem::path(room + ".ring").lexically_normal().string();
  }
  MemoryChatStore store_;
};

}  // namespace

TEST_CASE("contract: a store that makes paths of rooms' names is reported", "[contract]") {
  Checked checked;
  chat_store_contract(checked.function(), [] { return std::make_shared<PathStore>(); });
  CHECK(checked.failures_by_duty.size() == 1);
  CHECK(checked.failures_by_duty["rooms whose names look like paths, and long names, are independent, too"] == 1);
}

TEST_CASE("contract: what the check function throws ends the contract; a store that can't be made is reported",
          "[contract]") {
  const auto throwing = [](const Check&) { throw std::runtime_error("enough"); };
  CHECK_THROWS_WITH(chat_store_contract(throwing, [] { return std::make_shared<MemoryChatStore>(); }), "enough");
  Checked checked;
  CHECK_NOTHROW(chat_store_contract(checked.function(),
                                    []() -> std::shared_ptr<ChatStore> { throw std::runtime_error("no folder"); }));
  CHECK_FALSE(checked.failures.empty());
}

TEST_CASE("contract: a store that fulfills it passes every check", "[contract]") {
  Checked checked;
  chat_store_contract(checked.function(), [] { return std::make_shared<MemoryChatStore>(); });
  CHECK(checked.checks > 200);
  CHECK(checked.failures.empty());
}

TEST_CASE("contract: a store that does not is reported, with the duty, the condition and the values", "[contract]") {
  Checked checked;
  chat_store_contract(checked.function(), [] { return std::make_shared<WrongStore>(); });
  CHECK(checked.failures_by_duty["an unknown room is empty"] == 1);  // and the duties after it are checked
  CHECK(checked.failures_by_duty["a batch stores what single calls would, and each message is atomic"] > 0);
  CHECK(checked.failures_by_duty["text is kept byte for byte"] == 1);  // a failed requirement ends a duty
  std::string all;
  for (const std::string& failure : checked.failures) all += failure + '\n';
  CHECK_THAT(all,
             ContainsSubstring("chat_store_contract.hpp:") && ContainsSubstring("offset 0, not 1") &&
                 ContainsSubstring("text is kept byte for byte: FAILED: store.append(\"r\", message).value() == i + 1, "
                                   "with 0 == 1") &&
                 ContainsSubstring("nothing is thrown, with \"no such room\""));
}

TEST_CASE("contract: conditions compare integers of any type, text and truth, and say what they compared",
          "[contract]") {
  Checked checked;
  Contract contract(checked.function());
  contract.duty("to compare", [&] {
    FLUX_CHECK(-1 == std::size_t{1});
    FLUX_CHECK(std::string("a") == "b");
    FLUX_CHECK(2 != 2);
    FLUX_CHECK(1 > 2);
    FLUX_CHECK(false);
    FLUX_CHECK(-1 != UINT64_MAX);
    FLUX_REQUIRE(std::vector<int>{1} == std::vector<int>{1});
    FLUX_REQUIRE(!true);
    FLUX_CHECK(1 == 1);
  });
  CHECK(checked.checks == 8);
  REQUIRE(checked.failures.size() == 6);
  const std::vector<std::string> ends = {"with -1 == 1", "with \"a\" == \"b\"", "with 2 != 2",
                                         "with 1 > 2",   "FAILED: false",       "FAILED: !true"};
  for (std::size_t i = 0; i < ends.size(); ++i) CHECK_THAT(checked.failures[i], Catch::Matchers::EndsWith(ends[i]));
}

TEST_CASE("contract: an exception of the caller's function ends the contract", "[contract]") {
  struct Enough {};
  int checks = 0;
  const auto stop = [&](const Check&) {
    if (++checks == 3) throw Enough();
  };
  CHECK_THROWS_AS(chat_store_contract(stop, [] { return std::make_shared<MemoryChatStore>(); }), Enough);
  CHECK(checks == 3);
}

}  // namespace contract_test
