// Keys for signatures that only this process checks.
#pragma once

#include <random>
#include <string>

namespace flux::gate {

/// 32 bytes of the system's entropy.
inline std::string random_key() {
  std::random_device entropy;
  std::string key;
  for (int i = 0; i < 32; ++i) key += static_cast<char>(entropy() & 0xffU);
  return key;
}

}  // namespace flux::gate
