// Server-sent events at `ChannelsOptions::path` + "/sse".
#pragma once

#include <flux/detail/endpoints/endpoint.hpp>
#include <flux/detail/endpoints/hub.hpp>
#include <flux/detail/endpoints/realtime/sse_session.hpp>
#include <flux/detail/mode.hpp>
#include <flux/http.hpp>

#include <memory>
#include <string>
#include <vector>

namespace flux::detail {

class SseEndpoint final : public endpoints::Endpoint {
 public:
  SseEndpoint(Hub& server, const std::shared_ptr<features::ChannelHub>& channels)
      : server_(server), clients_(channels) {}

  FLUX_DECL void add_routes(transport::Router& router) override;

 private:
  using ExchangePtr = std::shared_ptr<HttpExchangeState>;

  void serve(const ExchangePtr& exchange) const;
  void open(const ExchangePtr& exchange, const std::vector<std::string>& channels,
            std::shared_ptr<const Grant> grant) const;
  void refuse(HttpExchangeState& exchange, const Error& why) const;

  Hub& server_;
  const SseClients clients_;
};

}  // namespace flux::detail

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/realtime/sse_endpoint.ipp>
#endif
