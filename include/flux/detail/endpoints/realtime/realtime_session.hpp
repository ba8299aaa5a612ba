// A client of `/realtime`: turns its messages into requests about channels, and answers into frames.
#pragma once

#include <flux/detail/endpoints/message_frame.hpp>
#include <flux/detail/endpoints/realtime/realtime_codec.hpp>
#include <flux/detail/endpoints/websocket_client.hpp>
#include <flux/detail/mode.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace flux::detail {

/// What the clients of the endpoint share. Threading: any thread.
struct RealtimeClients : features::ClientGroup {
  RealtimeClients(features::Backend& server, std::string at)
      : ClientGroup{server}, path(std::move(at)), writers(server.config.deflate, server.config.clock.get()) {}
  const std::string path;
  const protocol::FrameWriters<protocol::RealtimeWriter> writers;
};

/// Threading: its loop's thread, except for the members that SessionState lets any thread call.
class RealtimeSession final : public WebSocketClient {
 public:
  RealtimeSession(const RealtimeClients& clients, transport::Connection& connection, const core::ClientAddress& client,
                  transport::WebSocketService& service, int deflate_window_bits, std::shared_ptr<const Grant> grant)
      : WebSocketClient(clients, connection, client, service, deflate_window_bits, std::move(grant)) {}

  FLUX_DECL Result<Sent> send(std::string_view event, const JsonText& payload, const RoomId& room) override;
  std::string_view protocol() const noexcept override { return "realtime"; }

 private:
  FLUX_DECL void on_message(std::string_view text, MessageType type) override;
  const features::ClientView& view() const override { return writer(); }
  Door door() const override { return {protocol(), clients().path}; }
  FLUX_DECL void tell(const features::Notice& notice) override;
  void tell_left(const RoomId&, std::string_view) override {}
  FLUX_DECL void be_placed(const Placement& placement, const Done<void>& done) override;

  void act(const protocol::RealtimeRequest& request);
  void refresh_access(const protocol::RealtimeRequest& request);
  void fail(std::string_view id, const Error& error);

  const RealtimeClients& clients() const noexcept { return static_cast<const RealtimeClients&>(group()); }
  const protocol::RealtimeWriter& writer() const { return clients().writers.of(deflate_window_bits()); }
  std::shared_ptr<RealtimeSession> this_session() {
    return std::static_pointer_cast<RealtimeSession>(shared_from_this());
  }
};

}  // namespace flux::detail

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/realtime/realtime_session.ipp>
#endif
