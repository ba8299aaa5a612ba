// The disk store beyond the contract: the folder's contents, crashes, full disks, unusable folders.
#include "catch.hpp"
#include "support/child.hpp"
#include "support/contract_check.hpp"
#include "support/temp_folder.hpp"

#include <flux/detail/core/digest.hpp>
#include <flux/detail/storage/file_id.hpp>
#include <flux/detail/storage/file_index_log.hpp>
#include <flux/detail/storage/raw_file.hpp>
#include <flux/storage/disk_file_store.hpp>
#include <flux/testing/file_store_contract.hpp>
#include <flux/testing/manual_clock.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#include <sys/mount.h>
#endif

namespace disk_file_store_test {

using namespace flux;
using namespace flux::testing;
namespace fs = std::filesystem;

namespace {

/// The names in the folder, except the lock and the index.
std::set<std::string> names_in(const TempFolder& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("flux-files.")) names.insert(name);
  }
  return names;
}

/// The error from opening the store; "" if it opens.
std::string open_error(const std::string& folder, DiskFileStoreOptions options = {}) {
  try {
    const DiskFileStore store(folder, std::move(options));
    return "";
  } catch (const Error& error) {
    CHECK(error.code() == Errc::bad_config);
    return error.message();
  }
}

/// An in-memory index that fails on demand.
class FaultyIndex final : public FileIndex {
 public:
  enum class Fault { none, error, exception, full };

  Result<std::vector<FileInfo>> load() override { return rows; }
  Result<void> save(const FileInfo& file) override {
    if (auto failed = fail(); !failed) return failed;
    erase_row(file.id);
    rows.push_back(file);
    return {};
  }
  Result<void> erase(const FileId& id) override {
    if (auto failed = fail(); !failed) return failed;
    erase_row(id);
    return {};
  }

  std::vector<FileInfo> rows;
  Fault fault = Fault::none;
  std::function<bool()> is_full = [] { return true; };  // whether the fault applies

 private:
  void erase_row(const FileId& id) {
    std::erase_if(rows, [&](const FileInfo& row) { return row.id == id; });
  }
  Result<void> fail() const {
    if (fault == Fault::exception) throw std::runtime_error("out of order");
    if (fault == Fault::error) return Error(Errc::store_failed, "out of order");
    if (fault == Fault::full && is_full()) return Error(Errc::quota_exceeded, "full");
    return {};
  }
};

}  // namespace

TEST_CASE("disk file store: the folder holds the id with .part, then the id, then nothing", "[disk_file_store]") {
  const TempFolder folder;
  DiskFileStore store(folder.path().string());
  FileInfo file = new_file(1, 3);
  file.name = "../escape";
  REQUIRE(store.create(file).ok());
  CHECK(names_in(folder).empty());
  REQUIRE(store.append(file.id, 0, "ab").ok());
  CHECK(names_in(folder) == std::set{file.id + ".part"});
  REQUIRE(store.append(file.id, 2, "c").ok());
  REQUIRE(store.complete(file.id).ok());
  CHECK(names_in(folder) == std::set{file.id});
  CHECK(bytes_of(folder / file.id) == "abc");
  REQUIRE(store.mark_deleted(file.id).ok());
  CHECK(names_in(folder) == std::set{file.id});
  REQUIRE(store.cleanup_deleted().ok());
  CHECK(names_in(folder).empty());
  put(store, new_file(2), "abc");
  REQUIRE(store.create(new_file(3)).ok());
  REQUIRE(store.append(file_id(3), 0, "abc").ok());
  REQUIRE(store.remove(file_id(2)).ok());
  REQUIRE(store.remove(file_id(3)).ok());
  CHECK(names_in(folder).empty());
}

TEST_CASE("disk file store: only lower-case UUIDs are ids", "[disk_file_store]") {
  CHECK(storage::is_file_id("0b5e2d3c-8f1a-4c6e-9d27-0123456789ab"));
  const TempFolder folder;
  DiskFileStore store(folder.path().string());
  const std::string good = file_id(1);
  for (const std::string& id :
       {std::string(), std::string("x"), good + "0", good.substr(1),
        std::string("0B5E2D3C-8f1a-4c6e-9d27-000000000001"), "../" + good.substr(3),
        std::string("0b5e2d3c/8f1a-4c6e-9d27-000000000001"), std::string(36, '-'), std::string(36, 'a'),
        good.substr(0, 35) + '\0', good.substr(0, 35) + "g", good.substr(0, 35) + "/", good.substr(0, 35) + "."}) {
    INFO(id);
    CHECK_FALSE(storage::is_file_id(id));
    FileInfo file = new_file(1);
    file.id = id;
    CHECK(error_of(store.create(file)) == "invalid_argument");
  }
  CHECK(names_in(folder).empty());
}

TEST_CASE("disk file store: a new file is an empty upload with its own id", "[disk_file_store]") {
  const TempFolder folder;
  DiskFileStore store(folder.path().string());
  put(store, new_file(1), "abc");
  CHECK(error_of(store.create(new_file(1))) == "invalid_argument");
  REQUIRE(store.mark_deleted(file_id(1)).ok());
  CHECK(error_of(store.create(new_file(1))) == "invalid_argument");
  FileInfo file = new_file(2);
  file.size = 1;
  CHECK(error_of(store.create(file)) == "invalid_argument");
  file.size = 0;
  file.state = FileState::complete;
  CHECK(error_of(store.create(file)) == "invalid_argument");
  CHECK(error_of(store.create(new_file(2, UINT64_MAX))) == "file_too_large");
  REQUIRE(store.create(new_file(2)).ok());
  CHECK(error_of(store.set_length(file_id(2), UINT64_MAX)) == "file_too_large");
}

TEST_CASE("disk file store: the number of files is limited, and deleted ones count until the cleanup",
          "[disk_file_store]") {
  const TempFolder folder;
  DiskFileStoreOptions options;
  options.files_max = 2;
  options.bytes_max = 10;
  options.bytes_per_owner_max = 6;
  DiskFileStore store(folder.path().string(), options);
  put(store, new_file(1, {}, ""), "123456");
  CHECK(error_of(store.create(new_file(2, 1, ""))) ==
        "owner_quota_exceeded");  // files without an owner share one quota
  REQUIRE(store.mark_deleted(file_id(1)).ok());
  CHECK(error_of(store.create(new_file(2, 5, ""))) == "quota_exceeded");
  CHECK(error_of(store.create(new_file(2, 4, ""))) == "ok");
  CHECK(store.create(new_file(3, 0)).error().message() == "the file store may have 2 files, and has that many");
  REQUIRE(store.cleanup_deleted().ok());
  CHECK(error_of(store.create(new_file(3, 6))) == "ok");
}

TEST_CASE("disk file store: reserved bytes are limited by default, per owner and in total", "[disk_file_store]") {
  const TempFolder folder;
  DiskFileStore store(folder.path().string());
  const auto promise = [&](int number, const std::string& owner) {
    return error_of(store.create(new_file(number, 100'000'000, owner)));
  };
  int number = 0;
  while (number < 3'000 && promise(number, "ann") == "ok") ++number;
  CHECK(number == 21);  // 2 GiB
  while (number < 3'000 && promise(number, "user " + std::to_string(number)) == "ok") ++number;
  CHECK(number == 107);  // 10 GiB
}

TEST_CASE("disk file store: the number of files per owner is limited, empty uploads included", "[disk_file_store]") {
  const TempFolder folder;
  DiskFileStoreOptions options;
  options.files_per_owner_max = 2;
  {
    DiskFileStore store(folder.path().string(), options);
    REQUIRE(store.create(new_file(1, {}, "ann")).ok());
    put(store, new_file(2, {}, "ann"), "");
    CHECK(store.create(new_file(3, {}, "ann")).error().message() ==
          "an owner of files may have 2 files, and has that many");
    CHECK(error_of(store.create(new_file(4, {}, "bob"))) == "ok");
  }
  DiskFileStore store(folder.path().string(), options);
  CHECK(error_of(store.create(new_file(3, {}, "ann"))) == "owner_quota_exceeded");
  REQUIRE(store.mark_deleted(file_id(2)).ok());
  CHECK(error_of(store.create(new_file(3, {}, "ann"))) == "ok");
  REQUIRE(store.remove(file_id(1)).ok());
  REQUIRE(store.cleanup_deleted().ok());
  CHECK(error_of(store.create(new_file(5, {}, "ann"))) == "ok");
  CHECK(error_of(store.create(new_file(6, {}, "ann"))) == "owner_quota_exceeded");
}

TEST_CASE("disk file store: existing files count when the store is reopened", "[disk_file_store]") {
  const TempFolder folder;
  {
    DiskFileStore store(folder.path().string());
    put(store, new_file(1), "12");
    put(store, new_file(2), "123");
    REQUIRE(store.mark_deleted(file_id(2)).ok());
    REQUIRE(store.create(new_file(3, 5)).ok());
    REQUIRE(store.append(file_id(3), 0, "1").ok());
    REQUIRE(store.create(new_file(4)).ok());
    REQUIRE(store.append(file_id(4), 0, "1234").ok());
  }
  DiskFileStoreOptions options;
  options.bytes_max = 16;
  options.bytes_per_owner_max = 12;
  options.files_max = 6;
  DiskFileStore store(folder.path().string(), options);
  CHECK(error_of(store.create(new_file(5, 2))) == "owner_quota_exceeded");
  CHECK(error_of(store.create(new_file(5, 1))) == "ok");
  CHECK(error_of(store.create(new_file(6, 2, "bob"))) == "quota_exceeded");
  CHECK(error_of(store.create(new_file(6, 1, "bob"))) == "ok");
  CHECK(error_of(store.create(new_file(7, 0))) == "quota_exceeded");
}

TEST_CASE("disk file store: appends are dated by the clock", "[disk_file_store]") {
  const TempFolder folder;
  DiskFileStoreOptions options;
  const auto clock = std::make_shared<ManualClock>();
  options.clock = clock;
  DiskFileStore store(folder.path().string(), options);
  REQUIRE(store.create(new_file(1)).ok());
  CHECK(store.info(file_id(1)).value().modified_at == 0);
  REQUIRE(store.append(file_id(1), 0, "1").ok());
  CHECK(store.info(file_id(1)).value().modified_at == clock->unix_ms());
  const std::int64_t first = clock->unix_ms();
  clock->advance(std::chrono::hours(1));
  REQUIRE(store.append(file_id(1), 1, "2").ok());
  CHECK(store.complete(file_id(1)).value().modified_at == first + 3'600'000);
}

// --- Opening ---

TEST_CASE("disk file store: an unusable folder is an error that names it and says why", "[disk_file_store]") {
  using Catch::Matchers::StartsWith;
  const TempFolder folder;
  write_bytes(folder / "file", "x");
  CHECK_THAT(open_error(folder / "file/below"),
             StartsWith("the file store's folder \"" + folder / "file/below" + "\" can't be made: "));
  CHECK_THAT(open_error(folder / "file"), StartsWith("the file store's folder \"" + folder / "file" + "\" can't be "));
  CHECK_THAT(open_error(""), StartsWith("the file store's folder \"\" can't be "));
  CHECK(open_error(folder / "new/folder").empty());
}

TEST_CASE("disk file store: a read-only folder is an error", "[disk_file_store]") {
  const TempFolder folder;
  REQUIRE(open_error(folder / "files").empty());
  fs::permissions(folder.path(), fs::perms(0755));
  fs::permissions(folder / "files/flux-files.lock", fs::perms(0666));
  fs::permissions(folder / "files/flux-files.index", fs::perms(0666));
  fs::permissions(folder / "files", fs::perms(0555));
  const std::string verdict = in_child([&] {
    if (::geteuid() == 0 && ::seteuid(65534) != 0)
      throw std::runtime_error("can't be another user");  // root may always write
    return open_error(folder / "files");
  });
  fs::permissions(folder / "files", fs::perms(0755));
  CHECK(verdict == "the file store's folder \"" + folder / "files" + "\" can't be written: Permission denied");
}

TEST_CASE("disk file store: a folder has one store at a time, across processes", "[disk_file_store]") {
  const TempFolder folder;
  const std::string in_use =
      "the file store's folder \"" + folder.path().string() + "\" is in use: each store needs one of its own";
  {
    const DiskFileStore store(folder.path().string());
    CHECK(open_error(folder.path().string()) == in_use);
  }
  CHECK(open_error(folder.path().string()).empty());
  Child other([&](int output) {
    const DiskFileStore store(folder.path().string());
    Child::write_to(output, "open");
    ::pause();
  });
  REQUIRE(other.read() == "open");
  CHECK(open_error(folder.path().string()) == in_use);
  other.kill();
  CHECK(open_error(folder.path().string()).empty());
}

TEST_CASE("disk file store: an index that can't be loaded is an error", "[disk_file_store]") {
  const TempFolder folder;
  const std::string begins = "the file store in \"" + folder.path().string() + "\" can't be opened: ";
  write_bytes(folder / "flux-files.index", "no index");
  CHECK_THAT(open_error(folder.path().string()),
             Catch::Matchers::StartsWith(begins + "the file index is damaged at byte 0"));
  DiskFileStoreOptions options;
  const auto index = std::make_shared<FaultyIndex>();
  options.index = index;
  index->rows = {new_file(1)};
  index->rows[0].id = "../../etc/passwd";
  CHECK(open_error(folder.path().string(), options) ==
        begins + "its index holds the id \"../../etc/passwd\", which is not a UUID in lower case");
}

// --- Between crash and restart ---

TEST_CASE("disk file store: a crash between the final name and the index is repaired", "[disk_file_store]") {
  const TempFolder folder;
  const bool length_known = GENERATE(true, false);
  FileInfo file = new_file(1, length_known ? std::optional<std::uint64_t>(3) : std::nullopt);
  file.wants_sha256 = core::has_digests();
  {
    DiskFileStore store(folder.path().string());
    REQUIRE(store.create(file).ok());
    REQUIRE(store.append(file.id, 0, "abc").ok());
  }
  fs::rename(folder / (file.id + ".part"), folder / file.id);
  for (int restart = 0; restart < 2; ++restart) {
    DiskFileStore store(folder.path().string());
    const FileInfo done = store.info(file.id).value();
    CHECK(done.state == FileState::complete);
    CHECK(done.length == 3U);
    CHECK(done.sha256.empty() == !file.wants_sha256);
    CHECK(content_of(store, file.id) == "abc");
    CHECK(store.sweep(0).value().orphans == 0);
  }
}

TEST_CASE("disk file store: an index that records a completion before the folder does is followed",
          "[disk_file_store]") {
  const TempFolder folder;
  {
    DiskFileStore store(folder.path().string());
    put(store, new_file(1), "abc");
  }
  fs::rename(folder / file_id(1), folder / (file_id(1) + ".part"));
  DiskFileStore store(folder.path().string());
  CHECK(content_of(store, file_id(1)) == "abc");
  CHECK(names_in(folder) == std::set{file_id(1)});
}

namespace {

/// Fills `left` with the files that a crash leaves after `use`.
void crash(const std::function<void(DiskFileStore&)>& use, const TempFolder& left) {
  const TempFolder folder;
  DiskFileStore store(folder.path().string());
  use(store);
  fs::copy(folder.path(), left.path(), fs::copy_options::recursive);
}

}  // namespace

TEST_CASE("disk file store: after a crash of the machine uploads start over, complete files are kept",
          "[disk_file_store]") {
  if (flux::storage::boot_name().empty()) return;
  const TempFolder left;
  const auto use = [](DiskFileStore& store) {
    REQUIRE(store.create(new_file(1, 6)).ok());
    REQUIRE(store.append(file_id(1), 0, "abcde").ok());
    REQUIRE(store.create(new_file(2)).ok());
    REQUIRE(store.append(file_id(2), 0, "long before").ok());
    put(store, new_file(3), "complete");
  };
  crash(use, left);
  CHECK(bytes_of(left / "flux-files.lock") == flux::storage::boot_name());
  write_bytes(left / "flux-files.lock", "00000000-0000-4000-8000-000000000000");
  {
    DiskFileStore store(left.path().string());
    CHECK(store.info(file_id(1)).value().size == 0);
    CHECK(error_of(store.append(file_id(1), 5, "f")) == "wrong_offset");
    REQUIRE(store.append(file_id(1), 0, "ABCDEF").ok());
    CHECK(store.complete(file_id(1)).value().size == 6);
    REQUIRE(store.append(file_id(2), 0, "new").ok());
    // If the process crashes now, it must not leave the old contents behind.
    CHECK(fs::file_size(left / (file_id(2) + ".part")) == 3);
  }
  CHECK(bytes_of(left / file_id(1)) == "ABCDEF");
  CHECK(bytes_of(left / file_id(3)) == "complete");
}

TEST_CASE("disk file store: a crash of the machine between a final name and the index is repaired, too",
          "[disk_file_store]") {
  if (flux::storage::boot_name().empty()) return;
  const TempFolder left;
  const auto use = [](DiskFileStore& store) {
    REQUIRE(store.create(new_file(1)).ok());
    REQUIRE(store.append(file_id(1), 0, "abc").ok());
  };
  crash(use, left);
  fs::rename(left / (file_id(1) + ".part"), left / file_id(1));
  write_bytes(left / "flux-files.lock", "00000000-0000-4000-8000-000000000000");
  DiskFileStore store(left.path().string());
  CHECK(store.info(file_id(1)).value().state == FileState::complete);
  CHECK(bytes_of(left / file_id(1)) == "abc");
}

TEST_CASE("disk file store: uploads resume after a crash of the process, and after a restart of the machine in between",
          "[disk_file_store]") {
  const TempFolder left;
  const auto use = [](DiskFileStore& store) {
    REQUIRE(store.create(new_file(1, 6)).ok());
    REQUIRE(store.append(file_id(1), 0, "abc").ok());
  };
  crash(use, left);
  CHECK(DiskFileStore(left.path().string()).info(file_id(1)).value().size == 3);
  // This one was closed, so the machine's boot id does not matter.
  CHECK(bytes_of(left / "flux-files.lock") == "closed");
  CHECK(DiskFileStore(left.path().string()).info(file_id(1)).value().size == 3);
}

TEST_CASE("disk file store: bytes past the acknowledged ones are truncated", "[disk_file_store]") {
  const TempFolder folder;
  DiskFileStore store(folder.path().string());
  REQUIRE(store.create(new_file(1)).ok());
  REQUIRE(store.append(file_id(1), 0, "abc").ok());
  write_bytes(folder / (file_id(1) + ".part"), "abcGARBAGE");
  REQUIRE(store.append(file_id(1), 3, "def").ok());
  CHECK(store.complete(file_id(1)).value().size == 6);
  CHECK(bytes_of(folder / file_id(1)) == "abcdef");
}

TEST_CASE("disk file store: missing bytes are an error, not a shorter file", "[disk_file_store]") {
  const TempFolder folder;
  DiskFileStore store(folder.path().string());
  REQUIRE(store.create(new_file(1)).ok());
  REQUIRE(store.append(file_id(1), 0, "abc").ok());
  fs::resize_file(folder / (file_id(1) + ".part"), 2);
  CHECK(store.complete(file_id(1)).error().message() == "an upload has lost bytes: 2 of 3 are on disk");
  put(store, new_file(2), "abcdef");
  fs::resize_file(folder / file_id(2), 4);
  std::string room(6, '\0');
  CHECK(store.read(file_id(2), 0, room).error().message() == "the file has lost bytes: 4 of 6 are on disk");
  CHECK(store.read(file_id(2), 5, room).error().message() == "the file has lost bytes: 4 of 6 are on disk");
  fs::remove(folder / file_id(2));
  CHECK(error_of(store.read(file_id(2), 0, room)) == "file_not_found");
}

TEST_CASE("disk file store: orphans are removed, foreign files stay", "[disk_file_store]") {
  const TempFolder folder;
  DiskFileStore store(folder.path().string());
  put(store, new_file(1), "abc");
  REQUIRE(store.create(new_file(2)).ok());
  REQUIRE(store.append(file_id(2), 0, "ab").ok());
  const std::set<std::string> kept = {"README",
                                      "readme.part",
                                      file_id(7) + ".txt",
                                      file_id(8) + ".part.part",
                                      file_id(9) + ".",
                                      "0B5E2D3C-8F1A-4C6E-9D27-000000000001",
                                      file_id(1),
                                      file_id(2) + ".part",
                                      file_id(5),
                                      file_id(6)};
  for (const std::string& name : kept) {
    if (name != file_id(1) && name != file_id(2) + ".part" && name != file_id(5) && name != file_id(6)) {
      write_bytes(folder / name, "not ours");
    }
  }
  fs::create_directory(folder / file_id(5));
  fs::create_symlink("README", folder / file_id(6));
  write_bytes(folder / file_id(3), "orphan");
  write_bytes(folder / (file_id(4) + ".part"), "orphan");
  const FileSweep sweep = store.sweep(0).value();
  CHECK(sweep.orphans == 2);
  CHECK(sweep.expired.empty());
  CHECK(names_in(folder) == kept);
  CHECK(content_of(store, file_id(1)) == "abc");
  CHECK(store.append(file_id(2), 2, "c").value() == 3);
}

TEST_CASE("disk file store: a cleanup counts files that are already missing, and retries what failed",
          "[disk_file_store]") {
  const TempFolder folder;
  DiskFileStore store(folder.path().string());
  for (int n = 1; n <= 3; ++n) {
    put(store, new_file(n), "abc");
    REQUIRE(store.mark_deleted(file_id(n)).ok());
  }
  fs::remove(folder / file_id(1));
  fs::remove(folder / file_id(2));
  fs::create_directories(folder / (file_id(2) + "/in the way"));
  FileCleanup cleanup = store.cleanup_deleted().value();
  CHECK(sorted(cleanup.deleted) == std::vector{file_id(1), file_id(3)});
  CHECK(cleanup.failed == std::vector{file_id(2)});
  CHECK(store.cleanup_deleted().value().failed == std::vector{file_id(2)});
  fs::remove_all(folder / file_id(2));
  cleanup = store.cleanup_deleted().value();
  CHECK(cleanup.deleted == std::vector{file_id(2)});
  CHECK(cleanup.failed.empty());
}

// --- A failed operation changes nothing ---

TEST_CASE("disk file store: if the index fails, nothing has changed", "[disk_file_store]") {
  const TempFolder folder;
  const auto fault = GENERATE(FaultyIndex::Fault::error, FaultyIndex::Fault::exception);
  const auto index = std::make_shared<FaultyIndex>();
  DiskFileStoreOptions options;
  options.index = index;
  options.bytes_max = 10;
  DiskFileStore store(folder.path().string(), options);
  put(store, new_file(1), "abc");
  REQUIRE(store.create(new_file(2)).ok());
  REQUIRE(store.append(file_id(2), 0, "ab").ok());
  const auto rows = index->rows;
  const FileInfo complete = store.info(file_id(1)).value();
  const FileInfo upload = store.info(file_id(2)).value();

  index->fault = fault;
  const auto failed = store.create(new_file(3, 5));
  CHECK(error_of(failed) == "store_failed");
  CHECK_THAT(failed.error().message(), Catch::Matchers::EndsWith("out of order"));
  CHECK(error_of(store.set_length(file_id(2), 7)) == "store_failed");
  CHECK(error_of(store.complete(file_id(2))) == "store_failed");
  CHECK(error_of(store.mark_shared(file_id(1))) == "store_failed");
  CHECK(error_of(store.mark_deleted(file_id(1))) == "store_failed");
  CHECK(error_of(store.remove(file_id(1))) == "store_failed");
  CHECK(error_of(store.remove(file_id(2))) == "store_failed");
  CHECK(store.sweep(INT64_MAX).value().expired.empty());
  CHECK(store.info(file_id(1)).value() == complete);
  CHECK(store.info(file_id(2)).value() == upload);
  check_not_found(Contract(flux_test::checked), store, file_id(3));
  CHECK(names_in(folder) == std::set{file_id(1), file_id(2) + ".part"});
  CHECK(index->rows == rows);

  index->fault = FaultyIndex::Fault::none;
  CHECK(error_of(store.create(new_file(3, 5))) == "ok");  // its space had been freed
  CHECK(error_of(store.create(new_file(4, 1))) == "quota_exceeded");
  REQUIRE(store.remove(file_id(3)).ok());
  CHECK(store.append(file_id(2), 2, "cd").value() == 4);
  CHECK(store.complete(file_id(2)).value().size == 4);
  CHECK(content_of(store, file_id(2)) == "abcd");
  REQUIRE(store.mark_deleted(file_id(1)).ok());
  index->fault = fault;
  CHECK(store.cleanup_deleted().value().failed == std::vector{file_id(1)});
  index->fault = FaultyIndex::Fault::none;
  CHECK(store.cleanup_deleted().value().deleted == std::vector{file_id(1)});
}

TEST_CASE("disk file store: if the index has no space until an upload's bytes are deleted, the upload is still removed",
          "[disk_file_store]") {
  const TempFolder folder;
  const auto index = std::make_shared<FaultyIndex>();
  DiskFileStoreOptions options;
  options.index = index;
  options.bytes_max = 10;
  DiskFileStore store(folder.path().string(), options);
  put(store, new_file(1), "abc");
  REQUIRE(store.create(new_file(2)).ok());
  REQUIRE(store.append(file_id(2), 0, "1234567").ok());
  index->fault = FaultyIndex::Fault::full;
  index->is_full = [&] { return fs::exists(folder / (file_id(2) + ".part")); };
  CHECK(error_of(store.remove(file_id(1))) == "quota_exceeded");
  CHECK(content_of(store, file_id(1)) == "abc");

  SECTION("by a call") { CHECK(error_of(store.remove(file_id(2))) == "ok"); }
  SECTION("by a sweep") { CHECK(store.sweep(INT64_MAX).value().expired == std::vector{file_id(2)}); }
  SECTION("if it still has no space then, the upload starts over") {
    index->is_full = [] { return true; };
    CHECK(error_of(store.remove(file_id(2))) == "quota_exceeded");
    CHECK(store.info(file_id(2)).value().size == 0);
    CHECK(store.append(file_id(2), 0, "1234567").value() == 7);  // its space had been freed
    index->is_full = [] { return false; };
    CHECK(error_of(store.remove(file_id(2))) == "ok");
  }
  check_not_found(Contract(flux_test::checked), store, file_id(2));
  CHECK(names_in(folder) == std::set{file_id(1)});
  CHECK(index->rows.size() == 1);
  CHECK(error_of(store.create(new_file(3, 7))) == "ok");
}

TEST_CASE("disk file store: an append that runs out of space is undone", "[disk_file_store]") {
  const TempFolder folder;
  const std::string bytes = pattern(1'500'000);
  const std::string verdict = in_child([&]() -> std::string {
    limit_file_size(1'000'000);
    DiskFileStoreOptions options;
    options.bytes_max = 1'600'000;
    DiskFileStore store(folder.path().string(), options);
    FileInfo file = new_file(1);
    file.wants_sha256 = core::has_digests();
    store.create(file).value();
    store.append(file.id, 0, std::string_view(bytes).substr(0, 600'000)).value();
    const FileInfo before = store.info(file.id).value();
    const auto failed = store.append(file.id, 600'000, std::string_view(bytes).substr(600'000));
    if (failed) return "was appended";
    if (failed.error().code() != Errc::store_failed) return "has another code";
    if (store.info(file.id).value() != before) return "changed what is known";
    if (fs::file_size(folder / (file.id + ".part")) != 600'000) return "left half an append";
    store.create(new_file(2, 1'000'000)).value();  // the space was freed
    store.remove(file_id(2)).value();
    store.append(file.id, 600'000, std::string_view(bytes).substr(600'000, 400'000)).value();
    const FileInfo done = store.complete(file.id).value();
    if (core::has_digests() && done.sha256 != core::to_hex(core::sha256(bytes.substr(0, 1'000'000)).value()))
      return "has a wrong digest";
    return failed.error().message();
  });
  CHECK(verdict == "can't write the bytes of an upload: File too large");
  CHECK((bytes_of(folder / file_id(1)) == bytes.substr(0, 1'000'000)));
}

#if defined(__linux__)
namespace {

/// A disk of 1 MiB. The mount is private to this process and ends with it. False if mounting is not permitted.
bool mount_small_disk(const std::string& where) {
  return ::unshare(CLONE_NEWNS) == 0 && ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("tmpfs", where.c_str(), "tmpfs", 0, "size=1m") == 0;
}

}  // namespace

TEST_CASE("disk file store: a full disk is an error that says so, and uploads resume when there is space",
          "[disk_file_store]") {
  const TempFolder folder;
  const std::string mounted = folder / "small";
  fs::create_directory(mounted);
  const std::string verdict = in_child([&]() -> std::string {
    if (!mount_small_disk(mounted)) return "may not mount";
    DiskFileStore store(mounted);
    put(store, new_file(1), pattern(300'000));
    store.create(new_file(2)).value();
    store.append(file_id(2), 0, pattern(300'000)).value();
    const auto failed = store.append(file_id(2), 300'000, pattern(700'000));
    if (failed) return "was appended";
    if (error_of(failed) != "quota_exceeded") return "has another code";
    if (store.info(file_id(2)).value().size != 300'000) return "changed what is known";
    write_bytes(mounted + "/filler", std::string(1'000'000, 'x'));
    if (error_of(store.create(new_file(3))) == "ok") {
      // The index had space left in its last page: use it up.
      int n = 100;
      FileInfo file = new_file(n);
      file.metadata = std::string(3000, 'm');
      auto refused = store.create(file);
      for (; refused.ok(); refused = store.create(file)) file.id = file_id(++n);
      if (error_of(refused) != "quota_exceeded") return "the index has another code";
      if (store.info(file.id).ok()) return "knows what it refused";
    }
    if (content_of(store, file_id(1)) != pattern(300'000)) return "can't read when it can't write";
    fs::remove(mounted + "/filler");
    store.append(file_id(2), 300'000, pattern(300'000)).value();
    store.complete(file_id(2)).value();
    return failed.error().message();
  });
  if (verdict == "may not mount") {
    WARN("left out: a small disk needs the right to mount one");
    return;
  }
  CHECK(verdict == "can't write the bytes of an upload: No space left on device");
}

TEST_CASE("disk file store: on a full disk uploads can be removed, which frees space", "[disk_file_store]") {
  const TempFolder folder;
  const std::string mounted = folder / "small";
  fs::create_directory(mounted);
  const std::string verdict = in_child([&]() -> std::string {
    if (!mount_small_disk(mounted)) return "may not mount";
    DiskFileStore store(mounted);
    store.create(new_file(1)).value();
    store.append(file_id(1), 0, pattern(300'000)).value();
    int last = 200;
    for (int n = 2; n <= last; ++n) store.create(new_file(n)).value();
    write_bytes(mounted + "/filler", std::string(1'000'000, 'x'));
    // The index has some space left in its last page: use it up.
    while (last > 1 && store.remove(file_id(last)).ok()) --last;
    if (last == 1) return "the disk was not full";
    if (error_of(store.remove(file_id(last))) != "quota_exceeded") return "has another code";
    store.remove(file_id(1)).value();
    for (; last > 1; --last) store.remove(file_id(last)).value();
    return store.list().value().empty() ? "" : "is not empty";
  });
  if (verdict == "may not mount") {
    WARN("left out: a small disk needs the right to mount one");
    return;
  }
  CHECK(verdict.empty());
}
#endif

// --- Concurrency ---

TEST_CASE("disk file store: an append during a sweep waits for it, and finds the file gone", "[disk_file_store]") {
  /// Holds the first `erase` until it is released.
  class SlowIndex final : public FileIndex {
   public:
    Result<std::vector<FileInfo>> load() override { return std::vector<FileInfo>(); }
    Result<void> save(const FileInfo&) override { return {}; }
    Result<void> erase(const FileId&) override {
      begun.set_value();
      go_on.get_future().wait();
      return {};
    }
    std::promise<void> begun, go_on;
  };
  const TempFolder folder;
  const auto index = std::make_shared<SlowIndex>();
  DiskFileStoreOptions options;
  options.index = index;
  DiskFileStore store(folder.path().string(), options);
  REQUIRE(store.create(new_file(1)).ok());
  auto sweep = std::async(std::launch::async, [&] { return store.sweep(INT64_MAX).value().expired; });
  index->begun.get_future().wait();
  auto append = std::async(std::launch::async, [&] { return error_of(store.append(file_id(1), 0, "abc")); });
  CHECK(append.wait_for(std::chrono::milliseconds(50)) == std::future_status::timeout);
  CHECK(store.list().ok());  // other calls need not wait
  index->go_on.set_value();
  CHECK(append.get() == "file_not_found");
  CHECK(sweep.get() == std::vector{file_id(1)});
  CHECK(names_in(folder).empty());
}

// --- Killed ---

namespace {

/// The content of file `n`.
std::string bytes_for(int n) {
  return pattern(static_cast<std::size_t>(n) * 7919 % 200'000, static_cast<std::uint32_t>(n));
}

/// Uploads files one after another until it is killed, and prints what was acknowledged: "N create", "N append SIZE",
/// "N complete", "N delete", "N remove".
void upload_for_ever(const std::string& folder, int first, int output) {
  const auto say = [output](int n, const std::string& what) {
    Child::write_to(output, std::to_string(n) + ' ' + what + '\n');
  };
  DiskFileStore store(folder);
  for (int n = first;; ++n) {
    const std::string bytes = bytes_for(n);
    FileInfo file = new_file(n, n % 2 == 0 ? std::optional<std::uint64_t>(bytes.size()) : std::nullopt);
    file.wants_sha256 = core::has_digests() && n % 3 == 0;
    store.create(file).value();
    say(n, "create");
    for (std::size_t at = 0; at < bytes.size();) {
      at = static_cast<std::size_t>(store.append(file.id, at, std::string_view(bytes).substr(at, 30'000)).value());
      say(n, "append " + std::to_string(at));
    }
    store.complete(file.id).value();
    say(n, "complete");
    if (n % 5 == 0) {
      say(n, "deleting");
      store.mark_deleted(file.id).value();
      say(n, "delete");
    }
    if (n % 7 == 0) {
      say(n, "removing");
      if (n % 5 != 0) store.remove(file.id).value();
    }
    if (n % 11 == 0) store.cleanup_deleted().value();
  }
}

/// What a file's process had acknowledged when it was killed.
struct Heard {
  std::size_t size = 0;
  bool complete = false, deleting = false, deleted = false, removing = false;
};

void check_survived(DiskFileStore& store, int n, const Heard& heard) {
  INFO("file " << n);
  const auto file = store.info(file_id(n));
  if (heard.deleted) CHECK(error_of(file) == "file_not_found");
  if (!file) {
    CHECK((heard.deleting || heard.removing));
    return;
  }
  const std::string bytes = bytes_for(n);
  CHECK(file->size >= heard.size);
  if (heard.complete) CHECK(file->state == FileState::complete);
  if (file->state == FileState::complete) {
    CHECK((content_of(store, file->id) == bytes));
    if (file->wants_sha256) CHECK(file->sha256 == core::to_hex(core::sha256(bytes).value()));
    return;
  }
  // The others resume from their current size.
  REQUIRE(file->size <= bytes.size());
  CHECK(store.append(file->id, file->size, std::string_view(bytes).substr(static_cast<std::size_t>(file->size))).ok());
  CHECK(store.complete(file->id).ok());
  CHECK((content_of(store, file->id) == bytes));
}

}  // namespace

TEST_CASE("disk file store: killed at any moment, acknowledged data is complete", "[disk_file_store]") {
  const TempFolder folder;
  std::mt19937 random(std::random_device{}());
  int first = 1;
  for (int round = 0; round < 20; ++round) {
    Child child([&](int output) { upload_for_ever(folder.path().string(), first, output); });
    const std::size_t words = random() % 120 + 1;
    std::string heard_text;
    while (static_cast<std::size_t>(std::count(heard_text.begin(), heard_text.end(), '\n')) < words) {
      const std::string more = child.read();
      REQUIRE_FALSE(more.empty());
      heard_text += more;
    }
    child.kill();
    heard_text += child.read_all();
    REQUIRE_THAT(heard_text, !Catch::Matchers::ContainsSubstring("threw"));

    std::map<int, Heard> heard;
    std::istringstream lines(heard_text);
    int n = 0;
    for (std::string line; std::getline(lines, line);) {
      std::istringstream in(line);
      std::string what;
      in >> n >> what;
      Heard& file = heard[n];
      if (what == "append") in >> file.size;
      file.complete |= what == "complete";
      file.deleting |= what == "deleting";
      file.deleted |= what == "delete";
      file.removing |= what == "removing";
    }
    DiskFileStore store(folder.path().string());
    for (const auto& [number, file] : heard) check_survived(store, number, file);
    REQUIRE(store.cleanup_deleted().value().failed.empty());
    REQUIRE(store.sweep(INT64_MAX).ok());
    std::set<std::string> known;
    for (const FileInfo& file : store.list().value()) known.insert(file.id);
    CHECK(names_in(folder) == known);
    first = n + 2;
  }
}

}  // namespace disk_file_store_test
