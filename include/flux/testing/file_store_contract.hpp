// The duties of every FileStore as a test suite, for flux's stores and those of applications, with any test framework
// (contract.hpp says how). With Catch2:
//
//     TEST_CASE("file store: mine fulfills the contract") {
//       flux::testing::file_store_contract(
//           [](const flux::testing::Check& check) { INFO(check.text()); CHECK(check.passed); },
//           [] { return my_new_empty_store(); });
//     }
//
// There are two more suites: `file_store_quota_contract` for stores with quotas, and `file_store_reopen_contract` for
// persistent ones.
// The store must keep at least 32 files and 32 MiB.
#pragma once

#include <flux/storage/file_store.hpp>
#include <flux/testing/contract.hpp>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
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

/// Quotas of a store. 0: unlimited.
struct FileLimits {
  std::uint64_t bytes_max = 0;            ///< of all files
  std::uint64_t bytes_per_owner_max = 0;  ///< of the files of one owner
};

/// Returns a new, empty store at each call.
using MakeFileStore = std::function<std::shared_ptr<FileStore>()>;
/// Returns a new, empty store with these quotas at each call.
using MakeLimitedFileStore = std::function<std::shared_ptr<FileStore>(FileLimits)>;

/// For flux itself: an id.
inline FileId file_id(int n) {
  std::string digits = std::to_string(n);
  return "0b5e2d3c-8f1a-4c6e-9d27-" + std::string(12 - digits.size(), '0') + digits;
}

/// For flux itself: an upload that begins.
inline FileInfo new_file(int n, std::optional<std::uint64_t> length = {}, std::string owner = "ann") {
  FileInfo file;
  file.id = file_id(n);
  file.name = "a.txt";
  file.owner = std::move(owner);
  file.length = length;
  file.created_at = 1'700'000'000'000;
  return file;
}

/// For flux itself: the code of its error, `ok` if there is none, so that a failed check shows both codes.
template <class T>
std::string error_of(const Result<T>& result) {
  return result.ok() ? "ok" : std::string(to_string(result.error().code()));
}

/// For flux itself: uploads and completes a file. Throws if the store fails.
inline FileInfo put(FileStore& store, const FileInfo& file, std::string_view bytes) {
  store.create(file).value();
  if (!bytes.empty() && store.append(file.id, 0, bytes).value() != bytes.size()) {
    throw std::runtime_error("append returned another size than that of all bytes");
  }
  return store.complete(file.id).value();
}

/// For flux itself: a file's bytes.
inline std::string content_of(FileStore& store, const FileId& id) {
  std::string bytes(static_cast<std::size_t>(store.info(id).value().size) + 1, '?');
  bytes.resize(store.read(id, 0, bytes).value());
  return bytes;
}

/// For flux itself: the ids of all files.
inline std::vector<FileId> ids_of(FileStore& store) {
  std::vector<FileId> ids;
  for (const FileInfo& file : store.list().value()) ids.push_back(file.id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

/// For flux itself: the ids in order.
inline std::vector<FileId> sorted(std::vector<FileId> ids) {
  std::sort(ids.begin(), ids.end());
  return ids;
}

/// For flux itself: bytes without repetition.
inline std::string pattern(std::size_t size, std::uint32_t seed = 1) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<char>(seed >> 24);
  }
  return bytes;
}

/// For flux itself: checks that no method finds the file.
inline void check_not_found(const Contract& contract, FileStore& store, const FileId& id) {
  std::string room(4, '\0');
  FLUX_CHECK(error_of(store.set_length(id, 1)) == "file_not_found");
  FLUX_CHECK(error_of(store.append(id, 0, "x")) == "file_not_found");
  FLUX_CHECK(error_of(store.complete(id)) == "file_not_found");
  FLUX_CHECK(error_of(store.info(id)) == "file_not_found");
  FLUX_CHECK(error_of(store.read(id, 0, room)) == "file_not_found");
  FLUX_CHECK(error_of(store.mark_shared(id)) == "file_not_found");
  FLUX_CHECK(error_of(store.mark_deleted(id)) == "file_not_found");
  FLUX_CHECK(error_of(store.remove(id)) == "file_not_found");
}

/// Runs a store through the contract. `check` is called for every check.
inline void file_store_contract(const CheckFunction& check, const MakeFileStore& make) {
  Contract contract(check);
  contract.duty("an upload keeps its metadata, grows in order, and can be read when it is complete", [&] {
    const auto store = make();
    FileInfo file = new_file(1, 10);
    file.media_type = "text/plain";
    file.metadata = "filename YS50eHQ=";
    FLUX_REQUIRE(error_of(store->create(file)) == "ok");
    FLUX_CHECK(store->info(file.id).value() == file);
    FLUX_CHECK(store->append(file.id, 0, "01234").value() == 5);
    FLUX_CHECK(store->append(file.id, 5, "567").value() == 8);
    FileInfo part = store->info(file.id).value();
    FLUX_CHECK(part.size == 8);
    FLUX_CHECK(part.modified_at > file.created_at);
    FLUX_CHECK(store->append(file.id, 8, "89").value() == 10);
    FLUX_CHECK(store->info(file.id).value().state == FileState::uploading);
    const FileInfo done = store->complete(file.id).value();
    FLUX_CHECK(done.state == FileState::complete);
    FLUX_CHECK(done.size == 10);
    FLUX_CHECK(done.length == 10U);
    FLUX_CHECK(done.name == file.name);
    FLUX_CHECK(done.media_type == file.media_type);
    FLUX_CHECK(done.metadata == file.metadata);
    FLUX_CHECK(done.owner == file.owner);
    FLUX_CHECK(done.created_at == file.created_at);
    FLUX_CHECK(store->info(file.id).value() == done);
    FLUX_CHECK(content_of(*store, file.id) == "0123456789");
  });
  contract.duty("bytes at another offset than the end are refused, and nothing changes", [&] {
    const auto store = make();
    FLUX_REQUIRE(store->create(new_file(1, 10)).ok());
    FLUX_REQUIRE(store->append(file_id(1), 0, "abcd").ok());
    const FileInfo before = store->info(file_id(1)).value();
    for (const std::uint64_t offset :
         {std::uint64_t{0}, std::uint64_t{3}, std::uint64_t{5}, UINT64_MAX, UINT64_MAX - 1}) {
      FLUX_CHECK(error_of(store->append(file_id(1), offset, "xy")) == "wrong_offset");
    }
    FLUX_CHECK(store->info(file_id(1)).value() == before);
    FLUX_REQUIRE(store->append(file_id(1), 4, "efghij").ok());
    FLUX_REQUIRE(store->complete(file_id(1)).ok());
    FLUX_CHECK(content_of(*store, file_id(1)) == "abcdefghij");
  });
  contract.duty("an upload can not exceed its length", [&] {
    const auto store = make();
    FLUX_REQUIRE(store->create(new_file(1, 4)).ok());
    FLUX_CHECK(error_of(store->append(file_id(1), 0, "12345")) == "file_too_large");
    FLUX_CHECK(store->info(file_id(1)).value().size == 0);
    FLUX_REQUIRE(store->append(file_id(1), 0, "123").ok());
    FLUX_CHECK(error_of(store->append(file_id(1), 3, "45")) == "file_too_large");
    FLUX_CHECK(store->append(file_id(1), 3, "4").value() == 4);
    FLUX_CHECK(error_of(store->append(file_id(1), 4, "5")) == "file_too_large");
    FLUX_REQUIRE(store->complete(file_id(1)).ok());
    FLUX_CHECK(content_of(*store, file_id(1)) == "1234");
  });
  contract.duty("appending no bytes changes nothing", [&] {
    const auto store = make();
    FLUX_REQUIRE(store->create(new_file(1, 4)).ok());
    FLUX_CHECK(store->append(file_id(1), 0, "").value() == 0);
    FLUX_REQUIRE(store->append(file_id(1), 0, "1234").ok());
    FLUX_CHECK(store->append(file_id(1), 4, "").value() == 4);
    FLUX_CHECK(error_of(store->append(file_id(1), 3, "")) == "wrong_offset");
  });
  contract.duty("the length may be set later, once", [&] {
    const auto store = make();
    FLUX_REQUIRE(store->create(new_file(1)).ok());
    FLUX_CHECK(!store->info(file_id(1)).value().length);
    FLUX_REQUIRE(store->append(file_id(1), 0, "12345").ok());
    FLUX_CHECK(error_of(store->set_length(file_id(1), 4)) == "wrong_offset");
    FLUX_CHECK(!store->info(file_id(1)).value().length);
    FLUX_CHECK(error_of(store->set_length(file_id(1), 6)) == "ok");
    FLUX_CHECK(store->info(file_id(1)).value().length == 6U);
    FLUX_CHECK(error_of(store->set_length(file_id(1), 6)) == "ok");
    FLUX_CHECK(error_of(store->set_length(file_id(1), 7)) == "wrong_offset");
    FLUX_CHECK(error_of(store->append(file_id(1), 5, "67")) == "file_too_large");
    FLUX_CHECK(error_of(store->complete(file_id(1))) == "wrong_offset");
    FLUX_REQUIRE(store->append(file_id(1), 5, "6").ok());
    FLUX_CHECK(store->complete(file_id(1)).value().length == 6U);
  });
  contract.duty("completing an upload without a length sets it", [&] {
    const auto store = make();
    const FileInfo done = put(*store, new_file(1), "123");
    FLUX_CHECK(done.length == 3U);
    FLUX_CHECK(content_of(*store, file_id(1)) == "123");
  });
  contract.duty("complete needs all bytes, and may be repeated", [&] {
    const auto store = make();
    FLUX_REQUIRE(store->create(new_file(1, 3)).ok());
    FLUX_CHECK(error_of(store->complete(file_id(1))) == "wrong_offset");
    FLUX_REQUIRE(store->append(file_id(1), 0, "12").ok());
    FLUX_CHECK(error_of(store->complete(file_id(1))) == "wrong_offset");
    FLUX_CHECK(store->info(file_id(1)).value().state == FileState::uploading);
    FLUX_REQUIRE(store->append(file_id(1), 2, "3").ok());
    const FileInfo done = store->complete(file_id(1)).value();
    FLUX_CHECK(store->complete(file_id(1)).value() == done);
    FLUX_CHECK(error_of(store->append(file_id(1), 3, "4")) == "wrong_offset");
    FLUX_CHECK(error_of(store->append(file_id(1), 0, "1")) == "wrong_offset");
    FLUX_CHECK(content_of(*store, file_id(1)) == "123");
  });
  contract.duty("a file may be empty", [&] {
    const auto store = make();
    FLUX_CHECK(put(*store, new_file(1, 0), "").size == 0);
    FLUX_CHECK(put(*store, new_file(2), "").length == 0U);
    FLUX_CHECK(content_of(*store, file_id(1)).empty());
    FLUX_CHECK(content_of(*store, file_id(2)).empty());
  });
  contract.duty("any part of a file can be read", [&] {
    const auto store = make();
    put(*store, new_file(1), "0123456789");
    std::string room(4, '?');
    FLUX_CHECK(store->read(file_id(1), 3, room).value() == 4);
    FLUX_CHECK(room == "3456");
    FLUX_CHECK(store->read(file_id(1), 8, room).value() == 2);
    FLUX_CHECK(room == "8956");
    FLUX_CHECK(store->read(file_id(1), 10, room).value() == 0);
    FLUX_CHECK(store->read(file_id(1), UINT64_MAX, room).value() == 0);
    FLUX_CHECK(store->read(file_id(1), 2, std::span<char>()).value() == 0);
    FLUX_CHECK(room == "8956");
  });
  contract.duty("an upload can't be read or deleted logically", [&] {
    const auto store = make();
    FLUX_REQUIRE(store->create(new_file(1)).ok());
    FLUX_REQUIRE(store->append(file_id(1), 0, "123").ok());
    std::string room(4, '?');
    FLUX_CHECK(error_of(store->read(file_id(1), 0, room)) == "wrong_offset");
    FLUX_CHECK(error_of(store->mark_deleted(file_id(1))) == "wrong_offset");
    FLUX_CHECK(store->info(file_id(1)).value().state == FileState::uploading);
  });
  contract.duty("an unknown id is not found, whatever it looks like", [&] {
    const auto store = make();
    put(*store, new_file(1), "123");
    for (const FileId& id :
         {file_id(2), FileId(), FileId("../secret"), FileId("/etc/passwd"), FileId("."), file_id(1) + "/..",
          "../" + file_id(1), file_id(1) + std::string(1, '\0'), FileId("0B5E2D3C-8F1A-4C6E-9D27-000000000001")}) {
      check_not_found(contract, *store, id);
    }
    FLUX_CHECK(content_of(*store, file_id(1)) == "123");
  });
  contract.duty("a file is shared from then on", [&] {
    const auto store = make();
    FLUX_REQUIRE(store->create(new_file(1)).ok());
    FLUX_REQUIRE(store->create(new_file(2)).ok());
    FLUX_CHECK(!store->info(file_id(1)).value().shared);
    FLUX_CHECK(error_of(store->mark_shared(file_id(1))) == "ok");
    FLUX_CHECK(error_of(store->mark_shared(file_id(1))) == "ok");
    FLUX_CHECK(store->info(file_id(1)).value().shared);
    FLUX_CHECK(store->complete(file_id(1)).value().shared);
    FLUX_CHECK(!store->complete(file_id(2)).value().shared);
    FLUX_CHECK(error_of(store->mark_shared(file_id(2))) == "ok");
    FLUX_CHECK(store->info(file_id(2)).value().shared);
  });
  contract.duty("a logically deleted file no longer exists, and the next cleanup removes its bytes", [&] {
    const auto store = make();
    for (int n = 1; n <= 4; ++n) put(*store, new_file(n), "123");
    FLUX_CHECK(error_of(store->mark_deleted(file_id(1))) == "ok");
    FLUX_CHECK(error_of(store->mark_deleted(file_id(3))) == "ok");
    check_not_found(contract, *store, file_id(1));
    FLUX_CHECK(ids_of(*store) == std::vector{file_id(2), file_id(4)});
    const FileCleanup cleanup = store->cleanup_deleted().value();
    FLUX_CHECK(sorted(cleanup.deleted) == std::vector{file_id(1), file_id(3)});
    FLUX_CHECK(cleanup.failed.empty());
    FLUX_CHECK(store->cleanup_deleted().value().deleted.empty());
    check_not_found(contract, *store, file_id(1));
    FLUX_CHECK(content_of(*store, file_id(2)) == "123");
    FLUX_CHECK(content_of(*store, file_id(4)) == "123");
  });
  contract.duty("pages have every complete file once, the newest first, whatever is added or removed meanwhile", [&] {
    const auto store = make();
    for (int n = 1; n <= 12; ++n) {
      FileInfo file = new_file(n, 0, n % 3 == 0 ? "" : "ann");
      file.created_at = file.modified_at = 1'000 + n / 4;  // some at the same time
      FLUX_REQUIRE(store->create(file).ok());
      if (n != 5) FLUX_REQUIRE(store->complete(file.id).ok());
    }
    FLUX_REQUIRE(store->mark_deleted(file_id(7)).ok());
    const auto ids = [&](FileQuery query, int changes_at) {
      std::vector<FileId> listed;
      for (int pages = 0; pages < 20; ++pages) {
        const auto page = store->page(query);
        FLUX_REQUIRE(page.ok());
        FLUX_CHECK((page->files.size() <= query.limit));
        for (const FileInfo& file : page->files) listed.push_back(file.id);
        if (page->after.empty()) return listed;
        query.after = page->after;
        if (pages != changes_at) continue;
        FLUX_REQUIRE(store->remove(listed.back()).ok());
        FileInfo newer = new_file(20, 0);
        newer.created_at = newer.modified_at = 2'000;
        FLUX_REQUIRE(store->create(newer).ok());
        FLUX_REQUIRE(store->complete(newer.id).ok());
      }
      return std::vector<FileId>();
    };
    const auto expected = [](std::initializer_list<int> numbers) {
      std::vector<FileId> listed;
      for (const int n : numbers) listed.push_back(file_id(n));
      return listed;
    };
    const int never = -1;
    const auto all = expected({12, 11, 10, 9, 8, 6, 4, 3, 2, 1});
    for (const std::size_t limit : {1U, 2U, 3U, 5U, 9U, 10U, 11U, 1'000U}) {
      FLUX_CHECK(ids({.limit = limit}, never) == all);
    }
    FLUX_CHECK(ids({.owner = "ann", .limit = 2}, never) == expected({11, 10, 8, 4, 2, 1}));
    FLUX_CHECK(ids({.owner = "", .limit = 2}, never) == expected({12, 9, 6, 3}));
    FLUX_CHECK(ids({.owner = "bob"}, never).empty());
    FLUX_CHECK(store->page({.limit = 0})->files.size() == 1);
    FLUX_CHECK(store->page({})->files.front() == store->info(file_id(12)).value());
    FLUX_CHECK(ids({.limit = 4}, 0) == all);
    FLUX_CHECK(ids({}, never).front() == file_id(20));
    FLUX_CHECK(error_of(store->page({.after = "?"})) == "invalid_argument");
  });
  contract.duty("a file is removed at once, complete or not", [&] {
    const auto store = make();
    FLUX_REQUIRE(store->create(new_file(1)).ok());
    FLUX_REQUIRE(store->create(new_file(2)).ok());
    FLUX_REQUIRE(store->append(file_id(2), 0, "12").ok());
    put(*store, new_file(3), "123");
    put(*store, new_file(4), "1234");
    for (int n = 1; n <= 3; ++n) {
      FLUX_CHECK(error_of(store->remove(file_id(n))) == "ok");
      check_not_found(contract, *store, file_id(n));
    }
    FLUX_CHECK(ids_of(*store) == std::vector{file_id(4)});
    FLUX_CHECK(store->cleanup_deleted().value().deleted.empty());
    FLUX_CHECK(content_of(*store, file_id(4)) == "1234");
  });
  contract.duty("a sweep removes idle uploads, and nothing else", [&] {
    const auto store = make();
    for (int n = 1; n <= 4; ++n) FLUX_REQUIRE(store->create(new_file(n, 4)).ok());
    FLUX_REQUIRE(store->append(file_id(2), 0, "12").ok());
    FLUX_REQUIRE(store->append(file_id(3), 0, "1234").ok());
    FLUX_REQUIRE(store->complete(file_id(3)).ok());
    const std::int64_t begun = store->info(file_id(1)).value().created_at;
    FLUX_CHECK(store->sweep(begun).value().expired.empty());
    FLUX_CHECK(ids_of(*store).size() == 4);
    const FileSweep sweep = store->sweep(begun + 1).value();
    FLUX_CHECK(sorted(sweep.expired) == std::vector{file_id(1), file_id(4)});
    FLUX_CHECK(sweep.orphans == 0);
    check_not_found(contract, *store, file_id(1));
    FLUX_CHECK(store->append(file_id(2), 2, "3").value() == 3);
    FLUX_CHECK(store->sweep(store->info(file_id(2)).value().modified_at + 1).value().expired ==
               std::vector{file_id(2)});
    FLUX_CHECK(ids_of(*store) == std::vector{file_id(3)});
    FLUX_CHECK(content_of(*store, file_id(3)) == "1234");
  });
  contract.duty("names and other text are kept byte for byte, and are never used as paths", [&] {
    const auto store = make();
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
      FLUX_CHECK(done.name == words[i]);
    }
    for (std::size_t i = 0; i < words.size(); ++i) {
      const FileInfo file = store->info(file_id(static_cast<int>(i))).value();
      FLUX_CHECK((file.name == words[i] && file.media_type == words[i] && file.owner == words[i] &&
                  file.metadata == words[i]));
      FLUX_CHECK(content_of(*store, file.id) == words[i]);
    }
  });
  contract.duty("a big file keeps every byte", [&] {
    const auto store = make();
    const std::string bytes = pattern(16 * 1024 * 1024 + 7);
    FLUX_REQUIRE(store->create(new_file(1, bytes.size())).ok());
    std::size_t piece = 1;
    for (std::size_t offset = 0; offset < bytes.size();) {
      const auto next = store->append(file_id(1), offset, std::string_view(bytes).substr(offset, piece));
      FLUX_REQUIRE(next.ok());
      offset = static_cast<std::size_t>(*next);
      piece = piece * 3 + 1;
    }
    FLUX_REQUIRE(store->complete(file_id(1)).ok());
    FLUX_CHECK((content_of(*store, file_id(1)) == bytes));
  });
  contract.duty("a SHA-256 is computed on request", [&] {
    const auto store = make();
    FileInfo file = new_file(1, 3);
    file.wants_sha256 = true;
    if (!detail::with_digests) {
      FLUX_CHECK(error_of(store->create(file)) == "invalid_argument");
      return;
    }
    FLUX_REQUIRE(store->create(file).ok());
    FLUX_REQUIRE(store->append(file.id, 0, "a").ok());
    FLUX_REQUIRE(!store->append(file.id, 0, "a").ok());
    FLUX_REQUIRE(store->append(file.id, 1, "bc").ok());
    FLUX_CHECK(store->info(file.id).value().sha256.empty());
    const FileInfo done = store->complete(file.id).value();
    FLUX_CHECK(done.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    FLUX_CHECK(store->info(file.id).value() == done);
    FileInfo empty = new_file(2);
    empty.wants_sha256 = true;
    FLUX_CHECK(put(*store, empty, "").sha256 == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    FLUX_CHECK(put(*store, new_file(3), "abc").sha256.empty());
  });
  contract.duty("calls for different files may overlap, and calls for all files with any", [&] {
    const auto store = make();
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
    FLUX_CHECK(wrong.load() == 0);
    FLUX_CHECK((cleaned + store->cleanup_deleted().value().deleted.size()) == files * 4);
    FLUX_CHECK(ids_of(*store).size() == files);
  });
}

/// The same for what stores with quotas must do.
inline void file_store_quota_contract(const CheckFunction& check, const MakeLimitedFileStore& make) {
  Contract contract(check);
  contract.duty("space is reserved for a length from the beginning, and released", [&] {
    const auto store = make({.bytes_max = 100});
    FLUX_CHECK(error_of(store->create(new_file(1, 101))) == "quota_exceeded");
    check_not_found(contract, *store, file_id(1));
    FLUX_CHECK(ids_of(*store).empty());
    FLUX_CHECK(error_of(store->create(new_file(1, 60))) == "ok");
    FLUX_CHECK(error_of(store->create(new_file(2, 41))) == "quota_exceeded");
    FLUX_CHECK(error_of(store->create(new_file(2, UINT64_MAX))) != "ok");
    FLUX_CHECK(error_of(store->create(new_file(2, 40))) == "ok");
    FLUX_CHECK(error_of(store->create(new_file(3, 1))) == "quota_exceeded");
    FLUX_CHECK(error_of(store->create(new_file(3, 0))) == "ok");
    FLUX_REQUIRE(store->append(file_id(2), 0, std::string(40, 'x')).ok());
    FLUX_REQUIRE(store->complete(file_id(2)).ok());
    FLUX_CHECK(error_of(store->create(new_file(4, 1))) == "quota_exceeded");
    FLUX_REQUIRE(store->remove(file_id(1)).ok());
    FLUX_CHECK(error_of(store->create(new_file(4, 61))) == "quota_exceeded");
    FLUX_CHECK(error_of(store->create(new_file(4, 60))) == "ok");
    FLUX_CHECK(store->sweep(INT64_MAX).value().expired.size() == 2);
    FLUX_CHECK(error_of(store->create(new_file(5, 61))) == "quota_exceeded");
    FLUX_CHECK(error_of(store->create(new_file(5, 60))) == "ok");
  });
  contract.duty("an upload of unknown length counts as it grows", [&] {
    const auto store = make({.bytes_max = 10});
    FLUX_REQUIRE(store->create(new_file(1)).ok());
    FLUX_REQUIRE(store->create(new_file(2)).ok());
    FLUX_REQUIRE(store->append(file_id(1), 0, "123456").ok());
    const FileInfo before = store->info(file_id(1)).value();
    FLUX_CHECK(error_of(store->append(file_id(1), 6, "78901")) == "quota_exceeded");
    FLUX_CHECK(store->info(file_id(1)).value() == before);
    FLUX_CHECK(error_of(store->append(file_id(2), 0, "12345")) == "quota_exceeded");
    FLUX_CHECK(store->append(file_id(1), 6, "7890").value() == 10);
    FLUX_CHECK(store->complete(file_id(1)).value().size == 10);
    FLUX_CHECK(error_of(store->append(file_id(2), 0, "1")) == "quota_exceeded");
  });
  contract.duty("space is reserved for a length that is set later", [&] {
    const auto store = make({.bytes_max = 10});
    FLUX_REQUIRE(store->create(new_file(1)).ok());
    FLUX_REQUIRE(store->append(file_id(1), 0, "123").ok());
    FLUX_CHECK(error_of(store->set_length(file_id(1), 11)) == "quota_exceeded");
    FLUX_CHECK(!store->info(file_id(1)).value().length);
    FLUX_CHECK(error_of(store->set_length(file_id(1), 8)) == "ok");
    FLUX_CHECK(error_of(store->create(new_file(2, 3))) == "quota_exceeded");
    FLUX_CHECK(error_of(store->create(new_file(2, 2))) == "ok");
    FLUX_CHECK(store->append(file_id(1), 3, "45678").value() == 8);
  });
  contract.duty("a cleanup frees the space of deleted files", [&] {
    const auto store = make({.bytes_max = 10});
    put(*store, new_file(1), "123456");
    put(*store, new_file(2), "1234");
    FLUX_REQUIRE(store->mark_deleted(file_id(1)).ok());
    FLUX_REQUIRE(store->cleanup_deleted().ok());
    FLUX_CHECK(error_of(store->create(new_file(3, 7))) == "quota_exceeded");
    FLUX_CHECK(error_of(store->create(new_file(3, 6))) == "ok");
  });
  contract.duty("each owner has a quota", [&] {
    const auto store = make({.bytes_per_owner_max = 10});
    FLUX_CHECK(error_of(store->create(new_file(1, 10, "ann"))) == "ok");
    FLUX_CHECK(error_of(store->create(new_file(2, 1, "ann"))) == "owner_quota_exceeded");
    FLUX_CHECK(error_of(store->create(new_file(2, 11, "bob"))) == "owner_quota_exceeded");
    FLUX_CHECK(error_of(store->create(new_file(2, 10, "bob"))) == "ok");
    FLUX_CHECK(error_of(store->create(new_file(3, std::nullopt, "bob"))) == "ok");
    FLUX_CHECK(error_of(store->append(file_id(3), 0, "1")) == "owner_quota_exceeded");
    FLUX_REQUIRE(store->remove(file_id(2)).ok());
    FLUX_CHECK(store->append(file_id(3), 0, "1").value() == 1);
    FLUX_CHECK(error_of(store->create(new_file(4, 1, "ann"))) == "owner_quota_exceeded");
  });
  contract.duty("a limit holds for uploads that begin and grow at the same time", [&] {
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
    FLUX_CHECK(kept.load() == 98);
    FLUX_CHECK(error_of(store->create(new_file(900, 3))) == "quota_exceeded");
    FLUX_CHECK(error_of(store->create(new_file(900, 2))) == "ok");
  });
}

/// The same for what persistent stores must do. `reopen_last` reopens the store that `make` returned last, after its
/// release.
inline void file_store_reopen_contract(const CheckFunction& check, const MakeFileStore& make,
                                       const MakeFileStore& reopen_last) {
  Contract contract(check);
  std::shared_ptr<FileStore> store;
  const auto reopen = [&] {
    store.reset();
    store = reopen_last();
  };
  contract.duty("a complete file is there again, with its metadata", [&] {
    store = make();
    FileInfo file = new_file(1, 3);
    file.name = std::string("line\nbreak \xF0\x9F\x98\x80");
    file.media_type = "image/png";
    file.metadata = "a b,c";
    file.wants_sha256 = detail::with_digests;
    put(*store, file, "abc");
    FLUX_REQUIRE(store->mark_shared(file.id).ok());
    const FileInfo before = store->info(file.id).value();
    reopen();
    FLUX_CHECK(store->info(file.id).value() == before);
    FLUX_CHECK(store->list().value() == std::vector{before});
    FLUX_CHECK(content_of(*store, file.id) == "abc");
    FLUX_CHECK(store->complete(file.id).value() == before);
  });
  contract.duty("an upload continues after the bytes that are stored", [&] {
    store = make();
    FileInfo file = new_file(1, 6);
    file.wants_sha256 = detail::with_digests;
    FLUX_REQUIRE(store->create(file).ok());
    FLUX_REQUIRE(store->create(new_file(2)).ok());
    FLUX_REQUIRE(store->append(file.id, 0, "ab").ok());
    reopen();
    FLUX_CHECK(store->info(file.id).value().size == 2);
    FLUX_CHECK(store->info(file_id(2)).value() == new_file(2));
    FLUX_CHECK(error_of(store->append(file.id, 0, "ab")) == "wrong_offset");
    FLUX_REQUIRE(store->append(file.id, 2, "cd").ok());
    reopen();
    FLUX_REQUIRE(store->append(file.id, 4, "ef").ok());
    const FileInfo done = store->complete(file.id).value();
    FLUX_CHECK(content_of(*store, file.id) == "abcdef");
    if (file.wants_sha256) {
      FLUX_CHECK(done.sha256 == "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721");
    }
  });
  contract.duty("an upload that has all its bytes is complete after reopening", [&] {
    store = make();
    FLUX_REQUIRE(store->create(new_file(1, 3)).ok());
    FLUX_REQUIRE(store->create(new_file(2, 0)).ok());
    FLUX_REQUIRE(store->create(new_file(3)).ok());
    FLUX_REQUIRE(store->append(file_id(1), 0, "abc").ok());
    FLUX_REQUIRE(store->append(file_id(3), 0, "abc").ok());
    FLUX_REQUIRE(store->set_length(file_id(3), 3).ok());
    reopen();
    for (int n = 1; n <= 3; ++n) {
      FLUX_CHECK(store->info(file_id(n)).value().state == FileState::complete);
      FLUX_CHECK(content_of(*store, file_id(n)) == (n == 2 ? "" : "abc"));
    }
    reopen();
    FLUX_CHECK(store->info(file_id(1)).value().state == FileState::complete);
  });
  contract.duty("a length that was set later is known", [&] {
    store = make();
    FLUX_REQUIRE(store->create(new_file(1)).ok());
    FLUX_REQUIRE(store->set_length(file_id(1), 9).ok());
    reopen();
    FLUX_CHECK(store->info(file_id(1)).value().length == 9U);
  });
  contract.duty("a logically deleted file remains so, and can be cleaned up", [&] {
    store = make();
    put(*store, new_file(1), "abc");
    put(*store, new_file(2), "abc");
    FLUX_REQUIRE(store->mark_deleted(file_id(1)).ok());
    reopen();
    check_not_found(contract, *store, file_id(1));
    FLUX_CHECK(ids_of(*store) == std::vector{file_id(2)});
    FLUX_CHECK(store->cleanup_deleted().value().deleted == std::vector{file_id(1)});
    reopen();
    FLUX_CHECK(store->cleanup_deleted().value().deleted.empty());
    FLUX_CHECK(content_of(*store, file_id(2)) == "abc");
  });
  contract.duty("removed and swept files stay removed", [&] {
    store = make();
    put(*store, new_file(1), "abc");
    FLUX_REQUIRE(store->create(new_file(2)).ok());
    FLUX_REQUIRE(store->create(new_file(3)).ok());
    FLUX_REQUIRE(store->append(file_id(3), 0, "x").ok());
    FLUX_REQUIRE(store->remove(file_id(1)).ok());
    FLUX_REQUIRE(store->remove(file_id(2)).ok());
    FLUX_REQUIRE(store->sweep(INT64_MAX).value().expired == std::vector{file_id(3)});
    reopen();
    FLUX_CHECK(ids_of(*store).empty());
    FLUX_CHECK(store->sweep(INT64_MAX).value().orphans == 0);
  });
}

}  // namespace flux::testing
