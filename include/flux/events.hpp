// What handlers are given. Handlers run on the connection's event loop, one at a time per connection, and those of
// different connections at the same time where there are several loops. They may call every method of the server but
// `run`, and must not block: a database is asked with `later`. A handler that throws answers its client with
// SERVER_ERROR (a connect handler: HTTP 500) and harms nobody else.
#pragma once

#include <flux/grant.hpp>
#include <flux/session.hpp>
#include <flux/storage/file_store.hpp>

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux::features {
class Participant;
class PendingVerdict;
}  // namespace flux::features

namespace flux {

/// The answer to a question (`AccessRequest`) that is given later, from any thread. The first answer counts. If the last
/// copy is destroyed without an answer, the request is refused.
/// Threading: any thread. An answer that comes after the client or the server has gone does nothing.
class LaterAnswer {
 public:
  /// For flux itself: takes the answer. None: refused, for the reason.
  class Target {
   public:
    virtual ~Target() = default;
    virtual void give(std::optional<Grant> grant, std::string reason) = 0;
  };
  explicit LaterAnswer(std::shared_ptr<Target> target) : target_(std::move(target)) {}
  void accept(Identity identity = {}) const;
  template <std::same_as<Grant> G>
  void accept(G grant) const {
    give(std::move(grant));
  }
  void refuse(std::string_view reason = "unauthorized") const;

 private:
  void give(Grant grant) const;
  std::shared_ptr<Target> target_;
};

/// A client asks to be let in, or to do something, and shows who it is. The same question at every door: a handshake, a
/// message with a token, a request for a file. The application answers it once: now, or with `later` from any thread.
/// A handler that returns without an answer refuses, and so does one that throws.
/// Threading: inside the handler only, and so are the views that it returns.
class AccessRequest {
 public:
  virtual ~AccessRequest() = default;

  // Which endpoint asks
  /// "live", "websocket" (a raw endpoint), "engine.io", "socket.io" or "files".
  virtual std::string_view protocol() const = 0;
  /// That of the HTTP request; where a message asks, the endpoint's.
  virtual std::string_view path() const = 0;

  // What the client has shown
  /// A decoded parameter of the query string. Of a message of protocol live: none, for its handshake is not kept.
  virtual std::optional<std::string> query(std::string_view name) const = 0;
  /// A header by its name, in any case. Of a message of protocol live: none.
  virtual std::optional<std::string_view> header(std::string_view name) const = 0;
  /// The auth object of Socket.IO's CONNECT; of a `join_room`, an object with its `accessToken`; else `null`.
  virtual const JsonText& payload() const = 0;
  /// "192.0.2.7:49152"; the client's, without its port, behind a proxy of `Config::trusted_proxies`.
  virtual std::string remote_address() const = 0;

  /// The token: `accessToken`, else `token`, of the payload; else `?access_token=`; else `Authorization: Bearer`. Empty
  /// where there is none.
  std::string token() const;
  /// `X-API-Key`, else `?api_key=`; empty where there is none.
  std::string api_key() const;
  /// A cookie's value as it was sent; quotes around it are left out.
  std::optional<std::string> cookie(std::string_view name) const;
  /// The subprotocols that a WebSocket client offers, in its order. Browsers can't set headers, so some clients offer a
  /// token here.
  std::vector<std::string> subprotocols() const;

  /// Lets the client in as `identity`; an identity with a user_id counts as verified. Its name is repaired where it is
  /// not UTF-8; where its user_id, email or provider is not, the client is refused and the log says why.
  void accept(Identity identity = {});
  /// The same, with permissions and an end: at `Grant::expires_at` the client is disconnected (4401), unless it has shown
  /// a new token by then. Refused where that time is past.
  template <std::same_as<Grant> G>
  void accept(G grant) {
    give(std::move(grant), {});
  }
  /// Refuses it. The client gets the reason: with HTTP 401 in a handshake, 403 for a file; with UNAUTHORIZED for a message
  /// of protocol live; as the message of CONNECT_ERROR over Socket.IO.
  void refuse(std::string_view reason = "unauthorized");
  /// Leaves the answer to what is returned. Until then the client waits; after `Limits::handshake_timeout` it is refused:
  /// HTTP 503.
  virtual LaterAnswer later() = 0;

 protected:
  virtual void give(std::optional<Grant> grant, std::string reason) = 0;
};

/// A client wants to connect. Where a connect handler is set it is asked about every client, whatever it speaks, but at
/// endpoints that are opened to all by name: `WebSocketEndpoint::authenticated`, `engineio::Options::authenticated`,
/// `FilesOptions::authenticated`. Protocol live, raw endpoints and Engine.IO ask at the handshake; Socket.IO asks when the
/// client joins a namespace, before its middlewares, for that is when its clients show their token; files ask with each
/// request, where no file handler is set.
/// Without any handler every client is let in. Routes and static files are the application's own and ask nobody.
class ConnectRequest : public AccessRequest {};

enum class FileAction : std::uint8_t {
  upload,    ///< begins an upload, adds to it or asks how far it is
  download,  ///< reads a file, or its head
  remove,    ///< deletes an upload or a complete file
  share,     ///< shows a complete file in a room or the public space
};

/// A client wants to do something with a file: over HTTP, or, for `FileAction::share`, as a session of any protocol.
/// A file in a Socket.IO message is the client's own, and only the share handler is asked about it.
///
/// The identity that an upload is accepted with becomes its owner; the one that a share is accepted with replaces the
/// session's as the sharing user. Without a file handler the connect handler is asked about requests over HTTP; without
/// either every client may upload files and, if it knows a file's id, download and share that file; no client may remove
/// a complete one. Sharing a file does not change its owner. The file is
/// deleted when it leaves the last room that holds it, provided that it was shared by its owner or in the room that it
/// was uploaded to; otherwise `FilesOptions::unshared_expires` applies.
class FileRequest : public AccessRequest {
 public:
  virtual FileAction action() const = 0;
  /// What is known of the file; of an upload that begins, what the client announces, and no id.
  virtual const FileInfo& file() const = 0;
  /// The room that hears of the upload's progress, or in which the file is to be shared; empty: none, or the public
  /// space.
  virtual const RoomId& room() const = 0;
  /// The client who shares, or whose ticket an upload has; else none. To share is no HTTP request: path, query and
  /// headers are empty then.
  virtual std::optional<Session> session() const = 0;
};

/// A token is to be verified: that of a `join_room`, or any token that a client shows when it connects where no connect
/// handler is set.
class TokenRequest : public AccessRequest {
 public:
  /// The token to be verified.
  virtual const std::string& token() const = 0;
};

/// Why a connection ended.
struct Disconnect {
  CloseCode code = CloseCode::normal;  ///< the peer's, ours, or 1006 where it just went
  std::string reason;
};

/// The verdict on a `Vetoable` that is given later. The first one counts. If the last copy is destroyed without one, the
/// request is refused.
/// Threading: any thread. A verdict that is given after the client has left or the server has stopped does nothing.
class LaterVerdict {
 public:
  /// For flux itself: takes the verdict. None: accepted.
  class Target {
   public:
    virtual ~Target() = default;
    virtual void give(std::optional<Error> refused) = 0;
  };
  explicit LaterVerdict(std::shared_ptr<Target> target) : target_(std::move(target)) {}
  void accept() const;
  /// As `Vetoable::refuse`.
  void refuse(std::string message, Errc code = Errc::forbidden) const;

 private:
  std::shared_ptr<Target> target_;
};

/// What handlers may veto, and change. What they change is checked when they have returned: text for people (a chat
/// message, a reason) is repaired where it is not UTF-8; an event's name that is none, and what is past its limit, is
/// refused, logged, and answered with INVALID_MESSAGE or MESSAGE_TOO_LARGE. `refuse` stops it, and the client gets the
/// error (code FORBIDDEN unless another is named).
/// It cannot be copied, so a handler that takes it by value, whose veto would be lost, does not compile.
class Vetoable {
 public:
  Vetoable() = default;
  Vetoable(const Vetoable&) = delete;
  Vetoable& operator=(const Vetoable&) = delete;
  /// What is not UTF-8 in `message` becomes U+FFFD.
  void refuse(std::string message, Errc code = Errc::forbidden);
  const std::optional<Error>& refused() const noexcept { return refused_; }
  /// Leaves the verdict to the returned object, unless the handler also calls `refuse` or throws. What the handler
  /// changes, it must change before it returns. Until the verdict, none of the client's later messages is read. If there
  /// is none after `Limits::veto_timeout`, the client gets OVERLOADED.
  LaterVerdict later();

 protected:
  Vetoable(Vetoable&&) = default;

 private:
  friend class features::Participant;

  std::optional<Error> refused_;
  std::shared_ptr<features::PendingVerdict> pending_;  // null: the verdict is not given later
};

/// A session wants to join a room. May be vetoed; `presence` may be changed.
struct JoinRequest : Vetoable {
  Session session;
  RoomId room;
  JsonText presence;
  JoinRequest(Session s, RoomId r, JsonText p) : session(std::move(s)), room(std::move(r)), presence(std::move(p)) {}
};

/// A session sends an event to a room. May be vetoed; name and payload may be changed.
struct EventMessage : Vetoable {
  Session session;
  RoomId room;
  std::string event;
  std::optional<JsonText> payload;
  EventMessage(Session s, RoomId r, std::string e, std::optional<JsonText> p)
      : session(std::move(s)), room(std::move(r)), event(std::move(e)), payload(std::move(p)) {}
};

/// A session sends chat. May be vetoed; message and metadata may be changed before they are stored.
struct ChatDraft : Vetoable {
  Session session;
  RoomId room;
  std::string message;
  std::optional<JsonText> metadata;
  ChatDraft(Session s, RoomId r, std::string m, std::optional<JsonText> meta)
      : session(std::move(s)), room(std::move(r)), message(std::move(m)), metadata(std::move(meta)) {}
};

/// A session shares data in a room, or in the public space (`room` is empty then). May be vetoed; data may be changed.
struct ShareDraft : Vetoable {
  Session session;
  RoomId room;
  JsonText data;
  ShareDraft(Session s, RoomId r, JsonText d) : session(std::move(s)), room(std::move(r)), data(std::move(d)) {}
};

/// A session removes the newest item of the public space, which may be anybody's. May be vetoed. Only `item` goes: where
/// another one has become the newest meanwhile, that one is asked about.
struct PublicDelete : Vetoable {
  Session session;
  SharedItem item;
  PublicDelete(Session s, SharedItem i) : session(std::move(s)), item(std::move(i)) {}
};

/// A session changes its presence in a room. May be vetoed; the object may be changed.
struct PresenceChange : Vetoable {
  Session session;
  RoomId room;
  JsonText presence;
  PresenceChange(Session s, RoomId r, JsonText p) : session(std::move(s)), room(std::move(r)), presence(std::move(p)) {}
};

/// The answer to a `Call` that is given later, from any thread. The first answer counts. If the last copy goes without one,
/// or `Limits::handshake_timeout` passes, the client gets an error.
/// Threading: any thread. An answer that comes after the client or the server has gone does nothing.
class LaterReply {
 public:
  /// For flux itself: where the answer goes.
  class Target {
   public:
    virtual ~Target() = default;
    virtual void give(Result<JsonText> answer) = 0;
  };
  explicit LaterReply(std::shared_ptr<Target> target) : target_(std::move(target)) {}
  /// As those of `Call`.
  void reply(JsonText result = {}) const;
  void refuse(std::string message, Errc code = Errc::forbidden) const;

 private:
  std::shared_ptr<Target> target_;
};

/// A client calls a method of the application's: `call {method, payload?}` in protocol live, the event
/// `call method, payload?` in data sharing. A handler that returns without an answer replies with null; the first answer
/// counts.
/// Threading: inside the handler only.
class Call {
 public:
  virtual ~Call() = default;
  virtual const Session& session() const = 0;
  virtual const std::string& method() const = 0;
  /// What the client sends along; null where it sends nothing. At most `Limits::message_bytes_max` bytes.
  virtual const JsonText& payload() const = 0;
  /// Answers with a result, of at most `Limits::answer_bytes_max` bytes; one that is larger is logged, and the client gets
  /// SERVER_ERROR.
  virtual void reply(JsonText result = {}) = 0;
  /// Answers with an error. What is not UTF-8 in `message` becomes U+FFFD.
  virtual void refuse(std::string message, Errc code = Errc::forbidden) = 0;
  /// Leaves the answer to what is returned. Until it is given the client's later messages wait.
  virtual LaterReply later() = 0;
};

using ConnectHandler = std::function<void(ConnectRequest&)>;
using TokenVerifier = std::function<void(TokenRequest&)>;
using DisconnectHandler = std::function<void(const Session&, const Disconnect&)>;
using JoinHandler = std::function<void(JoinRequest&)>;
using LeaveHandler = std::function<void(const Session&, const RoomId&)>;
using EventHandler = std::function<void(EventMessage&)>;
using ChatHandler = std::function<void(ChatDraft&)>;
using ShareHandler = std::function<void(ShareDraft&)>;
using PublicDeleteHandler = std::function<void(PublicDelete&)>;
using PresenceHandler = std::function<void(PresenceChange&)>;
using FileHandler = std::function<void(FileRequest&)>;
using CallHandler = std::function<void(Call&)>;

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/server/events.ipp>
#include <flux/detail/server/session.ipp>
#endif
