#pragma once

#include <flux/detail/mode.hpp>
#include <flux/random.hpp>

#include <algorithm>
#include <random>
#include <string_view>

namespace flux {

FLUX_DECL std::string random_token(std::size_t bytes) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  constexpr unsigned bits_each = 6;
  std::random_device entropy;
  std::string token((std::clamp<std::size_t>(bytes, 1, 1024) * 8 + bits_each - 1) / bits_each, '\0');
  unsigned bits = 0;
  unsigned bits_left = 0;
  for (char& c : token) {
    if (bits_left < bits_each) {
      bits = entropy();
      bits_left = 32;
    }
    c = alphabet[bits & 63U];
    bits >>= bits_each;
    bits_left -= bits_each;
  }
  return token;
}

}  // namespace flux
