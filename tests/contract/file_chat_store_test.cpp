// The store of examples/custom_chat_store.
#include "custom_chat_store/file_chat_store.hpp"
#include "catch.hpp"
#include "support/contract_check.hpp"
#include "support/temp_folder.hpp"

#include <flux/testing/chat_store_contract.hpp>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

namespace file_chat_store_test {

using namespace flux;
using namespace flux::testing;

TEST_CASE("chat store: the example in files fulfills the contract", "[chat_store]") {
  const TempFolder folder;
  int count = 0;
  const auto open = [&] { return std::make_shared<FileChatStore>(folder.path() / std::to_string(count)); };
  chat_store_contract(
      flux_test::checked,
      [&] {
        ++count;
        return open();
      },
      open);
}

TEST_CASE("file chat store: a line that a crash left half written is ignored and overwritten", "[chat_store]") {
  const TempFolder folder;
  fill(*std::make_shared<FileChatStore>(folder.path()), "r", 2);
  std::filesystem::path file;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) file = entry.path();
  std::ofstream(file, std::ios::app) << R"({"id":"3","conn)";
  FileChatStore store(folder.path());
  CHECK(ids_of(store.history("r", 10, 0)) == "1 2 ");
  CHECK(store.append("r", chat_message("r", "3")).value() == 3);
  CHECK(ids_of(FileChatStore(folder.path()).history("r", 10, 0)) == "1 2 3 ");
}

}  // namespace file_chat_store_test
