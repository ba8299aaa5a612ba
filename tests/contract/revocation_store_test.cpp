#include "catch.hpp"
#include "support/contract_check.hpp"
#include "support/memory_revocation_store.hpp"
#include "support/temp_folder.hpp"

#include <flux/storage/file_revocation_store.hpp>
#include <flux/testing/revocation_store_contract.hpp>

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace revocation_store_test {

using namespace flux;
using namespace flux::testing;
using flux_test::checked;

TEST_CASE("revocation store: the file fulfills the contract", "[revocation_store]") {
  NewFolders folders;
  revocation_store_contract(
      checked, [&] { return std::make_shared<FileRevocationStore>(folders.next()); },
      [&] { return std::make_shared<FileRevocationStore>(folders.last()); });
}

TEST_CASE("revocation store: the tests' own in memory fulfills the contract", "[revocation_store]") {
  std::shared_ptr<flux_test::MemoryRevocationStore> table;
  revocation_store_contract(
      checked, [&] { return table = std::make_shared<flux_test::MemoryRevocationStore>(); }, [&] { return table; });
}

TEST_CASE("file revocation store: two stores can't use one file, and its owner alone can read it",
          "[revocation_store]") {
  const TempFolder folder;
  const std::string path = folder / "revocations";
  FileRevocationStore first(path);
  REQUIRE(first.load().ok());
  REQUIRE(first.save(revoked("ann")).ok());
  const auto second = FileRevocationStore(path).load();
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code() == Errc::store_failed);
  CHECK(second.error().message().find("in use") != std::string::npos);
  CHECK(second.error().message().find(path) == std::string::npos);
  using std::filesystem::perms;
  CHECK((std::filesystem::status(path).permissions() & (perms::group_all | perms::others_all)) == perms::none);
}

TEST_CASE("file revocation store: a file that is no log of revocations is left alone", "[revocation_store]") {
  const TempFolder folder;
  const std::string path = folder / "revocations";
  write_bytes(path, "something else, which is longer than a head");
  FileRevocationStore store(path);
  CHECK(store.load().error().code() == Errc::store_failed);
  CHECK(store.save(revoked("ann")).error().code() == Errc::store_failed);
  CHECK(bytes_of(path) == "something else, which is longer than a head");
}

namespace {

/// A file with revocations of ann and bob, and its size without bob's.
struct TwoRevocations {
  explicit TwoRevocations(const std::string& at) : path(at) {
    FileRevocationStore store(path);
    REQUIRE(store.load().ok());
    REQUIRE(store.save(revoked("ann")).ok());
    without_bob = bytes_of(path).size();
    REQUIRE(store.save(revoked("bob")).ok());
    whole = bytes_of(path);
  }
  std::string path;
  std::size_t without_bob = 0;
  std::string whole;
};

}  // namespace

TEST_CASE("file revocation store: a record that a crash has torn is removed, and a warning says so",
          "[revocation_store]") {
  const TempFolder folder;
  const TwoRevocations file(folder / "revocations");
  for (std::size_t size = file.without_bob; size <= file.whole.size(); ++size) {
    INFO(size);
    write_bytes(file.path, file.whole.substr(0, size));
    FileRevocationStore store(file.path);
    CHECK(store.load().value().size() == (size == file.whole.size() ? 2 : 1));
    const std::size_t torn = size == file.whole.size() ? 0 : size - file.without_bob;
    const std::string start =
        "the file of revocations \"" + file.path + "\": its last " + std::to_string(torn) + " bytes ";
    CHECK(store.load_warning().substr(0, start.size()) == (torn == 0 ? "" : start));
    CHECK(bytes_of(file.path).size() == size - torn);
  }
}

TEST_CASE("file revocation store: a changed bit in the last record is damage, and the file is left as it is",
          "[revocation_store]") {
  const TempFolder folder;
  const TwoRevocations file(folder / "revocations");
  for (std::size_t at = file.without_bob; at < file.whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      INFO("byte " << at << ", bit " << bit);
      std::string damaged = file.whole;
      damaged[at] = static_cast<char>(damaged[at] ^ 1 << bit);
      write_bytes(file.path, damaged);
      FileRevocationStore store(file.path);
      const auto loaded = store.load();
      REQUIRE_FALSE(loaded.ok());
      CHECK(loaded.error().code() == Errc::store_failed);
      CHECK(loaded.error().message().find("damaged at byte " + std::to_string(file.without_bob)) != std::string::npos);
      CHECK(store.load_warning().empty());
      CHECK(bytes_of(file.path) == damaged);
    }
  }
}

TEST_CASE("file revocation store: sectors of the last record that were never written are a torn record",
          "[revocation_store]") {
  const TempFolder folder;
  const std::string path = folder / "revocations";
  std::size_t before = 0;
  {
    FileRevocationStore store(path);
    REQUIRE(store.load().ok());
    REQUIRE(store.save(revoked("ann")).ok());
    before = bytes_of(path).size();
    REQUIRE(store.save(revoked(std::string(Revocation::name_bytes_max, 'x'))).ok());
  }
  const std::string whole = bytes_of(path);
  REQUIRE(whole.size() > 1024);
  std::string unwritten = whole;
  std::fill(unwritten.begin() + 512, unwritten.begin() + 1024, '\0');
  std::string rotten = whole;
  rotten[700] = static_cast<char>(rotten[700] ^ 1);
  for (const std::string& torn : {unwritten, whole.substr(0, before) + std::string(5'000, '\0'),
                                  whole.substr(0, before) + std::string(13, '\0')}) {
    write_bytes(path, torn);
    FileRevocationStore store(path);
    CHECK(store.load().value().size() == 1);
    CHECK(store.load_warning().find(" " + std::to_string(torn.size() - before) + " bytes") != std::string::npos);
  }
  for (const std::string& damaged : {rotten, rotten + std::string(5'000, '\0')}) {
    write_bytes(path, damaged);
    CHECK_FALSE(FileRevocationStore(path).load());
  }
}

TEST_CASE("file revocation store: in a folder that does not exist, the error names the path, once",
          "[revocation_store]") {
  const TempFolder folder;
  const std::string path = folder / "missing/revocations";
  const auto loaded = FileRevocationStore(path).load();
  REQUIRE_FALSE(loaded.ok());
  CHECK(loaded.error().code() == Errc::store_failed);
  CHECK(loaded.error().message() == "the file of revocations \"" + path + "\": can't lock it: " +
                                        std::make_error_code(std::errc::no_such_file_or_directory).message());
}

TEST_CASE("file revocation store: rows that are replaced and removed do not make the file grow without end",
          "[revocation_store]") {
  const TempFolder folder;
  const std::string path = folder / "revocations";
  FileRevocationStore store(path);
  REQUIRE(store.load().ok());
  const std::string name(Revocation::name_bytes_max, 'x');
  for (int i = 0; i < 400; ++i) {
    REQUIRE(store.save(revoked(name)).ok());
    REQUIRE(store.remove(RevocationKind::user, name).ok());
  }
  CHECK(bytes_of(path).size() < 100'000);
}

}  // namespace revocation_store_test
