#include "catch.hpp"
#include "support/contract_check.hpp"
#include "support/temp_folder.hpp"

#include <flux/detail/storage/file_index_log.hpp>
#include <flux/storage/disk_file_store.hpp>
#include <flux/testing/file_index_contract.hpp>
#include <flux/testing/file_store_contract.hpp>

namespace disk_file_store_test {

using namespace flux;
using namespace flux::testing;
using flux_test::checked;

TEST_CASE("file store: disk fulfills the contract", "[file_store]") {
  NewFolders folders;
  file_store_contract(checked, [&] { return std::make_shared<DiskFileStore>(folders.next()); });
}

TEST_CASE("file store: disk fulfills the contract of quotas", "[file_store]") {
  NewFolders folders;
  file_store_quota_contract(checked, [&](FileLimits limits) {
    DiskFileStoreOptions options;
    options.bytes_max = limits.bytes_max;
    options.bytes_per_owner_max = limits.bytes_per_owner_max;
    return std::make_shared<DiskFileStore>(folders.next(), options);
  });
}

TEST_CASE("file store: disk fulfills the contract of persistent stores", "[file_store]") {
  NewFolders folders;
  file_store_reopen_contract(
      checked, [&] { return std::make_shared<DiskFileStore>(folders.next()); },
      [&] { return std::make_shared<DiskFileStore>(folders.last()); });
}

TEST_CASE("file index: the log fulfills the contract", "[file_index]") {
  NewFolders folders;
  file_index_contract(
      checked, [&] { return std::make_shared<FileIndexLog>(folders.next()); },
      [&] { return std::make_shared<FileIndexLog>(folders.last()); });
}

}  // namespace disk_file_store_test
