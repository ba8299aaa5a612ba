// Lists that are read while others add to them.
#pragma once

#include <memory>
#include <utility>
#include <vector>

namespace flux::detail {

/// A longer list: those who read the old one go on.
template <class T>
void add_to_list(std::shared_ptr<const std::vector<T>>& list, T item) {
  auto longer = std::make_shared<std::vector<T>>(*list);
  longer->push_back(std::move(item));
  list = std::move(longer);
}

}  // namespace flux::detail
