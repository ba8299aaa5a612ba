#include "catch.hpp"
#include "loop_fixture.hpp"

#include <flux/detail/features/files.hpp>
#include <flux/detail/features/public_space.hpp>
#include <flux/testing/manual_clock.hpp>

#include <condition_variable>
#include <map>
#include <stdexcept>

namespace files_test {

using namespace flux;
using namespace flux::features;
using namespace flux::testing;
using namespace std::chrono_literals;

namespace {

/// Knows files, but none of their bytes. They are complete unless a test says otherwise.
class NotedFiles final : public FileStore {
 public:
  explicit NotedFiles(bool blocks = false) : blocks_(blocks) {}

  void put(const FileId& id, FileState state = FileState::complete, bool shared = false, std::int64_t modified_at = 0,
           const std::string& owner = {}) {
    const std::lock_guard lock(mutex_);
    FileInfo& file = files_[id];
    file.id = id;
    file.name = "a \"name\"";
    file.media_type = "text/plain";
    file.size = 7;
    file.state = state;
    file.shared = shared;
    file.modified_at = modified_at;
    file.owner = owner;
  }
  void resize(const FileId& id, std::uint64_t size) {
    const std::lock_guard lock(mutex_);
    files_.at(id).size = size;
  }
  /// `-` if it is unknown.
  char state(const FileId& id) {
    const std::lock_guard lock(mutex_);
    const auto found = files_.find(id);
    if (found == files_.end()) return '-';
    return found->second.state == FileState::deleted ? 'd' : found->second.shared ? 's' : 'c';
  }

  Result<FileInfo> info(const FileId& id) override {
    const std::lock_guard lock(mutex_);
    const auto found = files_.find(id);
    if (found == files_.end() || found->second.state == FileState::deleted) return no_file(id);
    return found->second;
  }
  Result<void> mark_shared(const FileId& id) override {
    if (refuse_marks) return Error(Errc::store_failed, "no");
    const std::lock_guard lock(mutex_);
    files_[id].shared = true;
    return {};
  }
  Result<void> mark_deleted(const FileId& id) override {
    const std::lock_guard lock(mutex_);
    ++deletions;
    if (files_[id].state == FileState::deleted) return no_file(id);
    files_[id].state = FileState::deleted;
    return {};
  }
  Result<std::vector<FileInfo>> list() override {
    const std::lock_guard lock(mutex_);
    std::vector<FileInfo> files;
    for (const auto& [id, file] : files_) {
      if (file.state != FileState::deleted) files.push_back(file);
    }
    return files;
  }
  Result<FileCleanup> cleanup_deleted() override { throw std::runtime_error("a broken store"); }
  Result<FileSweep> sweep(std::int64_t idle_since) override {
    swept_since = idle_since;
    return FileSweep{};
  }
  bool may_block() const override { return blocks_; }

  // Not called by `Files` itself.
  Result<void> create(const FileInfo& file) override {
    put(file.id, FileState::uploading);
    return {};
  }
  Result<void> set_length(const FileId&, std::uint64_t) override { return Error(Errc::store_failed, "no"); }
  Result<std::uint64_t> append(const FileId&, std::uint64_t, std::string_view) override {
    return Error(Errc::store_failed, "no");
  }
  Result<FileInfo> complete(const FileId&) override { return Error(Errc::store_failed, "no"); }
  Result<std::size_t> read(const FileId&, std::uint64_t, std::span<char>) override {
    return Error(Errc::store_failed, "no");
  }
  Result<void> remove(const FileId& id) override {
    const std::lock_guard lock(mutex_);
    return files_.erase(id) > 0 ? Result<void>() : no_file(id);
  }

  std::atomic<bool> refuse_marks{false};
  std::atomic<int> deletions{0};
  std::atomic<std::int64_t> swept_since{-1};

 private:
  static Error no_file(const FileId& id) { return Error(Errc::file_not_found, "no file " + id); }

  const bool blocks_;
  std::mutex mutex_;
  std::map<FileId, FileInfo> files_;
};

struct Scene {
  explicit Scene(bool blocks = false, FilesOptions options = {}) : store(std::make_shared<NotedFiles>(blocks)) {
    options.store = store;
    Limits limits;
    limits.store_queue_per_room_max = 2;
    files = std::make_shared<Files>(
        options, limits, clock, std::make_shared<StoreFaults>("the file store", clock, [this](std::string_view what) {
          complaints += std::string(what) + "\n";
        }));
    if (!blocks) files->start();
  }
  ~Scene() { files->stop(); }
  /// On behalf of the application, unless a test says otherwise.
  Result<FileHoldPtr> hold(const FileId& id, FileHolder holder = {.is_application = true}) {
    std::optional<Result<FileHoldPtr>> got;
    files->hold(id, std::move(holder), [&](Result<FileHoldPtr> result) { got.emplace(std::move(result)); });
    REQUIRE(got);  // at once: the store does not block
    return std::move(*got);
  }

  std::shared_ptr<NotedFiles> store;
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  std::string complaints;
  std::shared_ptr<Files> files;
};

}  // namespace

TEST_CASE("files: a held file is shared, and is deleted when its last holder releases it", "[files]") {
  Scene s;
  s.store->put("f");
  auto hold = s.hold("f").value();
  auto again = s.hold("f").value();
  CHECK(hold->stored_data().text() ==
        R"({"type":"file","fileId":"f","fileName":"a \"name\"","mimeType":"text/plain","size":7})");
  CHECK(s.store->state("f") == 's');
  hold.reset();
  CHECK(s.store->state("f") == 's');
  again.reset();
  CHECK(s.store->state("f") == 'd');
  CHECK(s.hold("f").error().code() == Errc::file_not_found);
}

TEST_CASE("files: releases before the start delete nothing, so that a failed start leaves the files of rooms",
          "[files]") {
  const auto store = std::make_shared<NotedFiles>(GENERATE(false, true));
  store->put("f", FileState::complete, true);
  FilesOptions options;
  options.store = store;
  const auto files = std::make_shared<Files>(
      options, Limits(), std::make_shared<ManualClock>(),
      std::make_shared<StoreFaults>("the file store", std::make_shared<ManualClock>(), [](std::string_view) {}));
  auto hold = files->hold_again("f").value();
  hold.reset();
  CHECK(store->state("f") == 's');
  hold = files->hold_again("f").value();
  files->start();
  files->stop();
  CHECK(store->state("f") == 's');
  files->start();
  hold.reset();
  files->stop();
  CHECK(store->state("f") == 'd');
}

TEST_CASE("files: an incomplete file, or one that can't be marked as shared, can't be held and is unchanged",
          "[files]") {
  Scene s;
  s.store->put("half", FileState::uploading);
  CHECK(s.hold("half").error().code() == Errc::file_not_found);
  CHECK(s.hold("none").error().code() == Errc::file_not_found);
  s.store->put("f");
  s.store->refuse_marks = true;
  CHECK(s.hold("f").error().code() == Errc::store_failed);
  CHECK(s.store->state("f") == 'c');
  CHECK(s.store->deletions == 0);
}

TEST_CASE("files: a held file is shared by its owner, its uploader or its room only; others only keep it", "[files]") {
  Scene s;
  const Room::Settings settings{25ms, 100, 2, 1000};
  const auto room = std::make_shared<Room>("r", RoomOptions{}, "epoch", settings);
  const auto namesake = std::make_shared<const Room>("r", RoomOptions{}, "another epoch", settings);
  s.store->put("f", FileState::complete, false, 0, "ann");
  s.files->note_origin("f", {"connection 1", room});

  const auto after_the_hold_of = [&](FileHolder holder) {
    auto hold = s.hold("f", std::move(holder)).value();
    const char held = s.store->state("f");
    hold.reset();
    return std::string{held, s.store->state("f")};
  };
  CHECK(after_the_hold_of({}) == "cc");
  CHECK(after_the_hold_of({.user_id = "eve", .connection = "connection 2"}) == "cc");
  CHECK(after_the_hold_of({.room = namesake}) == "cc");

  SECTION("the owner") { CHECK(after_the_hold_of({.user_id = "ann"}) == "sd"); }
  SECTION("the connection that uploaded it") { CHECK(after_the_hold_of({.connection = "connection 1"}) == "sd"); }
  SECTION("anyone, in the room that it was uploaded to") { CHECK(after_the_hold_of({.room = room}) == "sd"); }
  SECTION("the application") { CHECK(after_the_hold_of({.is_application = true}) == "sd"); }
}

TEST_CASE("files: a file without an owner belongs to nobody, not to all clients without a user", "[files]") {
  Scene s;
  s.store->put("f");
  s.hold("f", {}).value().reset();
  CHECK(s.store->state("f") == 'c');
}

TEST_CASE("files: another user's item keeps a shared file when its owner's is removed, and then ends it", "[files]") {
  Scene s;
  s.store->put("f", FileState::complete, false, 0, "ann");
  auto stranger = s.hold("f", {}).value();
  auto owner = s.hold("f", {.user_id = "ann"}).value();
  owner.reset();
  CHECK(s.store->state("f") == 's');
  stranger.reset();
  CHECK(s.store->state("f") == 'd');
}

TEST_CASE("files: a pending item shares its file once it is stored, if its holder may", "[files]") {
  Scene s;
  s.store->put("f", FileState::complete, false, 0, "ann");
  const auto place_for = [&](FileHolder holder) {
    std::optional<Result<FileHoldPtr>> got;
    s.files->hold_to_store("f", std::move(holder), [&](Result<FileHoldPtr> hold) { got.emplace(std::move(hold)); });
    return std::move(*got).value();
  };
  place_for({})->stored();
  CHECK(s.store->state("f") == 'c');
  auto place = place_for({.user_id = "ann"});
  CHECK(s.store->state("f") == 'c');
  place->stored();
  CHECK(s.store->state("f") == 's');
  place.reset();
  CHECK(s.store->state("f") == 'd');
}

TEST_CASE("files: a file that no entitled client has shared expires when no item refers to it", "[files]") {
  FilesOptions options;
  options.unshared_expires = 10s;
  Scene s(false, options);
  s.clock->advance(100s);
  s.store->put("f", FileState::complete, false, s.clock->unix_ms() - 10'001);
  auto stranger = s.hold("f", {}).value();
  s.files->sweep();
  CHECK(s.store->state("f") == 'c');
  stranger.reset();
  CHECK(s.store->state("f") == 'c');
  s.files->sweep(1s);  // the server was suspended meanwhile
  CHECK(s.store->state("f") == 'c');
  s.files->sweep();
  CHECK(s.store->state("f") == 'd');
}

TEST_CASE("files: a singleton room releases an overwritten file, a live room releases its files when it ends",
          "[files]") {
  Scene s;
  SteppedLoops loops;
  const TextView view;
  const Room::Settings settings{25ms, 100, 2, 1000};
  RoomMember member("A", loops[0], view);
  const auto share = [&](const FileId& id) {
    s.store->put(id);
    REQUIRE(member.share("1", s.hold(id).value()).ok());
    loops.settle();
  };
  const auto room_of = [&](RoomMode mode) {
    return std::make_shared<Room>("r", RoomOptions{.mode = mode}, "epoch", settings);
  };

  SECTION("singleton") {
    REQUIRE(member.join(room_of(RoomMode::singleton)).ok());
    share("1");
    share("2");
    CHECK(s.store->state("1") == 'd');
    CHECK(s.store->state("2") == 's');
    REQUIRE(member.share("text").ok());
    CHECK(s.store->state("2") == 'd');
  }
  SECTION("history: the oldest past its limit") {
    REQUIRE(member.join(room_of(RoomMode::history)).ok());
    for (const char* id : {"1", "2", "3"}) share(id);
    CHECK(s.store->state("1") == 'd');
    CHECK(s.store->state("2") == 's');
    member.leave();
    CHECK(s.store->state("3") == 'd');
  }
  SECTION("live: kept for members that were sent it") {
    REQUIRE(member.join(room_of(RoomMode::live)).ok());
    for (const char* id : {"1", "2", "3"}) share(id);
    CHECK(s.store->state("1") == 's');
    member.leave();
    loops.settle();
    for (const char* id : {"1", "2", "3"}) CHECK(s.store->state(id) == 'd');
  }
}

TEST_CASE("files: a file in a room and in the public space is deleted with the last of both", "[files]") {
  Scene s;
  Limits limits;
  const auto space = std::make_shared<PublicSpace>(limits, "epoch");
  s.store->put("f");
  auto in_a_room = s.hold("f").value();
  REQUIRE(space->share({"A", in_a_room->stored_data(), 0, s.hold("f").value()}).ok());
  in_a_room.reset();
  CHECK(s.store->state("f") == 's');
  CHECK(space->delete_newest());
  CHECK(s.store->state("f") == 'd');
}

TEST_CASE("files: a start deletes files shared in an earlier run, except those held and those never shared",
          "[files]") {
  Scene s;
  s.store->put("shared before", FileState::complete, true);
  s.store->put("held", FileState::complete, true);
  s.store->put("never shared");
  const auto hold = s.hold("held").value();
  s.files->start();
  CHECK(s.store->state("shared before") == 'd');
  CHECK(s.store->state("held") == 's');
  CHECK(s.store->state("never shared") == 'c');
}

TEST_CASE("files: a sweep asks for files idle longer than uploads live, and deletes those not shared in time",
          "[files]") {
  FilesOptions options;
  options.upload_expires = 60s;
  options.unshared_expires = 10s;
  Scene s(false, options);
  s.clock->advance(100s);
  const std::int64_t now = s.clock->unix_ms();
  s.store->put("old", FileState::complete, false, now - 10'001);
  s.store->put("new", FileState::complete, false, now - 9'999);
  s.store->put("old but shared", FileState::complete, true, now - 99'999);
  s.store->put("old but uploading", FileState::uploading, false, now - 59'000);
  s.files->sweep();
  CHECK(s.store->swept_since == now - 60'000);
  CHECK(s.store->state("old") == 'd');
  CHECK(s.store->state("new") == 'c');
  CHECK(s.store->state("old but shared") == 's');
  CHECK(s.store->state("old but uploading") == 'c');
}

TEST_CASE("files: an upload without a byte expires sooner, and then no longer counts for its address", "[files]") {
  FilesOptions options;
  options.upload_expires = 1000s;
  options.unstarted_upload_expires = 60s;
  options.unfinished_uploads_per_address_max = 2;
  Scene s(false, options);
  s.clock->advance(1000s);
  const auto client = core::IpAddress::parse("192.0.2.1").value();
  const auto begin = [&](const FileId& id, std::uint64_t size, std::int64_t age_ms) {
    s.store->put(id, FileState::uploading, false, s.clock->unix_ms() - age_ms);
    s.store->resize(id, size);
    FileInfo file;
    file.id = id;
    file.length = 10;
    return s.files->count_upload(file, client).ok();
  };
  CHECK(begin("old", 0, 60'001));
  CHECK(begin("old but begun", 1, 60'001));
  CHECK_FALSE(begin("third", 0, 0));
  s.files->begin_upload("old");  // as an empty file of a form that is still being received
  s.files->sweep();
  CHECK(s.store->state("old") == 'c');
  s.files->end_upload("old");
  s.files->sweep();
  CHECK(s.store->state("old") == '-');
  CHECK(s.store->state("old but begun") == 'c');
  CHECK(s.store->state("third") == 'c');
  CHECK(begin("third", 0, 0));
  CHECK_FALSE(begin("fourth", 0, 0));
}

TEST_CASE("files: an upload that the application removes from its store no longer counts after a sweep", "[files]") {
  FilesOptions options;
  options.unfinished_uploads_per_address_max = 1;
  Scene s(false, options);
  const auto client = core::IpAddress::parse("192.0.2.1").value();
  FileInfo file;
  file.id = "a";
  CHECK(s.files->count_upload(file, client).ok());
  s.files->run(
      "a", [file](FileStore& store) { return store.create(file); }, [](const Result<void>&) {});
  s.files->sweep();
  file.id = "b";
  CHECK_FALSE(s.files->count_upload(file, client).ok());
  REQUIRE(s.store->remove("a").ok());
  s.files->sweep();
  CHECK(s.files->count_upload(file, client).ok());
}

TEST_CASE("files: a store that throws fails the call, and the error is logged", "[files]") {
  Scene s;
  std::optional<Result<FileCleanup>> got;
  s.files->cleanup([&](Result<FileCleanup> result) { got.emplace(std::move(result)); });
  REQUIRE(got);
  CHECK(got->error().code() == Errc::store_failed);
  CHECK_THAT(s.complaints, Catch::Matchers::ContainsSubstring("a broken store"));
}

TEST_CASE("files: calls of a blocking store keep the order of each file and the queue's limits", "[files][threads]") {
  Scene s(true);
  const auto name = [](Errc code) { return std::string(to_string(code)); };
  std::mutex mutex;
  std::condition_variable changed;
  std::string order;
  bool open = false;
  const auto call = [&](char letter) {
    s.files->run(
        "f",
        [&, letter](FileStore&) -> Result<int> {
          std::unique_lock lock(mutex);
          changed.wait(lock, [&] { return open; });
          order += letter;
          return 1;
        },
        [&](const Result<int>& result) {
          const std::lock_guard lock(mutex);
          order += result ? "." : "(" + name(result.error().code()) + ")";
          changed.notify_all();
        });
  };
  call('0');
  CHECK(order == "(stopped)");
  order.clear();
  s.files->start();
  const auto begun = [&] {  // the first call has reached the store and is no longer queued
    const std::lock_guard lock(mutex);
    open = false;
  };
  begun();
  for (const char letter : {'a', 'b', 'c', 'd', 'e'}) call(letter);
  std::unique_lock lock(mutex);
  CHECK(order.find("(overloaded)") == 0);  // at once, for calls beyond two queued ones
  open = true;
  changed.notify_all();
  CHECK(changed.wait_for(lock, 10s, [&] { return std::count(order.begin(), order.end(), '.') >= 2; }));
  lock.unlock();
  s.files->stop();
  CHECK_THAT(order, Catch::Matchers::ContainsSubstring("a.b."));
  order.clear();
  call('z');
  CHECK(order == "(stopped)");
}

TEST_CASE("files: holders on many threads never see a held file deleted", "[files][threads]") {
  Scene s(true, [] {
    FilesOptions options;
    options.worker_threads = 4;
    return options;
  }());
  s.files->start();
  for (int round = 0; round < 50; ++round) {
    const FileId id = "f" + std::to_string(round);
    s.store->put(id);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 20; ++i) {
          std::mutex mutex;
          std::condition_variable told;
          std::optional<Result<FileHoldPtr>> got;
          s.files->hold(id, {.is_application = true}, [&](Result<FileHoldPtr> result) {
            const std::lock_guard lock(mutex);
            got.emplace(std::move(result));
            told.notify_all();
          });
          std::unique_lock lock(mutex);
          if (!told.wait_for(lock, 10s, [&] { return got.has_value(); })) ++wrong;
          if (got && *got && s.store->state(id) != 's') ++wrong;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
  }
}

}  // namespace files_test
