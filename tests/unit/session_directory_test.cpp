#include "catch.hpp"
#include "loop_fixture.hpp"

#include <flux/detail/core/session_directory.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace session_directory_test {

using namespace flux;
using core::SessionsByUser;
using testing::SteppedLoops;

namespace {

/// A session that can only be listed.
class ListedSession final : public detail::SessionState {
 public:
  ListedSession(std::uint64_t key, std::shared_ptr<core::Loop> loop)
      : SessionState(key, std::move(loop), {}, nullptr) {}

  bool access_expired(std::int64_t) override { return false; }
  void withdraw() noexcept override {}
  bool withdrawn() const noexcept override { return false; }
  void leave_rooms() override {}
  void end_access(CloseCode, std::string_view) override {}
  std::string_view protocol() const noexcept override { return "test"; }
  bool connected() const override { return true; }
  ClientCounts counts() const noexcept override { return {}; }
  std::vector<RoomId> rooms() const override { return {}; }
  Result<void> change_data(JsonText) override { return {}; }
  Result<Sent> send(std::string_view, const JsonText&, const RoomId&) override { return Sent::queued; }
  void close_session(CloseCode, std::string_view) override {}
  Result<void> change_grant(Grant) override { return {}; }
  void leave_room(const std::shared_ptr<features::Room>&) override {}
  void place(detail::Placement, WhenDone) override {}
  void put_out(RoomId, std::string, WhenDone) override {}
};

using Session = std::shared_ptr<ListedSession>;

/// The keys of the user's sessions, sorted.
std::vector<std::uint64_t> keys_of(const SessionsByUser& users, std::string_view user) {
  std::vector<std::uint64_t> keys;
  users.visit(user, [&](const auto& session) { keys.push_back(session->key()); });
  std::sort(keys.begin(), keys.end());
  return keys;
}

}  // namespace

TEST_CASE("session directory: sessions of users that come and go in any order are found by user", "[core]") {
  SteppedLoops loops(1);
  SessionsByUser users;
  const std::vector<std::string> names = {"ann", "bob", "cleo", ""};
  std::vector<Session> sessions;
  std::vector<std::string> user_of;  // of each session; "-": it has none
  for (std::uint64_t key = 0; key < 40; ++key) sessions.push_back(std::make_shared<ListedSession>(key, loops[0]));
  user_of.resize(sessions.size(), "-");

  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int step = 0; step < 4'000; ++step) {
    const std::size_t at = random() % sessions.size();
    if (user_of[at] == "-") {
      user_of[at] = names[random() % names.size()];
      users.add(user_of[at], sessions[at]);
    } else {
      users.remove("dora", *sessions[at]);  // not its user
      users.remove(user_of[at], *sessions[at]);
      user_of[at] = "-";
    }
    for (const std::string& name : names) {
      std::vector<std::uint64_t> expected;
      for (std::size_t i = 0; i < sessions.size(); ++i) {
        if (!name.empty() && user_of[i] == name) expected.push_back(i);
      }
      REQUIRE(keys_of(users, name) == expected);
    }
  }
}

TEST_CASE("session directory: a session that has left its user is neither found nor kept", "[core]") {
  SteppedLoops loops(1);
  SessionsByUser users;
  auto phone = std::make_shared<ListedSession>(1, loops[0]);
  auto laptop = std::make_shared<ListedSession>(2, loops[0]);
  users.add("ann", phone);
  users.add("ann", laptop);
  users.remove("ann", *phone);
  users.remove("ann", *phone);  // its place is the laptop's by now
  CHECK(keys_of(users, "ann") == std::vector<std::uint64_t>{2});
  users.remove("ann", *laptop);
  CHECK(keys_of(users, "ann").empty());
  CHECK(phone.use_count() == 1);
  CHECK(laptop.use_count() == 1);
}

}  // namespace session_directory_test
