#include "catch.hpp"

#include <flux/random.hpp>

#include <algorithm>
#include <array>
#include <set>
#include <string>

namespace random_test {

using flux::random_token;

TEST_CASE("random token: as many characters as the bytes need, and only those that URLs take as they are", "[random]") {
  CHECK(random_token().size() == 22);
  CHECK(random_token(1).size() == 2);
  CHECK(random_token(2).size() == 3);
  CHECK(random_token(3).size() == 4);
  CHECK(random_token(32).size() == 43);
  CHECK(random_token(1024).size() == 1366);
  CHECK(random_token(0).size() == 2);
  CHECK(random_token(1'000'000).size() == 1366);
  const std::string allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  CHECK(random_token(1024).find_first_not_of(allowed) == std::string::npos);
}

TEST_CASE("random token: no two are the same, and every character is as frequent at every place", "[random]") {
  constexpr std::size_t tokens = 6'400;
  std::set<std::string> seen;
  std::array<std::array<std::size_t, 256>, 22> counts{};
  for (std::size_t i = 0; i < tokens; ++i) {
    const std::string token = random_token();
    CHECK(seen.insert(token).second);
    for (std::size_t at = 0; at < token.size(); ++at) ++counts[at][static_cast<unsigned char>(token[at])];
  }
  // 100 are expected, give or take 10: a count beyond 40 and 190 is seen once in 10^9 runs.
  for (const auto& of_place : counts) {
    CHECK(std::count_if(of_place.begin(), of_place.end(), [](std::size_t n) { return n != 0; }) == 64);
    for (const std::size_t n : of_place) CHECK((n == 0 || (n > 40 && n < 190)));
  }
}

}  // namespace random_test
