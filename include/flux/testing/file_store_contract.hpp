// The duties of every FileStore as a test suite for Catch2 (2.13 or 3), for flux's stores and those of applications.
//
//   TEST_CASE("file store: mine fulfills the contract") {
//     flux::testing::file_store_contract([] { return my_new_empty_store(); });
//   }
//
// There are two more suites: `file_store_quota_contract` for stores with quotas, and `file_store_reopen_contract` for
// persistent ones.
// The store must keep at least 32 files and 32 MiB.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <flux/storage/file_store.hpp>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace flux::testing {

namespace detail {

/// Whether this build has SHA-256.
#if defined(FLUX_WITH_TLS) && FLUX_WITH_TLS
inline constexpr bool with_digests = true;
#else
inline constexpr bool with_digests = false;
#endif

}  // namespace detail

/// 0: unlimited.
struct FileLimits {
  std::uint64_t bytes_max = 0;
  std::uint64_t bytes_per_owner_max = 0;
};

/// Returns a new, empty store at each call.
using MakeFileStore = std::function<std::shared_ptr<FileStore>()>;
using MakeLimitedFileStore = std::function<std::shared_ptr<FileStore>(FileLimits)>;
/// Reopens the one store of the test, which is empty at first. No two are open at the same time.
using OpenFileStore = std::function<std::shared_ptr<FileStore>()>;

inline FileId file_id(int n) {
  std::string digits = std::to_string(n);
  return "0b5e2d3c-8f1a-4c6e-9d27-" + std::string(12 - digits.size(), '0') + digits;
}

inline FileInfo new_file(int n, std::optional<std::uint64_t> length = {}, std::string owner = "ann") {
  FileInfo file;
  file.id = file_id(n);
  file.name = "a.txt";
  file.owner = std::move(owner);
  file.length = length;
  file.created_at = 1'700'000'000'000;
  return file;
}

/// `ok` if there is none, so that a failed check shows both codes.
template <class T>
std::string error_of(const Result<T>& result) {
  return result.ok() ? "ok" : std::string(to_string(result.error().code()));
}

/// Uploads and completes a file.
inline FileInfo put(FileStore& store, const FileInfo& file, std::string_view bytes) {
  REQUIRE(error_of(store.create(file)) == "ok");
  if (!bytes.empty()) REQUIRE(store.append(file.id, 0, bytes).value() == bytes.size());
  return store.complete(file.id).value();
}

inline std::string content_of(FileStore& store, const FileId& id) {
  std::string bytes(static_cast<std::size_t>(store.info(id).value().size) + 1, '?');
  bytes.resize(store.read(id, 0, bytes).value());
  return bytes;
}

inline std::vector<FileId> ids_of(FileStore& store) {
  std::vector<FileId> ids;
  for (const FileInfo& file : store.list().value()) ids.push_back(file.id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

inline std::vector<FileId> sorted(std::vector<FileId> ids) {
  std::sort(ids.begin(), ids.end());
  return ids;
}

/// Bytes without repetition.
inline std::string pattern(std::size_t size, std::uint32_t seed = 1) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<char>(seed >> 24);
  }
  return bytes;
}

inline void check_not_found(FileStore& store, const FileId& id) {
  std::string room(4, '\0');
  CHECK(error_of(store.set_length(id, 1)) == "file_not_found");
  CHECK(error_of(store.append(id, 0, "x")) == "file_not_found");
  CHECK(error_of(store.complete(id)) == "file_not_found");
  CHECK(error_of(store.info(id)) == "file_not_found");
  CHECK(error_of(store.read(id, 0, room)) == "file_not_found");
  CHECK(error_of(store.mark_shared(id)) == "file_not_found");
  CHECK(error_of(store.mark_deleted(id)) == "file_not_found");
  CHECK(error_of(store.remove(id)) == "file_not_found");
}

inline void file_store_contract(const MakeFileStore& make) {
  const auto store = make();

  SECTION("an upload keeps its metadata, grows in order, and can be read when it is complete") {
    FileInfo file = new_file(1, 10);
    file.media_type = "text/plain";
    file.metadata = "filename YS50eHQ=";
    REQUIRE(error_of(store->create(file)) == "ok");
    CHECK(store->info(file.id).value() == file);
    CHECK(store->append(file.id, 0, "01234").value() == 5);
    CHECK(store->append(file.id, 5, "567").value() == 8);
    FileInfo part = store->info(file.id).value();
    CHECK(part.size == 8);
    CHECK(part.modified_at > file.created_at);
    CHECK(store->append(file.id, 8, "89").value() == 10);
    CHECK(store->info(file.id).value().state == FileState::uploading);
    const FileInfo done = store->complete(file.id).value();
    CHECK(done.state == FileState::complete);
    CHECK(done.size == 10);
    CHECK(done.length == 10U);
    CHECK(done.name == file.name);
    CHECK(done.media_type == file.media_type);
    CHECK(done.metadata == file.metadata);
    CHECK(done.owner == file.owner);
    CHECK(done.created_at == file.created_at);
    CHECK(store->info(file.id).value() == done);
    CHECK(content_of(*store, file.id) == "0123456789");
  }
  SECTION("bytes at another offset than the end are refused, and nothing changes") {
    REQUIRE(store->create(new_file(1, 10)).ok());
    REQUIRE(store->append(file_id(1), 0, "abcd").ok());
    const FileInfo before = store->info(file_id(1)).value();
    for (const std::uint64_t offset :
         {std::uint64_t{0}, std::uint64_t{3}, std::uint64_t{5}, UINT64_MAX, UINT64_MAX - 1}) {
      INFO(offset);
      CHECK(error_of(store->append(file_id(1), offset, "xy")) == "wrong_offset");
    }
    CHECK(store->info(file_id(1)).value() == before);
    REQUIRE(store->append(file_id(1), 4, "efghij").ok());
    REQUIRE(store->complete(file_id(1)).ok());
    CHECK(content_of(*store, file_id(1)) == "abcdefghij");
  }
  SECTION("an upload can not exceed its length") {
    REQUIRE(store->create(new_file(1, 4)).ok());
    CHECK(error_of(store->append(file_id(1), 0, "12345")) == "file_too_large");
    CHECK(store->info(file_id(1)).value().size == 0);
    REQUIRE(store->append(file_id(1), 0, "123").ok());
    CHECK(error_of(store->append(file_id(1), 3, "45")) == "file_too_large");
    CHECK(store->append(file_id(1), 3, "4").value() == 4);
    CHECK(error_of(store->append(file_id(1), 4, "5")) == "file_too_large");
    REQUIRE(store->complete(file_id(1)).ok());
    CHECK(content_of(*store, file_id(1)) == "1234");
  }
  SECTION("appending no bytes changes nothing") {
    REQUIRE(store->create(new_file(1, 4)).ok());
    CHECK(store->append(file_id(1), 0, "").value() == 0);
    REQUIRE(store->append(file_id(1), 0, "1234").ok());
    CHECK(store->append(file_id(1), 4, "").value() == 4);
    CHECK(error_of(store->append(file_id(1), 3, "")) == "wrong_offset");
  }
  SECTION("the length may be set later, once") {
    REQUIRE(store->create(new_file(1)).ok());
    CHECK_FALSE(store->info(file_id(1)).value().length);
    REQUIRE(store->append(file_id(1), 0, "12345").ok());
    CHECK(error_of(store->set_length(file_id(1), 4)) == "wrong_offset");
    CHECK_FALSE(store->info(file_id(1)).value().length);
    CHECK(error_of(store->set_length(file_id(1), 6)) == "ok");
    CHECK(store->info(file_id(1)).value().length == 6U);
    CHECK(error_of(store->set_length(file_id(1), 6)) == "ok");
    CHECK(error_of(store->set_length(file_id(1), 7)) == "wrong_offset");
    CHECK(error_of(store->append(file_id(1), 5, "67")) == "file_too_large");
    CHECK(error_of(store->complete(file_id(1))) == "wrong_offset");
    REQUIRE(store->append(file_id(1), 5, "6").ok());
    CHECK(store->complete(file_id(1)).value().length == 6U);
  }
  SECTION("completing an upload without a length sets it") {
    const FileInfo done = put(*store, new_file(1), "123");
    CHECK(done.length == 3U);
    CHECK(content_of(*store, file_id(1)) == "123");
  }
  SECTION("complete needs all bytes, and may be repeated") {
    REQUIRE(store->create(new_file(1, 3)).ok());
    CHECK(error_of(store->complete(file_id(1))) == "wrong_offset");
    REQUIRE(store->append(file_id(1), 0, "12").ok());
    CHECK(error_of(store->complete(file_id(1))) == "wrong_offset");
    CHECK(store->info(file_id(1)).value().state == FileState::uploading);
    REQUIRE(store->append(file_id(1), 2, "3").ok());
    const FileInfo done = store->complete(file_id(1)).value();
    CHECK(store->complete(file_id(1)).value() == done);
    CHECK(error_of(store->append(file_id(1), 3, "4")) == "wrong_offset");
    CHECK(error_of(store->append(file_id(1), 0, "1")) == "wrong_offset");
    CHECK(content_of(*store, file_id(1)) == "123");
  }
  SECTION("a file may be empty") {
    CHECK(put(*store, new_file(1, 0), "").size == 0);
    CHECK(put(*store, new_file(2), "").length == 0U);
    CHECK(content_of(*store, file_id(1)).empty());
    CHECK(content_of(*store, file_id(2)).empty());
  }
  SECTION("any part of a file can be read") {
    put(*store, new_file(1), "0123456789");
    std::string room(4, '?');
    CHECK(store->read(file_id(1), 3, room).value() == 4);
    CHECK(room == "3456");
    CHECK(store->read(file_id(1), 8, room).value() == 2);
    CHECK(room == "8956");
    CHECK(store->read(file_id(1), 10, room).value() == 0);
    CHECK(store->read(file_id(1), UINT64_MAX, room).value() == 0);
    CHECK(store->read(file_id(1), 2, std::span<char>()).value() == 0);
    CHECK(room == "8956");
  }
  SECTION("an upload can't be read or deleted logically") {
    REQUIRE(store->create(new_file(1)).ok());
    REQUIRE(store->append(file_id(1), 0, "123").ok());
    std::string room(4, '?');
    CHECK(error_of(store->read(file_id(1), 0, room)) == "wrong_offset");
    CHECK(error_of(store->mark_deleted(file_id(1))) == "wrong_offset");
    CHECK(store->info(file_id(1)).value().state == FileState::uploading);
  }
  SECTION("an unknown id is not found, whatever it looks like") {
    put(*store, new_file(1), "123");
    for (const FileId& id :
         {file_id(2), FileId(), FileId("../secret"), FileId("/etc/passwd"), FileId("."), file_id(1) + "/..",
          "../" + file_id(1), file_id(1) + std::string(1, '\0'), FileId("0B5E2D3C-8F1A-4C6E-9D27-000000000001")}) {
      INFO(id);
      check_not_found(*store, id);
    }
    CHECK(content_of(*store, file_id(1)) == "123");
  }
  SECTION("a file is shared from then on") {
    REQUIRE(store->create(new_file(1)).ok());
    REQUIRE(store->create(new_file(2)).ok());
    CHECK_FALSE(store->info(file_id(1)).value().shared);
    CHECK(error_of(store->mark_shared(file_id(1))) == "ok");
    CHECK(error_of(store->mark_shared(file_id(1))) == "ok");
    CHECK(store->info(file_id(1)).value().shared);
    CHECK(store->complete(file_id(1)).value().shared);
    CHECK_FALSE(store->complete(file_id(2)).value().shared);
    CHECK(error_of(store->mark_shared(file_id(2))) == "ok");
    CHECK(store->info(file_id(2)).value().shared);
  }
  SECTION("a logically deleted file is gone, and its bytes with the next cleanup") {
    for (int n = 1; n <= 4; ++n) put(*store, new_file(n), "123");
    CHECK(error_of(store->mark_deleted(file_id(1))) == "ok");
    CHECK(error_of(store->mark_deleted(file_id(3))) == "ok");
    check_not_found(*store, file_id(1));
    CHECK(ids_of(*store) == std::vector{file_id(2), file_id(4)});
    const FileCleanup cleanup = store->cleanup_deleted().value();
    CHECK(sorted(cleanup.deleted) == std::vector{file_id(1), file_id(3)});
    CHECK(cleanup.failed.empty());
    CHECK(store->cleanup_deleted().value().deleted.empty());
    check_not_found(*store, file_id(1));
    CHECK(content_of(*store, file_id(2)) == "123");
    CHECK(content_of(*store, file_id(4)) == "123");
  }
  SECTION("a file is removed at once, complete or not") {
    REQUIRE(store->create(new_file(1)).ok());
    REQUIRE(store->create(new_file(2)).ok());
    REQUIRE(store->append(file_id(2), 0, "12").ok());
    put(*store, new_file(3), "123");
    put(*store, new_file(4), "1234");
    for (int n = 1; n <= 3; ++n) {
      CHECK(error_of(store->remove(file_id(n))) == "ok");
      check_not_found(*store, file_id(n));
    }
    CHECK(ids_of(*store) == std::vector{file_id(4)});
    CHECK(store->cleanup_deleted().value().deleted.empty());
    CHECK(content_of(*store, file_id(4)) == "1234");
  }
  SECTION("a sweep removes idle uploads, and nothing else") {
    for (int n = 1; n <= 4; ++n) REQUIRE(store->create(new_file(n, 4)).ok());
    REQUIRE(store->append(file_id(2), 0, "12").ok());
    REQUIRE(store->append(file_id(3), 0, "1234").ok());
    REQUIRE(store->complete(file_id(3)).ok());
    const std::int64_t begun = store->info(file_id(1)).value().created_at;
    CHECK(store->sweep(begun).value().expired.empty());
    CHECK(ids_of(*store).size() == 4);
    const FileSweep sweep = store->sweep(begun + 1).value();
    CHECK(sorted(sweep.expired) == std::vector{file_id(1), file_id(4)});
    CHECK(sweep.orphans == 0);
    check_not_found(*store, file_id(1));
    CHECK(store->append(file_id(2), 2, "3").value() == 3);
    CHECK(store->sweep(store->info(file_id(2)).value().modified_at + 1).value().expired == std::vector{file_id(2)});
    CHECK(ids_of(*store) == std::vector{file_id(3)});
    CHECK(content_of(*store, file_id(3)) == "1234");
  }
  SECTION("names and other text are kept byte for byte, and are never used as paths") {
    const std::vector<std::string> words = {"",
                                            " ",
                                            ".",
                                            "..",
                                            "../../up",
                                            "/etc/passwd",
                                            "a\\b",
                                            "C:\\x",
                                            "a\"b';--",
                                            "a\r\nX: y",
                                            "\xF0\x9F\x98\x80.png",
                                            "e\xCC\x81",
                                            "%2e%2e%2f",
                                            std::string(5000, 'n'),
                                            "nul.txt"};
    for (std::size_t i = 0; i < words.size(); ++i) {
      FileInfo file = new_file(static_cast<int>(i));
      file.name = file.media_type = file.owner = file.metadata = words[i];
      const FileInfo done = put(*store, file, words[i]);
      CHECK(done.name == words[i]);
    }
    for (std::size_t i = 0; i < words.size(); ++i) {
      INFO(words[i]);
      const FileInfo file = store->info(file_id(static_cast<int>(i))).value();
      CHECK((file.name == words[i] && file.media_type == words[i] && file.owner == words[i] &&
             file.metadata == words[i]));
      CHECK(content_of(*store, file.id) == words[i]);
    }
  }
  SECTION("a big file keeps every byte") {
    const std::string bytes = pattern(16 * 1024 * 1024 + 7);
    REQUIRE(store->create(new_file(1, bytes.size())).ok());
    std::size_t piece = 1;
    for (std::size_t offset = 0; offset < bytes.size();) {
      const auto next = store->append(file_id(1), offset, std::string_view(bytes).substr(offset, piece));
      REQUIRE(next.ok());
      offset = static_cast<std::size_t>(*next);
      piece = piece * 3 + 1;
    }
    REQUIRE(store->complete(file_id(1)).ok());
    CHECK((content_of(*store, file_id(1)) == bytes));
  }
  SECTION("a SHA-256 is computed on request") {
    FileInfo file = new_file(1, 3);
    file.wants_sha256 = true;
    if (!detail::with_digests) {
      CHECK(error_of(store->create(file)) == "invalid_argument");
      return;
    }
    REQUIRE(store->create(file).ok());
    REQUIRE(store->append(file.id, 0, "a").ok());
    REQUIRE_FALSE(store->append(file.id, 0, "a").ok());
    REQUIRE(store->append(file.id, 1, "bc").ok());
    CHECK(store->info(file.id).value().sha256.empty());
    const FileInfo done = store->complete(file.id).value();
    CHECK(done.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(store->info(file.id).value() == done);
    FileInfo empty = new_file(2);
    empty.wants_sha256 = true;
    CHECK(put(*store, empty, "").sha256 == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(put(*store, new_file(3), "abc").sha256.empty());
  }
  SECTION("calls for different files may overlap, and calls for all files with any") {
    constexpr int files = 6;
    std::atomic<int> running{files};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < files; ++t) {
      threads.emplace_back([&, t] {
        const std::string bytes = pattern(40'000, static_cast<std::uint32_t>(t));
        for (int round = 0; round < 5; ++round) {
          const FileInfo file = new_file(t * 100 + round, bytes.size());
          bool good = store->create(file).ok();
          for (std::size_t at = 0; at < bytes.size(); at += 1000) {
            const auto next = store->append(file.id, at, std::string_view(bytes).substr(at, 1000));
            good = good && next.ok() && *next == at + 1000;
          }
          good = good && store->complete(file.id).ok();
          std::string read(bytes.size(), '\0');
          good = good && store->read(file.id, 0, read).ok() && read == bytes;
          good = good && (round == 0 || store->mark_deleted(file.id).ok());
          if (!good) ++wrong;
        }
        --running;
      });
    }
    std::size_t cleaned = 0;
    threads.emplace_back([&] {
      while (running > 0) {
        if (!store->list().ok()) ++wrong;
        const auto sweep = store->sweep(1);
        if (!sweep.ok() || !sweep->expired.empty() || sweep->orphans != 0) ++wrong;
        const auto cleanup = store->cleanup_deleted();
        if (!cleanup.ok() || !cleanup->failed.empty()) ++wrong;
        cleaned += cleanup.ok() ? cleanup->deleted.size() : 0;
      }
    });
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
    CHECK(cleaned + store->cleanup_deleted().value().deleted.size() == files * 4);
    CHECK(ids_of(*store).size() == files);
  }
}

/// For stores with quotas.
inline void file_store_quota_contract(const MakeLimitedFileStore& make) {
  SECTION("space is reserved for a length from the beginning, and released") {
    const auto store = make({.bytes_max = 100});
    CHECK(error_of(store->create(new_file(1, 101))) == "quota_exceeded");
    check_not_found(*store, file_id(1));
    CHECK(ids_of(*store).empty());
    CHECK(error_of(store->create(new_file(1, 60))) == "ok");
    CHECK(error_of(store->create(new_file(2, 41))) == "quota_exceeded");
    CHECK(error_of(store->create(new_file(2, UINT64_MAX))) != "ok");
    CHECK(error_of(store->create(new_file(2, 40))) == "ok");
    CHECK(error_of(store->create(new_file(3, 1))) == "quota_exceeded");
    CHECK(error_of(store->create(new_file(3, 0))) == "ok");
    REQUIRE(store->append(file_id(2), 0, std::string(40, 'x')).ok());
    REQUIRE(store->complete(file_id(2)).ok());
    CHECK(error_of(store->create(new_file(4, 1))) == "quota_exceeded");
    REQUIRE(store->remove(file_id(1)).ok());
    CHECK(error_of(store->create(new_file(4, 61))) == "quota_exceeded");
    CHECK(error_of(store->create(new_file(4, 60))) == "ok");
    CHECK(store->sweep(INT64_MAX).value().expired.size() == 2);
    CHECK(error_of(store->create(new_file(5, 61))) == "quota_exceeded");
    CHECK(error_of(store->create(new_file(5, 60))) == "ok");
  }
  SECTION("an upload of unknown length counts as it grows") {
    const auto store = make({.bytes_max = 10});
    REQUIRE(store->create(new_file(1)).ok());
    REQUIRE(store->create(new_file(2)).ok());
    REQUIRE(store->append(file_id(1), 0, "123456").ok());
    const FileInfo before = store->info(file_id(1)).value();
    CHECK(error_of(store->append(file_id(1), 6, "78901")) == "quota_exceeded");
    CHECK(store->info(file_id(1)).value() == before);
    CHECK(error_of(store->append(file_id(2), 0, "12345")) == "quota_exceeded");
    CHECK(store->append(file_id(1), 6, "7890").value() == 10);
    CHECK(store->complete(file_id(1)).value().size == 10);
    CHECK(error_of(store->append(file_id(2), 0, "1")) == "quota_exceeded");
  }
  SECTION("space is reserved for a length that is set later") {
    const auto store = make({.bytes_max = 10});
    REQUIRE(store->create(new_file(1)).ok());
    REQUIRE(store->append(file_id(1), 0, "123").ok());
    CHECK(error_of(store->set_length(file_id(1), 11)) == "quota_exceeded");
    CHECK_FALSE(store->info(file_id(1)).value().length);
    CHECK(error_of(store->set_length(file_id(1), 8)) == "ok");
    CHECK(error_of(store->create(new_file(2, 3))) == "quota_exceeded");
    CHECK(error_of(store->create(new_file(2, 2))) == "ok");
    CHECK(store->append(file_id(1), 3, "45678").value() == 8);
  }
  SECTION("a cleanup frees the space of deleted files") {
    const auto store = make({.bytes_max = 10});
    put(*store, new_file(1), "123456");
    put(*store, new_file(2), "1234");
    REQUIRE(store->mark_deleted(file_id(1)).ok());
    REQUIRE(store->cleanup_deleted().ok());
    CHECK(error_of(store->create(new_file(3, 7))) == "quota_exceeded");
    CHECK(error_of(store->create(new_file(3, 6))) == "ok");
  }
  SECTION("each owner has a quota") {
    const auto store = make({.bytes_per_owner_max = 10});
    CHECK(error_of(store->create(new_file(1, 10, "ann"))) == "ok");
    CHECK(error_of(store->create(new_file(2, 1, "ann"))) == "quota_exceeded");
    CHECK(error_of(store->create(new_file(2, 11, "bob"))) == "quota_exceeded");
    CHECK(error_of(store->create(new_file(2, 10, "bob"))) == "ok");
    CHECK(error_of(store->create(new_file(3, std::nullopt, "bob"))) == "ok");
    CHECK(error_of(store->append(file_id(3), 0, "1")) == "quota_exceeded");
    REQUIRE(store->remove(file_id(2)).ok());
    CHECK(store->append(file_id(3), 0, "1").value() == 1);
    CHECK(error_of(store->create(new_file(4, 1, "ann"))) == "quota_exceeded");
  }
  SECTION("a limit holds for uploads that begin and grow at the same time") {
    const auto store = make({.bytes_max = 100});
    std::atomic<std::uint64_t> kept{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        if (t % 2 == 0) {
          for (int i = 0; i < 5; ++i) kept += store->create(new_file(t * 10 + i, 7)).ok() ? 7U : 0U;
        } else if (store->create(new_file(t * 10)).ok()) {
          for (std::uint64_t at = 0; at < 35;) {
            const auto next = store->append(file_id(t * 10), at, "1234567");
            if (!next) break;
            kept += *next - at;
            at = *next;
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(kept == 98);
    CHECK(error_of(store->create(new_file(900, 3))) == "quota_exceeded");
    CHECK(error_of(store->create(new_file(900, 2))) == "ok");
  }
}

/// For persistent stores.
inline void file_store_reopen_contract(const OpenFileStore& open) {
  std::shared_ptr<FileStore> store = open();
  const auto reopen = [&] {
    store.reset();
    store = open();
  };

  SECTION("a complete file is there again, with its metadata") {
    FileInfo file = new_file(1, 3);
    file.name = std::string("line\nbreak \xF0\x9F\x98\x80");
    file.media_type = "image/png";
    file.metadata = "a b,c";
    file.wants_sha256 = detail::with_digests;
    put(*store, file, "abc");
    REQUIRE(store->mark_shared(file.id).ok());
    const FileInfo before = store->info(file.id).value();
    reopen();
    CHECK(store->info(file.id).value() == before);
    CHECK(store->list().value() == std::vector{before});
    CHECK(content_of(*store, file.id) == "abc");
    CHECK(store->complete(file.id).value() == before);
  }
  SECTION("an upload continues behind the bytes that are stored") {
    FileInfo file = new_file(1, 6);
    file.wants_sha256 = detail::with_digests;
    REQUIRE(store->create(file).ok());
    REQUIRE(store->create(new_file(2)).ok());
    REQUIRE(store->append(file.id, 0, "ab").ok());
    reopen();
    CHECK(store->info(file.id).value().size == 2);
    CHECK(store->info(file_id(2)).value() == new_file(2));
    CHECK(error_of(store->append(file.id, 0, "ab")) == "wrong_offset");
    REQUIRE(store->append(file.id, 2, "cd").ok());
    reopen();
    REQUIRE(store->append(file.id, 4, "ef").ok());
    const FileInfo done = store->complete(file.id).value();
    CHECK(content_of(*store, file.id) == "abcdef");
    if (file.wants_sha256) {
      CHECK(done.sha256 == "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721");
    }
  }
  SECTION("an upload that has all its bytes is complete after reopening") {
    REQUIRE(store->create(new_file(1, 3)).ok());
    REQUIRE(store->create(new_file(2, 0)).ok());
    REQUIRE(store->create(new_file(3)).ok());
    REQUIRE(store->append(file_id(1), 0, "abc").ok());
    REQUIRE(store->append(file_id(3), 0, "abc").ok());
    REQUIRE(store->set_length(file_id(3), 3).ok());
    reopen();
    for (int n = 1; n <= 3; ++n) {
      CHECK(store->info(file_id(n)).value().state == FileState::complete);
      CHECK(content_of(*store, file_id(n)) == (n == 2 ? "" : "abc"));
    }
    reopen();
    CHECK(store->info(file_id(1)).value().state == FileState::complete);
  }
  SECTION("a length that was set later is known") {
    REQUIRE(store->create(new_file(1)).ok());
    REQUIRE(store->set_length(file_id(1), 9).ok());
    reopen();
    CHECK(store->info(file_id(1)).value().length == 9U);
  }
  SECTION("a logically deleted file remains so, and can be cleaned up") {
    put(*store, new_file(1), "abc");
    put(*store, new_file(2), "abc");
    REQUIRE(store->mark_deleted(file_id(1)).ok());
    reopen();
    check_not_found(*store, file_id(1));
    CHECK(ids_of(*store) == std::vector{file_id(2)});
    CHECK(store->cleanup_deleted().value().deleted == std::vector{file_id(1)});
    reopen();
    CHECK(store->cleanup_deleted().value().deleted.empty());
    CHECK(content_of(*store, file_id(2)) == "abc");
  }
  SECTION("removed and swept files stay removed") {
    put(*store, new_file(1), "abc");
    REQUIRE(store->create(new_file(2)).ok());
    REQUIRE(store->create(new_file(3)).ok());
    REQUIRE(store->append(file_id(3), 0, "x").ok());
    REQUIRE(store->remove(file_id(1)).ok());
    REQUIRE(store->remove(file_id(2)).ok());
    REQUIRE(store->sweep(INT64_MAX).value().expired == std::vector{file_id(3)});
    reopen();
    CHECK(ids_of(*store).empty());
    CHECK(store->sweep(INT64_MAX).value().orphans == 0);
  }
}

}  // namespace flux::testing
