// Clients without a connection, which record what they receive, and a backend for them. For the participant tests.
#pragma once

#include "../support/awaited.hpp"
#include "../support/staged_file_store.hpp"
#include "catch.hpp"
#include "loop_fixture.hpp"

#include <flux/detail/features/files_service.hpp>
#include <flux/detail/features/participant.hpp>
#include <flux/storage/memory_chat_store.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace participant_test {

using namespace flux;
using namespace flux::features;
using namespace flux::testing;
using namespace std::chrono_literals;

using Joined = std::string;  // the welcome that a client gets

/// A client without a connection: it records what it receives.
class Client final : public Participant, public std::enable_shared_from_this<Client> {
 public:
  Client(const ClientGroup& group, const std::shared_ptr<core::Loop>& loop, std::shared_ptr<const Grant> grant)
      : Participant(group, group.backend.new_key(), loop, {}, std::move(grant)) {}

  void connect() { enter_directory(); }
  void go() {
    open = false;
    leave_everything();
    leave_directory({CloseCode::normal, "went"});
  }
  Result<Sent> send(std::string_view, const JsonText&, const RoomId&) override { return Sent::queued; }
  std::string_view protocol() const noexcept override { return "test"; }
  flux::ClientCounts counts() const noexcept override { return {}; }
  void close_session(CloseCode, std::string_view) override { go(); }
  void withdraw() noexcept override { is_withdrawn = true; }
  bool withdrawn() const noexcept override { return is_withdrawn; }

  Membership& in(const RoomId& room) {
    Membership* const membership = membership_of(room);
    REQUIRE(membership != nullptr);
    return *membership;
  }
  PublicSeat& seat() { return extras().public_seat; }
  void flush() { flush_audiences(); }
  void become(Identity identity) { replace_grant(std::move(identity)); }
  using Participant::catch_up;
  using Participant::change_view;
  using Participant::over_rate;
  using Participant::within;

  Inbox inbox;
  TextView text_view;
  const ClientView* used_view = &text_view;
  bool open = true;
  bool is_withdrawn = false;
  int held = 0;  // 1 while its requests are held
  int times_held = 0;
  Lines told;    // the notices that it was sent alone
  Lines placed;  // what it was told about its rooms by the application
  JoinTerms terms{.rooms_max = 2, .creates_rooms = true, .chat = {10}};

 private:
  std::shared_ptr<Participant> self() override { return shared_from_this(); }
  bool is_open() const override { return open && connected() && !is_withdrawn; }
  core::Outlet& outlet() override { return inbox; }
  const ClientView& view() const override { return *used_view; }
  Door door() const override { return {"live", "/live"}; }
  void stop_reading() override {
    ++held;
    ++times_held;
  }
  void resume_reading() override { --held; }
  void tell(const Notice& notice) override {
    told.push_back(std::string(notice.name) + " " + std::string(notice.payload));
  }
  void tell_left(const RoomId& room, std::string_view reason) override {
    placed.push_back("left " + room + ": " + std::string(reason));
  }
  void be_placed(const Placement& placement, const Done<void>& done) override {
    const auto found = std::make_shared<std::string>();
    join_placed(
        placement, terms,
        [found](const RoomSnapshot& snapshot, const auto&) {
          for (const auto& entry : snapshot.members) *found += " " + std::string(entry.presence);
        },
        [this, room = placement.room, found, done](const Result<void>& joined) {
          if (joined) placed.push_back("joined " + room + ":" + *found);
          done(joined);
        });
  }
};

/// The result of an act once the loop has run. `done()` may be called once.
template <class T>
class Told {
 public:
  explicit Told(SteppedLoops& loops) : loops_(&loops) {}
  Participant::Done<T> done() {
    return [result = result_](Result<T> told) {
      if (*result) throw std::logic_error("told twice");
      result->emplace(std::move(told));
    };
  }
  bool any() const {
    loops_->settle();
    return result_->has_value();
  }
  const Result<T>& get() const {
    REQUIRE(any());
    return **result_;
  }
  bool ok() const { return any() && (*result_)->ok(); }
  Errc code() const {
    REQUIRE(any());
    REQUIRE_FALSE((*result_)->ok());
    return (*result_)->error().code();
  }
  std::string why() const {
    REQUIRE(any());
    REQUIRE_FALSE((*result_)->ok());
    return (*result_)->error().message();
  }

 private:
  SteppedLoops* loops_;
  std::shared_ptr<std::optional<Result<T>>> result_ = std::make_shared<std::optional<Result<T>>>();
};

inline constexpr const char* stored_id = "0f8fad5b-d9cb-469f-a165-70867728950e";

/// A backend with one loop, and its clients.
class Scene {
 public:
  explicit Scene(const std::function<void(Config&)>& change = {}, std::shared_ptr<ChatStore> store = nullptr)
      : config_(config(change)), backend(config_) {
    if (!store) store = std::make_shared<MemoryChatStore>();
    if (store->may_block()) queue_ = std::make_shared<storage::StoreQueue>(1, 100, 100);
    backend.chat = std::make_shared<ChatLog>(store, queue_, config_.limits, backend.chat_faults);
    if (config_.files.store) {
      files_service_ = std::make_shared<FilesService>(backend);
      backend.files = files_service_;
      files_service_->files()->start();
    }
    backend.rooms.start(*loops[0]);
  }
  ~Scene() {
    backend.handlers = {};  // they may refer to objects that the test has destroyed
    backend.gate.file = nullptr;
    backend.gate.token = nullptr;
    backend.gate.connect = nullptr;
    backend.requests = {};
    for (const auto& client : clients_) {
      if (client->connected()) client->go();
    }
    if (queue_) stop_queue();
    loops.settle();
    backend.rooms.begin_stop();
    if (files_service_) files_service_->stop();
  }

  Client& client(const std::string& user = {}) {
    auto grant = user.empty() ? nullptr : std::make_shared<const Grant>(Identity{user, user, {}, {}, true});
    clients_.push_back(std::make_shared<Client>(group_, loops[0], std::move(grant)));
    clients_.back()->connect();
    return *clients_.back();
  }
  /// A client that is in the room and has received everything.
  Client& member(const RoomId& room, const std::string& user = {}) {
    Client& member = client(user);
    REQUIRE(join(member, room).ok());
    loops.advance(1s);
    for (const auto& other : clients_) (void)other->inbox.take();
    return member;
  }
  Told<void> join(Client& client, const RoomId& room, std::optional<JsonText> presence = std::nullopt) {
    Told<void> told(loops);
    welcomed.clear();
    client.join(
        room, std::move(presence), terms,
        [this](const RoomSnapshot& snapshot, const Result<ChatPage>& chat) {
          for (const auto& entry : snapshot.members) welcomed += std::string(entry.presence) + " ";
          welcomed += chat ? std::to_string(chat->entries.size()) + " messages" : chat.error().message();
        },
        told.done());
    return told;
  }
  /// The client presents a new token.
  Told<Grant> refresh(Client& client, const std::string& token) {
    Told<Grant> told(loops);
    client.refresh(token, told.done());
    return told;
  }
  Grant::TimePoint in(std::chrono::milliseconds time) const {
    return Grant::TimePoint(std::chrono::milliseconds(loops.clock()->unix_ms()) + time);
  }
  /// What the client has received since the last call.
  Lines heard(Client& client) {
    loops.settle();
    return client.inbox.take();
  }
  /// Runs the loop until `condition` holds; for work that a store's thread must do first.
  bool until(const std::function<bool()>& condition) {
    return flux_test::eventually([&] {
      loops.settle();
      return condition();
    });
  }

  SteppedLoops loops;
  JoinTerms terms{.rooms_max = 2, .creates_rooms = true, .chat = {10}};
  Joined welcomed;
  std::shared_ptr<flux_test::StagedFileStore> files = std::make_shared<flux_test::StagedFileStore>(false);
  std::vector<std::string> logged;
  const gate::UploadTickets& tickets() const { return files_service_->tickets(); }

 private:
  /// Stopping waits for its last answers, which the loop must process.
  void stop_queue() {
    std::atomic<bool> stopped{false};
    std::thread stopping([&] {
      queue_->stop();
      stopped = true;
    });
    while (!stopped) loops.run_for(10ms);
    stopping.join();
  }
  Config config(const std::function<void(Config&)>& change) {
    Config config;
    config.clock = loops.clock();
    config.seed = 7;
    config.presence_interval = 0ms;
    config.files.store = files;
    config.files.link_key = "0123456789abcdef";
    config.limits.fanout_bytes_max = 1'048'576;
    config.log = [this](LogLevel, std::string_view line) { logged.emplace_back(line); };
    if (change) change(config);
    return config;
  }
  const Config config_;
  std::shared_ptr<storage::StoreQueue> queue_;
  std::vector<std::shared_ptr<Client>> clients_;
  std::shared_ptr<FilesService> files_service_;

 public:
  Backend backend;

 private:
  const ClientGroup group_{backend};
};

inline JsonText json(const char* text) {
  auto parsed = JsonText::parse(text);
  REQUIRE(parsed.ok());
  return *parsed;
}

inline constexpr auto refuse = [](auto& event) { event.refuse("not today"); };
inline constexpr auto fail = [](auto&) { throw std::runtime_error("broken"); };

/// Fills the room, so that it accepts nothing more until the loops have run.
inline void fill(Backend& backend, const RoomId& room) {
  const std::string payload = "\"" + std::string(600'000, 'x') + "\"";
  for (int i = 0; i < 3; ++i) (void)backend.rooms.find(room)->publish(nullptr, {room, "server", {}, "e", payload});
}

/// A handler that gives its verdicts later, and the pending ones.
struct Deferring {
  template <class Event>
  void operator()(Event& event) {
    owed->push_back(event.later());
  }
  LaterVerdict take() const {
    REQUIRE_FALSE(owed->empty());
    LaterVerdict first = owed->front();
    owed->erase(owed->begin());
    return first;
  }
  std::shared_ptr<std::vector<LaterVerdict>> owed = std::make_shared<std::vector<LaterVerdict>>();
};

}  // namespace participant_test
