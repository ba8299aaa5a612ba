// Tests beyond the contract that are common to the chat stores in SQLite, PostgreSQL and MySQL.
#pragma once

#include "contract/sql_server.hpp"

#include <flux/testing/chat_store_contract.hpp>
#include <flux/testing/manual_clock.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace flux_test {

namespace sql_chat {

using namespace flux;
using namespace flux::testing;
using Catch::Matchers::ContainsSubstring;

inline void options(SqlServer& server) {
  refuses_options<flux_test::ChatOptions>(
      server, [&](const flux_test::ChatOptions& options) { fill(*server.open_chat(options), "r", 2); });
}

inline void table_of_another_shape(SqlServer& server) {
  server.run("CREATE TABLE flux_chat (id INTEGER, room_id VARCHAR(10), user_id VARCHAR(10))");
  const Error error = error_of([&] { server.open_chat({}); });
  CHECK(error.code() == Errc::store_failed);
  CHECK_THAT(error.message(), ContainsSubstring("\"flux_chat\" has no column \"connection_id\""));
}

inline void tables_of_other_types(SqlServer& server) {
  refuses_shapes(server, "flux_chat", "room_id, room_offset", {"created_at"}, {"message", "metadata"},
                 [&] { server.open_chat({}); });
  refuses_shapes(server, "flux_chat_rooms", "room_id", {"last_offset"}, {}, [&] { server.open_chat({}); });
}

/// Tables of other programs lose nothing.
inline void tables_beside_it_of_others(SqlServer& server) {
  const std::string beside = GENERATE("flux_chat_rooms", "flux_chat_version");
  server.run("CREATE TABLE " + beside + " (room_id VARCHAR(10), colour VARCHAR(10))");
  server.run("INSERT INTO " + beside + " VALUES ('r', 'red')");
  CHECK_THAT(error_of([&] { server.open_chat({}); }).message(),
             ContainsSubstring("\"" + beside + "\" has no column \""));
  CHECK(server.ask("SELECT colour FROM " + beside) == "red");
  server.run("CREATE TABLE flux_chat (id INTEGER)");  // nothing was created
}

inline void newer_version(SqlServer& server) {
  server.open_chat({});
  server.run("UPDATE flux_chat_version SET version = 7");
  CHECK_THAT(error_of([&] { server.open_chat({}); }).message(),
             ContainsSubstring("version 7, created by a newer flux"));
}

inline void missing_counters(SqlServer& server) {
  fill(*server.open_chat({}), "r", 3);
  server.run("DROP TABLE flux_chat_rooms");
  server.run("DROP TABLE flux_chat_version");  // as after an interrupted start
  CHECK(server.open_chat({})->append("r", chat_message("r", "4")).value() == 4);
}

/// As the first version of flux made them. Its messages and offsets stay, although the newest message was dropped.
inline void version_1(SqlServer& server) {
  {
    const auto store = server.open_chat({});
    fill(*store, "r", 3);
    server.run("ALTER TABLE flux_chat DROP COLUMN edited_at");
    server.run("ALTER TABLE flux_chat DROP COLUMN deleted_at");
    server.run("UPDATE flux_chat_version SET version = 1");
    server.run("DELETE FROM flux_chat WHERE room_offset = 3");
  }
  if (GENERATE(false, true)) server.run("ALTER TABLE flux_chat ADD COLUMN edited_at " + server.name_of_number());
  for (int start = 1; start <= 2; ++start) {
    const auto store = server.open_chat({});
    CHECK(server.ask("SELECT version FROM flux_chat_version") == "2");
    const auto page = store->history("r", 10, 0).value();
    REQUIRE(page.size() >= 2);
    CHECK(page[1].message == "hello");
    CHECK(store->append("r", chat_message("r", "4")).value() == 4);
    ChatMessage edited = page[0];
    edited.message = "new";
    edited.edited_at = 5;
    CHECK(store->replace("r", edited).value());
    CHECK(store->history("r", 1, 2).value().at(0) == edited);
  }
}

/// The tables beside it are those of an earlier table with this name, whose rooms had other offsets.
inline void made_anew(SqlServer& server) {
  fill(*server.open_chat({}), "r", 2);
  fill(*server.open_chat({}), "gone", 2);
  server.run("DROP TABLE flux_chat");
  const bool other_program = GENERATE(false, true);
  CAPTURE(other_program);
  if (other_program) {
    server.run(
        "CREATE TABLE flux_chat (id VARCHAR(64) PRIMARY KEY, room_id VARCHAR(255), connection_id VARCHAR(255), user_id "
        "VARCHAR(255), message TEXT, metadata TEXT, created_at BIGINT)");
    for (const char* id : {"a", "b", "c", "d"}) {
      server.run("INSERT INTO flux_chat VALUES ('" + std::string(id) + "', 'r', 'c', NULL, 'text', NULL, 1)");
    }
  }
  const Offset stored = other_program ? 4 : 0;
  for (Offset next = stored + 1; next <= stored + 2; ++next) {  // at the next start, too
    const auto store = server.open_chat({});
    CHECK(store->append("r", chat_message("r", std::to_string(next))).value() == next);
    CHECK(store->append("gone", chat_message("gone", std::to_string(next))).value() == next - stored);
  }
}

inline void taking_over(SqlServer& server) {
  server.run(
      "CREATE TABLE old_chat (id VARCHAR(64) PRIMARY KEY, room_id VARCHAR(255) NOT NULL, connection_id VARCHAR(255) "
      "NOT NULL, user_id VARCHAR(255), message TEXT NOT NULL, metadata " +
      server.json_type() + ", created_at BIGINT NOT NULL)");
  server.run("INSERT INTO old_chat VALUES ('msg_b', 'r', 'c1', 'u', 'it''s third', NULL, 2000)");
  server.run("INSERT INTO old_chat VALUES ('msg_c', 'r', 'c1', NULL, 'first', '{\"a\": 1}', 1000)");
  server.run("INSERT INTO old_chat VALUES ('msg_a', 'r', 'c2', 'u', 'second', NULL, 2000)");
  server.run("INSERT INTO old_chat VALUES ('msg_d', 'other', 'c2', 'u', '\xF0\x9F\x98\x80', NULL, 1)");
  flux_test::ChatOptions options;
  options.table = "old_chat";
  for (int start = 1; start <= 2; ++start) {
    const auto store = server.open_chat(options);
    const auto page = store->history("r", 10, 0).value();
    REQUIRE(page.size() >= 3);
    CHECK(page[0].id == "msg_c");
    CHECK(page[0].user_id.empty());
    CHECK(page[0].metadata == "{\"a\": 1}");
    CHECK(page[1].id == "msg_a");
    CHECK(page[2].id == "msg_b");
    CHECK(page[2].message == "it's third");
    CHECK(page[2].metadata.empty());
    CHECK(page[2].created_at == 2000);
    CHECK(page[2].offset == 3);
    CHECK(store->history("other", 10, 0).value().at(0).message == "\xF0\x9F\x98\x80");
    CHECK(store->append("r", chat_message("r", "msg_a")).value() == 2);
    CHECK(store->append("r", chat_message("r", "new")).value() == 4);
  }
  CHECK(server.ask("SELECT COUNT(*) FROM old_chat_before_flux") == "4");
  CHECK(server.ask("SELECT COUNT(*) FROM old_chat") == "5");
}

inline void retention_by_count(SqlServer& server) {
  fill(*server.open_chat({}), "before", 10);
  flux_test::ChatOptions options;
  options.messages_per_room_max = 3;
  const auto store = server.open_chat(options);
  CHECK(ids_of(store->history("before", 100, 0)) == "8 9 10 ");
  CHECK(server.ask("SELECT COUNT(*) FROM flux_chat") == "3");
  fill(*store, "r", 10);
  CHECK(ids_of(store->history("r", 100, 0)) == "8 9 10 ");
  CHECK(ids_of(store->history("r", 2, 10)) == "8 9 ");
  CHECK(ids_of(store->history("r", 2, 9)) == "8 ");
  CHECK(ids_of(store->history("r", 2, 8)).empty());
  ChatMessage dropped = chat_message("r", "7");
  dropped.offset = 7;
  CHECK_FALSE(store->replace("r", dropped).value());
  CHECK(server.ask("SELECT COUNT(*) FROM flux_chat WHERE room_id = 'r'") == "3");
  std::vector<ChatMessage> batch;
  for (int i = 11; i <= 20; ++i) batch.push_back(chat_message("r", std::to_string(i)));
  CHECK(store->append_all(batch).back().value() == 20);
  CHECK(ids_of(store->history("r", 100, 0)) == "18 19 20 ");
  CHECK(store->append("r", chat_message("r", "19")).value() == 19);
}

inline void retention_by_age(SqlServer& server) {
  const auto clock = std::make_shared<ManualClock>();
  flux_test::ChatOptions options;
  options.age_max = std::chrono::hours(1);
  options.clock = clock;
  const auto store = server.open_chat(options);
  const auto send = [&](const std::string& room, const std::string& id) {
    ChatMessage message = chat_message(room, id);
    message.created_at = clock->unix_ms();
    return store->append(room, message).value();
  };
  send("r", "1");
  send("silent", "1");
  clock->advance(std::chrono::minutes(59));
  CHECK(send("r", "2") == 2);
  CHECK(ids_of(store->history("r", 10, 0)) == "1 2 ");
  clock->advance(std::chrono::milliseconds(60'001));
  CHECK(ids_of(store->history("r", 10, 0)) == "2 ");
  CHECK(ids_of(store->history("silent", 10, 0)).empty());
  CHECK(send("r", "3") == 3);  // and expired messages are deleted from the table
  CHECK(server.ask("SELECT COUNT(*) FROM flux_chat") == "2");
  CHECK(send("silent", "2") == 2);
  clock->advance(std::chrono::hours(2));
  REQUIRE(store->drop_expired().ok());
  CHECK(server.ask("SELECT COUNT(*) FROM flux_chat") == "0");
  CHECK(send("r", "4") == 4);
}

/// One process reads a message to edit it, and another deletes it in between.
inline void deleted_elsewhere(SqlServer& server) {
  const auto one = server.open_chat({});
  const auto other = server.open_chat({});
  fill(*one, "r", 1);
  ChatMessage edited = one->history("r", 1, 2).value().at(0);
  ChatMessage deleted = edited;
  deleted.message.clear();
  deleted.metadata.clear();
  deleted.deleted_at = 5;
  REQUIRE(other->replace("r", deleted).value());
  edited.edited_at = 6;
  CHECK_FALSE(one->replace("r", edited).value());
  CHECK(one->replace("r", deleted).value());  // as after a lost reply
  CHECK(other->history("r", 1, 2).value().at(0) == deleted);
}

/// Two servers use one database and one room at the same time.
inline void several_processes(SqlServer& server) {
  constexpr int each = 60;
  std::vector<std::thread> threads;
  std::array<std::vector<Offset>, 3> offsets;
  std::atomic<int> failures{0};
  std::vector<std::shared_ptr<SqlChatStore>> stores(offsets.size());
  // Their first starts are simultaneous, too.
  for (std::size_t t = 0; t < offsets.size(); ++t) {
    threads.emplace_back([&, t] {
      flux_test::ChatOptions patient;
      patient.call_timeout = std::chrono::seconds(20);
      try {
        stores[t] = server.open_chat(patient);
      } catch (const Error&) {
        ++failures;
        return;
      }
      for (int i = 0; i < each; ++i) {
        std::vector<ChatMessage> batch;
        for (const char* room : {"r", "q"}) {
          batch.push_back(chat_message(room, std::to_string(t) + "-" + std::to_string(i)));
          batch.push_back(chat_message(room, "shared-" + std::to_string(i)));
        }
        for (const auto& offset : stores[t]->append_all(batch)) {
          if (!offset) ++failures;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  REQUIRE(failures == 0);
  for (const char* room : {"r", "q"}) {
    const auto page = stores[0]->history(room, 1000, 0).value();
    REQUIRE(page.size() == each * (offsets.size() + 1));
    CHECK(page.front().offset == 1);
    CHECK(page.back().offset == page.size());
  }
}

/// The database commits, and its reply is lost.
inline void lost_commit(Proxied& server) {
  const auto store = server.stores->open_chat({});
  fill(*store, "r", 3);
  server.proxy.lose_answer_to("COMMIT");
  CHECK(store->append("r", chat_message("r", "4")).value() == 4);
  CHECK(server.proxy.answers_lost() == 1);
  CHECK(store->append("r", chat_message("r", "5")).value() == 5);
  server.proxy.lose_answer_to("COMMIT");
  const std::vector<ChatMessage> batch = {chat_message("r", "6"), chat_message("q", "1"), chat_message("r", "7")};
  const auto offsets = store->append_all(batch);
  CHECK(server.proxy.answers_lost() == 2);
  CHECK(offsets[0].value() == 6);
  CHECK(offsets[1].value() == 1);
  CHECK(offsets[2].value() == 7);
  CHECK(ids_of(store->history("r", 10, 0)) == "1 2 3 4 5 6 7 ");
}

inline void lost_connections(Proxied& server) {
  const auto store = server.stores->open_chat({});
  fill(*store, "r", 2);
  for (int i = 3; i < 8; ++i) {
    server.proxy.cut();
    if (i % 2 == 0) CHECK(store->history("r", 10, 0).value().size() == static_cast<std::size_t>(i - 1));
    CHECK(store->append("r", chat_message("r", std::to_string(i))).value() == static_cast<Offset>(i));
  }
}

/// Errors are returned in time, then at once; and the store recovers by itself.
inline void outage(Proxied& server) {
  const auto store = server.stores->open_chat(hurried<flux_test::ChatOptions>());
  fill(*store, "r", 1);
  server.proxy.refuse(true);
  server.proxy.cut();
  const auto first =
      time_of([&] { CHECK(store->append("r", chat_message("r", "2")).error().code() == Errc::store_failed); });
  CHECK(first < std::chrono::seconds(5));
  const auto later = time_of([&] {
    for (int i = 0; i < 20; ++i) CHECK(store->history("r", 1, 0).error().code() == Errc::store_failed);
  });
  CHECK(later < std::chrono::seconds(10));
  server.proxy.refuse(false);
  CHECK(until_good([&] { return store->append("r", chat_message("r", "2")); }).value() == 2);
  CHECK(ids_of(store->history("r", 10, 0)) == "1 2 ");
}

/// The server accepts what we send, and never answers.
inline void silence(Proxied& server) {
  const auto store = server.stores->open_chat(hurried<flux_test::ChatOptions>());
  fill(*store, "r", 1);
  server.proxy.stall(true);
  const auto waited =
      time_of([&] { CHECK(store->append("r", chat_message("r", "2")).error().code() == Errc::store_failed); });
  CHECK(waited >= std::chrono::milliseconds(500));
  CHECK(waited < std::chrono::seconds(8));
  server.proxy.stall(false);
  CHECK(until_good([&] { return store->append("r", chat_message("r", "2")); }).value() == 2);
}

/// `text` is part of an answer during the start of the store.
inline void silence_in_start(Proxied& server, const std::string& text) {
  flux_test::ChatOptions options;
  options.call_timeout = std::chrono::milliseconds(150);
  server.proxy.stall_after(text);
  const auto waited = time_of([&] {
    const Error error = error_of([&] { server.stores->open_chat(options); });
    CHECK(error.code() == Errc::store_failed);
    CHECK_THAT(error.message(), Catch::Matchers::ContainsSubstring("did not answer in time"));
  });
  CHECK(server.proxy.is_stalled());
  CHECK(waited < 20 * options.call_timeout + std::chrono::seconds(3));
  server.proxy.stall(false);
  CHECK(server.stores->open_chat(options)->append("r", chat_message("r", "1")).value() == 1);
}

/// `slow`, in a FROM, is one row that takes 3 s.
inline void slow_taking_over(SqlServer& server, const std::string& slow) {
  server.run(
      "CREATE VIEW old_chat AS SELECT 'msg_a' AS id, 'r' AS room_id, 'c' AS connection_id, 'u' AS user_id, "
      "'text' AS message, '{}' AS metadata, 1000 AS created_at FROM " +
      slow);
  flux_test::ChatOptions options;
  options.table = "old_chat";
  options.call_timeout = std::chrono::milliseconds(100);
  const auto waited = time_of([&] { server.open_chat(options); });
  CHECK(waited > 20 * options.call_timeout);
  options.call_timeout = std::chrono::seconds(5);
  CHECK(ids_of(server.open_chat(options)->history("r", 10, 0)) == "msg_a ");
}

/// The copy has its own timeout, which is not that of a start. `meanwhile()` is called after it was given up, before the
/// server notices that.
template <class Meanwhile>
void silence_while_taking_over(Proxied& proxied, SqlServer& server, const Meanwhile& meanwhile) {
  server.run(
      "CREATE TABLE old_chat (id VARCHAR(20), room_id VARCHAR(20), connection_id VARCHAR(20), user_id VARCHAR(20), "
      "message VARCHAR(20), metadata VARCHAR(20), created_at BIGINT)");
  server.run("INSERT INTO old_chat VALUES ('msg_a', 'r', 'c', 'u', 'text', '{}', 1000)");
  flux_test::ChatOptions options;
  options.table = "old_chat";
  options.take_over_timeout = std::chrono::milliseconds(700);
  proxied.proxy.stall_at("ROW_NUMBER");
  const auto waited = time_of([&] {
    const Error error = error_of([&] { proxied.stores->open_chat(options); });
    CHECK(error.code() == Errc::store_failed);
    CHECK_THAT(error.message(), ContainsSubstring("\"old_chat\" was not copied within take_over_timeout, 700 ms"));
  });
  CHECK(proxied.proxy.is_stalled());
  CHECK(waited >= options.take_over_timeout);
  CHECK(waited < std::chrono::seconds(5));
  meanwhile();
  proxied.proxy.stall(false);
  CHECK(ids_of(proxied.stores->open_chat(options)->history("r", 10, 0)) == "msg_a ");
}

/// A server that was replaced by another one: existing connections remain there. While `read_only` is set, new connections
/// accept no writes.
inline void no_more_writes(Proxied& server, Setting& read_only) {
  const auto store = server.stores->open_chat({});
  fill(*store, "r", 1);
  read_only.set();
  server.proxy.cut();
  const auto refused = store->append("r", chat_message("r", "2"));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code() == Errc::store_failed);
  CHECK_THAT(refused.error().message(), Catch::Matchers::Matches(".*(read-only|READ ONLY).*"));
  CHECK(ids_of(store->history("r", 10, 0)) == "1 ");  // on a new connection, which is kept
  read_only.take_back();
  CHECK(store->append("r", chat_message("r", "2")).value() == 2);
  CHECK(store->append("r", chat_message("r", "3")).value() == 3);
}

}  // namespace sql_chat

/// For a server behind a socket.
inline void sql_chat_outage_tests(Proxied& server) {
  SECTION("a commit whose reply is lost is detected, and nothing is doubled") { sql_chat::lost_commit(server); }
  SECTION("lost connections are replaced, and no call fails") { sql_chat::lost_connections(server); }
  SECTION("while the database is unreachable calls fail in time, and then it recovers by itself") {
    sql_chat::outage(server);
  }
  SECTION("a database that never answers is given up in time") { sql_chat::silence(server); }
}

/// Each store has a table of its own.
inline void sql_chat_contract(SqlStores& stores) {
  int count = 0;
  const auto open = [&] {
    flux_test::ChatOptions options;
    options.table = "chat" + std::to_string(count);
    return stores.open_chat(options);
  };
  flux::testing::chat_store_contract(
      checked,
      [&] {
        ++count;
        return open();
      },
      open);
}

/// `server` is a new one for each section.
inline void sql_chat_store_tests(SqlServer& server) {
  SECTION("options out of their range are refused") { sql_chat::options(server); }
  SECTION("a table without our columns is refused, and the error names the missing column") {
    sql_chat::table_of_another_shape(server);
  }
  SECTION("a table with columns of other types, or without its keys, is refused") {
    sql_chat::tables_of_other_types(server);
  }
  SECTION("a table of another program with one of our names is refused, and loses nothing") {
    sql_chat::tables_beside_it_of_others(server);
  }
  SECTION("tables of a newer version are refused") { sql_chat::newer_version(server); }
  SECTION("an interrupted start is completed") { sql_chat::missing_counters(server); }
  SECTION("tables of the first version get the columns for edits, and lose nothing") { sql_chat::version_1(server); }
  SECTION("a table of another program is taken over, and kept") { sql_chat::taking_over(server); }
  SECTION("a table that is created or taken over again has its own offsets") { sql_chat::made_anew(server); }
  SECTION("a message that another process deletes stays deleted") { sql_chat::deleted_elsewhere(server); }
  SECTION("above a room's count the oldest messages are deleted, and offsets keep counting") {
    sql_chat::retention_by_count(server);
  }
  SECTION("expired messages disappear from histories at once, then from the table") {
    sql_chat::retention_by_age(server);
  }
  SECTION("several processes share a table") { sql_chat::several_processes(server); }
}

}  // namespace flux_test
