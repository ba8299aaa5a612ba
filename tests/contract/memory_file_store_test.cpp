// The store that the tests of the server use fulfills the contract, so their results hold for any store that does.
#include "support/memory_file_store.hpp"
#include "support/contract_check.hpp"

#include <flux/testing/file_store_contract.hpp>

namespace memory_file_store_test {

using namespace flux;
using namespace flux::testing;
using flux_test::checked;
using flux_test::MemoryFileStore;

TEST_CASE("file store: the tests' store in memory fulfills the contract", "[file_store]") {
  file_store_contract(checked, [] { return std::make_shared<MemoryFileStore>(); });
}

TEST_CASE("file store: the tests' store in memory fulfills the contract of quotas", "[file_store]") {
  file_store_quota_contract(checked, [](FileLimits limits) {
    return std::make_shared<MemoryFileStore>(flux_test::MemoryFileStoreOptions{
        .bytes_max = limits.bytes_max, .bytes_per_owner_max = limits.bytes_per_owner_max});
  });
}

}  // namespace memory_file_store_test
