// Runs the store through the contract of all chat stores, without a test framework.
#include "file_chat_store.hpp"

#include <flux/testing/chat_store_contract.hpp>

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

int failures_of_file_chat_store(const std::filesystem::path& folder) {
  int checks = 0;
  int failures = 0;
  const auto report = [&](const flux::testing::Check& check) {
    ++checks;
    if (check.passed) return;
    ++failures;
    std::cerr << check.text() << '\n';
  };
  int stores = 0;
  const auto reopen = [&] { return std::make_shared<FileChatStore>(folder / std::to_string(stores)); };
  const auto make = [&] {
    ++stores;
    return reopen();
  };
  flux::testing::chat_store_contract(report, make, reopen);
  std::cout << checks << " checks, " << failures << " failed\n";
  return failures;
}
