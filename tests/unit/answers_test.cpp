#include "catch.hpp"

#include <flux/detail/gate/answers.hpp>

#include <atomic>
#include <map>
#include <thread>
#include <vector>

using namespace flux;

namespace {

/// The outcome of a question: "user", "refused: reason", or nothing yet.
struct Outcome {
  std::vector<std::string> given;
  flux::gate::OneAnswer::Answer taker() {
    return [this](std::optional<Identity> identity, const std::string& reason) {
      given.push_back(identity ? identity->user_id : "refused: " + reason);
    };
  }
};

using Given = std::vector<std::string>;

class FakeConnect final : public ConnectRequest {
 public:
  std::optional<std::string> in_query;
  std::optional<std::string> authorization;
  std::string_view path() const override { return "/live"; }
  std::optional<std::string> query(std::string_view name) const override {
    return name == "access_token" ? in_query : std::nullopt;
  }
  std::optional<std::string_view> header(std::string_view name) const override {
    if (name != "authorization" || !authorization) return std::nullopt;
    return *authorization;
  }
  std::string remote_address() const override { return {}; }
  void accept(Identity) override {}
  void refuse(std::string_view) override {}
  LaterAnswer later() override { return LaterAnswer(nullptr); }
};

}  // namespace

TEST_CASE("token question: the first answer counts", "[answers]") {
  Outcome outcome;
  gate::TokenQuestion question("t", outcome.taker());
  CHECK(question.token() == "t");
  question.accept({"ann", {}, {}, {}, false});
  question.refuse("no");
  question.accept({"bob", {}, {}, {}, false});
  question.returned();
  CHECK(outcome.given == Given{"ann"});
}

TEST_CASE("token question: a verifier that does not answer refuses", "[answers]") {
  Outcome outcome;
  {
    gate::TokenQuestion question("t", outcome.taker());
    CHECK(outcome.given.empty());
    question.returned();
    CHECK(outcome.given == Given{"refused: invalid token"});
  }
  CHECK(outcome.given.size() == 1);
}

TEST_CASE("token question: a later answer is awaited", "[answers]") {
  Outcome outcome;
  std::optional<LaterAnswer> later;
  {
    gate::TokenQuestion question("t", outcome.taker());
    later = question.later();
    question.returned();
  }
  CHECK(outcome.given.empty());
  const LaterAnswer copy = *later;
  later.reset();
  CHECK(outcome.given.empty());
  copy.accept({"ann", {}, {}, {}, false});
  copy.refuse("no");
  CHECK(outcome.given == Given{"ann"});
}

TEST_CASE("token question: the last copy destroyed without an answer, it is refused", "[answers]") {
  Outcome outcome;
  {
    gate::TokenQuestion question("t", outcome.taker());
    const LaterAnswer later = question.later();
    question.returned();
    CHECK(outcome.given.empty());
  }
  CHECK(outcome.given == Given{"refused: nobody answered"});
}

TEST_CASE("token question: answers from many threads, exactly one counts", "[answers]") {
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> given{0};
    {
      gate::TokenQuestion question("t", [&](std::optional<Identity>, const std::string&) { ++given; });
      const LaterAnswer later = question.later();
      std::vector<std::thread> threads;
      for (int i = 0; i < 4; ++i) {
        threads.emplace_back([later, i] { i % 2 == 0 ? later.accept() : later.refuse(); });
      }
      for (std::thread& thread : threads) thread.join();
    }
    CHECK(given == 1);
  }
}

TEST_CASE("answer state: reports whether an answer was given", "[answers]") {
  Outcome outcome;
  flux::gate::OneAnswer state(outcome.taker());
  CHECK_FALSE(state.given());
  state.give(std::nullopt, "no");
  CHECK(state.given());
  CHECK(outcome.given == Given{"refused: no"});
}

TEST_CASE("connect request: the token comes from the query, else from the bearer header", "[answers]") {
  FakeConnect request;
  CHECK(request.token().empty());
  for (const char* field : {"Bearer abc", "bearer abc", "BEARER   abc"}) {
    request.authorization = field;
    CHECK(request.token() == "abc");
  }
  for (const char* field : {"", "Bearer", "Bearerabc", "Basic abc", "Bearer "}) {
    request.authorization = field;
    CHECK(request.token().empty());
  }
  request.authorization = "Bearer abc";
  request.in_query = "xyz";
  CHECK(request.token() == "xyz");
}
