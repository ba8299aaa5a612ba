// Bitmaps (BMP, 24 or 32 bits without compression): an image format that needs no library.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// A smaller copy of the bitmap, whose sides are at most `side_max`. None for anything that is not such a bitmap: the
/// bytes come from a client.
inline std::optional<std::string> small_bitmap(std::string_view image, std::size_t side_max) {
  const auto number_at = [&](std::size_t at, std::size_t size) {
    std::size_t number = 0;
    while (size-- > 0) number = number << 8 | static_cast<std::uint8_t>(image[at + size]);
    return number;
  };
  if (image.size() < 54 || !image.starts_with("BM") || number_at(30, 4) != 0) return std::nullopt;
  const std::size_t begin = number_at(10, 4), width = number_at(18, 4), height = number_at(22, 4);
  const std::size_t pixel = number_at(28, 2) / 8, row = (width * pixel + 3) / 4 * 4;
  if (width == 0 || width > 50'000 || height == 0 || (pixel != 3 && pixel != 4)) return std::nullopt;
  if (begin > image.size() || (image.size() - begin) / row < height) return std::nullopt;

  const std::size_t step = (std::max(width, height) + side_max - 1) / side_max;
  const std::size_t small_width = (width + step - 1) / step, small_height = (height + step - 1) / step;
  const std::size_t small_row = (small_width * 3 + 3) / 4 * 4;
  std::string small(54 + small_row * small_height, '\0');
  const auto put = [&](std::size_t at, std::size_t number) {
    for (int i = 0; i < 4; ++i) small[at++] = static_cast<char>(number >> (8 * i) & 0xff);
  };
  small.replace(0, 2, "BM");
  put(2, small.size());
  put(10, 54);
  put(14, 40);
  put(18, small_width);
  put(22, small_height);
  put(26, 1 | 24 << 16);
  for (std::size_t y = 0; y < small_height; ++y) {
    for (std::size_t x = 0; x < small_width; ++x) {
      image.copy(&small[54 + y * small_row + x * 3], 3, begin + y * step * row + x * step * pixel);
    }
  }
  return small;
}
