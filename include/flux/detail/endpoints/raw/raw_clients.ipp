#pragma once

#include <flux/detail/endpoints/raw/raw_clients.hpp>
#include <flux/detail/endpoints/raw/raw_websocket.hpp>
#include <flux/detail/mode.hpp>

namespace flux::detail {

FLUX_DECL std::uint32_t RawClients::add(WebSocketState& client) {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) {
    slots_.push_back(&client);
    return static_cast<std::uint32_t>(slots_.size() - 1);
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  slots_[slot] = &client;
  return slot;
}

/// Once the last client has disconnected, no slot keeps memory.
FLUX_DECL void RawClients::remove(std::uint32_t slot) {
  const std::lock_guard lock(mutex_);
  slots_[slot] = nullptr;
  free_.push_back(slot);
  if (free_.size() < slots_.size()) return;
  slots_ = {};
  free_ = {};
}

FLUX_DECL std::shared_ptr<WebSocketState> RawClients::find(const RawId& id) const {
  const std::lock_guard lock(mutex_);
  if (id.slot >= slots_.size()) return nullptr;
  WebSocketState* const client = slots_[id.slot];
  if (client == nullptr || client->key() != id.key) return nullptr;
  return std::static_pointer_cast<WebSocketState>(client->shared_from_this());
}

FLUX_DECL std::vector<core::ListedClient> RawClients::page(std::string_view after, std::size_t limit) const {
  const auto last = RawId::parse(after);
  std::vector<core::ListedClient> list;
  const std::lock_guard lock(mutex_);
  for (std::size_t slot = last ? std::size_t{last->slot} + 1 : 0; slot < slots_.size() && list.size() < limit; ++slot) {
    const WebSocketState* const client = slots_[slot];
    if (client == nullptr) continue;
    list.push_back({RawId{client->key(), static_cast<std::uint32_t>(slot)}.text(), "websocket", client->connected_at(),
                    client->message_counts()});
  }
  return list;
}

}  // namespace flux::detail
