// flux-bench-stores: what storing chat costs, and which failures it survives.
//
//   rate STORE [clients=100] [rooms=10] [seconds=5]
//                 acknowledged messages a second, first with one transaction per message and then in groups, with the
//                 same clients; latency
//   slow [rounds=5] [seconds=4]
//                 the fan-out of 19 rooms over sockets, without and with a twentieth whose store takes 200 ms a message
//   write STORE   sends forever, and prints each id when it is acknowledged
//   check STORE   reads such ids, and reports which are missing or stored twice
//
// STORE is what flux-server's --chat accepts. Databases should be empty before `rate` and `write`.
#include "server/stores.hpp"
#include "latency.hpp"
#include "stores_slow.hpp"

#include <flux/flux.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using flux::bench::LatencyHistogram;

/// Forwards to another store, one message per call.
class OneByOne final : public flux::ChatStore {
 public:
  explicit OneByOne(std::shared_ptr<flux::ChatStore> store) : store_(std::move(store)) {}
  flux::Result<flux::Offset> append(const flux::RoomId& room, const flux::ChatMessage& message) override {
    return store_->append(room, message);
  }
  flux::Result<std::vector<flux::ChatMessage>> history(const flux::RoomId& room, std::size_t limit,
                                                       flux::Offset before) override {
    return store_->history(room, limit, before);
  }
  bool may_block() const override { return store_->may_block(); }

 private:
  const std::shared_ptr<flux::ChatStore> store_;
};

flux::Config config_with(std::shared_ptr<flux::ChatStore> store) {
  flux::Config config;
  config.listen = {};
  config.chat.store = std::move(store);
  return config;
}

/// Clients that send the next message when the previous one is acknowledged.
class Chatters {
 public:
  Chatters(flux::Server& server, std::size_t clients, std::size_t rooms)
      : server_(server), clients_(clients), rooms_(rooms) {}

  /// Messages a second, measured after the first tenth of the time.
  double run(std::chrono::milliseconds time) {
    for (std::size_t i = 0; i < clients_; ++i) send("room" + std::to_string(i % rooms_));
    std::this_thread::sleep_for(time / 10);
    {
      const std::lock_guard lock(mutex_);
      latency_.clear();
    }
    const auto begin = Clock::now();
    std::this_thread::sleep_for(time * 9 / 10);
    std::unique_lock lock(mutex_);
    stopping_ = true;
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    const double rate = static_cast<double>(latency_.total()) / seconds;
    measured_ = latency_;
    idle_.wait(lock, [this] { return running_ == 0; });
    return rate;
  }
  const LatencyHistogram& latency() const { return measured_; }
  std::size_t failures() const { return failures_; }

 private:
  void send(const std::string& room) {
    {
      const std::lock_guard lock(mutex_);
      ++running_;
    }
    const auto begin = Clock::now();
    server_.send_chat(
        room, "a message of about sixty bytes, as people write them, you know", {},
        [this, room, begin](const flux::Result<flux::ChatMessage>& stored) { acknowledged(room, begin, stored.ok()); });
  }
  void acknowledged(const std::string& room, Clock::time_point begin, bool good) {
    {
      const std::lock_guard lock(mutex_);
      latency_.add(static_cast<std::uint64_t>((Clock::now() - begin).count()));
      if (!good) ++failures_;
      --running_;
      if (stopping_) return idle_.notify_all();
    }
    send(room);
  }

  flux::Server& server_;
  const std::size_t clients_, rooms_;
  std::mutex mutex_;
  std::condition_variable idle_;
  LatencyHistogram latency_, measured_;
  std::size_t running_ = 0, failures_ = 0;
  bool stopping_ = false;
};

double measure(const std::string& name, const std::shared_ptr<flux::ChatStore>& store, std::size_t clients,
               std::size_t rooms, std::chrono::milliseconds time) {
  flux::Server server(config_with(store));
  server.start();
  Chatters chatters(server, clients, rooms);
  const double rate = chatters.run(time);
  const LatencyHistogram& latency = chatters.latency();
  std::printf("%-12s %9.0f messages/s   p50 %7.2f ms   p99 %7.2f ms   %zu failed\n", name.c_str(), rate,
              latency.percentile_us(0.5) / 1000, latency.percentile_us(0.99) / 1000, chatters.failures());
  std::fflush(stdout);
  server.stop();
  return rate;
}

int rate(const std::string& spec, std::size_t clients, std::size_t rooms, std::chrono::milliseconds time) {
  const auto store = make_chat_store(spec);
  std::printf("%zu clients in %zu rooms, batch_max %zu\n", clients, rooms, store->batch_max());
  const double alone = measure("one by one", std::make_shared<OneByOne>(store), clients, rooms, time);
  const double grouped = measure("in groups", store, clients, rooms, time);
  std::printf("%.1f times\n", grouped / alone);
  return 0;
}

int slow(std::size_t rounds, std::chrono::milliseconds time) {
  flux::bench::run_slow(rounds, time);
  return 0;
}

/// Fifty chatters whose output also names the room: "room3 ID".
int write(const std::string& spec) {
  const auto store = make_chat_store(spec);
  flux::Server server(config_with(store));
  server.start();
  std::mutex mutex;
  std::function<void(int)> send = [&](int room) {
    const std::string name = "room" + std::to_string(room % 5);
    server.send_chat(name, "hello", {}, [&, room, name](const flux::Result<flux::ChatMessage>& stored) {
      if (stored) {
        const std::lock_guard lock(mutex);
        std::printf("%s %s\n", name.c_str(), stored->id.c_str());
        std::fflush(stdout);
      }
      send(room);
    });
  };
  for (int i = 0; i < 50; ++i) send(i);
  std::promise<void>().get_future().wait();  // until it is killed
  return 0;
}

int check(const std::string& spec) {
  const auto store = make_chat_store(spec);
  std::set<std::string> stored;
  std::size_t doubled = 0, gaps = 0;
  for (int room = 0; room < 5; ++room) {
    const std::string name = "room" + std::to_string(room);
    for (flux::Offset before = 0;;) {
      const auto page = store->history(name, 1000, before).value();
      if (page.empty()) break;
      for (std::size_t i = 0; i < page.size(); ++i) {
        if (!stored.insert(name + " " + page[i].id).second) ++doubled;
        if (page[i].offset != page[0].offset + i) ++gaps;
      }
      if (before != 0 && page.back().offset != before - 1) ++gaps;
      before = page.front().offset;
    }
  }
  std::size_t acknowledged = 0, lost = 0;
  for (std::string line; std::getline(std::cin, line);) {
    ++acknowledged;
    if (stored.count(line) == 0) ++lost;
  }
  std::printf("%zu stored, %zu acknowledged, %zu of them lost, %zu doubled, %zu gaps\n", stored.size(), acknowledged,
              lost, doubled, gaps);
  return lost + doubled + gaps == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** values) {
  const std::vector<std::string> arguments(values + 1, values + count);
  const auto number = [&](std::size_t index, std::size_t otherwise) {
    return index < arguments.size() ? std::stoul(arguments[index]) : otherwise;
  };
  try {
    const std::string mode = arguments.empty() ? "" : arguments[0];
    if (mode == "slow") return slow(number(1, 5), std::chrono::seconds(number(2, 4)));
    if (arguments.size() < 2) throw std::invalid_argument("usage: flux-bench-stores rate|write|check STORE … | slow");
    if (mode == "rate") return rate(arguments[1], number(2, 100), number(3, 10), std::chrono::seconds(number(4, 5)));
    if (mode == "write") return write(arguments[1]);
    if (mode == "check") return check(arguments[1]);
    throw std::invalid_argument("no such mode: " + mode);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "flux-bench-stores: %s\n", e.what());
    return 1;
  }
}
