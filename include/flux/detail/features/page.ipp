#pragma once

#include <flux/detail/core/json_scanner.hpp>
#include <flux/detail/features/client_view.hpp>
#include <flux/detail/features/page.hpp>
#include <flux/detail/mode.hpp>

namespace flux::features {

FLUX_DECL std::size_t json_bytes(const SharedItem& item) noexcept {
  constexpr std::size_t around = 64;  // names, offset
  return item.data.text().size() + item.connection_id.size() + around;
}

FLUX_DECL std::size_t json_bytes(const ChatMessage& message) noexcept {
  using flux::detail::json_string_size;
  constexpr std::size_t around = 224;  // names, times, offset
  return json_string_size(message.message) + message.metadata.size() + json_string_size(message.id) +
         json_string_size(message.room) + json_string_size(message.connection_id) + json_string_size(message.user_id) +
         around;
}

FLUX_DECL std::size_t json_bytes(const PresenceEntry& entry) noexcept {
  using flux::detail::json_string_size;
  constexpr std::size_t around = 96;  // names
  std::size_t size = 2 * entry.connection_id.size() + entry.presence.size() + around;
  if (const Identity* who = entry.identity) {
    size += json_string_size(who->user_id) + json_string_size(who->name) + json_string_size(who->email) +
            json_string_size(who->provider);
  }
  return size;
}

FLUX_DECL ItemsView newest_items(const std::deque<SharedItem>& items, const PageRequest& asked, First first) {
  ItemsView page{items.end(), items.end()};
  if (asked.before != 0) {
    page.last = std::lower_bound(items.begin(), items.end(), asked.before,
                                 [](const SharedItem& item, Offset before) { return item.offset < before; });
  }
  page.first = page.last;
  PageSize size(asked.bytes_max, first);
  while (page.first != items.begin() && static_cast<std::size_t>(page.last - page.first) < asked.limit &&
         size.takes(json_bytes(*std::prev(page.first)))) {
    --page.first;
  }
  if (page.first != items.begin()) {
    page.before = page.first != items.end() ? page.first->offset : items.back().offset + 1;
  }
  return page;
}

}  // namespace flux::features
