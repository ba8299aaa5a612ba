// Lists that can be read while items are added.
#pragma once

#include <memory>
#include <utility>
#include <vector>

namespace flux::detail {

/// Replaces `list` by a longer copy; readers of the old one are not disturbed.
template <class T>
void add_to_list(std::shared_ptr<const std::vector<T>>& list, T item) {
  auto longer = std::make_shared<std::vector<T>>(*list);
  longer->push_back(std::move(item));
  list = std::move(longer);
}

}  // namespace flux::detail
