// A WebSocket on a connection: messages in and out, pings, the closing handshake.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/transport/connection.hpp>
#include <flux/detail/transport/deflate.hpp>
#include <flux/detail/transport/inflate_turns.hpp>
#include <flux/detail/transport/websocket_decoder.hpp>
#include <flux/websocket.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux::transport {

/// What every WebSocket of one loop shares; outlives them.
struct WebSocketService {
  const Limits* limits = nullptr;
  std::unique_ptr<Inflater> inflater;  // where compression is enabled
  std::vector<Deflater> deflaters;     // by the bits of their windows, from `deflate_window_bits_min` on
  std::size_t deflate_bytes_min = 0;
  InflateTurns inflate_turns{DeflateOptions{}.inflated_per_turn_max};
};

/// The protocol above it derives from this class: one object per client. Loop's thread only, but where it says
/// otherwise.
class WebSocketStream : public StreamHandler, public std::enable_shared_from_this<WebSocketStream> {
 public:
  /// `deflate_window_bits`: what was agreed on; 0: no compression.
  WebSocketStream(Connection& connection, WebSocketService& service, std::size_t message_bytes_max,
                  int deflate_window_bits);

  /// One message, compressed where that was agreed on. `dropped`: it is not sent; a reader that is too slow is closed.
  Sent send(MessageType type, std::string_view message);
  /// Begins the closing handshake.
  void close(CloseCode code, std::string_view reason);
  std::size_t outbox_bytes() const noexcept { return connection_ != nullptr ? connection_->outbox_bytes() : 0; }

  std::size_t on_data(char* data, std::size_t size) final;
  void on_end() final;
  void on_deadline() final;
  void on_input_stalled() final;
  void on_output_stalled() final;
  void on_stop() override;
  void on_closed() final;
  /// From `InflateTurns`.
  void on_inflate_turn();

 protected:
  /// The connection has been handed over: pings begin.
  void start();
  virtual void on_message(std::string_view message, MessageType type) = 0;
  /// Inside `on_message`: as `WebSocketDecoder::take_payload`.
  std::optional<std::string> take_message() { return decoder_.take_payload(); }
  /// How much has come of the message that is on its way.
  std::size_t message_bytes() const noexcept { return decoder_.message_bytes(); }
  /// Whether anything has come since this was asked last, a part of a message too. For those who do not `start` it.
  bool heard() noexcept {
    const bool heard = alive_;
    alive_ = false;
    return heard;
  }
  /// The close frame is written next, as nothing may follow it: what is pending for the peer elsewhere is to be written
  /// now. Not called for a reader that is too slow for it.
  virtual void on_closing() {}
  /// The last call.
  virtual void on_disconnect(const Disconnect& how) = 0;

  /// Null once it is gone.
  Connection* connection() const noexcept { return connection_; }
  WebSocketService& service() const noexcept { return *service_; }
  core::LoopCounters& counters() const noexcept { return connection_->loop().counters(); }
  /// Whether messages are still of use to the peer.
  bool open() const noexcept { return connection_ != nullptr && !closing_; }
  /// 0: nothing is compressed.
  int deflate_window_bits() const noexcept { return deflate_window_bits_; }

  /// Whole frames, behind what waits.
  Sent write_frames(std::string_view frames);
  Sent write_frames(const SharedBytes& bytes, std::size_t begin, std::size_t end);
  /// Reads nothing more until `resume_input`.
  void pause_input();
  void resume_input();
  /// Whether nothing is read from the peer now, so that its answer to a ping would not be either.
  bool input_held() const noexcept { return connection_ != nullptr && connection_->input_held(); }

 private:
  bool may_go_on() const noexcept;
  void wait_for_inflate_turn(bool served);
  Sent checked(Sent sent);
  void close_now(CloseCode code, std::string_view reason);
  void control(Opcode opcode, std::string_view payload);
  void peer_closes();
  void slow_reader();

  // What a fan-out looks at comes first: one cache line with the start of the object.
  Connection* connection_;
  std::uint16_t close_code_ = 1006;
  const std::uint8_t deflate_window_bits_;  // no bit-field: other threads read it while the loop writes those below
  bool alive_ : 1;                          // something came since `heard` was asked
  bool pinged_ : 1;                         // nothing has come since the last ping
  bool closing_ : 1;                        // a close frame has been sent
  bool input_paused_ : 1;
  bool awaits_turn_ : 1;        // in the line of `InflateTurns`
  std::uint32_t heard_at_ = 0;  // the loop's `ticks` when something came last
  WebSocketService* service_;
  WebSocketDecoder decoder_;
  std::unique_ptr<std::string> close_reason_;  // null: none
};

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/websocket_stream.ipp>
#endif
