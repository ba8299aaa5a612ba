#include "catch.hpp"

#include "support/contract_check.hpp"

#include <flux/storage/key_store.hpp>
#include <flux/testing/key_store_contract.hpp>

#include <memory>

namespace memory_key_store_test {

using namespace flux;
using flux_test::checked;

TEST_CASE("key store: memory fulfills the contract", "[key_store]") {
  std::shared_ptr<MemoryKeyStore> store;
  testing::key_store_contract(
      checked, [&] { return store = std::make_shared<MemoryKeyStore>(); }, [&] { return store; });
}

}  // namespace memory_key_store_test
