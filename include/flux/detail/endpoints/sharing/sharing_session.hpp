// A client of data sharing over Socket.IO: turns its events into acts of a participant.
#pragma once

#include <flux/detail/endpoints/sharing/sharing_codec.hpp>
#include <flux/detail/endpoints/socketio/socketio_server.hpp>
#include <flux/detail/features/participant.hpp>
#include <flux/detail/mode.hpp>
#include <flux/sharing.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flux::detail {

/// What the clients of one `serve_sharing` share. Threading: any thread.
struct Sharing : features::ClientGroup {
  Sharing(features::Backend& server, const socketio::SharingOptions& o);

  /// Null: the request has no rate of its own. One of the two is null.
  gate::OperationLimit* rate_of(const protocol::SharingRequestType* own, const features::Request* added) const;

  const socketio::SharingOptions options;
  const protocol::SharingWriter framed{protocol::SharingWriter::Form::websocket};
  const protocol::SharingWriter polled{protocol::SharingWriter::Form::polling};
  const std::shared_ptr<features::UploadsInMemory> uploads;
  std::vector<gate::OperationLimit*> rates;  // of data sharing's own requests; empty if no operation has one
};

/// Where the answer to a request goes; nowhere if `ack` is empty.
struct SharingAsker {
  socketio::Event::Ack ack;
  bool creates_room = false;  // then an error has a roomId too
};

/// Begins the session of a socket that the middlewares have admitted. Called on its loop.
void begin_sharing(const std::shared_ptr<Sharing>& sharing, const socketio::Socket& socket);

/// Threading: its loop's thread, except for the members that SessionState lets any thread call. Ownership: the
/// directory owns it while it is connected.
class SharingSession final : public features::Participant,
                             public SocketIoFollower,
                             public std::enable_shared_from_this<SharingSession> {
 public:
  SharingSession(std::shared_ptr<Sharing> sharing, std::shared_ptr<SocketIoSocket> socket);

  /// All requests of data sharing. To add one, add an entry in sharing_requests.ipp.
  static std::span<const protocol::SharingRequestType> request_types() noexcept;

  /// Enters the directory, and sends what is in the public space.
  void opened();

  FLUX_DECL Result<Sent> send(std::string_view event, const JsonText& payload, const RoomId& room) override;
  std::string_view protocol() const noexcept override { return "sharing"; }
  ClientCounts counts() const noexcept override { return socket_->session()->counts(); }
  const std::shared_ptr<SocketIoSocket>& socket() const noexcept { return socket_; }
  FLUX_DECL void close_session(CloseCode code, std::string_view reason) override;
  void withdraw() noexcept override { socket_->session()->ignore_input(); }
  bool withdrawn() const noexcept override { return socket_->session()->ignores_input(); }

  FLUX_DECL void grant_changed() override;
  FLUX_DECL void handle(socketio::Event& event) override;
  FLUX_DECL void refuse(socketio::Event& event, const Error& why) override;
  void flush() override { flush_audiences(); }
  FLUX_DECL void transport_changed() override;
  FLUX_DECL void drained() override;
  FLUX_DECL void gone(EndReason reason) override;

 private:
  using Request = protocol::SharingRequest;
  using Answer = protocol::SharingAnswer;
  using RoomPtr = std::shared_ptr<features::Room>;
  using Asker = SharingAsker;
  struct Requests;

  std::shared_ptr<Participant> self() override { return shared_from_this(); }
  bool is_open() const override { return connected() && socket_->connected() && !closing() && !withdrawn(); }
  core::Outlet& outlet() override { return *socket_->session(); }
  Door door() const override { return {"socket.io", socket_->session()->server().options().path}; }
  const features::ClientView& view() const override { return writer(); }
  void stop_reading() override { socket_->session()->hold_input(); }
  void resume_reading() override { socket_->session()->release_input(); }
  gate::OperationBuckets& operation_buckets() override { return socket_->session()->operation_buckets(); }
  FLUX_DECL Error no_longer_in(const RoomId& room) const override;
  FLUX_DECL void tell(const features::Notice& notice) override;
  FLUX_DECL void tell_left(const RoomId& room, std::string_view reason) override;
  FLUX_DECL void be_placed(const features::Participant::Placement& placement, const Done<void>& done) override;
  FLUX_DECL Result<void> take_refreshed(const Grant& grant) override;
  FLUX_DECL void take_changed(Grant grant) override;

  void refresh_access(const Asker& asker, std::string_view token);
  void join_room(const Asker& asker, const RoomId& room_id);
  struct Found;
  features::JoinTerms join_terms() const;
  void emit_joined(const RoomId& room, const Found& found);
  void room_history(const Asker& asker, features::Membership& membership, std::size_t limit, Offset before);
  void list_rooms(const Asker& asker, std::string_view after, std::size_t limit);
  void list_members(const Asker& asker, const features::Membership& membership, std::size_t limit, std::uint64_t after);
  void answer_items(const Asker& asker, std::string_view message, const features::ItemsPage& page);
  void send_event(const Asker& asker, const features::Membership& membership, const Request& request);
  void give_ticket(const Asker& asker, const RoomId& room);
  void share_data(const Asker& asker, const RoomPtr& room, const Request& request);
  /// The client's place in the room that a request names. If it returns null, it has answered with an error.
  features::Membership* member_of(const Asker& asker, const RoomId& room);

  /// Whether the application has closed it.
  bool closing() const { return extras_if_any() != nullptr && extras_if_any()->closing != nullptr; }
  const protocol::SharingWriter& writer() const;
  void answer(const Asker& asker, Answer text);
  void fail(const Asker& asker, const Error& error);
  void answer_failure(const Asker& asker, const Error& error);
  /// Answers with `phrase(result)`, or with the error.
  template <class T, class Phrase>
  Done<T> answering(const Asker& asker, Phrase phrase);
  Done<JsonText> answering_json(const Asker& asker);
  /// Answers with `message`, or with the error.
  template <class T>
  Done<T> succeeding(const Asker& asker, std::string_view message);
  std::shared_ptr<SharingSession> this_session() { return shared_from_this(); }

  const std::shared_ptr<Sharing> sharing_;
  const std::shared_ptr<SocketIoSocket> socket_;
  features::PublicSeat public_seat_;
};

}  // namespace flux::detail
