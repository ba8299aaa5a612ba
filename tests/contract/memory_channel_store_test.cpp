#include "catch.hpp"

#include "support/contract_check.hpp"
#include "support/memory_channel_store.hpp"

#include <flux/testing/channel_store_contract.hpp>

namespace memory_channel_store_test {

using namespace flux;
using namespace flux::testing;
using flux_test::checked;
using flux_test::MemoryChannelStore;

TEST_CASE("channel store: memory fulfills the contract", "[channel_store]") {
  std::shared_ptr<MemoryChannelStore> disk;
  channel_store_contract(
      checked, [&] { return disk = std::make_shared<MemoryChannelStore>(); }, [&] { return disk; });
}

namespace {

/// A store that neglects one duty.
class Careless final : public ChannelStore {
 public:
  using Change = void (*)(ChannelAppend&);
  explicit Careless(Change change) : change_(change) {}
  Result<std::vector<StoredChannel>> load() override { return store_.load(); }
  Result<void> append(const ChannelAppend& append) override {
    ChannelAppend changed = append;
    change_(changed);
    return store_.append(changed);
  }
  Result<void> remove(const std::string& channel, const std::string& epoch) override {
    return store_.remove(channel, epoch);
  }

 private:
  const Change change_;
  MemoryChannelStore store_;
};

}  // namespace

TEST_CASE("channel store: the contract finds a store that neglects a duty", "[channel_store]") {
  const auto change = GENERATE(Careless::Change([](ChannelAppend& append) { append.first_kept = 0; }),
                               Careless::Change([](ChannelAppend& append) { append.epoch = "epoch1"; }),
                               Careless::Change([](ChannelAppend& append) { append.publications[0].timestamp = 0; }),
                               Careless::Change([](ChannelAppend& append) { append.publications.resize(1); }));
  int failures = 0;
  channel_store_contract([&](const Check& check) { failures += check.passed ? 0 : 1; },
                         [&] { return std::make_shared<Careless>(change); });
  CHECK(failures > 0);
}

}  // namespace memory_channel_store_test
