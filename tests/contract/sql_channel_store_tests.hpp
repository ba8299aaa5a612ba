// Tests beyond the contract that are common to the channel stores in SQLite, PostgreSQL and MySQL.
#pragma once

#include "contract/sql_server.hpp"

#include <flux/testing/channel_store_contract.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace flux_test {

namespace sql_channels {

using namespace flux;
using namespace flux::testing;
using Catch::Matchers::ContainsSubstring;

inline void options(SqlServer& server) {
  refuses_options<flux_test::ChannelOptions>(server, [&](const flux_test::ChannelOptions& options) {
    server.open_channels(options)->append(channel_append("c", 1, 2)).value();
  });
}

inline void table_of_another_shape(SqlServer& server) {
  const std::string table = GENERATE("flux_channels", "flux_channels_publications");
  server.run("CREATE TABLE " + table + " (channel VARCHAR(10), colour VARCHAR(10))");
  const Error error = error_of([&] { server.open_channels({}); });
  CHECK(error.code() == Errc::store_failed);
  const std::string missing = table == "flux_channels" ? "epoch" : "channel_offset";
  CHECK_THAT(error.message(), ContainsSubstring("channels in ") &&
                                  ContainsSubstring("the table \"" + table + "\" has no column \"" + missing));
}

inline void tables_of_other_types(SqlServer& server) {
  refuses_shapes(server, "flux_channels", "channel", {"last_offset"}, {}, [&] { server.open_channels({}); });
  refuses_shapes(server, "flux_channels_publications", "channel, channel_offset", {"published_at"}, {"data"},
                 [&] { server.open_channels({}); });
}

inline void newer_version(SqlServer& server) {
  server.open_channels({});
  server.run("UPDATE flux_channels_version SET version = 7");
  CHECK_THAT(error_of([&] { server.open_channels({}); }).message(),
             ContainsSubstring("version 7, created by a newer flux"));
}

inline void broken_start(SqlServer& server) {
  REQUIRE(server.open_channels({})->append(channel_append("c", 1, 2)).ok());
  server.run("DROP TABLE flux_channels_version");  // it is created last
  CHECK(content_of(*server.open_channels({}), "c") == "epoch1: 1 2 of 2");
  CHECK(server.ask("SELECT version FROM flux_channels_version") == "1");
}

/// A part of a batch that can't be stored.
inline void refused(SqlServer& server) {
  using namespace std::string_literals;
  const auto store = server.open_channels({});
  std::vector<ChannelAppend> batch = {channel_append("a", 1, 2), channel_append("b\0"s, 1, 1),
                                      channel_append("c", 1, 2), channel_append("d", 1, 1), channel_append("e", 1, 1)};
  batch[2].publications[1].key = "k\0"s;
  batch[3].publications[0].offset = Offset{1} << 63;
  const auto results = store->append_all(batch);
  REQUIRE(results.size() == 5);
  for (const std::size_t i : {1U, 2U, 3U}) CHECK(results[i].error().code() == Errc::invalid_argument);
  CHECK(content_of(*store, "a") == "epoch1: 1 2 of 2");
  CHECK(content_of(*store, "c") == "none");
  CHECK(content_of(*store, "e") == "epoch1: 1 of 1");
  CHECK(store->remove("a\0"s, "epoch1").ok());
}

inline void largest_offsets(SqlServer& server) {
  const auto store = server.open_channels({});
  constexpr Offset largest = INT64_MAX;
  REQUIRE(store->append(channel_append("c", largest - 2, largest)).ok());
  CHECK(loaded(*store).at("c").publications.back().offset == largest);
  REQUIRE(store->append(channel_append("c", largest, largest, largest)).ok());
  CHECK(content_of(*store, "c") == "epoch1: 9223372036854775807 of 9223372036854775807");
}

/// More text and more rows than one statement can hold. `load` doesn't show rows that should have been deleted.
inline void large_batch(SqlServer& server) {
  const auto store = server.open_channels({});
  for (const Offset first : {1U, 3U}) {
    std::vector<ChannelAppend> batch;
    for (int i = 0; i < 1'010; ++i) {
      batch.push_back(channel_append("channel" + std::to_string(i), first, first + 1, first));
      for (StoredPublication& one : batch.back().publications) one.data = std::string(600, char('a' + i % 26));
    }
    for (const auto& result : store->append_all(batch)) REQUIRE(result.ok());
  }
  const auto channels = loaded(*store);
  REQUIRE(channels.size() == 1'010);
  const bool good = std::all_of(channels.begin(), channels.end(), [](const auto& one) {
    const auto& publications = one.second.publications;
    return publications.size() == 2 && publications[0].offset == 3 && publications[1].data.size() == 600;
  });
  CHECK(good);
  CHECK(server.ask("SELECT COUNT(*) FROM flux_channels_publications") == "2020");
  REQUIRE(store->append(channel_append("channel0", 1, 1, 1, "epoch2")).ok());
  REQUIRE(store->remove("channel1", "epoch1").ok());
  CHECK(server.ask("SELECT COUNT(*) FROM flux_channels_publications") == "2017");
}

/// As an earlier try leaves it that is committed late.
inline void publication_of_an_earlier_try(SqlServer& server) {
  const auto store = server.open_channels({});
  server.run("INSERT INTO flux_channels_publications VALUES ('c', 1, 0, '', '', '', 'null')");
  const ChannelAppend append = channel_append("c", 1, 1);
  REQUIRE(store->append(append).ok());
  CHECK(loaded(*store).at("c").publications == append.publications);
}

// --- For a server behind a socket ---

inline void lost_answer(Proxied& server) {
  const auto store = server.stores->open_channels({});
  for (Offset i = 1; i <= 3; ++i) {
    server.proxy.lose_answer_to("COMMIT");
    REQUIRE(store->append(channel_append("c", i, i)).ok());
  }
  CHECK(server.proxy.answers_lost() == 3);
  CHECK(content_of(*store, "c") == "epoch1: 1 2 3 of 3");
  server.proxy.lose_answer_to("COMMIT");
  REQUIRE(store->remove("c", "epoch1").ok());
  CHECK(content_of(*store, "c") == "none");
}

inline void outage(Proxied& server) {
  const auto store = server.stores->open_channels(hurried<flux_test::ChannelOptions>());
  REQUIRE(store->append(channel_append("c", 1, 1)).ok());
  server.proxy.refuse(true);
  server.proxy.cut();
  CHECK(store->append(channel_append("c", 2, 2)).error().code() == Errc::store_failed);
  server.proxy.refuse(false);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!store->append(channel_append("c", 2, 3)) && std::chrono::steady_clock::now() < until) {
  }
  CHECK(content_of(*store, "c") == "epoch1: 1 2 3 of 3");
}

}  // namespace sql_channels

/// Each store has tables of its own.
inline void sql_channel_contract(SqlStores& stores) {
  int count = 0;
  const auto open = [&] {
    flux_test::ChannelOptions options;
    options.table = "channels" + std::to_string(count);
    return stores.open_channels(options);
  };
  flux::testing::channel_store_contract(
      checked,
      [&] {
        ++count;
        return open();
      },
      open);
}

/// `server` is a new one for each section.
inline void sql_channel_store_tests(SqlServer& server) {
  SECTION("options out of their range are refused") { sql_channels::options(server); }
  SECTION("a table without our columns is refused, and the error names the missing column") {
    sql_channels::table_of_another_shape(server);
  }
  SECTION("tables with columns of other types, or without their keys, are refused") {
    sql_channels::tables_of_other_types(server);
  }
  SECTION("tables of a newer version are refused") { sql_channels::newer_version(server); }
  SECTION("an interrupted start is completed, and rows remain") { sql_channels::broken_start(server); }
  SECTION("NUL and offsets outside the range of a column are refused, and the rest of the batch is kept") {
    sql_channels::refused(server);
  }
  SECTION("offsets at the limits of their range") { sql_channels::largest_offsets(server); }
  SECTION("a batch with more text and more rows than one statement can hold") { sql_channels::large_batch(server); }
  SECTION("a publication of a try that is committed late is replaced") {
    sql_channels::publication_of_an_earlier_try(server);
  }
}

/// Each section with a new server.
inline void sql_channel_outage_tests(Proxied& server) {
  SECTION("a commit whose answer was lost is not made twice") { sql_channels::lost_answer(server); }
  SECTION("without the database calls fail, and with it they work again") { sql_channels::outage(server); }
}

}  // namespace flux_test
