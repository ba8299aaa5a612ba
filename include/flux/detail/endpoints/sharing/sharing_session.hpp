// A client of data sharing over Socket.IO: its events become calls of the features.
#pragma once

#include <flux/detail/core/session_state.hpp>
#include <flux/detail/endpoints/sharing/sharing_codec.hpp>
#include <flux/detail/endpoints/socketio/socketio_server.hpp>
#include <flux/detail/features/file_writer.hpp>
#include <flux/detail/features/presence_throttle.hpp>
#include <flux/detail/server/hub.hpp>
#include <flux/sharing.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux::detail {

/// What the clients of one `serve_sharing` share. Threading: any thread.
struct Sharing {
  Sharing(Hub& h, socketio::SharingOptions o) : hub(h), options(std::move(o)) {}

  Hub& hub;
  const socketio::SharingOptions options;
  const protocol::SharingWriter framed{protocol::SharingWriter::Form::websocket};
  const protocol::SharingWriter polled{protocol::SharingWriter::Form::polling};
  std::atomic<std::uint64_t> uploads_bytes{0};  // in memory, on their way into the store
};

/// A socket that the middlewares have let in. On its loop.
void begin_sharing(const std::shared_ptr<Sharing>& sharing, const socketio::Socket& socket);

/// Threading: its loop's thread, but for what SessionState says. Ownership: the directory holds it while it is
/// connected.
class SharingSession final : public SessionState,
                             public SocketIoFollower,
                             public std::enable_shared_from_this<SharingSession> {
 public:
  SharingSession(std::shared_ptr<Sharing> sharing, std::shared_ptr<SocketIoSocket> socket,
                 std::shared_ptr<const Grant> grant);

  /// Enters the directory, and sends what is in the public space.
  void opened();

  bool connected() const override { return connected_.load(std::memory_order_relaxed); }
  std::vector<RoomId> rooms() const override;
  Result<void> send(std::string_view event, const JsonText& payload, const RoomId& room) override;
  void close_session(CloseCode code, std::string_view reason) override;
  void leave_room(const std::shared_ptr<features::Room>& room) override;

  void handle(socketio::Event& event) override;
  void refuse(socketio::Event& event, const Error& why) override;
  void flush() override;
  void transport_changed() override;
  void drained() override;
  void gone(EndReason reason) override;

 private:
  using Request = protocol::SharingRequest;
  using Answer = protocol::SharingAnswer;
  using RoomPtr = std::shared_ptr<features::Room>;
  /// Who waits for the answer to a request, if anybody does.
  struct Asker {
    socketio::Event::Ack ack;
    bool creates_room = false;  // its failure has a roomId, too
  };
  /// What a room keeps, for who joins it.
  struct Found {
    JsonText data;      // null: nothing
    Offset before = 0;  // as in `features::Page`
  };
  class Upload;
  /// What few clients have.
  struct Extras {
    std::vector<std::weak_ptr<features::Room>> created_rooms;
    PresenceThrottle throttle;
    std::size_t uploads = 0;
    std::optional<Disconnect> closing;  // the application has ended it
  };

  void act(const Asker& asker, Request& request);
  void create(const Asker& asker, const Request& request);
  void join(const Asker& asker, const Request& request);
  void history(const Asker& asker, const Request& request);
  void leave(const Asker& asker, const Request& request);
  void close(const Asker& asker, const Request& request);
  void list(const Asker& asker, const Request& request);
  void members(const Asker& asker, const Request& request);
  void give_ticket(const Asker& asker, const RoomId& room);
  void publish(const Asker& asker, Request& request);
  void chat(const Asker& asker, Request& request);
  void chat_history(const Asker& asker, const Request& request);
  void presence(const Asker& asker, Request& request);
  void public_items(const Asker& asker, const Request& request);
  void delete_last(const Asker& asker);
  void tell_deleted(const Asker& asker, const Result<bool>& deleted);

  // Sharing; no room is the public space
  void share(const Asker& asker, const RoomPtr& room, protocol::TransferData data);
  void share_stored(const Asker& asker, const RoomPtr& room, const FileId& file);
  void share_upload(const Asker& asker, const RoomPtr& room, protocol::TransferData data);
  void ask_to_share(const Asker& asker, const RoomPtr& room, const FileInfo& file);
  void hold_and_share(const Asker& asker, const RoomPtr& room, const FileId& file, const JsonText& data,
                      features::FileHolder holder);
  std::optional<JsonText> permitted_to_share(const Asker& asker, const RoomPtr& room, JsonText data);
  void publish_share(const Asker& asker, const RoomPtr& room, SharedItem item);
  void tell_shared(const Asker& asker, const Result<Position>& shared);
  bool may_share_in(const RoomPtr& room) const;

  Result<Found> enter(const RoomPtr& room, const JsonText& presence);
  features::PageRequest page_of(const Request& request) const;
  features::Membership* membership_in(const RoomPtr& room) const;
  /// The place in the room that a request names. Null: an error has been answered.
  features::Membership* member_of(const Asker& asker, const RoomId& room);
  void leave_at(std::size_t index);
  void release_held_presence();
  Extras& extras();

  const protocol::SharingWriter& writer() const;
  void answer(const Asker& asker, Answer text);
  void succeed(const Asker& asker, std::string_view message) { answer(asker, Answer(true, message)); }
  void fail(const Asker& asker, const Error& error);
  void answer_failure(const Asker& asker, const Error& error);
  /// Runs a handler that may veto; false where the request ends here: the error has been answered.
  template <class Event, class Handler>
  bool permitted(const Asker& asker, std::string_view what, const Handler& handler, Event& event);
  Session handle_of_this() { return Session(shared_from_this()); }
  Hub& hub() const noexcept { return sharing_->hub; }

  const std::shared_ptr<Sharing> sharing_;
  const std::shared_ptr<SocketIoSocket> socket_;
  std::vector<std::unique_ptr<features::Membership>> memberships_;  // others read it: changed under the sessions mutex
  features::PublicSeat public_seat_;
  std::unique_ptr<Extras> extras_;
  std::atomic<bool> connected_{false};
};

}  // namespace flux::detail
