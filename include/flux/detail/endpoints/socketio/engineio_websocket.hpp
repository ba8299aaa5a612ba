// The WebSocket transport of an Engine.IO session.
#pragma once

#include <flux/detail/core/delivery.hpp>
#include <flux/detail/endpoints/socketio/engineio_codec.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/websocket_stream.hpp>

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace flux::detail {

class EngineIoSession;

/// Text messages of at least this size are parsed on another thread: parsing them takes about two milliseconds.
inline constexpr std::size_t engineio_long_text_bytes = 262'144;

/// Attachments of at least this size are encoded as base64 in portions, for each client anew: that costs less than
/// copying what was encoded once, and the base64 is never in memory as a whole.
inline constexpr std::size_t engineio_long_bytes = 65'536;
/// The size of such a portion in base64, a multiple of 4. Encoding one takes less than a quarter of a millisecond,
/// because many clients may need one in the same turn.
inline constexpr std::size_t engineio_portion_bytes = 131'072;

/// Threading: the session's loop. Ownership: shared by its connection and its session; holds the session.
class EngineIoWebSocket final : public transport::WebSocketStream {
 public:
  EngineIoWebSocket(std::shared_ptr<EngineIoSession> session, transport::Connection& connection,
                    transport::WebSocketService& service, std::size_t message_bytes_max);

  using WebSocketStream::connection;
  using WebSocketStream::heard;
  using WebSocketStream::input_held;
  using WebSocketStream::message_bytes;
  using WebSocketStream::pause_input;
  using WebSocketStream::resume_input;
  using WebSocketStream::write_frames;

  bool congested() const { return late_ || (connection() != nullptr && connection()->congested()); }
  bool unsent() const { return late_ || outbox_bytes() > 0; }
  /// Whether something is unsent; if so, the session is told when all of it has been sent.
  bool notify_sent() const { return late_ || (connection() != nullptr && connection()->notify_drained()); }

  void send_packet(protocol::EngineIoType type, std::string_view data);
  void send_binary(std::string_view message);
  /// One message of many bytes, which are not copied.
  void send_long(transport::SharedBytes message);
  /// `count`: the number of frames.
  void send_frames(std::string_view frames, std::size_t count);
  /// Frames that other clients get too. They are not copied.
  void send_frames(std::span<const transport::SharedBytes> pieces, std::size_t count);
  void send_frames(const transport::SharedBytes& frame) { send_frames(std::span(&frame, 1), 1); }
  /// The caller has counted the segments.
  void send_run(const core::Batch& batch, const core::Run& run);
  void end_slow_reader() {
    if (open()) slow_reader();
  }
  /// Closes when all that is pending has been sent, or after `Limits::close_timeout`.
  void close_behind(CloseCode code);

 private:
  /// What is pending while a long message is sent as base64 in portions, to a client without binary frames.
  struct Late {
    struct Piece {
      transport::SharedBytes bytes;
      std::size_t begin;
      std::size_t end;
      bool base64;
    };
    std::deque<Piece> pieces;
    std::size_t bytes = 0;  // of the pieces after the first
    std::optional<CloseCode> close;
  };

  FLUX_DECL void on_message(std::string_view message, MessageType type) override;
  FLUX_DECL void on_drained() override;
  FLUX_DECL void on_disconnect(const Disconnect& how) override;
  void write_behind(std::string_view frames);
  void write_behind(const transport::SharedBytes& bytes, std::size_t begin, std::size_t end);
  void send_base64(transport::SharedBytes bytes);
  void add_late(Late::Piece piece);
  void send_late();
  bool send_portion(Late::Piece& piece);

  const std::shared_ptr<EngineIoSession> session_;
  std::unique_ptr<Late> late_;
};

}  // namespace flux::detail
