#include "catch.hpp"

#include "support/contract_check.hpp"
#include "support/memory_room_store.hpp"

#include <flux/testing/room_store_contract.hpp>

namespace memory_room_store_test {

using namespace flux;
using namespace flux::testing;
using flux_test::checked;
using flux_test::MemoryRoomStore;

TEST_CASE("room store: memory fulfills the contract", "[room_store]") {
  room_store_contract(checked, [] { return std::make_shared<MemoryRoomStore>(); });
}

TEST_CASE("memory room store: if its owner keeps it, it keeps its content, like a store on disk", "[room_store]") {
  std::shared_ptr<MemoryRoomStore> disk;
  room_store_contract(
      checked, [&] { return disk = std::make_shared<MemoryRoomStore>(); }, [&] { return disk; });
}

TEST_CASE("memory room store: fails exactly the selected calls", "[room_store]") {
  MemoryRoomStore store;
  store.fail(2, 2);
  CHECK(store.open(stored_room("r")).ok());
  CHECK(store.append(room_append(stored_room("r"), 1)).error().code() == Errc::store_failed);
  CHECK(store.append(room_append(stored_room("r"), 1)).error().code() == Errc::store_failed);
  CHECK(store.append(room_append(stored_room("r"), 2)).ok());
  CHECK(numbers_of(store, "r") == "2 ");
  store.fail(1, 1, true);
  CHECK_THROWS(store.close("r", "life1"));
  CHECK(numbers_of(store, "r") == "2 ");
}

}  // namespace memory_room_store_test
