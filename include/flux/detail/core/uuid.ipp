#pragma once

#include <flux/detail/core/uuid.hpp>

#include <cstddef>
#include <random>

namespace flux::core {

FLUX_DECL std::string random_uuid() {
  std::random_device entropy;
  std::string text(36, '-');
  unsigned bits = 0;
  unsigned digits_left = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (at == 8 || at == 13 || at == 18 || at == 23) continue;
    if (digits_left == 0) {
      bits = entropy();
      digits_left = 8;
    }
    text[at] = "0123456789abcdef"[bits & 15U];
    bits >>= 4U;
    --digits_left;
  }
  text[14] = '4';
  text[19] = "89ab"[entropy() & 3U];
  return text;
}

}  // namespace flux::core
