#include "catch.hpp"
#include "support/temp_folder.hpp"

#include <flux/detail/storage/file_index_log.hpp>
#include <flux/storage/disk_file_store.hpp>
#include <flux/testing/file_index_contract.hpp>
#include <flux/testing/file_store_contract.hpp>

using namespace flux;
using namespace flux::testing;

TEST_CASE("file store: disk fulfills the contract", "[file_store]") {
  const TempFolder folder;
  file_store_contract([&] { return std::make_shared<DiskFileStore>(folder / "files"); });
}

TEST_CASE("file store: disk fulfills the contract of quotas", "[file_store]") {
  const TempFolder folder;
  file_store_quota_contract([&](FileLimits limits) {
    DiskFileStoreOptions options;
    options.bytes_max = limits.bytes_max;
    options.bytes_per_owner_max = limits.bytes_per_owner_max;
    return std::make_shared<DiskFileStore>(folder / "files", options);
  });
}

TEST_CASE("file store: disk fulfills the contract of persistent stores", "[file_store]") {
  const TempFolder folder;
  file_store_reopen_contract([&] { return std::make_shared<DiskFileStore>(folder / "files"); });
}

TEST_CASE("file index: the log fulfills the contract", "[file_index]") {
  const TempFolder folder;
  file_index_contract([&] { return std::make_shared<FileIndexLog>(folder / "index"); });
}
