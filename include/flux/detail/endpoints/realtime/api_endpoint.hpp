// The HTTP API of channels for other programs: POST `ChannelsOptions::path` + "/api/METHOD". See flux/channels.hpp.
#pragma once

#include <flux/detail/core/members.hpp>
#include <flux/detail/endpoints/endpoint.hpp>
#include <flux/detail/endpoints/hub.hpp>
#include <flux/detail/features/channel_hub.hpp>
#include <flux/detail/mode.hpp>
#include <flux/http.hpp>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace flux::detail {

/// The sender of a request, for rates.
struct ApiCaller {
  std::shared_ptr<const Grant> granted;  // never null
  core::ClientAddress address;
  std::shared_ptr<core::Loop> loop;

  const std::shared_ptr<const Grant>& grant() const noexcept { return granted; }
  const core::ClientAddress& remote() const noexcept { return address; }
};

/// Threading: the loop of the request.
class ApiEndpoint final : public endpoints::Endpoint {
 public:
  ApiEndpoint(Hub& server, std::shared_ptr<features::ChannelHub> channels)
      : server_(server), channels_(std::move(channels)) {}

  FLUX_DECL void add_routes(transport::Router& router) override;

 private:
  using ExchangePtr = std::shared_ptr<HttpExchangeState>;
  /// Gets the JSON of an object.
  using Done = std::function<void(Result<std::string>)>;
  struct Methods;
  struct Method : core::RequestShape {
    using Act = void (*)(ApiEndpoint&, const ApiCaller&, const core::Members&, const Done&);
    constexpr Method(const core::RequestShape& shape, Act does) : RequestShape(shape), act(does) {}
    Act act;
  };
  static std::span<const Method> methods() noexcept;
  static const Method* find(std::string_view name) noexcept;

  void serve(const ExchangePtr& exchange);
  void read_body(const ExchangePtr& exchange, const Method& method);
  void answer(const ExchangePtr& exchange, const Method& method, const std::string& body);
  void answer_batch(const ExchangePtr& exchange, const Method& method, const std::string& body,
                    const ApiCaller& caller);
  void run(const Method& method, std::string_view item, const ApiCaller& caller, const Done& done);

  Result<void> may(const ApiCaller& caller, std::string ChannelDemands::*operation, const std::string& channel) const;
  void publish(const ApiCaller& caller, const std::string& channel, const core::Members& members, const Done& done);
  void with_client(const std::string& client, std::function<Result<std::string>(features::Participant&)> act,
                   const Done& done) const;

  Hub& server_;
  const std::shared_ptr<features::ChannelHub> channels_;
};

}  // namespace flux::detail

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/realtime/api_endpoint.ipp>
#endif
