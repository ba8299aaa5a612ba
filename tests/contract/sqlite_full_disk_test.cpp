// The stores in SQLite on a disk that is really full: a tmpfs of 2 MB, mounted in a private namespace.
#if defined(__linux__)

#include "contract/sqlite_server.hpp"
#include "support/child.hpp"

#include <flux/testing/chat_store_contract.hpp>
#include <flux/testing/file_index_contract.hpp>
#include <flux/testing/room_store_contract.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <sched.h>
#include <sys/mount.h>

namespace sqlite_full_disk_test {

using namespace flux;
using namespace flux::testing;

namespace {

/// The result of `work(folder)` on a disk of 2 MB, in a process of its own; the mount ends with that.
void on_a_small_disk(const std::function<std::string(const std::string& folder)>& work) {
  const TempFolder folder;
  const std::string verdict = in_child([&]() -> std::string {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=2m") != 0) {
      return "may not mount";
    }
    return work(folder.path().string());
  });
  if (verdict == "may not mount") {
    WARN("left out: a small disk needs the right to mount one");
    return;
  }
  CHECK(verdict.empty());
}

const std::string text(5'000, 'x');

/// Fills the disk with `append(n)`, n from 1; then frees space, and continues. `kept` returns how many are stored. Returns
/// what was wrong, or "".
std::string filled_and_freed(const std::string& folder, const std::string& content,
                             const std::function<Result<void>(int)>& append, const std::function<int()>& kept) {
  const std::string filler = folder + "/filler";
  std::ofstream(filler) << std::string(500'000, 'x');
  int acknowledged = 0;
  Result<void> last;
  const auto begin = std::chrono::steady_clock::now();
  while (acknowledged < 1'000 && (last = append(acknowledged + 1))) ++acknowledged;
  if (last) return "2 MB took " + std::to_string(acknowledged) + " of 5 kB";
  const std::string prefix = content + " in \"" + folder + "/flux.sqlite\": database or disk is full";
  for (int again = 0; again < 3; ++again) {
    if (last) return "it was full, and took another";
    if (last.error().code() != Errc::store_failed) return "another code: " + last.error().message();
    if (!last.error().message().starts_with(prefix)) return "another sentence: " + last.error().message();
    last = append(acknowledged + 1);
  }
  if (std::chrono::steady_clock::now() - begin > std::chrono::seconds(20)) return "it took too long";
  if (acknowledged < 10) return "only " + std::to_string(acknowledged) + " found room";
  if (kept() != acknowledged) return "full: " + std::to_string(acknowledged) + " and not " + std::to_string(kept());
  std::filesystem::remove(filler);
  for (int more = 0; more < 10; ++more) {
    if (const auto stored = append(++acknowledged); !stored) return "freed: " + stored.error().message();
  }
  if (kept() != acknowledged) return "freed: " + std::to_string(acknowledged) + " and not " + std::to_string(kept());
  return {};
}

/// Checks that `opened()`, on a disk without space, throws the right error. Returns what was wrong, or "".
std::string refused(const std::string& folder, const std::function<void()>& opened) {
  std::ofstream filler(folder + "/filler");
  while (filler.write(text.data(), 1'000).flush()) {
  }
  try {
    opened();
    return "it opened on a full disk";
  } catch (const Error& error) {
    if (error.code() != Errc::store_failed) return "another code: " + error.message();
    return error.message().find("full") == std::string::npos ? "another sentence: " + error.message() : "";
  }
}

}  // namespace

TEST_CASE(
    "sqlite chat store: on a full disk each message fails with that error, none is lost, and appending works again "
    "with space",
    "[chat_store][sqlite][full_disk]") {
  on_a_small_disk([](const std::string& folder) {
    const auto opened_store = SqliteDatabase(folder + "/flux.sqlite").chat_store();
    SqlChatStore& store = *opened_store;
    const auto append = [&](int n) -> Result<void> {
      const auto offset = store.append("r", chat_message("r", std::to_string(n), text));
      if (!offset) return offset.error();
      if (*offset != static_cast<Offset>(n)) return Error(Errc::invalid_argument, "it has another offset");
      return {};
    };
    return filled_and_freed(folder, "chat", append,
                            [&] { return static_cast<int>(store.history("r", 1'000, 0).value().size()); });
  });
}

TEST_CASE("sqlite chat store: a batch that does not fit on the disk fails as a whole, and a smaller one is stored",
          "[chat_store][sqlite][full_disk]") {
  on_a_small_disk([](const std::string& folder) -> std::string {
    const auto opened_store = SqliteDatabase(folder + "/flux.sqlite").chat_store();
    SqlChatStore& store = *opened_store;
    std::vector<ChatMessage> batch;
    batch.reserve(400);
    for (int i = 0; i < 400; ++i) batch.push_back(chat_message("r", "many" + std::to_string(i), text));
    const auto results = store.append_all(batch);
    for (const auto& result : results) {
      if (result) return "one was stored";
      if (result.error().message().find("full") == std::string::npos) return result.error().message();
    }
    if (!store.history("r", 1'000, 0).value().empty()) return "some of it is there";
    if (store.append("r", batch[0]).value() != 1) return "the next has another offset";
    return {};
  });
}

TEST_CASE(
    "sqlite room store: on a full disk each item fails with that error, none is lost, and appending works again with "
    "space",
    "[room_store][sqlite][full_disk]") {
  on_a_small_disk([](const std::string& folder) {
    const auto opened_store = SqliteDatabase(folder + "/flux.sqlite").room_store();
    SqlRoomStore& store = *opened_store;
    const auto append = [&](int n) {
      return store.append({stored_room("r"), stored_item(static_cast<std::uint64_t>(n), text), 1});
    };
    return filled_and_freed(folder, "rooms", append, [&] { return static_cast<int>(loaded(store)["r"].items.size()); });
  });
}

TEST_CASE(
    "sqlite file index: on a full disk each row fails with that error, none is lost, and saving works again with space",
    "[file_index][sqlite][full_disk]") {
  on_a_small_disk([](const std::string& folder) {
    const auto opened_index = SqliteDatabase(folder + "/flux.sqlite").file_index();
    SqlFileIndex& index = *opened_index;
    return filled_and_freed(
        folder, "file index", [&](int n) { return index.save(index_row(n, text)); },
        [&] { return static_cast<int>(index.load().value().size()); });
  });
}

TEST_CASE("sqlite stores: opening on a full disk is a clear error", "[chat_store][sqlite][full_disk]") {
  on_a_small_disk([](const std::string& folder) {
    return refused(folder, [&] { SqliteDatabase(folder + "/flux.sqlite").chat_store(); });
  });
}

}  // namespace sqlite_full_disk_test

#endif
