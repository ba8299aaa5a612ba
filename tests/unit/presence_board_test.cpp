#include "catch.hpp"

#include <flux/detail/features/presence_board.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>

namespace presence_board_test {

using namespace flux;
using namespace flux::features;

namespace {

/// `+A ~B -C`: A joined, B changed, C left.
std::string text_of(const PresenceNotice& notice) {
  std::string text;
  const auto add = [&text](const char* sign, std::string_view what) {
    text.append(text.empty() ? "" : " ").append(sign).append(what);
  };
  for (const auto& entry : notice.joined) add("+", std::string(entry.connection_id).append(entry.presence));
  for (const auto& entry : notice.updated) add("~", std::string(entry.connection_id).append(entry.presence));
  for (const auto& id : notice.left) add("-", id);
  return text;
}

/// A board, and members that are named by letters.
class Scene {
 public:
  Membership& operator[](char name) {
    auto& member = members_[name];
    if (!member) {
      member = std::make_unique<Membership>();
      member->key = static_cast<core::SessionKey>(name);
    }
    return *member;
  }
  void join(char name, std::string presence = {}) {
    board.join((*this)[name], std::string(1, name), nullptr, std::move(presence));
  }
  void leave(char name) { board.leave((*this)[name]); }
  void update(char name, std::string presence) { board.update((*this)[name], std::move(presence)); }
  /// What each member is told now; members that are left out are missing.
  std::map<char, std::string> tell() {
    std::map<char, std::string> told;
    board.tell("r", [&](const PresenceNotice& notice, std::span<Membership* const> left_out) {
      ++notices;
      for (const auto& place : board.places()) {
        if (std::find(left_out.begin(), left_out.end(), place.membership) != left_out.end()) continue;
        told[place.connection_id[0]] = text_of(notice);
      }
    });
    return told;
  }
  void settled(const std::string& names) {
    for (const char name : names) join(name);
    tell();
  }
  std::string catch_up(char reader, std::uint64_t known, std::size_t bytes_max = no_limit) {
    PresenceNotice notice;
    return board.catch_up((*this)[reader], known, bytes_max, notice) ? text_of(notice) : "too late";
  }

  PresenceBoard board;
  std::size_t notices = 0;

 private:
  std::map<char, std::unique_ptr<Membership>> members_;
};

using Told = std::map<char, std::string>;

}  // namespace

TEST_CASE("presence board: changes between two notices become one, with the newest presence of each member",
          "[presence]") {
  Scene s;
  s.settled("ABC");
  s.update('A', "1");
  s.update('A', "2");
  s.update('B', "3");
  CHECK(s.tell()['C'] == "~A2 ~B3");
  CHECK(s.tell().empty());
}

TEST_CASE("presence board: a join and a leave cancel out, and nobody is told", "[presence]") {
  Scene s;
  s.settled("AB");
  s.join('C');
  s.leave('C');
  s.notices = 0;
  CHECK(s.tell().empty());
  CHECK(s.notices == 0);
  s.join('C');
  s.leave('C');
  s.update('A', "1");
  CHECK(s.tell() == Told{{'B', "~A1"}});
}

TEST_CASE(
    "presence board: a leave that cancels a join is still told to clients that found the leaver in their snapshots",
    "[presence]") {
  Scene s;
  s.settled("A");
  s.join('C');
  s.join('D');
  s.leave('C');
  CHECK(s.tell() == Told{{'A', "+D -C"}, {'D', "+D -C"}});
}

TEST_CASE("presence board: a leave and a join of the same session are an update", "[presence]") {
  Scene s;
  s.settled("AB");
  s.leave('B');
  s.join('B', "2");
  CHECK(s.tell() == Told{{'A', "~B2"}});
}

TEST_CASE("presence board: a member that would be told only about itself is left out", "[presence]") {
  Scene s;
  s.settled("AB");
  s.update('A', "1");
  CHECK(s.tell() == Told{{'B', "~A1"}});
  s.update('A', "2");
  s.update('B', "3");
  CHECK(s.tell() == Told{{'A', "~A2 ~B3"}, {'B', "~A2 ~B3"}});
}

TEST_CASE("presence board: the last of several simultaneous joiners is told nothing", "[presence]") {
  Scene s;
  for (const char name : {'A', 'B', 'C'}) s.join(name);
  CHECK(s.tell() == Told{{'A', "+A +B +C"}, {'B', "+A +B +C"}});
}

TEST_CASE("presence board: a member is announced when the others have been told of it", "[presence]") {
  Scene s;
  s.settled("A");
  CHECK(s.board.all_announced());
  s.join('B');
  CHECK(s.board.is_announced(s['A']));
  CHECK_FALSE(s.board.is_announced(s['B']));
  CHECK_FALSE(s.board.all_announced());
  s.tell();
  CHECK(s.board.is_announced(s['B']));
  s.update('B', "1");
  CHECK(s.board.is_announced(s['B']));
  CHECK(s.board.all_announced());
}

TEST_CASE("presence board: a reader that missed notices catches up, except on itself and on pending changes",
          "[presence]") {
  Scene s;
  s.settled("ABCD");
  const std::uint64_t known = s.board.told();
  s.update('B', "1");
  s.leave('C');
  s.join('E');
  s.update('A', "mine");
  s.tell();
  s.join('F');
  CHECK(s.catch_up('A', known) == "+E ~B1 -C");
  CHECK(s.catch_up('A', s.board.told()).empty());
}

TEST_CASE("presence board: a reader that missed a leave and the return of the session is told once", "[presence]") {
  Scene s;
  s.settled("AB");
  const std::uint64_t known = s.board.told();
  s.leave('B');
  s.tell();
  s.join('B', "2");
  s.tell();
  CHECK(s.catch_up('A', known) == "+B2");
  s.leave('B');
  s.tell();
  CHECK(s.catch_up('A', known) == "-B");
}

TEST_CASE("presence board: a reader can't catch up on more than fits, or on leavers that are forgotten", "[presence]") {
  Scene s;
  s.settled("AB");
  const std::uint64_t known = s.board.told();
  s.update('B', std::string(1000, '1'));
  s.tell();
  CHECK(s.catch_up('A', known, 1000) == "too late");
  CHECK(s.catch_up('A', known, 2000) == "~B" + std::string(1000, '1'));
  for (std::size_t i = 0; i <= 2 * PresenceBoard::leavers_kept; ++i) {
    CHECK(s.catch_up('A', known) != "too late");
    s.join('C');
    s.tell();
    s.leave('C');
    s.tell();
  }
  CHECK(s.catch_up('A', known) == "too late");
  CHECK(s.catch_up('A', s.board.told()).empty());
}

TEST_CASE("presence board: a storm of changes by one session leaves one entry in the notice", "[presence]") {
  Scene s;
  s.settled("AB");
  for (int i = 0; i < 10'000; ++i) s.update('B', std::to_string(i));
  CHECK(s.tell() == Told{{'A', "~B9999"}});
  for (int i = 0; i < 10'000; ++i) {
    s.leave('B');
    s.join('B', std::to_string(i));
  }
  CHECK(s.tell() == Told{{'A', "~B9999"}});
}

TEST_CASE("presence board: one timer runs at a time, and another is started if it was destroyed without firing",
          "[presence]") {
  PresenceBoard board;
  auto timer = board.begin_interval();
  REQUIRE(timer);
  CHECK_FALSE(board.begin_interval());
  SECTION("it fires") { board.end_interval(); }
  SECTION("its loop ends") { timer.reset(); }
  CHECK(board.begin_interval());
}

TEST_CASE("presence board: pages follow the order of joining", "[presence]") {
  Scene s;
  for (const char name : {'A', 'B', 'C', 'D'}) s.join(name);
  s.leave('A');  // D takes its place
  std::optional<std::uint64_t> after;
  const auto names = [&](const MembersRequest& asked) {
    std::string list;
    after.reset();
    for (const auto* place : s.board.in_order(asked, First::always, after)) list += place->connection_id;
    return list;
  };
  CHECK(names({}) == "BCD");
  CHECK_FALSE(after);
  CHECK(names({2}) == "BC");
  REQUIRE(after);
  CHECK(names({2, *after}) == "D");
}

TEST_CASE("presence board: in random use every client that applies its notices knows the board", "[presence]") {
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  Scene s;
  const auto snapshot = [&] {
    std::map<std::string, std::string> all;
    for (const auto& place : s.board.places()) all[place.connection_id] = place.presence;
    return all;
  };
  /// What each member believes, and the change it knows if notices were held back from it.
  std::map<char, std::pair<std::map<std::string, std::string>, std::uint64_t>> beliefs;
  const auto apply = [](std::map<std::string, std::string>& belief, const PresenceNotice& notice) {
    for (const auto& entry : notice.joined) belief[std::string(entry.connection_id)] = entry.presence;
    for (const auto& entry : notice.updated) belief[std::string(entry.connection_id)] = entry.presence;
    for (const auto& id : notice.left) belief.erase(std::string(id));
  };
  for (int step = 0; step < 5'000; ++step) {
    const char name = static_cast<char>('A' + random() % 6);
    const auto found = beliefs.find(name);
    switch (random() % 5) {
      case 0:
        if (found != beliefs.end()) break;
        s.join(name, std::to_string(step));
        beliefs[name] = {snapshot(), 0};
        break;
      case 1:
        if (found == beliefs.end()) break;
        s.leave(name);
        beliefs.erase(name);
        break;
      case 2:
        if (found != beliefs.end()) s.update(name, std::to_string(step));
        break;
      default: {
        const std::uint64_t before = s.board.told();
        s.board.tell("r", [&](const PresenceNotice& notice, std::span<Membership* const> left_out) {
          for (auto& [who, belief] : beliefs) {
            if (std::find(left_out.begin(), left_out.end(), &s[who]) != left_out.end()) continue;
            if (belief.second != 0 || random() % 4 == 0) {
              if (belief.second == 0) belief.second = before;
            } else {
              apply(belief.first, notice);
            }
          }
        });
        for (auto& [who, belief] : beliefs) {
          if (belief.second != 0 && random() % 3 == 0) {
            PresenceNotice missed;
            REQUIRE(s.board.catch_up(s[who], std::exchange(belief.second, 0), no_limit, missed));
            apply(belief.first, missed);
          }
          auto known = belief.first;
          auto real = snapshot();
          known.erase(std::string(1, who));  // no member needs to be told about itself
          real.erase(std::string(1, who));
          if (belief.second == 0) REQUIRE(known == real);
        }
      }
    }
  }
}

}  // namespace presence_board_test
