// A client whose WebSocket handshake succeeds only so that a close frame can tell it why it may not connect.
#pragma once

#include <flux/detail/transport/connection.hpp>
#include <flux/error.hpp>

#include <cstddef>

namespace flux::endpoints {

/// The close code for an error of the gate.
inline CloseCode refusal_code(const Error& why) noexcept {
  switch (why.code()) {
    case Errc::unauthorized:
    case Errc::forbidden: return CloseCode::unauthorized;
    case Errc::overloaded: return CloseCode::try_again_later;
    default: return CloseCode::handler_failed;
  }
}

/// The handler of its connection, which is finishing: it has been sent the close frame, and lasts until the client ends
/// it, at most for `Limits::close_timeout`. What the client sends is discarded without being decoded. It is no session.
class RefusedWebSocket final : public transport::StreamHandler {
 public:
  std::size_t on_data(char*, std::size_t size) override { return size; }
  void on_end() override {}
  void on_deadline() override {}
  void on_stop() override {}
  void on_closed() override {}
};

}  // namespace flux::endpoints
