// The contracts of flux/testing in Catch2.
#pragma once

#include "catch.hpp"

#include <flux/testing/contract.hpp>

namespace flux_test {

inline const flux::testing::CheckFunction checked = [](const flux::testing::Check& check) {
  INFO(check.text());
  CHECK(check.passed);
};

}  // namespace flux_test
