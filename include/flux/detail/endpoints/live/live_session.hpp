// A client of protocol live: its messages become calls of the features, what the features say becomes its frames.
#pragma once

#include <flux/detail/core/session_state.hpp>
#include <flux/detail/features/presence_throttle.hpp>
#include <flux/detail/gate/rate_limit.hpp>
#include <flux/detail/server/hub.hpp>
#include <flux/detail/transport/websocket_stream.hpp>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace flux::detail {

/// Threading: its loop's thread, but for what SessionState says.
class LiveSession final : private core::Outlet, public transport::WebSocketStream, public SessionState {
 public:
  LiveSession(Hub& hub, transport::Connection& connection, const core::ClientAddress& client,
              transport::WebSocketService& service, int deflate_window_bits, std::shared_ptr<const Grant> grant);
  ~LiveSession() override;

  /// It is connected: enters the directory.
  void opened();

  bool connected() const override { return connected_.load(std::memory_order_relaxed); }
  std::vector<RoomId> rooms() const override;
  Result<void> send(std::string_view event, const JsonText& payload, const RoomId& room) override;
  void close_session(CloseCode code, std::string_view reason) override;
  void leave_room(const std::shared_ptr<features::Room>& room) override;

 private:
  using Request = protocol::LiveRequest;
  struct Reader;
  /// What few sessions have.
  struct Extras {
    PresenceThrottle throttle;
    features::PublicSeat public_seat;
    std::vector<std::weak_ptr<features::Room>> created_rooms;
    std::uint32_t strikes = 0;
  };

  void on_message(std::string_view text, MessageType type) override;
  void on_closing() override { flush_rooms(); }
  void on_disconnect(const Disconnect& how) override;
  void on_drained() override;
  void deliver(const core::Batch& batch, std::span<const core::Exclusion> exclusions, core::LaneSeat& seat) override;
  const void* hot_memory() const noexcept override;

  void handle(Request& request);
  void join_room(Request& request);
  void join_as(const std::string& id, const RoomId& room, JsonText presence);
  class WaitingJoin;
  void join_with_history(const std::string& id, const RoomId& room, const JsonText& presence);
  Result<std::string> enter(const RoomId& room, const JsonText& presence, const Result<features::ChatPage>& history);
  void welcome(std::string_view id, const Result<std::string>& entered);
  void leave_room(Request& request);
  void update_presence(Request& request);
  void broadcast_event(Request& request);
  void send_chat(Request& request);
  void create_room(Request& request);
  void share(Request& request);
  void get_history(Request& request);
  void get_presence(Request& request);
  void room_items(Request& request);
  void upload_ticket(Request& request);
  void give_ticket(std::string_view id, const RoomId& room);
  void public_share(Request& request);
  void share_file(Request& request, const RoomId& room);
  void share_string(const Request& request, const RoomId& room);
  void ask_to_share(const std::string& id, const RoomId& room, const FileInfo& file);
  void hold_and_share(const std::string& id, const RoomId& room, const FileId& file, const JsonText& data,
                      features::FileHolder holder);
  std::optional<JsonText> permitted_to_share(std::string_view id, const RoomId& room, JsonText data);
  void publish_share(std::string_view id, const RoomId& room, SharedItem item);
  void tell_shared(std::string_view id, const Result<Position>& shared);
  void public_history(Request& request);
  void public_delete_last(Request& request);
  void tell_deleted(std::string_view id, const Result<bool>& deleted);

  bool within_rate(std::string_view text);
  void verify(std::string token, std::function<void(bool verified, std::string reason)> then);
  void give_grant(Grant grant);
  /// The room that a request means: the one it names, else the one joined last. Null: an error has been answered.
  features::Membership* current_room(const Request& request);
  features::Membership* membership_of(const RoomId& room);
  features::PageRequest page_of(const Request& request) const;
  void leave(std::size_t index);
  void release_held_presence();
  Extras& extras();

  /// Sends now what its rooms and the public space would send when the turn ends.
  void flush_rooms();
  const protocol::LiveWriter& writer() const { return hub_.writer(deflate_window_bits()); }
  void ack(std::string_view id, std::string_view payload = {});
  void fail(std::string_view id, const Error& error);
  /// Runs a handler that may veto; false where the request ends here: the error has been answered.
  template <class Event, class Handler>
  bool permitted(std::string_view id, std::string_view what, const Handler& handler, Event& event);
  Session handle_of_this();
  std::shared_ptr<LiveSession> self() { return std::static_pointer_cast<LiveSession>(shared_from_this()); }

  Hub& hub_;
  std::vector<std::unique_ptr<features::Membership>> memberships_;  // others read it: changed under the sessions mutex
  std::unique_ptr<Extras> extras_;
  gate::RateLimit rate_limit_;
  std::atomic<bool> connected_{false};
};

}  // namespace flux::detail
