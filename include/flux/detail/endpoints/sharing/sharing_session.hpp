// A client of data sharing over Socket.IO: its events become acts of a participant.
#pragma once

#include <flux/detail/endpoints/hub.hpp>
#include <flux/detail/endpoints/sharing/sharing_codec.hpp>
#include <flux/detail/endpoints/socketio/socketio_server.hpp>
#include <flux/detail/features/participant.hpp>
#include <flux/sharing.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace flux::detail {

/// What the clients of one `serve_sharing` share. Threading: any thread.
struct Sharing {
  Sharing(Hub& h, socketio::SharingOptions o)
      : hub(h),
        options(std::move(o)),
        uploads(new features::UploadsInMemory{options.uploads_bytes_max, options.uploads_per_client_max}) {}

  Hub& hub;
  const socketio::SharingOptions options;
  const protocol::SharingWriter framed{protocol::SharingWriter::Form::websocket};
  const protocol::SharingWriter polled{protocol::SharingWriter::Form::polling};
  const std::shared_ptr<features::UploadsInMemory> uploads;
};

/// A socket that the middlewares have let in. On its loop.
void begin_sharing(const std::shared_ptr<Sharing>& sharing, const socketio::Socket& socket);

/// Threading: its loop's thread, but for what SessionState says. Ownership: the directory holds it while it is
/// connected.
class SharingSession final : public features::Participant,
                             public SocketIoFollower,
                             public std::enable_shared_from_this<SharingSession> {
 public:
  SharingSession(std::shared_ptr<Sharing> sharing, std::shared_ptr<SocketIoSocket> socket,
                 std::shared_ptr<const Grant> grant);

  /// Enters the directory, and sends what is in the public space.
  void opened();

  Result<Sent> send(std::string_view event, const JsonText& payload, const RoomId& room) override;
  void close_session(CloseCode code, std::string_view reason) override;

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

  std::shared_ptr<Participant> self() override { return shared_from_this(); }
  bool is_open() const override { return connected() && socket_->connected(); }
  core::Outlet& outlet() override { return *socket_->session(); }
  const features::RoomView& room_view() const override { return writer(); }
  void hold_requests() override { socket_->session()->hold_input(); }
  void resume_requests() override { socket_->session()->release_input(); }
  Error no_longer_in(const RoomId& room) const override;

  void act(const Asker& asker, Request& request);
  void join_room(const Asker& asker, const Request& request);
  void room_history(const Asker& asker, features::Membership& membership, const Request& request);
  void list_rooms(const Asker& asker, const Request& request);
  void list_members(const Asker& asker, const features::Membership& membership, const Request& request);
  void send_event(const Asker& asker, features::Membership& membership, Request& request);
  void give_ticket(const Asker& asker, const RoomId& room);
  void share_data(const Asker& asker, const RoomPtr& room, protocol::TransferData data);
  /// The place in the room that a request names. Null: an error has been answered.
  features::Membership* member_of(const Asker& asker, const RoomId& room);

  const protocol::SharingWriter& writer() const;
  void answer(const Asker& asker, Answer text);
  void fail(const Asker& asker, const Error& error);
  void answer_failure(const Asker& asker, const Error& error);
  /// Answers with what `phrase(result)` makes of it, or with the error.
  template <class T, class Phrase>
  Done<T> answering(const Asker& asker, Phrase phrase);
  /// Answers with `message`, or with the error.
  template <class T>
  Done<T> succeeding(const Asker& asker, std::string_view message);
  std::shared_ptr<SharingSession> this_session() { return shared_from_this(); }

  const std::shared_ptr<Sharing> sharing_;
  const std::shared_ptr<SocketIoSocket> socket_;
  features::PublicSeat public_seat_;
};

}  // namespace flux::detail
