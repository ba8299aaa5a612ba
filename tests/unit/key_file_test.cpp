#include "catch.hpp"
#include "support/simulated_files.hpp"

#include <flux/detail/storage/key_file.hpp>
#include <flux/testing/key_store_contract.hpp>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace key_file_test {

using namespace flux;
using namespace flux::storage;
using Catch::Matchers::ContainsSubstring;
using flux::testing::key_row;

namespace {

struct Scene {
  std::shared_ptr<SimulatedFiles> files = std::make_shared<SimulatedFiles>();
  KeyFile file{"folder/keys", files};
  Scene() { REQUIRE(file.create().ok()); }
  void fail(SimulatedFiles::Call failing, std::errc error = std::errc::io_error) {
    files->before = [=](SimulatedFiles::Call call) {
      return call == failing ? std::make_error_code(error) : std::error_code();
    };
  }
};

std::map<std::string, std::string> names_in(const Result<std::vector<ApiKeyRecord>>& loaded) {
  std::map<std::string, std::string> names;
  for (const ApiKeyRecord& row : loaded.value()) names[row.id] = row.name;
  return names;
}

}  // namespace

TEST_CASE("key file: at a loss of power during any step the file has all that returned, and nothing else",
          "[key_file]") {
  const auto seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 400; ++round) {
    Scene s;
    std::map<std::string, std::string> model;
    REQUIRE(s.file.put(key_row(0)).ok());
    model[key_row(0).id] = "ci";
    s.files->power_loss_at = s.files->changes + 1 + random() % 40;
    for (;;) {
      const ApiKeyRecord row = key_row(static_cast<int>(random() % 3), "name" + std::to_string(random() % 100));
      const bool puts = random() % 3 != 0;
      auto after = model;
      if (puts) {
        after[row.id] = row.name;
      } else {
        after.erase(row.id);
      }
      if (puts ? s.file.put(row).ok() : s.file.remove(row.id).ok()) {
        model = after;
        continue;
      }
      s.files->restart(random);
      const auto found = names_in(s.file.load());
      CHECK((found == model || found == after));
      model = found;
      break;
    }
    REQUIRE(s.file.put(key_row(7)).ok());  // whatever was left of the change
    model[key_row(7).id] = "ci";
    CHECK(names_in(s.file.load()) == model);
  }
}

TEST_CASE("key file: a call of the disk that fails is reported, and the keys stay as they were", "[key_file]") {
  using Call = SimulatedFiles::Call;
  for (const Call failing : {Call::open, Call::read, Call::write, Call::sync, Call::rename, Call::remove}) {
    CAPTURE(static_cast<int>(failing));
    Scene s;
    REQUIRE(s.file.put(key_row(1)).ok());
    s.fail(failing);
    const auto failed = s.file.put(key_row(2));
    REQUIRE_FALSE(failed.ok());
    CHECK(failed.error().code() == Errc::store_failed);
    CHECK_THAT(failed.error().message(), ContainsSubstring("the file of keys \"folder/keys\": can't "));
    CHECK_FALSE(s.file.remove(key_row(1).id).ok());
    s.files->before = [](Call) { return std::error_code(); };
    CHECK(s.file.load().value() == std::vector{key_row(1)});
    CHECK(s.file.put(key_row(2)).ok());
    CHECK(s.file.load().value() == std::vector{key_row(1), key_row(2)});
  }
  Scene s;
  s.fail(Call::sync_folder);
  CHECK_THAT(s.file.put(key_row(1)).error().message(), ContainsSubstring("can't sync its folder"));
}

TEST_CASE("key file: a full disk is told apart, and leaves the old file", "[key_file]") {
  Scene s;
  REQUIRE(s.file.put(key_row(1)).ok());
  s.files->capacity = s.files->bytes("folder/keys").size() + 10;
  CHECK(s.file.put(key_row(2)).error().code() == Errc::quota_exceeded);
  CHECK_FALSE(s.files->exists("folder/keys.new"));
  CHECK(s.file.load().value() == std::vector{key_row(1)});
}

TEST_CASE("key file: a file of more than 64 MiB is not read", "[key_file]") {
  Scene s;
  s.files->put("folder/keys", std::string(KeyFile::bytes_max + 1, '\n'));
  CHECK_THAT(s.file.load().error().message(), ContainsSubstring("has 67108865 bytes; at most 67108864"));
}

}  // namespace key_file_test
