// A client of protocol live: its messages become acts of a participant, what the features say becomes its frames.
#pragma once

#include <flux/detail/endpoints/hub.hpp>
#include <flux/detail/features/participant.hpp>
#include <flux/detail/gate/rate_limit.hpp>
#include <flux/detail/transport/websocket_stream.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace flux::detail {

/// Threading: its loop's thread, but for what SessionState says.
class LiveSession final : private core::Outlet, public transport::WebSocketStream, public features::Participant {
 public:
  LiveSession(Hub& hub, transport::Connection& connection, const core::ClientAddress& client,
              transport::WebSocketService& service, int deflate_window_bits, std::shared_ptr<const Grant> grant);
  ~LiveSession() override;

  /// It is connected: enters the directory.
  void opened();

  Result<Sent> send(std::string_view event, const JsonText& payload, const RoomId& room) override;
  void close_session(CloseCode code, std::string_view reason) override;

 private:
  using Request = protocol::LiveRequest;
  using RoomPtr = std::shared_ptr<features::Room>;
  struct Reader;

  void on_message(std::string_view text, MessageType type) override;
  void on_closing() override { flush_all(); }
  void on_disconnect(const Disconnect& how) override;
  void on_drained() override;
  void deliver(const core::Batch& batch, std::span<const core::Exclusion> exclusions, core::LaneSeat& seat) override;
  const void* hot_memory() const noexcept override;

  std::shared_ptr<Participant> self() override { return this_session(); }
  bool is_open() const override { return open(); }
  core::Outlet& outlet() override { return *this; }
  const features::RoomView& room_view() const override { return writer(); }
  void hold_requests() override { pause_input(); }
  void resume_requests() override { resume_input(); }
  std::string_view noun() const override { return "connection"; }

  bool within_rate(std::string_view text);
  void handle(Request& request);
  void join_room(Request& request);
  void join_as(const std::string& id, const RoomId& room, JsonText presence);
  void leave_named_room(const Request& request);
  void broadcast_event(Request& request);
  void send_chat(Request& request);
  void share_data(const Request& request, const RoomPtr& room);
  void give_ticket(std::string_view id, const RoomId& room);
  void public_history(const Request& request);

  void verify(std::string token, std::function<void(bool verified, std::string reason)> then);
  /// The room that a request means: the one it names, else the one joined last. Null: an error has been answered.
  features::Membership* current_room(const Request& request);

  /// Sends now what its rooms and the public space would send when the turn ends.
  void flush_all();
  const protocol::LiveWriter& writer() const { return hub().writer(deflate_window_bits()); }
  void ack(std::string_view id, std::string_view payload = {});
  void fail(std::string_view id, const Error& error);
  /// Answers the request: with an ack whose payload is `phrase(result)`, or with the error.
  template <class T, class Phrase>
  Done<T> answer(const Request& request, Phrase phrase);
  /// The same with an ack that has no payload.
  template <class T>
  Done<T> acknowledge(const Request& request);
  Hub& hub() const noexcept { return static_cast<Hub&>(backend()); }
  std::shared_ptr<LiveSession> this_session() { return std::static_pointer_cast<LiveSession>(shared_from_this()); }

  gate::RateLimit rate_limit_;
};

}  // namespace flux::detail
