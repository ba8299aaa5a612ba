// One client as the features see it, whatever its protocol: its memberships, what it created, and every request that it
// can make.
#pragma once

#include <flux/detail/core/lane.hpp>
#include <flux/detail/core/owed_answer.hpp>
#include <flux/detail/core/session_state.hpp>
#include <flux/detail/features/backend.hpp>
#include <flux/detail/features/presence_throttle.hpp>
#include <flux/detail/features/room.hpp>
#include <flux/detail/features/subscriber.hpp>
#include <flux/detail/mode.hpp>
#include <flux/events.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux::features {

/// How the clients of an endpoint join rooms.
struct JoinTerms {
  std::size_t rooms_max = 1;
  bool switches_rooms = false;  ///< at the limit, joining another room leaves the oldest one, instead of being refused
  bool creates_rooms = false;   ///< a room that does not exist is created, with mode live
  bool lists_members = true;    ///< the welcome contains them
  PageRequest chat{0};          ///< the page of the chat history in the welcome; a limit of 0: none
};

/// Files received whole in messages, which are in memory until they are stored. Shared by the clients of an endpoint.
/// Threading: any thread.
struct UploadsInMemory {
  const std::uint64_t bytes_max;
  const std::size_t per_client_max;
  std::atomic<std::uint64_t> bytes{0};
};

struct RoomsPage {
  std::vector<RoomInfo> rooms;
  bool more = false;
};

/// What the clients of one endpoint share; it outlives them. Endpoints derive from it what their sessions need besides.
struct ClientGroup {
  Backend& backend;
};

/// The base class of an endpoint's session: the session parses requests and phrases answers, the participant acts. Each act
/// checks its limits, asks the application if a handler is set, and passes the outcome to `done` once: immediately, or
/// later on the loop. If the client disconnects before then, `done` may not be called.
/// Threading: the loop's thread, unless SessionState says otherwise.
class Participant : public detail::SessionState {
 public:
  using RoomPtr = std::shared_ptr<Room>;
  using Placement = detail::Placement;
  template <class T>
  using Done = std::function<void(Result<T>)>;
  /// Encodes the welcome of a client that joins: the room, and its chat history or why there is none. Called under the
  /// room's lock.
  using Welcome = std::function<void(const RoomSnapshot&, const Result<ChatPage>&)>;

  Participant(const ClientGroup& group, std::uint64_t key, std::shared_ptr<core::Loop> loop,
              const core::ClientAddress& remote, std::shared_ptr<const Grant> grant);
  FLUX_DECL ~Participant() override;

  bool connected() const final { return connected_.load(std::memory_order_relaxed); }
  FLUX_DECL std::vector<RoomId> rooms() const final;
  FLUX_DECL void leave_room(const RoomPtr& room) final;
  FLUX_DECL void place(Placement placement, SessionState::WhenDone done) final;
  FLUX_DECL void put_out(RoomId room, std::string reason, SessionState::WhenDone done) final;
  FLUX_DECL Result<void> change_grant(Grant grant) final;
  FLUX_DECL Result<void> change_data(JsonText data) final;
  FLUX_DECL void access_expiring(std::int64_t expires_at) final;
  FLUX_DECL bool access_expired(std::int64_t expires_at) final;
  FLUX_DECL void leave_rooms() final;
  FLUX_DECL void end_access(CloseCode code, std::string_view reason) final;

  // --- Access ---

  /// Where a client presents tokens in messages.
  struct Door {
    std::string_view protocol;  ///< a literal
    std::string_view path;      ///< of the endpoint
  };
  /// Presents a new token: its grant replaces the current one, and is passed to `done`. Memberships remain. Until the
  /// application has answered, no more requests are read. Errors: those of `Gate::refresh`; unauthorized also if the
  /// token is another user's. On an error the client keeps its grant.
  void refresh(std::string token, Done<Grant> done);
  /// Presents a token for one thing, which `payload`, an object, describes to the application: its grant is passed to `done`,
  /// the client's own stays. Until the application has answered, no more requests are read. Errors: those of
  /// `Gate::verify`; forbidden if nobody verifies tokens; unauthorized also if the token belongs to
  /// a user and the client is not that user.
  void verify(std::string token, JsonText payload, Done<Grant> done);
  /// Whether a token of this user is the client's; empty: of nobody, so anybody's.
  bool may_use_token_of(const std::string& user) const;

  // --- Rooms ---

  /// Its membership of the room, of the newest one if a room has ended and another was created with the same id; null
  /// if there is none.
  Membership* membership_of(const RoomId& room) const;
  Membership* membership_in(const RoomPtr& room) const;
  /// Whether the client may do this in the room. Errors: forbidden; unauthorized if it is not logged in.
  Result<void> may(const Membership& membership, gate::RoomAct act) const;
  /// The membership that was acquired last; null if there is none.
  Membership* last_joined() const { return memberships_.empty() ? nullptr : memberships_.back().get(); }

  /// Joins the room, or joins it again, which replaces the presence. What can be known is checked before the handlers are
  /// asked, and again afterwards. No `presence`: the one that it set before, or `{}`. The room is entered before any
  /// later chat is stored, so that nothing is lost between the history and later messages. While the chat store reads
  /// the history, for `ChatOptions::join_history_timeout` at most, no more requests are read.
  /// Errors: forbidden, unauthorized: its grant lacks a permission that the room demands; invalid_argument; those of its
  /// presence (`RoomsOptions::content`): message_too_large, invalid_message; room_not_found; room_full; limit_exceeded; those of the handlers of joins and, if the room is created, of new rooms.
  void join(const RoomId& room, std::optional<JsonText> presence, const JoinTerms& terms, Welcome welcome,
            const Done<void>& done);
  /// Errors: forbidden, unauthorized: `RoomsOptions::create_demand`; limit_exceeded, those of `Rooms::create`, of the
  /// handler of new rooms and of the room store.
  void create_room(const RoomId& room, const RoomOptions& options, const Done<RoomPtr>& done);
  /// Closes a room that this client has created. Errors: invalid_argument; room_not_found; forbidden.
  Result<void> close_room(const RoomId& room, std::string_view reason);
  /// The rooms after `after` in the order of their ids: at most `limit`, and as many as fit into an answer. `bytes_of`:
  /// the size of a room in the answer.
  RoomsPage rooms_page(std::string_view after, std::size_t limit,
                       const std::function<std::size_t(const RoomInfo&)>& bytes_of) const;
  MembersPage members(const Membership& membership, std::size_t limit, std::uint64_t after) const;
  /// Errors: those of `may`.
  Result<ItemsPage> items(Membership& membership, std::size_t limit, Offset before) const;

  // --- Events, chat, presence ---
  // Every act may also have the errors of `may`, at once or after the application's verdict, and those of what clients may
  // write (`RoomsOptions::content`): message_too_large, invalid_message.

  /// `done` gets the reply of a handler that has consumed the event, otherwise null. Errors: not_in_room, room_not_found,
  /// overloaded; those of the event handler.
  void publish(const Membership& membership, std::string event, std::optional<JsonText> payload,
               const Done<JsonText>& done);
  /// The same without asking the event handler: at once, and nothing is copied.
  Result<Position> publish_unasked(const Membership& membership, std::string_view event,
                                   std::optional<std::string_view> payload);
  bool asks_about_events() const { return static_cast<bool>(backend().handlers.event); }
  /// `own_id`: the client's own id of the message; empty: none. If the client has sent one with this id to the room
  /// before, `done` gets that one, and nothing is stored or sent. If the application holds the message, `done` gets one
  /// with its id and offset 0.
  /// Errors: not_in_room, overloaded; invalid_message for an `own_id` that does not fit into an id with the client's user
  /// id; those of the chat handler and of the chat store.
  void chat(Membership& membership, std::string message, std::optional<JsonText> metadata, std::string_view own_id,
            const Done<ChatMessage>& done);
  /// Edits a message of the room. Without metadata, that of the message stays. No more requests are read until this is
  /// done, so that the client's messages keep their order.
  /// Errors: not_in_room; forbidden for a client that may not; those of `Backend::change_chat` and of the handler.
  void edit_chat(Membership& membership, Offset offset, std::string message, std::optional<JsonText> metadata,
                 const Done<ChatMessage>& done);
  /// The same, to delete it.
  void delete_chat(Membership& membership, Offset offset, const Done<ChatMessage>& done);
  /// Errors: those of the chat store.
  void chat_history(const Membership& membership, std::size_t limit, Offset before, const Done<ChatPage>& done);
  /// `done` is called at once; the others are told when `Config::presence_throttle` allows. Errors: not_in_room; those
  /// of the presence handler.
  void update_presence(Membership& membership, JsonText presence, const Done<void>& done);

  // --- The application's own requests ---

  /// Calls the method's handler. While its answer is left for later no more requests are read, for
  /// `Limits::answer_timeout` at most. Errors: unknown_type; overloaded; server_error; those of the handler.
  void call(const std::string& method, const JsonText& payload, const Done<JsonText>& done);

  // --- Sharing: in a room, or in the public space if `room` is null ---

  /// Errors: not_in_room, overloaded; message_too_large, invalid_message (`RoomsOptions::content`); those of the share
  /// handler and of the room store.
  void share(const RoomPtr& room, JsonText data, const Done<Position>& done);
  /// Shares a file that was uploaded before. No more requests are read until this is done, so that the client's items
  /// keep their order. Errors, besides those of `share`: file_not_found, forbidden, those of the file handler and
  /// store.
  void share_stored(const RoomPtr& room, const FileId& file, Done<Position> done);
  /// Stores the file, then shares it. Errors, besides those of `share`: forbidden, file_too_large, overloaded, those of
  /// the file store.
  void share_whole(const RoomPtr& room, WholeFile whole, const std::shared_ptr<UploadsInMemory>& uploads,
                   const Done<Position>& done);
  /// `room` may be empty: for no room. Errors: forbidden if the server has no file store, or can't sign; not_in_room;
  /// those of `may`.
  Result<SignedTicket> upload_ticket(const RoomId& room) const;

  // --- The public space ---

  ItemsPage public_items(std::size_t limit, Offset before) const;
  /// Returns the current items; from now on the client gets changed lists. `seat` must exist until the client disconnects.
  ItemsPage watch_public(PublicSeat& seat, std::size_t limit, Offset before);
  /// The same, but the client gets each item and each removal.
  ItemsPage watch_public_changes(PublicSeat& seat, const PublicChangesView& view, std::size_t limit, Offset before);
  /// Removes the newest item; false if there is none. If another item has become the newest before the handler decided,
  /// the handler is asked about that one. Errors: those of the handler and of the room store.
  void delete_public_newest(const Done<bool>& done);

  // --- For features that act for clients, and send to them, by themselves ---

  Session session_handle() { return Session(self()); }
  std::shared_ptr<Participant> handle() { return self(); }
  /// Wraps `done` for a result that may be produced on any thread: it is passed on, on the loop.
  template <class T>
  Done<T> on_loop(const Done<T>& done) {
    return [self = self(), done](Result<T> result) {
      self->loop()->dispatch([self, done, result = std::move(result)] { done(result); });
    };
  }

  /// The one place that asks the application whether the client may do something. If its handler refuses, throws or
  /// changes `event` to something invalid, `done` gets the error. Otherwise, or without a handler, `then` is called with
  /// the event as the handler left it. Neither is called if the client disconnects first, or if the handler closes it;
  /// but a consumed event is still answered. If the handler gives its verdict later, `done` and `then` are kept and requests
  /// are held until it does.
  template <class Event, class T, class Then>
  void permitted(std::string_view what, const std::function<void(Event&)>& handler, Event& event, const Done<T>& done,
                 const Then& then) {
    if (handler) {
      if (const auto answer = ask(what, handler, event); !answer) {
        note_refused(what, answer.error());
        return done(answer.error());
      }
      if (!is_open() && !is_consumed(event)) return;  // the handler has closed it
      if (const auto owed = static_cast<Vetoable&>(event).verdict_) {
        const auto kept = std::make_shared<Event>(std::move(event));
        return hold_until<void>(*owed, "the application took too long to decide; try again",
                                [this, what, kept, done, then](const Result<void>& verdict) {
                                  if (!is_open()) return;  // closed while the verdict was pending
                                  if (!verdict) {
                                    note_refused(what, verdict.error());
                                    return done(verdict.error());
                                  }
                                  then(*kept);
                                });
      }
    }
    then(event);
  }

  /// The client, as an audience reaches it.
  core::Receiver receiver() { return {key(), &outlet(), loop()}; }
  /// How its messages are encoded; another view if its transport changes (`Subscriber::change_view`).
  virtual const ClientView& view() const = 0;
  /// Sends it a notice, if it is open.
  virtual void tell(const Notice& notice) = 0;
  /// Whether the application may have it receive what it has not asked for itself.
  virtual bool takes_subscriptions() const { return true; }
  /// The client receives from a feature from now on. Call this before the subscriber takes its seat. Returns false if the
  /// client is closing: then it must not receive, because nobody would tell the subscriber to leave.
  bool subscribe(Subscriber& subscriber) noexcept {
    if (!is_open()) return false;
    subscribers_.add(subscriber);
    return true;
  }
  /// Null: the client does not receive from this feature.
  Subscriber* subscriber_of(const void* feature) const noexcept { return subscribers_.of(feature); }
  /// Tells the subscriber, which must be one of the client's, to leave.
  void unsubscribe(Subscriber& subscriber) { subscribers_.remove(subscriber); }

 protected:
  /// State that few clients have.
  struct Extras {
    gate::OperationBuckets operations;  // empty until an operation with a rate per connection
    PresenceThrottle throttle;
    PublicSeat public_seat;  // for endpoints whose clients watch the public space only on request
    std::vector<std::weak_ptr<Room>> created_rooms;
    /// Answers that the application owes; null if there are none. Nothing else owns what is to happen then, so it is
    /// destroyed when the client leaves.
    std::unique_ptr<std::vector<std::shared_ptr<core::AnswerWait>>> awaited;
    std::uint32_t uploads = 0;            // files received in messages that are being stored
    std::unique_ptr<Disconnect> closing;  // how the application has closed it; null: it has not
  };

  // --- Implemented by the endpoint's session ---

  virtual std::shared_ptr<Participant> self() = 0;
  virtual Door door() const = 0;
  /// Whether it may act, and anything can be sent to it: it is neither closing nor withdrawn.
  virtual bool is_open() const = 0;
  /// Where rooms and other features deliver its messages.
  virtual core::Outlet& outlet() = 0;
  /// Reads nothing more from the client until `resume_reading` is called. Bytes that it sends meanwhile stay in its
  /// socket. Called alternately: the participant counts the reasons to hold.
  virtual void stop_reading() = 0;
  virtual void resume_reading() = 0;
  /// The client has left the room because the application has removed it.
  virtual void tell_left(const RoomId& room, std::string_view reason) = 0;
  /// Calls `join_placed` with the terms of the endpoint, and sends the welcome to the client before `done` is called.
  virtual void be_placed(const Placement& placement, const Done<void>& done) = 0;
  /// The buckets of its connection for operations with a rate per connection, which must last as long as the connection.
  virtual gate::OperationBuckets& operation_buckets() { return extras().operations; }
  /// What errors call the client.
  virtual std::string_view noun() const { return "client"; }
  /// The error for a request whose client has left `room` before it could be acted on. Code: not_in_room.
  FLUX_DECL virtual Error no_longer_in(const RoomId& room) const;

  // --- Life ---

  /// Enters the directory; it is now connected.
  void enter_directory();
  /// Leaves its rooms and what else it receives, because it is no longer connected. Its answers and verdicts that are
  /// pending have no effect; what holds its requests must be released with `take_holds`.
  void leave_everything();
  /// Leaves the directory, and tells the application.
  void leave_directory(const Disconnect& how);
  /// Forgets the holds on its requests. Returns whether reading was stopped: then the caller must resume it, if the
  /// client's connection outlives the participant.
  bool take_holds() { return std::exchange(holds_, 0) != 0; }
  void replace_grant(Grant grant);
  /// The application has given the session this grant.
  virtual void take_changed(Grant grant) { replace_grant(std::move(grant)); }
  /// Replaces the grant with that of a new token. Errors: those of `gate::check_refresh`.
  FLUX_DECL virtual Result<void> take_refreshed(const Grant& grant);

  /// Counts a message against the limits of the client; `bucket`: its connection's. None: it may be acted on.
  std::optional<gate::Excess> over_rate(gate::RateLimit& bucket);
  /// Counts a request against the limit of its operation. Errors: rate_limited.
  Result<void> within(gate::OperationLimit& limit);

  /// Joins as `join` does, without asking the application and without creating a room. Errors: invalid_argument,
  /// message_too_large (the presence); not_in_room for `Placement::from`; room_not_found; room_full; limit_exceeded.
  void join_placed(const Placement& placement, JoinTerms terms, Welcome welcome, const Done<void>& done);

  /// Sends at once what its rooms and other features would send at the end of the turn.
  void flush_audiences();
  /// Its transport has changed: it moves to the encoding `view()`. Passes to `take` what was pending in the earlier one,
  /// with `separator` between messages.
  void change_view(char separator, const std::function<void(std::string pending)>& take);
  /// Passes to `send` what a slow reader has missed, until it is `congested` again: the rest follows when its output has
  /// drained. Returns false if that is no longer known: then the caller must close it.
  bool catch_up(const Subscriber::Congested& congested, const Subscriber::Send& send);

  Backend& backend() const noexcept { return group_.backend; }
  const ClientGroup& group() const noexcept { return group_; }
  Extras& extras();
  Extras* extras_if_any() const noexcept { return extras_.get(); }

 private:
  /// Whether nothing is left to do with it but to answer.
  template <class Event>
  static bool is_consumed(const Event& event) {
    if constexpr (requires { event.consumed(); }) return event.consumed();
    return false;
  }

  class WaitingJoin;
  struct Joining;

  /// As `Backend::debug`; `what` this client did, or what happened to it.
  template <class What>
  void debug(const What& what) const {
    backend().debug([&] { return std::string(protocol()).append(" client ").append(id()).append(" ").append(what()); });
  }
  void note_refused(std::string_view handler, const Error& error) const {
    debug([&] { return "was refused by the " + std::string(handler) + " handler: " + error.message(); });
  }

  /// Passes the answer to `then`: at once if it has been given; otherwise the client's requests are held until it is, for
  /// `Limits::answer_timeout` at most. If the client leaves first, `then` is destroyed.
  template <class T>
  void hold_until(core::OwedAnswer<T>& owed, const char* late, typename core::OwedAnswer<T>::Then then);
  void keep_wait(std::shared_ptr<core::AnswerWait> wait);
  /// Returns whether requests were held for an answer that has now been given.
  bool forget_answered();
  template <class Event>
  Result<void> ask(std::string_view what, const std::function<void(Event&)>& handler, Event& event);
  Result<Membership*> member_of(const RoomPtr& room, gate::RoomAct act) const;
  /// What the client has written, as `text` and as `json`: `RoomsOptions::content`. Errors: those of `gate::check_content`.
  Result<void> may_write(std::string_view text, std::string_view json) const;
  Result<Position> send_event(const Membership& membership, std::string_view event,
                              std::optional<std::string_view> payload);
  void recheck_permits();
  void leave_forbidden_rooms();
  Result<void> may_enter(const Joining& joining, const Room* room) const;
  gate::RoomPermits permits_in(const Joining& joining, const Room* room) const;
  Result<void> may_create_room(const RoomId& room) const;
  Result<void> may_join(const Joining& joining, std::size_t leaves = 0) const;
  Result<void> may_add_room(const RoomId& room, const JoinTerms& terms, std::size_t leaves) const;
  std::size_t leaves_for(const Joining& joining) const;
  JsonText presence_in(const RoomId& room) const;
  Result<RoomPtr> room_of_member(const RoomId& room) const;
  Result<void> remove_from(const RoomId& room, std::string_view reason);
  Result<void> may_create(const RoomId& room);
  template <class T, class Then>
  void ask_to_create(const RoomId& room, const RoomOptions& options, const Done<T>& done, const Then& then);
  void create_permitted(const RoomId& room, const RoomOptions& options, const Done<RoomPtr>& done);
  void join_permitted(const std::shared_ptr<Joining>& joining);
  void read_history(const std::shared_ptr<Joining>& joining);
  Result<void> enter(Joining& joining, const Result<ChatPage>& chat);
  Result<void> enter_room(Joining& joining, const RoomPtr& room, const Result<ChatPage>& read);
  void finish_join(const std::shared_ptr<Joining>& joining, const Result<void>& entered);
  void tell_joined(const Joining& joining);
  bool has_grant_until(std::int64_t expires_at) const;
  void leave(std::size_t index) { tell_application_left(take_out(index)); }
  RoomPtr take_out(std::size_t index);
  RoomPtr take_out(const RoomPtr& room);
  void tell_application_left(const RoomPtr& room);
  void release_held_presence();
  /// Null is the public space, in which every client is and may share. Errors: not_in_room; those of `may`.
  Result<void> may_share(const RoomPtr& room) const;
  /// The same for a file, whose operation `FileDemands` may also demand.
  Result<void> may_share_file(const RoomPtr& room, const std::string& operation) const;
  void share_found(const RoomPtr& room, const FileInfo& file, const Done<Position>& done);
  void hold_and_share(const RoomPtr& room, const FileId& file, const JsonText& data, FileHolder holder,
                      const Done<Position>& done);
  void share_unasked(const RoomPtr& room, SharedItem item, const Done<Position>& done);
  void share_permitted(const RoomPtr& room, JsonText data, FileHoldPtr hold, const Done<Position>& done);
  /// Passes the reply to `done` when the application has given it. `handler`: which one owes it, for the log.
  void await_reply(core::OwedAnswer<JsonText>& owed, const std::string& handler, const Done<JsonText>& done);
  Result<JsonText> checked_reply(const std::string& handler, Result<JsonText> answer);
  PageRequest page(std::size_t limit, Offset before) const;
  std::string chat_id_of(std::string_view own_id) const;
  bool wrote(const ChatMessage& message) const;
  void find_chat(const RoomPtr& room, Offset offset, Done<ChatMessage> done);
  template <class Event>
  void change_chat(const char* what, const std::function<void(Event&)>& handler, Event& event, const RoomPtr& room,
                   const std::function<ChatLog::Change(Event&)>& change, const Done<ChatMessage>& done);
  /// How many joins of a client may wait for the chat store, so that `holds_` can count them: the application can begin
  /// any number.
  static constexpr std::uint8_t waiting_joins_max = 200;
  /// No more requests are read until `release_requests` has been called as often.
  void hold_requests() {
    if (holds_++ == 0) stop_reading();
  }
  /// Does nothing once the client is closed: nothing more of it is read as a request.
  void release_requests() {
    if (is_open() && holds_ != 0 && --holds_ == 0) resume_reading();
  }
  /// No more requests are read until the returned function, which passes its result to `done`, has been called.
  template <class T>
  Done<T> holding_requests(Done<T> done);

  std::atomic<bool> connected_{false};
  std::uint8_t holds_ = 0;     // how often its requests are held; where there would be padding
  std::uint32_t strikes_ = 0;  // successive messages over a rate; where the base class leaves four bytes unused
  const ClientGroup& group_;
  std::vector<std::unique_ptr<Membership>> memberships_;  // read by other threads: changed under the sessions mutex
  Subscribers subscribers_;
  std::unique_ptr<Extras> extras_;
};

template <class T>
void Participant::hold_until(core::OwedAnswer<T>& owed, const char* late, typename core::OwedAnswer<T>::Then then) {
  auto wait = owed.wait(loop(), backend().config.limits.answer_timeout, Error(Errc::overloaded, late),
                        core::OwedAnswer<T>::KeptBy::caller, [this, then = std::move(then)](Result<T> answer) {
                          const auto keep = self();
                          const bool held = forget_answered();
                          then(std::move(answer));
                          if (held) release_requests();
                        });
  if (wait) keep_wait(std::move(wait));
}

template <class Event>
Result<void> Participant::ask(std::string_view what, const std::function<void(Event&)>& handler, Event& event) {
  core::LoopCounters& counters = loop()->counters();
  if (!backend().guarded(
          counters, what, [&] { handler(event); }, remote(), names_in(event))) {
    return Error(Errc::server_error, "the server failed to handle this message");
  }
  if (event.refused()) return *event.refused();
  return backend().check_handled(counters, what, event, remote());
}

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/participant.ipp>
#include <flux/detail/features/participant_messages.ipp>
#include <flux/detail/features/participant_rooms.ipp>
#include <flux/detail/features/participant_sharing.ipp>
#endif
