// Lists of connected clients, page by page.
#pragma once

#include <flux/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace flux::detail {
class SessionState;
}

namespace flux::core {

struct ListedClient {
  std::string id;
  std::string_view protocol;       // a literal
  std::uint32_t connected_at = 0;  // seconds since 1970
  ClientCounts counts{};
  std::shared_ptr<detail::SessionState> session{};  // null: the client has none
};

/// At most `limit` of the clients in `shards`, ordered by shard, then by id, starting with the shard `first`.
/// `collect(shard, list)` appends the clients of a shard that follow the previous page, in any order, under its
/// `mutex`.
/// Cost: O(clients of a shard) for each shard that the page touches.
template <class Shards, class Collect>
std::vector<ListedClient> list_shards(Shards& shards, std::size_t first, std::size_t limit, const Collect& collect) {
  std::vector<ListedClient> list;
  for (std::size_t i = first; i < shards.size() && list.size() < limit; ++i) {
    const auto begin = static_cast<std::ptrdiff_t>(list.size());
    {
      const std::lock_guard lock(shards[i].mutex);
      collect(shards[i], list);
    }
    std::sort(list.begin() + begin, list.end(),
              [](const ListedClient& a, const ListedClient& b) { return a.id < b.id; });
  }
  if (list.size() > limit) list.erase(list.begin() + static_cast<std::ptrdiff_t>(limit), list.end());
  return list;
}

}  // namespace flux::core
