// One Engine.IO client, whatever its transport is: polling, a WebSocket, or an upgrade from one to the other.
#pragma once

#include <flux/detail/core/delivery.hpp>
#include <flux/detail/core/message_counter.hpp>
#include <flux/detail/core/reclaimer.hpp>
#include <flux/detail/endpoints/hub.hpp>
#include <flux/detail/endpoints/socketio/end_reason.hpp>
#include <flux/detail/endpoints/socketio/engineio_codec.hpp>
#include <flux/detail/endpoints/socketio/engineio_polling.hpp>
#include <flux/detail/endpoints/socketio/engineio_websocket.hpp>
#include <flux/detail/gate/client_limits.hpp>
#include <flux/detail/gate/held_grant.hpp>
#include <flux/detail/mode.hpp>
#include <flux/engineio.hpp>
#include <flux/http.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace flux::detail {

class EngineIoServer;
class EngineIoSession;

/// The encodings of messages for clients. Each has lanes of its own.
enum class EngineIoEncoding : std::uint8_t { websocket, websocket_base64, polling };
/// Identifies the encoding of a lane.
const void* engineio_view(EngineIoEncoding encoding) noexcept;
EngineIoEncoding engineio_encoding(const void* view) noexcept;

/// Creates an id that cannot be guessed, of `engineio_sid_size` characters.
std::string new_engineio_sid();
inline constexpr std::size_t engineio_sid_size = 15;

/// The protocol above an Engine.IO session. Called on its loop.
class EngineIoClient {
 public:
  virtual ~EngineIoClient() = default;
  /// `owner`: if not null, the string that ends with the message; it may be moved from.
  virtual void on_message(std::string_view message, bool binary, std::string* owner) = 0;
  /// The application ends the connection.
  virtual void disconnect() = 0;
  /// The client's access has ended.
  virtual void end_access() = 0;
  /// The client has another transport from now on: lanes must be changed.
  virtual void on_transport_changed() {}
  /// The client is no longer congested, and states were held back meanwhile: send it the current ones.
  virtual void on_drained() {}
  /// The session is about to close and still sends: send what is pending for the client elsewhere.
  virtual void on_closing() {}
  /// The last call.
  virtual void on_close(EndReason reason) = 0;
};

/// One client: its heartbeats, its upgrade from polling to a WebSocket, and the handling of output that it does not
/// read.
/// Threading: its loop's thread, unless stated otherwise. Ownership: its server's directory holds it while it is open.
/// Handles may hold it longer than the server lives: functions that any thread may call do not use the server.
class EngineIoSession final : public std::enable_shared_from_this<EngineIoSession>,
                              public core::Outlet,
                              private core::Loop::Flushable,
                              private core::DeadlineWheel::Entry {
 public:
  EngineIoSession(EngineIoServer& server, std::string_view sid, std::shared_ptr<core::Loop> loop, bool base64);
  FLUX_DECL ~EngineIoSession() override;

  std::string_view sid() const noexcept { return {sid_.data(), sid_.size()}; }
  const std::shared_ptr<core::Loop>& loop() const noexcept { return loop_; }
  /// Any thread. False as soon as it closes.
  bool is_open() const noexcept { return open_.load(std::memory_order_acquire); }
  /// From now on messages of the client are skipped and rooms send it nothing, until it is closed. Any thread, as for
  /// `ignores_input`.
  void ignore_input() noexcept { ignores_input_.store(true, std::memory_order_release); }
  bool ignores_input() const noexcept { return ignores_input_.load(std::memory_order_acquire); }
  /// Returns the holder of its grant, or a new one if the grant is empty. Any thread.
  std::shared_ptr<gate::HeldGrant> holder();
  /// For `gate::ClientGrant`.
  void end_access(CloseCode code, std::string_view reason);
  bool over_websocket() const noexcept { return websocket_ != nullptr; }
  /// Whether the client takes and sends bytes as base64 only.
  bool base64() const noexcept { return base64_; }
  EngineIoEncoding encoding() const noexcept;
  /// Any thread.
  protocol::EngineIoTransport transport_now() const noexcept { return transport_.load(std::memory_order_acquire); }
  Hub& hub() noexcept;
  EngineIoServer& server() noexcept { return server_; }
  const std::shared_ptr<core::Reclaimer>& reclaimer() const noexcept;
  /// Null if it is closed.
  EngineIoClient* client() noexcept { return client_.get(); }
  /// How much of the message in progress has been received; over polling 1 while there is a POST.
  std::size_t message_bytes() const noexcept {
    return websocket_ ? websocket_->message_bytes() : std::size_t{posting_.load()};
  }
  /// Seconds since 1970. Threading: any thread.
  std::uint32_t connected_at() const noexcept { return connected_at_; }
  /// Threading: any thread.
  ClientCounts counts() const noexcept { return messages_.counts(); }
  /// The client has received one message. A protocol above this one whose messages have parts counts the whole ones.
  void count_received() noexcept { messages_.add_received(); }
  /// Likewise for messages sent with `send_encoded` and `send_shared`, and attachments sent with `send_long`.
  void count_sent(std::size_t messages = 1) noexcept { messages_.add_sent(messages); }
  /// Whether its client is also in the directory of sessions. Threading: any thread.
  bool in_directory() const noexcept { return in_directory_; }
  void set_in_directory(bool is_there) noexcept { in_directory_ = is_there; }
  /// Whether a volatile message would have to wait now.
  bool busy() const;
  /// Whether so much is pending for the client (over polling, for its next poll) that states are held back from it.
  bool congested() const;
  /// The verdict on what was sent to the client just now.
  Sent sent() const { return !is_open() ? Sent::dropped : congested() ? Sent::congested : Sent::queued; }

  /// Over polling: `poll` is the handshake's request, which the open packet answers.
  void open_polling(const HttpExchange& poll, std::unique_ptr<EngineIoPollers::Place> place,
                    std::shared_ptr<EngineIoClient> client);
  void open_websocket(std::shared_ptr<EngineIoWebSocket> websocket, std::shared_ptr<EngineIoClient> client);
  /// A WebSocket that the session may be upgraded to.
  void probe(std::shared_ptr<EngineIoWebSocket> websocket);
  void poll(const HttpExchange& exchange);
  /// The body of a POST.
  void posted(std::string body, EngineIoPosted::Done done);

  /// Reads nothing more from the client until `release_input` has been called as often: its last message is being
  /// parsed elsewhere. Closing also ends it.
  void hold_input();
  void release_input();
  bool holds_input() const noexcept { return held_ != nullptr; }

  /// Counts it as sent; the functions below do not, except `send_polled`, which counts texts.
  void send(std::string_view message, bool binary);
  /// One message of many bytes.
  void send_long(transport::SharedBytes bytes);
  /// Packets as a payload holds them, whatever the transport is now.
  void send_polled(const protocol::EngineIoPayload& payload);
  void send_polled(std::string packets) { send_polled(protocol::EngineIoPayload{std::move(packets), {}}); }
  /// WebSocket frames, or polled packets: whichever the transport needs now.
  void send_encoded(std::string_view frames, std::string_view packets, std::size_t packet_count);
  /// One message as frames, or as polled packets, whichever the transport needs now; frames are not copied.
  void send_encoded(const transport::SharedBytes& message);
  /// The same in pieces that others send too, without copying them. Only if the transport is a WebSocket now.
  void send_shared(std::span<const transport::SharedBytes> pieces, std::size_t frame_count);
  void close(EndReason reason, EngineIoEnding ending = EngineIoEnding::at_once);
  /// Counts a message of the client against its limits. An error: it must not be acted on; a client that continues is
  /// closed.
  Result<void> within_rate(const gate::Sender& sender);
  FLUX_DECL void deliver(const core::Batch& batch, std::span<const core::Listed> listed, core::LaneSeat& seat) override;
  FLUX_DECL const void* hot_memory() const noexcept override;

  /// POSTs of a session do not overlap. Any thread.
  bool begin_post() { return !posting_.exchange(true); }
  void end_post() { posting_ = false; }

  /// What the client has requested, whichever of its sockets: a namespace that it joins again has no new allowance.
  gate::OperationBuckets& operation_buckets() { return rare().operations; }

  /// The client's grant, if the handshake required one. Null: an empty one. Threading: any thread.
  std::shared_ptr<const Grant> grant() const;
  /// The session gets this grant, and ends with it. Threading: any thread; on other threads than the loop's it takes
  /// effect a little later. Errors: session_not_found.
  Result<void> set_grant(std::shared_ptr<const Grant> grant);

  // For the WebSockets
  void websocket_drained();
  void from_websocket(EngineIoWebSocket& from, std::string_view message, MessageType type, std::string* owner);
  void websocket_gone(EngineIoWebSocket& which, CloseCode code);

  // For polling
  bool takes_input() const noexcept { return is_open() && !ending_; }
  /// Nothing more is taken from the client, which will be closed.
  void stop_input() noexcept { ending_ = true; }
  /// If a message of the client is being parsed elsewhere, keeps the POST until that is done.
  bool keep_while_held(const std::shared_ptr<EngineIoPosted>& posted);
  /// If the client's output is congested, keeps the POST until the client has polled enough, or tries a WebSocket.
  /// Input that follows the POST is held until `end_early_answered`. A client that takes nothing for
  /// `Limits::output_stall_timeout` is closed.
  bool keep_while_congested(const std::shared_ptr<EngineIoPosted>& posted);
  /// The POST that was kept for output has been read to its end.
  void end_early_answered();
  /// Acts on a packet. False: there is no such packet. `owner` as for `EngineIoClient::on_message`.
  bool receive(const protocol::EngineIoPacket& packet, std::string* owner);
  /// Answers a poll that is pending at the end of this turn.
  void flush_soon();
  /// Ends the session of a client that takes its output too slowly.
  void end_slow_reader();
  /// Whether polls are answered, now or after the end.
  bool polls() const noexcept { return polling_ != nullptr; }
  void end_polling();
  /// Any thread: the client has shown that it is alive.
  void note_heard() noexcept { heard_lately_ = true; }
  bool take_heard() noexcept { return heard_lately_.exchange(false); }
  /// Any thread: the client has taken some of a poll's answer.
  void note_output_taken() noexcept { output_taken_ = true; }
  /// The server no longer finds it.
  void forget();

 private:
  struct Reader;
  /// State that few sessions need for long.
  struct Rare {
    std::optional<core::TimerQueue::Id> timer;  // for pings that are due within seconds; the others use a deadline
    std::shared_ptr<gate::HeldGrant> grant;     // null: an empty one. Set once, under the sessions mutex
    gate::OperationBuckets operations;          // empty until an operation with a rate per connection
  };
  /// While input is held.
  struct Held {
    std::size_t times = 0;                   // of `hold_input`
    std::shared_ptr<EngineIoPosted> posted;  // continues then
    std::shared_ptr<EngineIoPosted> next;    // a POST after one that was answered early
    bool answered_early = false;             // a POST is unfinished that was kept while output was congested
    bool waits_for_output = false;           // `posted` does
  };

  EngineIoPolling& polling();
  void begin_hold();
  void watch_output();
  void go_on_with_posted();
  void output_is_free();
  void decode_aside(std::string text);
  void end_hold();
  void from_probing(EngineIoWebSocket& from, std::string_view message, MessageType type);
  void client_closes();
  void send_packet(protocol::EngineIoType type, std::string_view data = {});
  void send_message(std::string_view message, bool binary);
  void send_bytes(transport::SharedBytes bytes);
  /// Returns the number of texts among them.
  std::size_t send_parts(const protocol::EngineIoPayload& payload);
  void take_run(const core::Batch& batch, const core::Run& run);
  void catch_up();
  FLUX_DECL void flush() override;
  void complete_upgrade();
  void say_farewell_over(std::shared_ptr<EngineIoWebSocket> websocket);
  void ping_in(std::chrono::milliseconds after, bool due);
  void ping_due();
  void on_deadline() override { ping_due(); }
  void pong();
  bool heard();
  void stop_timer();
  Rare& rare();
  void replace_grant(std::shared_ptr<const Grant> grant);
  void finish_open(std::shared_ptr<EngineIoClient> client);
  std::string open_packet() const;

  // Fan-out reads these members first: they share a cache line with the start of the object.
  std::shared_ptr<EngineIoWebSocket> websocket_;  // null while the transport is polling
  std::atomic<bool> open_{true};
  const bool base64_;
  std::atomic<bool> in_directory_{false};
  std::atomic<bool> ignores_input_{false};
  const std::uint32_t connected_at_;  // these three fill bytes that the pointers around them leave unused
  core::MessageCounter messages_;     // fills what the allocator would leave unused
  const std::shared_ptr<core::Loop> loop_;
  EngineIoServer& server_;
  std::array<char, engineio_sid_size> sid_;
  std::shared_ptr<EngineIoClient> client_;
  std::unique_ptr<EngineIoPolling> polling_;  // null over a WebSocket
  std::unique_ptr<Held> held_;
  std::unique_ptr<Rare> rare_;  // read by other threads: created on the loop, under the sessions mutex
  gate::RateLimit rate_limit_;
  std::uint32_t strikes_ = 0;
  std::atomic<protocol::EngineIoTransport> transport_{protocol::EngineIoTransport::polling};
  std::atomic<bool> posting_{false};
  std::atomic<bool> heard_lately_{false};  // over polling: the client has posted, or taken some of an answer
  std::atomic<bool> output_taken_{false};  // since `watch_output` looked
  bool watches_output_ = false;            // a timer of `watch_output` is running
  bool flush_asked_ = false;
  bool awaiting_pong_ = false;
  bool ping_unsent_ = false;  // it is pending after something long
  bool ending_ = false;       // the client reads too slowly or has posted what is refused, and will be closed
  bool behind_ = false;       // states were held back: they are sent when the client is no longer congested
};

}  // namespace flux::detail
