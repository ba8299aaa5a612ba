// The polling transport of an Engine.IO session: GETs fetch packets, POSTs bring them.
#pragma once

#include <flux/detail/core/delivery.hpp>
#include <flux/detail/core/reclaimer.hpp>
#include <flux/detail/endpoints/socketio/end_reason.hpp>
#include <flux/detail/endpoints/socketio/engineio_codec.hpp>
#include <flux/detail/endpoints/socketio/engineio_pollers.hpp>
#include <flux/http.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace flux::detail {

class EngineIoSession;
class EngineIoWebSocket;

/// The size of one poll's answer; a longer packet is sent alone. A client gets a payload as a whole, so an urgent
/// packet (a ping, an acknowledgment) is delayed by one answer at most.
inline constexpr std::size_t engineio_poll_bytes = 1'000'000;

/// Whether a client that polls learns about the end at once, or by its next polls, after the packets that are pending.
enum class EngineIoEnding : std::uint8_t { at_once, told };

/// The body of a POST, which is acted on in as many turns as it takes.
/// Threading: the session's loop. Its text is freed on the reclaimer's thread.
class EngineIoPosted : public std::enable_shared_from_this<EngineIoPosted> {
 public:
  /// The answer to the POST. If there is an `end`, the session is to be closed with it once the answer has been sent.
  using Done = std::function<void(int status, std::optional<EndReason> end)>;

  EngineIoPosted(std::shared_ptr<EngineIoSession> session, std::string body, const protocol::EngineIoLimits& limits,
                 Done done);
  EngineIoPosted(const EngineIoPosted&) = delete;
  EngineIoPosted& operator=(const EngineIoPosted&) = delete;
  ~EngineIoPosted();

  /// Acts on the packets that are left. If the session's input is held, or its output is congested, the session calls
  /// this again when that is over. A POST that waits for output is answered at once: the client may be one that polls
  /// only then.
  void read();

 private:
  void finish(int status, std::optional<EndReason> end);

  const std::shared_ptr<EngineIoSession> session_;
  const std::shared_ptr<core::Reclaimer> reclaimer_;
  protocol::EngineIoPayloadReader reader_;
  std::optional<protocol::EngineIoPacket> packet_;  // read, but not acted on yet
  const Done done_;
  bool answered_ = false;
};

/// Threading: the session's loop. Ownership: its session's, which destroys it when a WebSocket has replaced it, and
/// when the session ends; that may happen inside any call that answers a request.
class EngineIoPolling {
 public:
  explicit EngineIoPolling(EngineIoSession& session) : session_(session) {}

  /// The request that opens the session; the open packet answers it.
  void open(const HttpExchange& poll, std::unique_ptr<EngineIoPollers::Place> place);
  /// The client has polled or posted.
  void note_used();
  void poll(const HttpExchange& exchange);
  bool has_poll() const noexcept { return poll_ != nullptr; }
  /// Answers the pending poll with a packet that means nothing. False if there is none.
  bool release_poll();

  bool has_packets() const noexcept { return packets_ && !packets_->empty(); }
  /// Bytes that are pending for the next polls.
  std::size_t pending_bytes() const noexcept { return packets_ ? packets_->bytes() : 0; }
  void send_packet(protocol::EngineIoType type, std::string_view data = {});
  void send_binary(std::string_view message);
  /// One message of many bytes, which are not copied.
  void send_long(std::shared_ptr<const std::string> message);
  /// Packets as a payload holds them, `count` of them.
  void send_encoded(std::string_view packets, std::size_t count);
  void send_run(const core::Batch& batch, const core::Run& run);
  /// Answers the pending poll, if there is one and packets for it.
  void flush();
  protocol::EngineIoPayload take_packets(std::size_t bytes = protocol::EngineIoPayloadWriter::no_limit);

  /// A WebSocket that may become the transport. Null: none.
  std::shared_ptr<EngineIoWebSocket>& probing() noexcept { return probing_; }

  // The session is closed.
  void say_farewell(EngineIoEnding ending);
  /// The client has closed the session itself, so it gets nothing more: a poll that this has overtaken is answered with
  /// a packet that means nothing.
  void forget_packets();
  /// Whether further polls are answered.
  bool awaits_last_polls() const noexcept { return farewell_ != 0; }
  void poll_last(const HttpExchange& exchange);

 private:
  class LongAnswer;

  static void answer(EngineIoSession& session, const HttpExchange& exchange, std::string payload);
  static void answer(EngineIoSession& session, const HttpExchange& exchange, protocol::EngineIoPayload payload);
  std::optional<HttpExchange> take_poll();
  protocol::EngineIoPayloadWriter& packets();
  void added(protocol::EngineIoPayloadWriter::Added result);
  static void await_last_polls(const std::shared_ptr<EngineIoSession>& session);

  EngineIoSession& session_;
  std::unique_ptr<EngineIoPollers::Place> place_;  // null if the session was opened over a WebSocket
  std::shared_ptr<EngineIoWebSocket> probing_;
  std::shared_ptr<HttpExchangeState> poll_;                 // waits for packets
  std::optional<protocol::EngineIoPayloadWriter> packets_;  // pending for the next polls
  char farewell_ = 0;  // the packet that answers the last poll, once the session is closed
};

}  // namespace flux::detail
