// A client that acts by messages over a WebSocket: what protocols have in common whose participants are WebSockets.
#pragma once

#include <flux/detail/endpoints/stream_reader.hpp>
#include <flux/detail/features/participant.hpp>
#include <flux/detail/gate/client_limits.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/websocket_stream.hpp>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace flux::detail {

/// A protocol's session derives from it: it reads messages and encodes answers.
/// Threading: its loop's thread, except for the members that SessionState lets any thread call.
class WebSocketClient : private core::Outlet, public transport::WebSocketStream, public features::Participant {
 public:
  /// Called once it is connected: enters the directory.
  void opened();

  ClientCounts counts() const noexcept override { return message_counts(); }
  FLUX_DECL void close_session(CloseCode code, std::string_view reason) override;
  void withdraw() noexcept override { ignore_input(); }
  bool withdrawn() const noexcept override { return ignores_input(); }

 protected:
  WebSocketClient(const features::ClientGroup& group, transport::Connection& connection,
                  const core::ClientAddress& client, transport::WebSocketService& service, int deflate_window_bits,
                  std::shared_ptr<const Grant> grant);
  FLUX_DECL ~WebSocketClient() override;

  bool is_open() const override { return reaches_client() && !closes_soon(); }
  /// Also when its handler has closed it: answers and what was sent before arrive first.
  bool reaches_client() const noexcept { return open() && !ignores_input(); }
  /// Sends a message to it.
  void write_message(std::string_view frame) {
    count_sent();
    write_frames(frame);
  }
  /// The same from any thread. `lock`: of the sessions' mutex, under which it was found to be connected. Errors:
  /// session_not_found.
  Result<Sent> write_from_anywhere(std::unique_lock<std::mutex> lock, std::string frame);
  Error session_gone() const { return {Errc::session_not_found, "session " + SessionState::id() + " is gone"}; }
  /// Counts a message against the limits of the client. If there is an excess, and the client is not closed for it, it must
  /// get the error.
  std::optional<Error> over_limits();
  /// The beginning of a message that is refused for its rate, so that its id can be read: cut after a comma, so that a
  /// truncated number is not taken for a whole one.
  static std::string_view beginning(std::string_view text) noexcept;
  std::string_view noun() const override { return "connection"; }

 private:
  friend struct endpoints::StreamReader<WebSocketClient>;
  friend void endpoints::write_whole<WebSocketClient>(WebSocketClient&, const core::SharedBytes&);

  void on_closing() override { flush_audiences(); }
  FLUX_DECL void on_disconnect(const Disconnect& how) override;
  FLUX_DECL void on_drained() override;
  FLUX_DECL void deliver(const core::Batch& batch, std::span<const core::Listed> listed, core::LaneSeat& seat) override;
  FLUX_DECL const void* hot_memory() const noexcept override;

  std::shared_ptr<Participant> self() override { return this_client(); }
  core::Outlet& outlet() override { return *this; }
  void stop_reading() override { pause_input(); }
  void resume_reading() override { resume_input(); }
  std::shared_ptr<WebSocketClient> this_client() {
    return std::static_pointer_cast<WebSocketClient>(shared_from_this());
  }

  gate::RateLimit rate_limit_;
};

}  // namespace flux::detail

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/websocket_client.ipp>
#endif
