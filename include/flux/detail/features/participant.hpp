// One client as the features see it, whatever it speaks: what it is in, what it has made, and everything it may do.
#pragma once

#include <flux/detail/core/lane.hpp>
#include <flux/detail/core/session_state.hpp>
#include <flux/detail/features/backend.hpp>
#include <flux/detail/features/pending_verdict.hpp>
#include <flux/detail/features/presence_throttle.hpp>
#include <flux/detail/features/room.hpp>
#include <flux/events.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux::features {

/// On what terms the clients of an endpoint join rooms.
struct JoinTerms {
  std::size_t rooms_max = 1;
  bool switches_rooms = false;  ///< with one room at most: joining another one leaves it, instead of being refused
  bool creates_rooms = false;   ///< a room that does not exist is made, with mode live
  bool lists_members = true;    ///< the welcome has them
  PageRequest chat{0};          ///< of the room's chat, read before the room is entered; a limit of 0: none
};

/// Files that came whole in messages and are in memory until they are stored. Shared by the clients of an endpoint.
/// Threading: any thread.
struct UploadsInMemory {
  const std::uint64_t bytes_max;
  const std::size_t per_client_max;
  std::atomic<std::uint64_t> bytes{0};
};

/// A file that came whole in a message.
struct WholeFile {
  core::SharedBytes bytes;
  std::string name;
  std::string media_type;
};

struct RoomsPage {
  std::vector<RoomInfo> rooms;
  bool more = false;
};

/// The base class of an endpoint's session: the session parses requests and phrases answers, the participant acts. Each act
/// checks its limits, asks the application if a handler is set, and passes the outcome to `done` once: immediately, or
/// later on the loop. If the client disconnects before then, `done` may not be called.
/// Threading: the loop's thread, unless SessionState says otherwise.
class Participant : public detail::SessionState {
 public:
  using RoomPtr = std::shared_ptr<Room>;
  template <class T>
  using Done = std::function<void(Result<T>)>;
  /// Writes down what the client finds when it joins: the room, and its chat or why there is none. Called under the
  /// room's lock.
  using Welcome = std::function<void(const RoomSnapshot&, const Result<ChatPage>&)>;

  Participant(Backend& backend, std::uint64_t key, std::shared_ptr<core::Loop> loop, const core::ClientAddress& remote,
              std::shared_ptr<const Grant> grant);
  ~Participant() override;

  bool connected() const final { return connected_.load(std::memory_order_relaxed); }
  std::vector<RoomId> rooms() const final;
  void leave_room(const RoomPtr& room) final;
  Result<void> change_grant(Grant grant) final;
  void end_access(CloseCode code, std::string_view reason) final;

  // --- Rooms ---

  /// Its place in the room, the newest one where a room has ended and another one was made under its id; null: it is not
  /// in it.
  Membership* membership_of(const RoomId& room) const;
  Membership* membership_in(const RoomPtr& room) const;
  /// The room that was joined last; null: it is in none.
  Membership* last_joined() const { return memberships_.empty() ? nullptr : memberships_.back().get(); }

  /// Joins the room, or joins again: then the presence is replaced. No `presence`: the one it has set before, or `{}`.
  /// The room is entered before any later chat is stored, so that nothing falls between the history and what follows.
  /// While the chat store is asked, for `ChatOptions::join_history_timeout` at most, no more requests are read.
  /// Errors: invalid_argument; room_not_found; room_full; limit_exceeded; those of the join handler.
  void join(const RoomId& room, std::optional<JsonText> presence, const JoinTerms& terms, Welcome welcome,
            const Done<void>& done);
  /// Errors: limit_exceeded, those of `Rooms::create` and of the room store.
  void create_room(const RoomId& room, const RoomOptions& options, const Done<RoomPtr>& done);
  /// Closes a room that it has created. Errors: invalid_argument; room_not_found; forbidden.
  Result<void> close_room(const RoomId& room, std::string_view reason);
  /// At most `limit` rooms behind `after` in the order of their ids, as many as an answer holds. `bytes_of`: how long a
  /// room is in it.
  RoomsPage rooms_page(std::string_view after, std::size_t limit,
                       const std::function<std::size_t(const RoomInfo&)>& bytes_of) const;
  MembersPage members(const Membership& membership, std::size_t limit, std::uint64_t after) const;
  ItemsPage items(Membership& membership, std::size_t limit, Offset before) const;

  // --- Events, chat, presence ---

  /// Errors: not_in_room, room_not_found, overloaded; those of the event handler.
  void publish(Membership& membership, std::string event, std::optional<JsonText> payload, const Done<Position>& done);
  /// The same where no event handler is set: at once, and nothing is copied.
  Result<Position> publish_unasked(const Membership& membership, std::string_view event,
                                   std::optional<std::string_view> payload);
  bool asks_about_events() const { return static_cast<bool>(backend_.handlers.event); }
  /// Errors: not_in_room, overloaded; those of the chat handler and of the chat store.
  void chat(Membership& membership, std::string message, std::optional<JsonText> metadata,
            const Done<ChatMessage>& done);
  /// Errors: those of the chat store.
  void chat_history(const RoomId& room, std::size_t limit, Offset before, const Done<ChatPage>& done);
  /// `done` is told at once; the others hear of it when `Config::presence_throttle` allows. Errors: not_in_room; those
  /// of the presence handler.
  void update_presence(Membership& membership, JsonText presence, const Done<void>& done);

  // --- The application's own requests ---

  /// Calls the method's handler. While its answer is left for later no more requests are read, for
  /// `Limits::handshake_timeout` at most. Errors: unknown_type; overloaded; server_error; those of the handler.
  void call(const std::string& method, const JsonText& payload, const Done<JsonText>& done);

  // --- Sharing: in a room, or, where `room` is null, in the public space ---

  /// Errors: not_in_room, overloaded; those of the share handler and of the room store.
  void share(const RoomPtr& room, JsonText data, const Done<Position>& done);
  /// Shares a file that was uploaded before. No more requests are read until it is done, so that what the client shares
  /// keeps its order. Errors, besides those of `share`: file_not_found, forbidden, those of the file handler and store.
  void share_stored(const RoomPtr& room, const FileId& file, Done<Position> done);
  /// Stores the file, then shares it. Errors, besides those of `share`: forbidden, file_too_large, overloaded, those of
  /// the file store.
  void share_whole(const RoomPtr& room, WholeFile whole, const std::shared_ptr<UploadsInMemory>& uploads,
                   const Done<Position>& done);
  /// `room` may be empty: for no room. Errors: forbidden where the server takes no files, or signs nothing.
  Result<SignedTicket> upload_ticket(const RoomId& room) const { return backend_.upload_ticket(*this, room); }

  // --- The public space ---

  ItemsPage public_items(std::size_t limit, Offset before) const;
  /// What is there now; from here on the client hears of it through `view`.
  ItemsPage watch_public(PublicSeat& seat, const PublicView& view, std::size_t limit, Offset before);
  /// The same; it hears of each item and each removal.
  ItemsPage watch_public_changes(PublicSeat& seat, const PublicChangesView& view, std::size_t limit, Offset before);
  /// Removes the newest item; false: there is none. Where another item has become the newest while the handler was asked,
  /// that one is asked about. Errors: those of the handler and of the room store.
  void delete_public_newest(const Done<bool>& done);

 protected:
  /// What becomes of a request, once there is a verdict on it.
  struct Question {
    Question() = default;
    Question(const Question&) = delete;
    Question& operator=(const Question&) = delete;
    virtual ~Question() = default;
    virtual void decide(const Result<void>& verdict) = 0;
    std::optional<core::TimerQueue::Id> timer{};
  };

  /// What few clients have.
  struct Extras {
    PresenceThrottle throttle;
    PublicSeat public_seat;  // of an endpoint whose clients watch the public space only when they ask for it
    std::vector<std::weak_ptr<Room>> created_rooms;
    /// Requests that the application has not decided on; null: there are none. Only this keeps them, so that they, and
    /// what they hold, are destroyed when the client leaves.
    std::unique_ptr<std::vector<std::shared_ptr<Question>>> undecided;
    std::uint32_t uploads = 0;            // files of messages on their way into the store
    std::uint32_t strikes = 0;            // messages in a row that were past its rate
    std::unique_ptr<Disconnect> closing;  // how the application has ended it; null: it has not
  };

  // --- For the endpoint to say ---

  virtual std::shared_ptr<Participant> self() = 0;
  /// Whether it can be sent anything.
  virtual bool is_open() const = 0;
  /// Where rooms and the public space send what it hears, and how that is encoded.
  virtual core::Outlet& outlet() = 0;
  virtual const RoomView& room_view() const = 0;
  /// Nothing more is read from the client until `resume_requests` has been called as often. Bytes that it sends meanwhile
  /// wait in its socket.
  virtual void hold_requests() = 0;
  virtual void resume_requests() = 0;
  /// How clients are called in errors.
  virtual std::string_view noun() const { return "client"; }
  /// What a client is told that has left `room` before its request could be acted on. Code: not_in_room.
  virtual Error no_longer_in(const RoomId& room) const;

  // --- Life ---

  /// It is connected: enters the directory.
  void enter_directory();
  /// It is no longer connected: leaves its rooms and the public space. `seat`: null where it has none.
  void leave_everything(PublicSeat* seat);
  /// Leaves the directory, and the application is told.
  void leave_directory(const Disconnect& how);
  void replace_grant(Grant grant);

  /// Sends now what its rooms would send when the turn ends.
  void flush_rooms();
  /// Sends through `send(std::string)` what a slow reader missed of its rooms. False where that is no longer known: then
  /// it is to be closed.
  template <class Congested, class Send>
  bool catch_up_rooms(const Congested& congested, const Send& send) {
    for (const auto& membership : memberships_) {
      if (congested()) return true;  // the rest follows when that has gone out
      std::string encoded;
      if (!membership->room->catch_up(*membership, room_view(), encoded)) return false;
      if (!encoded.empty()) send(std::move(encoded));
    }
    return true;
  }

  Backend& backend() const noexcept { return backend_; }
  const std::vector<std::unique_ptr<Membership>>& memberships() const noexcept { return memberships_; }
  Extras& extras();
  Extras* extras_if_any() const noexcept { return extras_.get(); }
  Session session_handle() { return Session(self()); }

  /// The one place that asks the application whether the client may do something. If its handler refuses, throws or
  /// changes `event` to something invalid, `done` gets the error. Otherwise, or without a handler, `then` is called with
  /// the event as the handler left it. Neither is called if the client disconnects first. If the handler gives its verdict
  /// later, `done` and `then` are kept and requests are held until it does.
  template <class Event, class T, class Then>
  void permitted(std::string_view what, const std::function<void(Event&)>& handler, Event& event, const Done<T>& done,
                 const Then& then) {
    if (handler) {
      if (const auto answer = ask(what, handler, event); !answer) return done(answer.error());
      if (!connected()) return;  // the handler has ended it
      if (const std::shared_ptr<PendingVerdict> verdict = static_cast<Vetoable&>(event).pending_) {
        return await(*verdict, std::make_shared<QuestionOf<Event, T, Then>>(std::move(event), done, then));
      }
    }
    then(event);
  }

 private:
  class WaitingJoin;
  struct Joining;

  template <class Event, class T, class Then>
  struct QuestionOf final : Question {
    QuestionOf(Event&& e, Done<T> d, const Then& t) : event(std::move(e)), done(std::move(d)), then(t) {}
    void decide(const Result<void>& verdict) override {
      if (!verdict) return done(verdict.error());
      then(event);
    }
    Event event;
    const Done<T> done;
    const Then then;
  };

  void await(PendingVerdict& verdict, const std::shared_ptr<Question>& question);
  void decide(const std::shared_ptr<Question>& question, const Result<void>& verdict);
  template <class Event>
  Result<void> ask(std::string_view what, const std::function<void(Event&)>& handler, Event& event);
  void join_permitted(const std::shared_ptr<Joining>& joining);
  Result<void> enter(const Joining& joining, const Result<ChatPage>& chat);
  void finish_join(const Joining& joining, const Result<void>& entered);
  void leave(std::size_t index);
  void release_held_presence();
  /// Null is the public space, in which everybody is.
  bool is_in_or_public(const RoomPtr& room) const { return room == nullptr || membership_in(room) != nullptr; }
  void share_found(const RoomPtr& room, const FileInfo& file, const Done<Position>& done);
  void hold_and_share(const RoomPtr& room, const FileId& file, const JsonText& data, FileHolder holder,
                      const Done<Position>& done);
  void share_unasked(const RoomPtr& room, SharedItem item, const Done<Position>& done);
  void share_permitted(const RoomPtr& room, JsonText data, FileHoldPtr hold, const Done<Position>& done);
  /// As `done`, for a result that may come on any thread: it is told on the loop.
  template <class T>
  Done<T> on_loop(const Done<T>& done);
  Result<JsonText> checked_reply(const std::string& method, Result<JsonText> answer);
  PageRequest page(std::size_t limit, Offset before) const;

  std::atomic<bool> connected_{false};
  Backend& backend_;
  std::vector<std::unique_ptr<Membership>> memberships_;  // others read it: changed under the sessions mutex
  std::unique_ptr<Extras> extras_;
};

template <class Event>
Result<void> Participant::ask(std::string_view what, const std::function<void(Event&)>& handler, Event& event) {
  core::LoopCounters& counters = loop()->counters();
  if (!backend_.guarded(counters, what, [&] { handler(event); })) {
    return Error(Errc::server_error, "the server failed to handle this message");
  }
  if (event.refused()) return *event.refused();
  return backend_.check_handled(counters, what, event);
}

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/participant.ipp>
#endif
