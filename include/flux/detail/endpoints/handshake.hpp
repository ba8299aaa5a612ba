// The clients of HTTP and of WebSocket handshakes at the gate, common to all endpoints.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/endpoints/hub.hpp>
#include <flux/detail/features/backend.hpp>
#include <flux/detail/gate/gate.hpp>
#include <flux/detail/transport/http_connection.hpp>
#include <flux/detail/transport/http_message.hpp>
#include <flux/grant.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flux::endpoints {

/// Called with the head of an accepted handshake; `grant`: null means an empty grant.
using Admit = std::function<void(const transport::HttpHead&, std::shared_ptr<const Grant> grant)>;
/// Asks the gate about the handshake. Calls `admit`, now or when the application has answered, if the client is still
/// waiting; otherwise refuses the client. `protocol`: a literal, as handlers see it. On the connection's loop.
void let_in(const features::Backend& backend, std::string_view protocol,
            const std::shared_ptr<transport::HttpConnection>& http, const transport::HttpHead& head,
            RefuseWith refuse_with, Admit admit);

/// Disconnects the client if one of the grants that it acts by is revoked before the request is over. A grant that expires
/// meanwhile does not matter: it was valid when the request was made. Some may be null.
void end_with_revocation(features::Backend& backend, const std::shared_ptr<flux::detail::HttpExchangeState>& exchange,
                         const std::vector<std::shared_ptr<const Grant>>& grants);

/// Asks the gate about a request of an authenticated route. Calls `admitted` with the grant in the exchange, or answers
/// the request, now or when the application has answered. A page of an origin that is not allowed may only read. On the
/// connection's loop.
void let_in(flux::detail::Hub& hub, const std::shared_ptr<flux::detail::HttpExchangeState>& exchange,
            std::function<void()> admitted);

/// The answer (101) that accepts a handshake.
struct WebSocketAnswer {
  std::string head;
  int deflate_window_bits;  // 0: no compression
};
/// `deflate`: agree on compression if the server is configured for it and the client offers it.
WebSocketAnswer answer_websocket(const Config& config, const transport::HttpHead& head, const std::string& subprotocol,
                                 bool deflate);

/// The first subprotocol that the client offers, because browsers reject an answer without one of theirs; empty if it
/// offers none.
std::string first_subprotocol(const transport::HttpHead& head);
/// The first of `spoken` that the client offers; empty if it offers none of them.
std::string choose_subprotocol(const transport::HttpHead& head, const std::vector<std::string>& spoken);

/// Checks names that are sent unchanged in a header field. `setting`: the option that holds them. Errors: throws
/// `Error` (bad_config) for a name that is not a token.
void check_subprotocols(std::string_view setting, const std::vector<std::string>& names);

}  // namespace flux::endpoints

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/handshake.ipp>
#endif
