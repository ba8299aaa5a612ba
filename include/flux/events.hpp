// What handlers are given. Handlers run on the connection's event loop, one at a time for each connection; with several
// loops, handlers of different connections run at the same time. They may call every method of the server except `run`,
// and must not block: a handler that asks a database calls `later`. If a handler throws, its client gets SERVER_ERROR
// (from a connect handler close code 4500 or HTTP 500); other clients are not affected.
//
// A client that joins a room: the limits, the permissions that the room demands, the room, its capacity, and what the
// presence may hold are checked; `on_join` is asked; if the room does not exist, `on_create_room` is asked, so `on_join` may
// be asked about a room that is then refused; after that everything is checked again, because verdicts may come later. Then
// it is a member, `room_joined` is sent, and `on_joined` is called. If it may be in one room only, it leaves its other room
// in between. What each handler can observe:
//
//     handler                     presence(room)    Session::rooms()   sessions_of_user(), connected()
//     on_join, on_create_room     without it        without the room   with it, yes
//     on_joined                   with it           with the room      with it, yes
//     on_leave                    without it        without the room   with it, yes
//     on_disconnect               without it        empty              without it, no
//
// A member that joins the same room again gets a new `room_joined`: `on_join` is asked, and finds it in the room already;
// `on_joined` is not called, so there is one `on_leave` for each `on_joined`. A client that is lost while `room_joined` is
// sent may get `on_leave` without it. A client that disconnects leaves its rooms first, the newest one first. When a room
// has ended, its members leave it afterwards: `presence` of it is empty.
#pragma once

#include <flux/grant.hpp>
#include <flux/session.hpp>
#include <flux/storage/file_info.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux::core {
template <class T>
class OwedAnswer;
}
namespace flux::features {
class Participant;
}

namespace flux {

/// For flux itself: takes an answer that is given later.
template <class T>
class AnswerTarget {
 public:
  virtual ~AnswerTarget() = default;
  virtual void give(Result<T> answer) = 0;
};

/// The answer to a question (`AccessRequest`) that is given later, from any thread. The first answer counts. If the last
/// copy is destroyed without an answer, the request is refused.
/// Threading: any thread. An answer that is given after the client has disconnected or the server has stopped does nothing.
class LaterAnswer {
 public:
  /// For flux itself.
  explicit LaterAnswer(std::shared_ptr<AnswerTarget<Grant>> target) : target_(std::move(target)) {}
  /// As `AccessRequest::accept`.
  void accept(Identity identity = {}) const;
  template <std::size_t N>
  void accept(const std::initializer_list<const char*> (&unclear)[N]) const = delete;
  /// As `AccessRequest::accept`, with permissions and an expiry.
  template <std::same_as<Grant> G>
  void accept(G grant) const {
    give(std::move(grant));
  }
  /// As `AccessRequest::refuse`.
  void refuse(std::string_view reason = "unauthorized", Errc code = Errc::unauthorized) const;

 private:
  void give(Result<Grant> answer) const;
  std::shared_ptr<AnswerTarget<Grant>> target_;
};

/// A client wants to connect or to do something, and shows who it is. The question is the same for a handshake, a message
/// with a token and a request for a file. The application answers it once: in the handler, or with `later` from any
/// thread. A handler that returns without an answer, or throws, refuses.
/// Threading: inside the handler only, and so are the views that it returns.
class AccessRequest {
 public:
  virtual ~AccessRequest() = default;

  // --- Which endpoint asks ---

  /// "live", "websocket" (a raw endpoint), "engine.io", "socket.io", "files" or "http" (a route or static files).
  virtual std::string_view protocol() const = 0;
  /// The path of the HTTP request; for a message, that of the endpoint.
  virtual std::string_view path() const = 0;

  // --- What the client has shown ---

  /// A decoded parameter of the query string. None for a message of protocol live, because its handshake is not kept.
  virtual std::optional<std::string> query(std::string_view name) const = 0;
  /// A header by its name, in any case. None for a message of protocol live.
  virtual std::optional<std::string_view> header(std::string_view name) const = 0;
  /// The auth object of Socket.IO's CONNECT; of a `join_room` or `refresh`, an object with its
  /// `accessToken`; else `null`.
  virtual const JsonText& payload() const = 0;
  /// "192.0.2.7:49152"; behind a proxy of `Config::trusted_proxies` the client's address, without its port.
  virtual std::string remote_address() const = 0;

  /// The token: `accessToken`, else `token`, of the payload; else `?access_token=`; else `Authorization: Bearer`. One that
  /// is empty counts as absent. Empty if there is none.
  std::string token() const;
  /// `apiKey` of the payload; else `X-API-Key`; else `?api_key=`; empty if there is none.
  std::string api_key() const;
  /// A cookie's value as it was sent, without quotes around it.
  std::optional<std::string> cookie(std::string_view name) const;
  /// The subprotocols that a WebSocket client offers, in its order. Browsers can't set headers, so some clients offer a
  /// token here.
  std::vector<std::string> subprotocols() const;

  // --- The answer ---

  /// Accepts the client as `identity`; an identity with a user_id counts as verified. A name that is not UTF-8 is repaired;
  /// if another member is not UTF-8, the client is refused and the reason is logged.
  void accept(Identity identity = {});
  /// Not for `accept({{"7"}, {"read:*"}})`, where the permission would become the name: write
  /// `accept(flux::Grant({.user_id = "7"}, {"read:*"}))`.
  template <std::size_t N>
  void accept(const std::initializer_list<const char*> (&unclear)[N]) = delete;
  /// As above, with permissions and an expiry: at `Grant::expires_at` the client is disconnected (4401), unless it has
  /// shown a new token by then. If that time is already past, the client is refused.
  template <std::same_as<Grant> G>
  void accept(G grant) {
    give(std::move(grant));
  }
  /// Refuses the client and sends it the reason, a sentence that a page may show.
  /// `code`: `unauthorized` if the client should log in; any other code counts as `forbidden`, because logging in would
  /// not help. Over HTTP (routes, files, Engine.IO) the status is 401 or 403; over a WebSocket the close code is 4401 in
  /// both cases (or the status 401 or 403, see `Config::refuse_with`); a message of protocol live is answered
  /// UNAUTHORIZED or FORBIDDEN; over Socket.IO the reason is the message of a `connect_error`.
  void refuse(std::string_view reason = "unauthorized", Errc code = Errc::unauthorized);
  /// Leaves the answer to the returned object. The client waits for it; after `Limits::answer_timeout` it is refused:
  /// over a WebSocket with close code 1013, over HTTP with 503, over Socket.IO by a `connect_error` with "OVERLOADED" as
  /// `data.code`.
  virtual LaterAnswer later() = 0;

 protected:
  /// For flux itself.
  virtual void give(Result<Grant> answer) = 0;
};

/// A client wants to connect. The connect handler is asked about every client, over any protocol, except at endpoints that
/// are opened to all: `WebSocketEndpoint::authenticated`, `engineio::Options::authenticated`,
/// `FilesOptions::authenticated`. Protocol live, raw endpoints and Engine.IO ask at the handshake. Socket.IO asks when the
/// client joins a namespace, before its middlewares, because that is when its clients show their token. Files ask for each
/// request, unless there is a file handler. If there is no token verifier, the connect handler is also asked about the
/// token of a `refresh`, which shows nothing else.
///
/// Without a connect handler, a token that a client shows is verified by the token verifier; everybody else may connect.
/// Routes and static files ask for each request if they are added with `RouteOptions::authenticated` or
/// `StaticOptions::authenticated`; there, a client without a token is refused.
class ConnectRequest : public AccessRequest {};

/// What a client wants to do with a file.
enum class FileAction : std::uint8_t {
  upload,    ///< begin an upload, continue it or ask how far it is (then `FileRequest::file` has an id)
  download,  ///< read a file, or its headers
  remove,    ///< delete an upload or a complete file
  share,     ///< share a complete file in a room or the public space
};

/// A client wants to do something with a file: over HTTP, or, for `FileAction::share`, as a session of any protocol. About
/// a file inside a Socket.IO message only the share handler is asked.
///
/// The identity that an upload is accepted with becomes its owner; a client that continues or queries the upload gets 403
/// if it was accepted as another user. The identity that a share is accepted with replaces the session's as the sharing user.
/// Sharing does not change the owner. Without a file handler the connect handler is asked about requests over HTTP;
/// without either, every client may upload files and, if it knows a file's id, download and share that file. Without a
/// file handler no client may remove a complete file, or the unfinished upload of another user.
///
/// A file is deleted when it leaves the last room that holds it, provided that it was shared by its owner or in the room
/// that it was uploaded to; otherwise `FilesOptions::unshared_expires` applies. A room of mode live holds its files
/// until it ends.
class FileRequest : public AccessRequest {
 public:
  /// What the client wants to do.
  virtual FileAction action() const = 0;
  /// What is known of the file; for an upload that begins, what the client announces, without an id. If there is no such
  /// file, only the id: a client that is accepted gets 404, and one that is refused does not learn which files exist.
  virtual const FileInfo& file() const = 0;
  /// The room that is told of the upload's progress, or in which the file is to be shared; empty: none, or the public
  /// space.
  virtual const RoomId& room() const = 0;
  /// The session that shares the file, or whose ticket the upload has; else none. Its claims: `session()->grant().claims`.
  /// Sharing is not an HTTP request: path, query and headers are empty then.
  virtual std::optional<Session> session() const = 0;
  /// What `flux::Auth` (flux/auth.hpp) has verified of the token or API key that the request shows, or, if there is no
  /// connect handler either, the token verifier of the token; when a session shares a file, the session's grant. Otherwise
  /// empty. `accept()` without an identity accepts the client as this one.
  virtual const Grant& grant() const = 0;
};

/// A client has uploaded a file: over HTTP, in one request or with tus, or inside a Socket.IO message. The file is complete
/// and durable, and neither the client nor a room has been told yet: what the handler stores about the file is there when
/// they hear of it. The answer does not wait for work that the handler begins. A handler that throws is logged and counted,
/// and changes nothing for the client or the file; what the application refuses, it refuses earlier (`FileRequest`), or it
/// removes the file from its store.
///
/// The handler is called once for each file, on the event loop of the connection that sent the last byte, but not if the
/// process ends or the server stops just then: an application that must know every file compares its records with the
/// store when it starts.
struct StoredFile {
  FileInfo file;                   ///< complete: with id, size, owner and, if `FilesOptions::sha256` is set, the digest
  RoomId room;                     ///< the room that it was uploaded to; empty: none, or the public space
  std::optional<Session> session;  ///< the session that sent it, or whose ticket or user it was uploaded with in a room
  Grant grant;                     ///< what the last request of the upload was accepted with, or the session has
};

/// A token is to be verified: that of a `join_room` or `refresh`, or, if there is no connect handler, one that a client
/// shows when it connects. Its grant replaces the client's; if the token is refused, or is another user's, the client keeps
/// the grant that it has.
class TokenRequest : public AccessRequest {
 public:
  /// The token to be verified.
  virtual const std::string& token() const = 0;
};

/// Why a connection ended.
struct Disconnect {
  /// The client's close code or the server's; 1005 if the client's close frame had none, 1006 if the connection broke
  /// without one (RFC 6455, 7.1.5).
  CloseCode code = CloseCode::normal;
  std::string reason;  ///< of that side, at most 123 bytes; often empty
};

/// The verdict on a `Vetoable` that is given later. The first one counts. If the last copy is destroyed without one, the
/// request is refused.
/// Threading: any thread. A verdict that is given after the client has left or the server has stopped does nothing.
class LaterVerdict {
 public:
  /// For flux itself.
  explicit LaterVerdict(std::shared_ptr<AnswerTarget<void>> target) : target_(std::move(target)) {}
  /// Lets the request proceed.
  void accept() const;
  /// As `Vetoable::refuse`.
  void refuse(std::string message, Errc code = Errc::forbidden) const;

 private:
  std::shared_ptr<AnswerTarget<void>> target_;
};

/// A request of a client that a handler may refuse, and may change before it is acted on. Changes are checked when the
/// handler has returned: text for people (a chat message, a reason) is repaired if it is not UTF-8; an invalid event name,
/// and whatever exceeds its limit, is refused with INVALID_MESSAGE or MESSAGE_TOO_LARGE, and logged.
/// It cannot be copied: a handler that takes it by value, whose refusal would be lost, does not compile.
class Vetoable {
 public:
  Vetoable() = default;
  Vetoable(const Vetoable&) = delete;
  Vetoable& operator=(const Vetoable&) = delete;
  /// Stops the request; the client gets the error. Bytes of `message` that are not UTF-8 become U+FFFD.
  void refuse(std::string message, Errc code = Errc::forbidden);
  /// The error of `refuse`; none if it was not called.
  const std::optional<Error>& refused() const noexcept { return refused_; }
  /// Leaves the verdict to the returned object, unless the handler also calls `refuse` or throws. The handler must make its
  /// changes before it returns. Until the verdict, none of the client's later messages is read. If there is none after
  /// `Limits::answer_timeout`, the client gets OVERLOADED.
  LaterVerdict later();

 protected:
  Vetoable(Vetoable&&) = default;

 private:
  friend class features::Participant;

  std::optional<Error> refused_;
  std::shared_ptr<core::OwedAnswer<void>> verdict_;  // null: the verdict is not given later
};

/// A session wants to join a room. May be vetoed; `presence` may be changed. Asked once the limits, the room and its
/// capacity would let the client in; after a verdict that comes later they are checked again.
struct JoinRequest : Vetoable {
  Session session;    ///< the client
  RoomId room;        ///< the room that it wants to join
  JsonText presence;  ///< what it joins with: an object, `{}` if it sent none. At most `Limits::presence_bytes_max`
  /// What the application tells this client, and no other, as it joins: its score, the rules, the time that is left. The
  /// client gets it as `welcome` with what it finds in the room: in `room_joined` (protocol live), in the acknowledgment
  /// of `room:join` (data sharing). None: nothing. At most `Limits::application_data_bytes_max`; it counts against
  /// `Limits::answer_bytes_max`, so that lists have less space.
  std::optional<JsonText> welcome{};
  /// For flux itself.
  JoinRequest(Session s, RoomId r, JsonText p);
};

/// A session creates a room: with a request of its own, or because it joins a room that does not exist; then the join
/// handler was asked before. May be vetoed; the options may be changed, also to a mode that keeps the room's data
/// (`Config::rooms`), or to a room that stays (`RoomOptions::permanent`). A capacity above `Limits::room_members_max`
/// counts as that.
struct RoomCreation : Vetoable {
  Session session;      ///< the client
  RoomId room;          ///< the new room's id
  RoomOptions options;  ///< what the client requests; of a join the defaults
  /// For flux itself.
  RoomCreation(Session s, RoomId r, const RoomOptions& o);
};

/// A session sends chat. May be vetoed, or held; message and metadata may be changed before they are stored. A message has
/// the id of its author, but no name. Where pages need the name in old messages, too, the handler adds it:
///
///     chat.metadata = flux::JsonText::object({{"name", chat.session.identity().name}});
///
struct ChatDraft : Vetoable {
  Session session;                   ///< the sender
  RoomId room;                       ///< the room that it sends to
  std::string id;                    ///< its id in the store; a client's retry (`messageId`) keeps it
  std::string message;               ///< the text; at most `Limits::chat_bytes_max`
  std::optional<JsonText> metadata;  ///< none if the client sent none; at most `Limits::metadata_bytes_max`
  /// For flux itself.
  ChatDraft(Session s, RoomId r, std::string i, std::string m, std::optional<JsonText> meta);

  /// Holds the message, for a moderator: it is not stored or sent now, and the client's ack says `held: true`. The client's
  /// later messages are not kept waiting. Returns the message as it is now. To release it, pass that and the room to
  /// `Server::send_chat`: it is then sent as the client's, with the id that the ack had, and a second call is harmless. To
  /// drop it, forget it: the server keeps nothing of it, so the application bounds how many it holds. The handler is
  /// asked about a client's retry, too, with the same id.
  ChatPost hold();

 private:
  friend class features::Participant;
  bool held_ = false;
};

/// A session wants to edit a chat message of its room. May be vetoed; message and metadata may be changed before they are
/// stored. Without a handler only the author may: the same user, or for a message without a user the same connection.
struct ChatEdit : Vetoable {
  Session session;                   ///< the client
  ChatMessage stored;                ///< the message as it is
  std::string message;               ///< its new text; at most `Limits::chat_bytes_max`
  std::optional<JsonText> metadata;  ///< none: that of the message stays; at most `Limits::metadata_bytes_max`
  bool allowed;                      ///< whether the client is the author. A handler may set it, for a moderator
  /// For flux itself.
  ChatEdit(Session s, ChatMessage old, std::string m, std::optional<JsonText> meta, bool by_author);
};

/// A session wants to delete a chat message of its room. May be vetoed. Without a handler only the author may, as for
/// `ChatEdit`.
struct ChatDelete : Vetoable {
  Session session;     ///< the client
  ChatMessage stored;  ///< the message to be deleted
  bool allowed;        ///< whether the client is the author. A handler may set it, for a moderator
  /// For flux itself.
  ChatDelete(Session s, ChatMessage old, bool by_author);
};

/// A session shares data in a room, or in the public space (`room` is empty then). May be vetoed; data may be changed.
struct ShareDraft : Vetoable {
  Session session;  ///< the client that shares
  RoomId room;      ///< empty: the public space
  JsonText data;    ///< as in `SharedItem::data`
  /// For flux itself.
  ShareDraft(Session s, RoomId r, JsonText d);
};

/// A session removes the newest item of the public space, whichever client shared it. May be vetoed. If another item has
/// become the newest before the verdict, the handler is asked again, about that one.
struct PublicDelete : Vetoable {
  Session session;  ///< the client that removes it
  SharedItem item;  ///< the item to be removed
  /// For flux itself.
  PublicDelete(Session s, SharedItem i);
};

/// A session changes its presence in a room. May be vetoed; the object may be changed.
struct PresenceChange : Vetoable {
  Session session;    ///< the client
  RoomId room;        ///< a room that it is in
  JsonText presence;  ///< the new object; at most `Limits::presence_bytes_max`
  /// For flux itself.
  PresenceChange(Session s, RoomId r, JsonText p);
};

/// The answer to a `Call`, or to an event that was consumed, that is given later, from any thread. The first answer
/// counts. If the last copy is destroyed without one, or `Limits::answer_timeout` passes, the client gets an error.
/// Threading: any thread. An answer that is given after the client has disconnected or the server has stopped does nothing.
class LaterReply {
 public:
  /// For flux itself.
  explicit LaterReply(std::shared_ptr<AnswerTarget<JsonText>> target) : target_(std::move(target)) {}
  /// As `Call::reply`.
  void reply(JsonText result = {}) const;
  /// As `Call::refuse`.
  void refuse(std::string message, Errc code = Errc::forbidden) const;

 private:
  std::shared_ptr<AnswerTarget<JsonText>> target_;
};

/// A session sends an event to a room. May be vetoed; name and payload may be changed. Or the application consumes it:
/// the sender gets a reply, and nobody else hears of the event. That is not an error. Only members of the room can send an
/// event; a request that needs no room is a `Call`.
///
///     server.on_event([](flux::EventMessage& message) {
///       if (message.event == "answer") message.consume(flux::JsonText::object({{"right", is_right(message.payload)}}));
///     });
struct EventMessage : Vetoable {
  Session session;                  ///< the sender
  RoomId room;                      ///< the room that it sends to
  std::string event;                ///< the name; at most `Limits::event_name_bytes_max`
  std::optional<JsonText> payload;  ///< none if the client sent none
  /// For flux itself.
  EventMessage(Session s, RoomId r, std::string e, std::optional<JsonText> p);

  /// Keeps the event from the room. `reply` becomes the payload of the sender's ack (protocol live), or the `result` of its
  /// acknowledgment (data sharing); null: the ack has none. At most `Limits::answer_bytes_max` bytes: a larger one is
  /// logged, and the client gets SERVER_ERROR. The first call counts; a call of `refuse` wins. With `later()` the client
  /// gets the reply if the verdict accepts.
  void consume(JsonText reply = {});
  /// The same, with a reply or a refusal that is given later, from any thread. Until then, none of the client's later
  /// messages is read; if there is none after `Limits::answer_timeout`, the client gets OVERLOADED.
  LaterReply consume_later();
  /// Whether the application has consumed the event.
  bool consumed() const noexcept { return reply_ != nullptr; }

 private:
  friend class features::Participant;

  core::OwedAnswer<JsonText>& owed_reply();
  std::shared_ptr<core::OwedAnswer<JsonText>> reply_;  // null: the event is not consumed
};

/// A client calls a method of the application (`Server::on_call`): `call {method, payload?}` in protocol live, the event
/// `call method, payload?` in data sharing. A handler that returns without an answer replies with null; the first answer
/// counts.
/// Threading: inside the handler only.
class Call {
 public:
  virtual ~Call() = default;
  /// The client.
  virtual const Session& session() const = 0;
  /// The method's name.
  virtual const std::string& method() const = 0;
  /// The argument; null if the client sent none. At most `Limits::message_bytes_max` bytes.
  virtual const JsonText& payload() const = 0;
  /// Answers with a result of at most `Limits::answer_bytes_max` bytes. A larger one is logged, and the client gets
  /// SERVER_ERROR.
  virtual void reply(JsonText result = {}) = 0;
  /// Answers with an error. Bytes of `message` that are not UTF-8 become U+FFFD.
  virtual void refuse(std::string message, Errc code = Errc::forbidden) = 0;
  /// Leaves the answer to the returned object. Until it is given, the client's later messages wait.
  virtual LaterReply later() = 0;
};

/// The options of `Server::on_call`.
struct CallOptions {
  /// "operation:name", such as "run:reports": the client's grant must allow the operation on this name
  /// (`Grant::allows("run", "reports")`), when it calls and when it is sent the result. Otherwise the client gets
  /// FORBIDDEN, or UNAUTHORIZED if it is not logged in, and the handler is not called. Empty: every client may call it.
  std::string permission{};
};

// --- The types of handlers ---

using ConnectHandler = std::function<void(ConnectRequest&)>;                       ///< of `Server::on_connect`
using TokenVerifier = std::function<void(TokenRequest&)>;                          ///< of `Server::on_token`
using DisconnectHandler = std::function<void(const Session&, const Disconnect&)>;  ///< of `Server::on_disconnect`
using JoinHandler = std::function<void(JoinRequest&)>;                             ///< of `Server::on_join`
using JoinedHandler = std::function<void(const Session&, const RoomId&)>;          ///< of `Server::on_joined`
using CreateRoomHandler = std::function<void(RoomCreation&)>;                      ///< of `Server::on_create_room`
using LeaveHandler = std::function<void(const Session&, const RoomId&)>;           ///< of `Server::on_leave`
using EventHandler = std::function<void(EventMessage&)>;                           ///< of `Server::on_event`
using ChatHandler = std::function<void(ChatDraft&)>;                               ///< of `Server::on_chat`
using ChatEditHandler = std::function<void(ChatEdit&)>;                            ///< of `Server::on_chat_edit`
using ChatDeleteHandler = std::function<void(ChatDelete&)>;                        ///< of `Server::on_chat_delete`
using ShareHandler = std::function<void(ShareDraft&)>;                             ///< of `Server::on_share`
using PublicDeleteHandler = std::function<void(PublicDelete&)>;                    ///< of `Server::on_public_delete`
using PresenceHandler = std::function<void(PresenceChange&)>;                      ///< of `Server::on_presence`
using FileHandler = std::function<void(FileRequest&)>;                             ///< of `Server::on_file`
using StoredFileHandler = std::function<void(const StoredFile&)>;                  ///< of `Server::on_file_stored`
using CallHandler = std::function<void(Call&)>;                                    ///< of `Server::on_call`

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/server/events.ipp>
#include <flux/detail/server/session.ipp>
#endif
