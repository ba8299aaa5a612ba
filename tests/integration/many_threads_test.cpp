// Several loops, several threads of the application. Also run under ThreadSanitizer.
#include "support/server.hpp"

#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <set>

namespace many_threads_test {

using namespace flux_test;
using namespace flux::literals;

TEST_CASE("loops: connections are distributed over them, handlers run on one thread per connection") {
  const std::size_t threads = GENERATE(1u, 4u);
  std::mutex mutex;
  std::map<std::string, std::set<std::thread::id>> threads_of;
  flux::Server server(test_config(threads));
  server.on_event([&](flux::EventMessage& message) {
    const std::lock_guard lock(mutex);
    threads_of[message.session.id()].insert(std::this_thread::get_id());
  });
  server.start();
  std::vector<std::unique_ptr<LiveClient>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<LiveClient>(server.port()));
    clients.back()->join("r");
  }
  for (int round = 0; round < 3; ++round) {
    for (const auto& client : clients) CHECK(type_of(client->request("broadcast_event", R"({"event":"e"})")) == "ack");
  }
  const std::lock_guard lock(mutex);
  REQUIRE(threads_of.size() == clients.size());
  std::set<std::thread::id> all;
  for (const auto& [session, its] : threads_of) {
    CHECK(its.size() == 1);
    all.insert(its.begin(), its.end());
  }
  CHECK(all.size() == threads);
}

TEST_CASE("rooms: members on several loops, each gets every message once and each sender's in order") {
  const std::size_t threads = GENERATE(1u, 4u);
  constexpr int members = 8;
  constexpr int messages = 100;
  flux::Server server(test_config(threads));
  server.start();
  std::vector<std::unique_ptr<LiveClient>> clients;
  for (int i = 0; i < members; ++i) {
    clients.push_back(std::make_unique<LiveClient>(server.port()));
    clients.back()->join("r");
  }
  Crew crew;
  for (const auto& client : clients) {
    crew.add([&client = *client] {
      for (int i = 0; i < messages; ++i) {
        client.send("broadcast_event", "{\"event\":\"" + client.id + "\",\"payload\":" + std::to_string(i) + "}");
      }
      std::map<std::string, std::int64_t> next;
      for (int left = (members - 1) * messages + messages; left > 0; --left) {
        const auto message = client.next("broadcast_event");
        const std::string sender = text_at(message, "/payload/connectionId");
        if (sender == client.id) throw std::runtime_error("a sender heard itself");
        if (number_at(message, "/payload/payload") != next[sender]++) throw std::runtime_error("out of order");
      }
    });
  }
  crew.add([&] {
    for (int i = 0; i < messages; ++i) {
      if (!server.broadcast("r", "server", flux::JsonText::parse(std::to_string(i)).value()).ok()) {
        throw std::runtime_error("broadcast failed");
      }
    }
  });
  crew.join();
  for (const auto& client : clients) {
    for (const auto& message : client->so_far()) CHECK(type_of(message) != "broadcast_event");
  }
  CHECK(server.room("r")->position.offset == members * messages + messages);
}

TEST_CASE("server: called from many threads while clients connect and disconnect, all invariants hold") {
  const std::size_t threads = GENERATE(1u, 4u);
  auto config = test_config(threads);
  config.limits.rooms_per_connection = 2;
  config.presence_interval = 1ms;
  std::atomic<int> joins{0};
  std::atomic<int> leaves{0};
  std::atomic<int> disconnects{0};
  flux::Server server(config);
  server.on_connect([](flux::ConnectRequest& request) {
    request.accept({request.query("user").value_or(""), {}, {}, {}, false});
  });
  server.on_join([&](flux::JoinRequest& join) {
    ++joins;
    server.presence(join.room);
  });
  server.on_leave([&](const flux::Session& session, const flux::RoomId& room) {
    ++leaves;
    server.send_chat(room, session.id() + " left");
  });
  server.on_disconnect([&](const flux::Session& session, const flux::Disconnect&) {
    ++disconnects;
    server.sessions_of_user(session.identity().user_id);
  });
  server.on_event([&](flux::EventMessage& message) {
    (void)server.broadcast("room0", "echo", message.payload.value_or("1"_json));
  });
  server.start();

  std::atomic<bool> done{false};
  Crew callers;
  for (unsigned n = 0; n < 3; ++n) {
    callers.add([&, n] {
      std::mt19937 random(n);
      while (!done) {
        const std::string room = "room" + std::to_string(random() % 3);
        const std::string user = "user" + std::to_string(random() % 4);
        switch (random() % 12) {
          case 0: (void)server.broadcast(room, "e", R"({"n":1})"_json); break;
          case 1: server.send_to_user(user, "direct", "2"_json); break;
          case 2: server.presence(room); break;
          case 3: server.stats(); break;
          case 4: (void)server.close_room(room, "again"); break;
          case 5: server.send_chat(room, "hello"); break;
          case 6: server.chat_history(room, 10, 0, [](const auto&) {}); break;
          case 7:
            for (const auto& session : server.sessions_of_user(user)) session.rooms();
            break;
          case 8:
            for (const auto& session : server.sessions()) (void)session.send("all", "3"_json);
            break;
          case 9: server.share(room, R"({"type":"string","content":"x"})"_json); break;
          case 10: server.rooms(); break;
          default:
            if (random() % 20 == 0) server.disconnect_user(user, flux::CloseCode::try_again_later, "shuffled");
            server.public_share(R"({"type":"string","content":"p"})"_json);
        }
        std::this_thread::yield();
      }
    });
  }
  Crew clients;
  for (unsigned n = 0; n < 4; ++n) {
    clients.add([&, n] {
      std::mt19937 random(100 + n);
      for (int life = 0; life < 12; ++life) {
        LiveClient client(server.port(), "/live?user=user" + std::to_string(n));
        try {
          for (int i = 0; i < 6; ++i) {
            const std::string room = "room" + std::to_string(random() % 3);
            client.request("join_room", "{\"roomId\":\"" + room + "\",\"presence\":{\"x\":1}}");
            client.request("broadcast_event", R"({"event":"e","payload":{"a":[1,2]}})");
            client.request("update_presence", R"({"presence":{"x":2}})");
            client.request("send_chat", R"({"message":"hi"})");
            client.request("public_history");
            client.request("leave_room");
          }
        } catch (const std::runtime_error&) {
          if (client.how_closed.code != 1013) throw;  // shuffled
        }
        if (life % 3 == 0) client.tcp.reset();
      }
    });
  }
  clients.join();
  done = true;
  callers.join();
  CHECK(eventually([&] { return server.stats().connections_now == 0; }));
  CHECK(eventually([&] { return disconnects == 48; }));
  CHECK(leaves <= joins);
  CHECK(server.stats().sessions_now == 0);
  CHECK(server.stats().handler_errors == 0);
  CHECK(server.sessions().empty());
  CHECK(server.rooms().empty());
}

TEST_CASE("server: stopped and started while threads call it, nothing breaks") {
  std::atomic<bool> done{false};
  Crew crew;
  flux::Server server(test_config(2));
  REQUIRE(server.create_room("hall", {flux::RoomMode::live, 0, true}).ok());
  for (int n = 0; n < 2; ++n) {
    crew.add([&] {
      while (!done) {
        (void)server.broadcast("hall", "e", "1"_json);
        server.send_chat("hall", "x");
        server.public_delete_last();
        for (const auto& session : server.sessions()) (void)session.send("e", "1"_json);
        server.stats();
        server.port();
        std::this_thread::yield();
      }
    });
  }
  for (int life = 0; life < 30; ++life) {
    server.start();
    LiveClient one(server.port());
    LiveClient two(server.port());
    one.join("hall");
    two.join("hall");
    server.stop(life % 2 == 0 ? 0ms : 20ms);
  }
  done = true;
  crew.join();
  CHECK(server.stats().connections == 60);
}

}  // namespace many_threads_test
