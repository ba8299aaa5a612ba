// What the clients of protocol live share.
#pragma once

#include <flux/detail/endpoints/live/live_codec.hpp>
#include <flux/detail/features/participant.hpp>

#include <cstddef>
#include <deque>
#include <vector>

namespace flux::detail {

/// Threading: any thread. Ownership: belongs to the endpoint, and outlives its sessions.
struct LiveClients : features::ClientGroup {
  LiveClients(features::Backend& server, std::span<const protocol::LiveRequestType> own)
      : ClientGroup{server}, requests{own, server.requests} {
    for (const auto& request : own) server.requests.reserve(request.name);
    if (!server.client_limits.operations.none()) {
      for (const auto& request : own) rates.push_back(server.client_limits.operations.find(request.name));
    }
    const DeflateOptions& deflate = server.config.deflate;
    for (int bits = transport::deflate_window_bits_min; deflate.enabled && bits <= transport::deflate_window_bits_max;
         ++bits) {
      deflated.emplace_back(&deflate, bits);
    }
  }

  /// The writer for clients that have agreed on a window of this size; 0: no compression. Clients with the same window
  /// share the encoded frames.
  const protocol::LiveWriter& writer(int deflate_window_bits) const {
    if (deflate_window_bits == 0) return plain;
    return deflated[static_cast<std::size_t>(deflate_window_bits - transport::deflate_window_bits_min)];
  }

  /// Null: the request has no rate of its own.
  gate::OperationLimit* rate_of(const protocol::LiveRequest& request) const {
    if (rates.empty()) return nullptr;
    if (request.added != nullptr) return backend.client_limits.operations.find(request.added->name);
    return rates[static_cast<std::size_t>(request.type - requests.own.data())];
  }

  const protocol::LiveRequestTable requests;
  std::vector<gate::OperationLimit*> rates;  // of the protocol's own requests; empty if no operation has one
  protocol::LiveWriter plain{nullptr};
  std::deque<protocol::LiveWriter> deflated;  // indexed by window bits, from `deflate_window_bits_min` on
};

}  // namespace flux::detail
