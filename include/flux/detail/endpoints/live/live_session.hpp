// A client of protocol live: turns its messages into acts of a participant, and what the features report into frames.
#pragma once

#include <flux/detail/endpoints/live/live_clients.hpp>
#include <flux/detail/endpoints/websocket_client.hpp>
#include <flux/detail/mode.hpp>

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace flux::detail {

/// Threading: its loop's thread, except for the members that SessionState lets any thread call.
class LiveSession final : public WebSocketClient {
 public:
  LiveSession(const LiveClients& clients, transport::Connection& connection, const core::ClientAddress& client,
              transport::WebSocketService& service, int deflate_window_bits, std::shared_ptr<const Grant> grant);
  FLUX_DECL ~LiveSession() override;

  /// All requests of the protocol. To add one, add an entry in live_requests.ipp.
  static std::span<const protocol::LiveRequestType> request_types() noexcept;

  FLUX_DECL Result<Sent> send(std::string_view event, const JsonText& payload, const RoomId& room) override;
  std::string_view protocol() const noexcept override { return "live"; }

 private:
  using Request = protocol::LiveRequest;
  using RoomPtr = std::shared_ptr<features::Room>;
  struct Requests;

  FLUX_DECL void on_message(std::string_view text, MessageType type) override;
  const features::ClientView& view() const override { return writer(); }
  Door door() const override { return {protocol(), backend().config.live_path}; }
  FLUX_DECL void tell(const features::Notice& notice) override;
  FLUX_DECL void tell_left(const RoomId& room, std::string_view reason) override;
  FLUX_DECL void be_placed(const features::Participant::Placement& placement, const Done<void>& done) override;

  void refuse_for_rate(std::string_view text, const Error& error);
  void handle(Request& request);
  void refresh_access(const Request& request);
  void join_room(Request& request);
  void join_as(const std::string& id, const RoomId& room, JsonText presence);
  features::JoinTerms join_terms() const;
  /// Encodes the welcome of a room into `frame`.
  Welcome welcome_into(const std::shared_ptr<std::string>& frame);
  void leave_named_room(const Request& request);
  void broadcast_event(const Request& request, const features::Membership& membership);
  void share_data(const Request& request, const RoomPtr& room);
  void give_ticket(std::string_view id, const RoomId& room);

  /// The client's place in the room that the request names; if it names none, in the room that the client joined last.
  /// Null: the client is not in that room, or in no room.
  features::Membership* place_meant(const Request& request) const;
  /// The same. If it returns null, it has answered with an error.
  features::Membership* current_room(const Request& request);

  const protocol::LiveWriter& writer() const { return clients().writers.of(deflate_window_bits()); }
  void ack(std::string_view id, std::string_view payload = {});
  void fail(std::string_view id, const Error& error);
  /// Answers the request with an ack whose payload is `phrase(result)`, or with the error.
  template <class T, class Phrase>
  Done<T> answer(const Request& request, Phrase phrase);
  Done<JsonText> answer_json(const Request& request);
  /// The same, with an ack that has no payload.
  template <class T>
  Done<T> acknowledge(const Request& request);
  const LiveClients& clients() const noexcept { return static_cast<const LiveClients&>(group()); }
  std::shared_ptr<LiveSession> this_session() { return std::static_pointer_cast<LiveSession>(shared_from_this()); }
};

}  // namespace flux::detail
