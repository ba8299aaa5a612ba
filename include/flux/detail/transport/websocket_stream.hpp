// A WebSocket on a connection: messages in and out, pings, the closing handshake.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/core/message_counter.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/connection.hpp>
#include <flux/detail/transport/deflate.hpp>
#include <flux/detail/transport/inflate_turns.hpp>
#include <flux/detail/transport/websocket_decoder.hpp>
#include <flux/websocket.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace flux::transport {

class WebSocketStream;

/// State shared by the WebSockets of one loop; outlives them.
struct WebSocketService {
  const Limits* limits = nullptr;
  std::unique_ptr<Inflater> inflater;  // set if compression is enabled
  std::vector<Deflater> deflaters;     // indexed by window bits, from `deflate_window_bits_min`
  std::size_t deflate_bytes_min = 0;
  InflateTurns inflate_turns{DeflateOptions{}.inflated_per_turn_max};
  /// Why those that are closing are closed, unless no reason is given. Open ones have no room for it.
  std::unordered_map<const WebSocketStream*, std::string> close_reasons{};
};

/// The base class of protocols over WebSocket: one object per client. Threading: the loop's thread, unless noted.
class WebSocketStream : public StreamHandler, public std::enable_shared_from_this<WebSocketStream> {
 public:
  /// `deflate_window_bits`: as negotiated; 0: no compression.
  WebSocketStream(Connection& connection, WebSocketService& service, std::size_t message_bytes_max,
                  int deflate_window_bits);

  /// Sends one message, compressed if that was negotiated. `dropped`: not sent; a reader that is too slow is closed.
  Sent send(MessageType type, std::string_view message);
  /// Begins the closing handshake.
  void close(CloseCode code, std::string_view reason);
  /// Threading: any thread.
  ClientCounts message_counts() const noexcept { return messages_.counts(); }
  std::size_t outbox_bytes() const noexcept { return connection_ != nullptr ? connection_->outbox_bytes() : 0; }
  /// From now on messages of the peer are skipped, until it is closed. Threading: any thread, as for `ignores_input`.
  void ignore_input() noexcept { bits_.fetch_or(ignores_input_bit, std::memory_order_release); }
  bool ignores_input() const noexcept { return (bits_.load(std::memory_order_acquire) & ignores_input_bit) != 0; }

  FLUX_DECL std::size_t on_data(char* data, std::size_t size) final;
  FLUX_DECL void on_end() final;
  FLUX_DECL void on_deadline() final;
  FLUX_DECL void on_input_stalled() final;
  FLUX_DECL void on_output_stalled() final;
  FLUX_DECL void on_stop() override;
  FLUX_DECL void on_closed() final;
  /// Called by `InflateTurns`.
  void on_inflate_turn();

 protected:
  /// Begins the pings, once the connection was handed over.
  void start();
  virtual void on_message(std::string_view message, MessageType type) = 0;
  /// Only inside `on_message`: as `WebSocketDecoder::take_payload`.
  std::optional<std::string> take_message() { return decoder_.take_payload(); }
  /// The bytes received so far of an incomplete message.
  std::size_t message_bytes() const noexcept { return decoder_.message_bytes(); }
  /// Whether anything, even part of a message, was received since the last call. For protocols that do not `start`
  /// pings.
  bool heard() noexcept {
    const bool heard = alive_;
    alive_ = false;
    return heard;
  }
  /// The close frame is written next and nothing may follow it: write now what is pending for the peer elsewhere. Not
  /// called for a reader that is being closed as too slow.
  virtual void on_closing() {}
  /// The connection is closed. This is the last call.
  virtual void on_disconnect(const Disconnect& how) = 0;

  /// Null once the connection is closed.
  Connection* connection() const noexcept { return connection_; }
  WebSocketService& service() const noexcept { return *service_; }
  core::LoopCounters& counters() const noexcept { return connection_->loop().counters(); }
  /// Whether messages can still reach the peer.
  bool open() const noexcept { return connection_ != nullptr && !closing_; }
  /// Closes in a separate turn, so that what this one still writes arrives, such as the answer to the message that is
  /// being handled. The messages after that one are ignored.
  void close_soon(CloseCode code, std::string reason);
  bool closes_soon() const noexcept { return closes_soon_; }
  /// 0: no compression.
  int deflate_window_bits() const noexcept { return bits_.load(std::memory_order_relaxed) & window_bits; }

  /// Counts messages that are about to be written with `write_frames`.
  void count_sent(std::size_t messages = 1) noexcept {
    counters().frames_out.add(messages);
    messages_.add_sent(messages);
  }
  /// Writes complete frames after all pending output.
  Sent write_frames(std::string_view frames);
  Sent write_frames(const SharedBytes& bytes, std::size_t begin, std::size_t end);
  /// Closes the peer because it reads too slowly. Frames whose sending has not begun are dropped.
  void slow_reader();
  /// Stops reading until `resume_input`.
  void pause_input();
  void resume_input();
  /// Whether reading is stopped, so that the peer's answer to a ping would not be read either.
  bool input_held() const noexcept { return connection_ != nullptr && connection_->input_held(); }

 private:
  bool may_go_on() const noexcept;
  void wait_for_inflate_turn(bool served);
  Sent checked(Sent sent);
  void close_now(CloseCode code, std::string_view reason);
  void note_closing(std::uint16_t code, std::string reason);
  void control(Opcode opcode, std::string_view payload);
  void peer_closes();

  static constexpr std::uint8_t window_bits = 15;
  static constexpr std::uint8_t ignores_input_bit = 128;

  // The members that a fan-out reads come first: one cache line with the start of the object.
  Connection* connection_;
  std::uint16_t close_code_ = 1006;
  std::atomic<std::uint8_t> bits_;  // `deflate_window_bits`, and whether input is ignored
  bool alive_ : 1;                  // something was received since the last `heard`
  bool pinged_ : 1;                 // nothing was received since the last ping
  bool closing_ : 1;                // a close frame has been sent
  bool input_paused_ : 1;
  bool closes_soon_ : 1;        // a close frame will be sent in the next turn
  bool awaits_turn_ : 1;        // queued in `InflateTurns`
  std::uint32_t heard_at_ = 0;  // the loop's `ticks` when something was last received
  core::MessageCounter messages_;
  WebSocketService* service_;
  WebSocketDecoder decoder_;
};

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/websocket_stream.ipp>
#endif
