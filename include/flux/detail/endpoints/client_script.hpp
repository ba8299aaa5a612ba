// flux.js, the client for browsers, at `Config::script_path`.
#pragma once

#include <flux/detail/endpoints/endpoint.hpp>
#include <flux/detail/endpoints/hub.hpp>
#include <flux/detail/mode.hpp>

#include <string>

namespace flux::detail {

/// The text is part of the library: `flux_js.hpp`, which CMake makes of src/js/flux.js.
class ClientScript final : public endpoints::Endpoint {
 public:
  explicit ClientScript(const Hub& server);

  FLUX_DECL void check() const override;
  /// None if `Config::script_path` is empty.
  FLUX_DECL void add_routes(transport::Router& router) override;

 private:
  void answer(HttpExchangeState& exchange) const;

  const Hub& server_;
  const std::string text_;
  const std::string etag_;
};

}  // namespace flux::detail
