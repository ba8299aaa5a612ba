// The HTTP part of a WebSocket handshake, as every endpoint answers it.
#pragma once

#include <flux/config.hpp>
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

/// Called with the head of a handshake that was let in; `grant`: null: an empty one.
using Admit = std::function<void(const transport::HttpHead&, std::shared_ptr<const Grant> grant)>;
/// Asks the gate about the handshake. Calls `admit`, now or when the application has answered, if the client still waits;
/// else refuses the handshake. `protocol`: a literal, as handlers see it. On the connection's loop.
void let_in(gate::Gate& gate, std::string_view protocol, const std::shared_ptr<transport::HttpConnection>& http,
            const transport::HttpHead& head, Admit admit);

/// The answer (101) that accepts a handshake.
struct WebSocketAnswer {
  std::string head;
  int deflate_window_bits;  // 0: no compression
};
/// `deflate`: agree on compression where the server is configured for it and the client offers it.
WebSocketAnswer answer_websocket(const Config& config, const transport::HttpHead& head, const std::string& subprotocol,
                                 bool deflate);

/// The first subprotocol that the client offers, because browsers accept no answer without one of theirs; empty where it
/// offers none.
std::string first_subprotocol(const transport::HttpHead& head);
/// The first of `spoken` that the client offers; empty where it offers none of them.
std::string choose_subprotocol(const transport::HttpHead& head, const std::vector<std::string>& spoken);

/// Names are sent in a header field as they are. `setting`: the option that holds them. Errors: throws `Error`
/// (bad_config) for a name that is no token.
void check_subprotocols(std::string_view setting, const std::vector<std::string>& names);

}  // namespace flux::endpoints

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/handshake.ipp>
#endif
