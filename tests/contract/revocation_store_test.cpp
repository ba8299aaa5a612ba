#include "catch.hpp"
#include "support/contract_check.hpp"
#include "support/memory_revocation_store.hpp"
#include "support/temp_folder.hpp"

#include <flux/storage/file_revocation_store.hpp>
#include <flux/testing/revocation_store_contract.hpp>

#include <filesystem>

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
