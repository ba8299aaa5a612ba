// One Engine.IO client: over polling, over a WebSocket, or on its way from one to the other.
#pragma once

#include <flux/detail/core/delivery.hpp>
#include <flux/detail/core/reclaimer.hpp>
#include <flux/detail/endpoints/socketio/engineio_codec.hpp>
#include <flux/detail/endpoints/socketio/engineio_pollers.hpp>
#include <flux/detail/gate/rate_limit.hpp>
#include <flux/detail/server/hub.hpp>
#include <flux/detail/transport/websocket_stream.hpp>
#include <flux/engineio.hpp>
#include <flux/http.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace flux::detail {

class EngineIoServer;
class EngineIoSession;

/// The ways in which a message reaches a client; lanes are kept apart by them.
enum class EngineIoEncoding : std::uint8_t { websocket, websocket_base64, polling };
/// Names the encoding of a lane.
const void* engineio_view(EngineIoEncoding encoding) noexcept;
EngineIoEncoding engineio_encoding(const void* view) noexcept;

/// From so many bytes on text is taken apart on another thread: there are about two milliseconds of parsing in it.
inline constexpr std::size_t engineio_long_text_bytes = 262'144;

/// From so many on, bytes that are to be base64 are encoded in portions, for each client anew: that costs less than to
/// copy what was encoded once, and they are never in memory as a whole.
inline constexpr std::size_t engineio_long_bytes = 65'536;
/// Such a portion. Below a quarter of a millisecond, for others may do so too. Of base64, so a multiple of 4.
inline constexpr std::size_t engineio_portion_bytes = 131'072;

/// What one poll takes of what is pending; a packet that is larger goes alone. A client gets a payload as a whole, so
/// that what is urgent (a ping, an acknowledgment) is late by one of these at most.
inline constexpr std::size_t engineio_poll_bytes = 1'000'000;

/// Nobody can guess it. Of `engineio_sid_size` characters.
std::string new_engineio_sid();
inline constexpr std::size_t engineio_sid_size = 15;

/// What speaks over an Engine.IO session. Called on its loop.
class EngineIoClient {
 public:
  virtual ~EngineIoClient() = default;
  /// `owner`: where it is not null the message lies in it, at its end, and it may be moved from.
  virtual void on_message(std::string_view message, bool binary, std::string* owner) = 0;
  /// The transport is another one from now on: lanes are to be changed.
  virtual void on_transport_changed() {}
  /// What was too much for it has gone out, and states were held back meanwhile: it is to be caught up.
  virtual void on_drained() {}
  /// The session closes, and still sends: what is pending for it elsewhere is to be sent now.
  virtual void on_closing() {}
  /// The last call.
  virtual void on_close(std::string_view reason) = 0;
};

/// The WebSocket of an Engine.IO session.
class EngineIoWebSocket final : public transport::WebSocketStream {
 public:
  EngineIoWebSocket(std::shared_ptr<EngineIoSession> session, transport::Connection& connection,
                    transport::WebSocketService& service, std::size_t message_bytes_max);

  using WebSocketStream::connection;
  using WebSocketStream::heard;
  using WebSocketStream::input_held;
  bool unsent() const { return late_ || outbox_bytes() > 0; }
  /// Whether something is unsent; the session is told when all of it has gone out.
  bool notify_sent() const { return late_ || (connection() != nullptr && connection()->notify_drained()); }
  using WebSocketStream::message_bytes;
  using WebSocketStream::pause_input;
  using WebSocketStream::resume_input;
  using WebSocketStream::write_frames;
  bool congested() const { return late_ || (connection() != nullptr && connection()->congested()); }

  // For a client that takes no binary frames: all that is sent to it goes this way.
  /// Whole frames, behind what waits.
  void write_behind(std::string_view frames);
  void write_behind(const transport::SharedBytes& bytes, std::size_t begin, std::size_t end);
  /// One message: `b` and the bytes as base64, which are encoded as fast as the client takes them.
  void write_base64(transport::SharedBytes bytes);
  /// Closes when what waits here has gone; after `Limits::close_timeout` without it.
  void close_behind(CloseCode code);

 private:
  /// While a message goes out in portions.
  struct Late {
    struct Piece {
      transport::SharedBytes bytes;
      std::size_t begin;
      std::size_t end;
      bool base64;
    };
    std::deque<Piece> pieces;
    std::size_t bytes = 0;  // of what waits behind the first
    std::optional<CloseCode> close;
  };

  void on_message(std::string_view message, MessageType type) override;
  void on_drained() override;
  void on_disconnect(const Disconnect& how) override;
  void add_late(Late::Piece piece);
  void send_late();
  /// Whether it has all gone to the system, so that there will be no call of `on_drained`.
  bool send_portion(Late::Piece& piece);

  const std::shared_ptr<EngineIoSession> session_;
  std::unique_ptr<Late> late_;
};

/// Whether a client that polls is to learn of the end by its next polls, after what waits for it.
enum class EngineIoEnding : std::uint8_t { at_once, told };

/// Threading: its loop's thread, but for what says otherwise. Ownership: its server's directory holds it while it is
/// open. Handles may hold it longer than the server lives: what any thread may call looks at nothing of the server's.
class EngineIoSession final : public std::enable_shared_from_this<EngineIoSession>,
                              public core::Outlet,
                              private core::Loop::Flushable,
                              private core::DeadlineWheel::Entry {
 public:
  EngineIoSession(EngineIoServer& server, std::string_view sid, std::shared_ptr<core::Loop> loop, bool base64);
  ~EngineIoSession() override;

  std::string_view sid() const noexcept { return {sid_.data(), sid_.size()}; }
  const std::shared_ptr<core::Loop>& loop() const noexcept { return loop_; }
  /// Any thread. False from the moment on at which it closes.
  bool is_open() const noexcept { return open_.load(std::memory_order_acquire); }
  bool over_websocket() const noexcept { return websocket_ != nullptr; }
  /// Whether the client takes and sends bytes as base64 only.
  bool base64() const noexcept { return base64_; }
  EngineIoEncoding encoding() const noexcept;
  /// Any thread.
  protocol::EngineIoTransport transport_now() const noexcept { return transport_.load(std::memory_order_acquire); }
  Hub& hub() noexcept;
  /// Null when it is closed.
  EngineIoClient* client() noexcept { return client_.get(); }
  /// How much has come of the message that is on its way; over polling 1 while there is a POST.
  std::size_t message_bytes() const noexcept {
    return websocket_ ? websocket_->message_bytes() : std::size_t{posting_.load()};
  }
  /// Whether a volatile message would wait now.
  bool busy() const;
  /// Whether so much waits for the client, over polling for its next poll, that states are held back from it.
  bool congested() const;

  /// Over polling: `poll` is the handshake's request, and gets the open packet.
  void open_polling(HttpExchange poll, std::unique_ptr<EngineIoPollers::Place> place,
                    std::shared_ptr<EngineIoClient> client);
  void open_websocket(std::shared_ptr<EngineIoWebSocket> websocket, std::shared_ptr<EngineIoClient> client);
  /// A WebSocket that the session may go over to.
  void probe(std::shared_ptr<EngineIoWebSocket> websocket);
  void poll(const HttpExchange& exchange);
  /// What became of a POST: `why` is empty, else the session is to be closed with it once the POST is answered.
  using PostDone = std::function<void(int status, std::string_view why)>;
  /// The body of a POST, which is read in as many turns as it takes.
  void posted(std::string body, PostDone done);

  /// Nothing more of what the client sends is read until `release_input` has been called as often: what came last is
  /// taken apart elsewhere. Closing ends it, too.
  void hold_input();
  void release_input();
  bool holds_input() const noexcept { return held_ != nullptr; }
  const std::shared_ptr<core::Reclaimer>& reclaimer() const noexcept;

  void send(std::string_view message, bool binary);
  /// One message of many bytes.
  void send_long(transport::SharedBytes bytes);
  /// Packets as a payload holds them, whatever the transport is now.
  void send_polled(const protocol::EngineIoPayload& payload);
  void send_polled(std::string packets) { send_polled(protocol::EngineIoPayload{std::move(packets), {}}); }
  /// Frames for a WebSocket, or polled packets: whichever the transport is now.
  void send_encoded(std::string_view frames, std::string_view packets, std::size_t packet_count);
  /// One message as frames, or as polled packets, whichever the transport is now; frames are not copied.
  void send_encoded(const transport::SharedBytes& message);
  /// The same in pieces that others send too, without copying them. Only where it is a WebSocket now.
  void send_shared(std::span<const transport::SharedBytes> pieces, std::size_t frame_count);
  void close(std::string_view reason, EngineIoEnding ending = EngineIoEnding::at_once);
  /// Whether the client may send one message more. False: it must not be acted on; who goes on so is closed.
  bool within_rate();
  void deliver(const core::Batch& batch, std::span<const core::Exclusion> exclusions, core::LaneSeat& seat) override;
  const void* hot_memory() const noexcept override;

  // From the WebSockets
  void websocket_drained();
  void from_websocket(EngineIoWebSocket& from, std::string_view message, MessageType type, std::string* owner);
  void websocket_gone(EngineIoWebSocket& which, CloseCode code);

  /// POSTs of a session do not overlap. Any thread.
  bool begin_post() { return !posting_.exchange(true); }
  void end_post() { posting_ = false; }

 private:
  struct Posted;
  struct Reader;
  class LongAnswer;
  /// While input is held.
  struct Held {
    std::size_t times = 0;
    std::shared_ptr<Posted> posted;  // goes on then
  };
  /// What a session over a WebSocket has no use for.
  struct Polling {
    std::unique_ptr<EngineIoPollers::Place> place;           // null where it has come over a WebSocket
    std::shared_ptr<EngineIoWebSocket> probing;              // may become the transport
    std::optional<HttpExchange> poll;                        // waits for packets
    std::optional<protocol::EngineIoPayloadWriter> packets;  // that wait for a poll
    /// Closed, but polls are to take those packets, and one more this to be told so. Empty: it is open.
    std::string_view farewell;
  };

  Polling& polling();
  std::optional<HttpExchange> take_poll();
  bool packets_wait() const noexcept { return polling_ && polling_->packets && !polling_->packets->empty(); }
  protocol::EngineIoPayload take_packets(std::size_t bytes = protocol::EngineIoPayloadWriter::no_limit);
  protocol::EngineIoPayloadWriter& packets();
  void read_posted(const std::shared_ptr<Posted>& posted);
  void decode_aside(std::string text);
  void end_hold();
  void from_probing(EngineIoWebSocket& from, std::string_view message, MessageType type);
  bool packet(const protocol::EngineIoPacket& packet, std::string* owner);
  void send_packet(protocol::EngineIoType type, std::string_view data = {});
  void send_message(std::string_view message, bool binary);
  void send_bytes(transport::SharedBytes bytes);
  void send_parts(const protocol::EngineIoPayload& payload);
  void write_frames(std::string_view frames);
  void write_frames(const transport::SharedBytes& bytes, std::size_t begin, std::size_t end);
  void take_frames(const core::Batch& batch, const core::Run& run);
  void take_packets(const core::Batch& batch, const core::Run& run);
  void added(protocol::EngineIoPayloadWriter::Added result);
  void catch_up();
  void answer_poll_soon();
  void flush() override;
  void answer(const HttpExchange& exchange, std::string payload);
  void answer(const HttpExchange& exchange, protocol::EngineIoPayload payload);
  void complete_upgrade();
  void poll_last(const HttpExchange& exchange);
  void say_farewell_over(std::shared_ptr<EngineIoWebSocket> websocket);
  void await_last_polls();
  void end_polling();
  void ping_in(std::chrono::milliseconds after, bool due);
  void ping_due();
  void on_deadline() override { ping_due(); }
  void pong();
  bool heard();
  void stop_timer();
  void finish_open(std::shared_ptr<EngineIoClient> client);
  void say_farewell(EngineIoEnding ending);
  std::string open_packet() const;

  // What a fan-out looks at comes first: one cache line with the start of the object.
  std::shared_ptr<EngineIoWebSocket> websocket_;  // the transport, where it is one
  std::atomic<bool> open_{true};
  const bool base64_;
  const std::shared_ptr<core::Loop> loop_;
  EngineIoServer& server_;
  std::array<char, engineio_sid_size> sid_;
  std::shared_ptr<EngineIoClient> client_;
  std::unique_ptr<Polling> polling_;
  std::unique_ptr<Held> held_;
  std::unique_ptr<core::TimerQueue::Id> timer_;  // of pings that are due within seconds; others have a deadline
  gate::RateLimit rate_limit_;
  std::uint32_t strikes_ = 0;
  std::atomic<protocol::EngineIoTransport> transport_{protocol::EngineIoTransport::polling};
  std::atomic<bool> posting_{false};
  std::atomic<bool> heard_lately_{false};  // over polling: something was posted, or some of an answer taken
  bool flush_asked_ = false;
  bool awaiting_pong_ = false;
  bool ping_unsent_ = false;  // it waits behind something long
  bool ending_ = false;       // it is too slow, or has posted what is refused, and will be closed
  bool behind_ = false;       // states were held back: it is to be caught up when it is no longer congested
};

}  // namespace flux::detail
