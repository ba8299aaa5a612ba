#include "catch.hpp"

#include <flux/detail/features/channel_history.hpp>
#include <flux/detail/features/channel_name.hpp>
#include <flux/detail/features/channel_presence.hpp>
#include <flux/detail/features/channel_table.hpp>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace channel_table_test {

using namespace flux;
using namespace flux::features;

namespace {

constexpr std::size_t name_max = 20;

bool valid_name(std::string_view name) { return static_cast<bool>(check_channel_name(name, name_max)); }
bool valid_pattern(std::string_view name) { return static_cast<bool>(check_channel_or_pattern(name, name_max)); }

struct Patterns {
  ChannelPatterns patterns;
  void add(const std::string& pattern) { patterns.add(std::make_unique<Channel>(pattern, 0, nullptr, 1, 0)); }
  std::string matching(std::string_view channel) const {
    std::set<std::string> names;
    patterns.match(channel, [&](Channel& pattern) { names.insert(pattern.name); });
    std::string text;
    for (const auto& name : names) text += name + " ";
    return text;
  }
};

Publication publication(Offset offset, std::int64_t time = 0, std::string key = {}, std::size_t size = 10) {
  return {std::make_shared<const std::string>(size, 'x'), 0, size, offset, time, {}, {}, std::move(key)};
}

std::string offsets_after(const ChannelHistory& history, Offset offset) {
  std::string text;
  for (auto at = history.after(offset); at != history.list().end(); ++at) text += std::to_string(at->offset) + " ";
  return text;
}

PresentClient client(std::string id, std::string user = {}, std::int64_t seen = 0, bool connected = true) {
  return {std::move(id), std::move(user), "{}", seen, seen, connected};
}

}  // namespace

TEST_CASE("channel name: what is no name is refused, with the reason", "[channels]") {
  for (const char* good :
       {"a", "orders", "orders:5", "a:b:c", "a.b", "\xC3\xA4:1", "12345678901234567890", ":", "a:"}) {
    INFO(good);
    CHECK(valid_name(good));
  }
  for (const char* bad : {"", "123456789012345678901", "a/b", "a..b", "..", "a\nb", "\xFF", "a:*", "*", "a*"}) {
    INFO(bad);
    CHECK_FALSE(valid_name(bad));
  }
  CHECK(check_channel_name("a/b", name_max).error().message() == R"(Invalid channel name format: "a/b" has a "/")");
  CHECK(check_channel_name("a:*", name_max).error().code() == Errc::invalid_argument);
}

TEST_CASE("channel name: a pattern has whole segments that are *", "[channels]") {
  for (const char* good : {"*", "a:*", "*:b", "a:*:c", "a:*:*", "plain"}) {
    INFO(good);
    CHECK(valid_pattern(good));
  }
  for (const char* bad : {"a*", "a:*b", "**", "a:b*:c", "*/a", "..:*"}) {
    INFO(bad);
    CHECK_FALSE(valid_pattern(bad));
  }
}

TEST_CASE("channel name: a grant must allow all that a pattern can match", "[channels]") {
  CHECK(demanded_channel("orders:5") == "orders:5");
  CHECK(demanded_channel("orders:*:created") == "orders:*");
  CHECK(demanded_channel("*:created") == "*");
  const auto allows = [](const char* permission, std::string_view pattern) {
    return permission_matches(permission, "read", demanded_channel(pattern));
  };
  CHECK(allows("read:*", "*"));
  CHECK(allows("read:orders", "orders:*"));
  CHECK(allows("read:orders:*", "orders:*"));
  CHECK_FALSE(allows("read:orders:5", "orders:*"));
  CHECK_FALSE(allows("read:orders", "*:created"));
  CHECK_FALSE(allows("read:orders:5", "orders:*:created"));
  CHECK_FALSE(allows("read:*", "system:*"));
}

TEST_CASE("channel patterns: each matches what it stands for, and nothing else", "[channels]") {
  Patterns some;
  for (const char* pattern : {"orders:*", "orders:*:created", "*", "*:5", "orders:5", "news:*:*", "system:*"}) {
    some.add(pattern);
  }
  CHECK(some.matching("orders") == "* ");
  CHECK(some.matching("orders:5") == "* *:5 orders:* orders:5 ");
  CHECK(some.matching("orders:5:created") == "* orders:* orders:*:created ");
  CHECK(some.matching("orders:5:closed") == "* orders:* ");
  CHECK(some.matching("news:a") == "* ");
  CHECK(some.matching("news:a:b") == "* news:*:* ");
  CHECK(some.matching("news:a:b:c") == "* news:*:* ");
  CHECK(some.matching("ordersx:1") == "* ");
}

TEST_CASE("channel patterns: only those that name it match the scope system", "[channels]") {
  Patterns some;
  for (const char* pattern : {"*", "*:load", "system:*", "system:load"}) some.add(pattern);
  CHECK(some.matching("system:load") == "system:* system:load ");
  CHECK(some.matching("system").empty());
  CHECK(some.matching("systems:load") == "* *:load ");
}

TEST_CASE("channel patterns: a removed one matches no more, and the others stay", "[channels]") {
  Patterns some;
  for (const char* pattern : {"a:*", "a:*:c", "a:b:c"}) some.add(pattern);
  some.patterns.remove("a:*");
  some.patterns.remove("a:never:there");
  CHECK(some.patterns.find("a:*") == nullptr);
  CHECK(some.patterns.find("a:*:c") != nullptr);
  CHECK(some.matching("a:b:c") == "a:*:c a:b:c ");
  some.patterns.remove("a:*:c");
  some.patterns.remove("a:b:c");
  CHECK(some.matching("a:b:c").empty());
}

TEST_CASE("channel table: finds what was added, however many there are, and nothing that was removed", "[channels]") {
  constexpr std::uint32_t count = 1000;
  ChannelSettings settings({.history_max = 1}, false, 0);
  ChannelShard shard;
  CHECK(shard.find("c0", 0) == nullptr);
  // Of every four, the names differ and the hashes do not.
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string name = "c" + std::to_string(i);
    Channel& added = shard.add(std::make_unique<Channel>(name, (i / 4) << 6, &settings, 1, 0));
    if (i % 3 == 0) shard.extras_of(added);
  }
  CHECK(shard.with_extras().size() == 334);
  for (std::uint32_t i = 0; i < count; i += 2) shard.remove(*shard.find("c" + std::to_string(i), (i / 4) << 6));
  std::size_t found = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    found += shard.find("c" + std::to_string(i), (i / 4) << 6) != nullptr ? 1 : 0;
  }
  CHECK(found == count / 2);
  CHECK(shard.find("c1", 1 << 6) == nullptr);
  std::size_t visited = 0;
  shard.each([&](const Channel&) { ++visited; });
  CHECK(visited == count / 2);
  CHECK(std::all_of(shard.with_extras().begin(), shard.with_extras().end(),
                    [&](const Channel* each) { return shard.find(each->name, each->hash) == each; }));
  CHECK(shard.with_extras().size() == 167);
}

TEST_CASE("channel history: keeps the newest within its bounds, and knows what is missing", "[channels]") {
  const HistoryBounds bounds{3, 100, std::chrono::milliseconds(1000)};
  ChannelHistory history(bounds);
  CHECK(history.has_all_after(0, 0));
  CHECK_FALSE(history.has_all_after(0, 1));
  for (Offset offset = 1; offset <= 5; ++offset) history.add(publication(offset));
  CHECK(offsets_after(history, 0) == "3 4 5 ");
  CHECK(offsets_after(history, 3) == "4 5 ");
  CHECK(offsets_after(history, 5).empty());
  CHECK(offsets_after(history, 99).empty());
  CHECK_FALSE(history.has_all_after(1, 5));
  CHECK(history.has_all_after(2, 5));
  CHECK(history.has_all_after(5, 5));
}

TEST_CASE("channel history: a publication that is larger than the bound is not kept, nor what is before it",
          "[channels]") {
  const HistoryBounds bounds{10, 100, std::chrono::milliseconds(1000)};
  ChannelHistory history(bounds);
  history.add(publication(1));
  history.add(publication(2, 0, {}, 95));
  CHECK(offsets_after(history, 0) == "2 ");
  history.add(publication(3, 0, {}, 101));
  CHECK(history.list().empty());
  CHECK_FALSE(history.has_all_after(2, 3));
  history.add(publication(4));
  CHECK(offsets_after(history, 0) == "4 ");
  CHECK(history.has_all_after(3, 4));
}

TEST_CASE("channel history: what is too old is removed", "[channels]") {
  const HistoryBounds bounds{10, 100, std::chrono::milliseconds(1000)};
  ChannelHistory history(bounds);
  history.add(publication(1, 0));
  history.add(publication(2, 500));
  history.trim(999);
  CHECK(offsets_after(history, 0) == "1 2 ");
  history.trim(1000);
  CHECK(offsets_after(history, 0) == "2 ");
  history.trim(5000);
  CHECK_FALSE(history.has_all_after(1, 2));
  CHECK(history.has_all_after(2, 2));
}

TEST_CASE("channel history: a key finds its publication as long as that is kept", "[channels]") {
  const HistoryBounds bounds{2, 100, std::chrono::milliseconds(1000)};
  ChannelHistory history(bounds);
  const std::string key = publication_key("ann", "c1", "k");
  history.add(publication(1, 0, key));
  history.add(publication(2));
  REQUIRE(history.find(key) != nullptr);
  CHECK(history.find(key)->offset == 1);
  CHECK(history.find(publication_key("", "c1", "k")) == nullptr);
  history.add(publication(3));
  CHECK(history.find(key) == nullptr);
}

TEST_CASE("channel history: keys of different senders differ", "[channels]") {
  CHECK(publication_key("ann", "c1", "k") == publication_key("ann", "c2", "k"));
  CHECK(publication_key("", "c1", "k") == publication_key("", "c2", "k"));  // it may be the same one, come back
  CHECK(publication_key("c1", "c1", "k") != publication_key("", "c1", "k"));
  CHECK(publication_key("", "", "k") != publication_key("", "k", ""));
  CHECK(publication_key("ann", "c1", "").empty());
}

TEST_CASE("channel presence: a user with two connections comes once and leaves once", "[channels]") {
  ChannelPresence presence;
  CHECK(presence.enter(client("c1", "ann")).first_of_user);
  CHECK_FALSE(presence.enter(client("c2", "ann")).first_of_user);
  CHECK(presence.enter(client("c3")).first_of_user);
  CHECK(presence.size() == 3);
  CHECK(presence.users() == 2);
  CHECK_FALSE(presence.leave("c1")->last_of_user);
  CHECK(presence.leave("c2")->last_of_user);
  CHECK(presence.leave("c3")->last_of_user);
  CHECK_FALSE(presence.leave("c3"));
  CHECK(presence.users() == 0);
}

TEST_CASE("channel presence: who enters again keeps its place and its time, with the new data", "[channels]") {
  ChannelPresence presence;
  presence.enter(client("c1", "ann", 1));
  presence.enter(client("c2", "bob", 2));
  PresentClient again = client("c1", "ann", 5);
  again.data = "[1]";
  const auto entered = presence.enter(std::move(again));
  CHECK_FALSE(entered.is_new);
  CHECK(entered.client.data == "[1]");
  CHECK(entered.client.joined_at == 1);
  CHECK(entered.client.last_seen_at == 5);
  CHECK(presence.clients().begin()->second.client_id == "c1");
}

TEST_CASE("channel presence: one that has become another user counts as that user", "[channels]") {
  ChannelPresence presence;
  presence.enter(client("c1", "ann", 1));
  presence.enter(client("c1", "bob", 2));
  CHECK(presence.size() == 1);
  CHECK(presence.users() == 1);
  CHECK(presence.clients().begin()->second.joined_at == 1);
  CHECK(presence.leave("c1")->client.user_id == "bob");
  CHECK(presence.users() == 0);
}

TEST_CASE("channel presence: only those without a connection are found as unseen", "[channels]") {
  ChannelPresence presence;
  presence.enter(client("connected", "", 1));
  presence.enter(client("old", "", 1, false));
  presence.enter(client("new", "", 9, false));
  CHECK(presence.unseen_since(0).empty());
  CHECK(presence.unseen_since(1) == std::vector<SessionId>{"old"});
  CHECK(presence.unseen_since(9) == std::vector<SessionId>{"old", "new"});
}

}  // namespace channel_table_test
