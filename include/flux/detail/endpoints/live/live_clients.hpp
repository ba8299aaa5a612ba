// What the clients of protocol live share.
#pragma once

#include <flux/detail/endpoints/live/live_codec.hpp>
#include <flux/detail/endpoints/message_frame.hpp>
#include <flux/detail/features/participant.hpp>

#include <cstddef>
#include <vector>

namespace flux::detail {

/// Threading: any thread. Ownership: belongs to the endpoint, and outlives its sessions.
struct LiveClients : features::ClientGroup {
  LiveClients(features::Backend& server, std::span<const protocol::LiveRequestType> own)
      : ClientGroup{server}, requests{own, server.requests}, writers(server.config.deflate) {
    for (const auto& request : own) server.requests.reserve(request.name);
    if (!server.client_limits.operations.none()) {
      for (const auto& request : own) rates.push_back(server.client_limits.operations.find(request.name));
    }
  }

  /// Null: the request has no rate of its own.
  gate::OperationLimit* rate_of(const protocol::LiveRequest& request) const {
    if (rates.empty()) return nullptr;
    if (request.added != nullptr) return backend.client_limits.operations.find(request.added->name);
    return rates[static_cast<std::size_t>(request.type - requests.own.data())];
  }

  const protocol::LiveRequestTable requests;
  std::vector<gate::OperationLimit*> rates;  // of the protocol's own requests; empty if no operation has one
  const protocol::FrameWriters<protocol::LiveWriter> writers;
};

}  // namespace flux::detail
