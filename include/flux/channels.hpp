// Channels: clients and the application publish to named channels and subscribe to them. A module: programs that don't
// include this header don't link it.
//
//     flux::Server server;
//     flux::Channels channels(server, {.namespaces = {{"news", {.history_max = 100}}}});
//     auto orders = channels.subscribe("orders:*", [](const flux::ChannelMessage& message) { … });
//     server.start();
//     channels.publish("news:today", flux::JsonText::object({{"title", "It rains"}}));
//
// Names. A channel is UTF-8 of 1 to `ChannelsOptions::name_bytes_max` bytes without control characters, "..", "/" and "*".
// What stands before its first ":" is its scope: `read:orders` of a grant covers "orders" and "orders:5". A pattern is a
// name in which whole segments between colons are "*". Inside, it stands for one segment; at the end, for one or more:
// "orders:*" matches "orders:5" and "orders:5:created", "orders:*:created" only the latter. Only patterns that begin with
// "system:" match channels of the scope "system". A client that subscribes to a channel and to patterns that match it gets a
// publication once for each.
//
// Clients of every protocol take part: those of `/realtime` (below), of protocol live and of data sharing. In the last two
// the requests are called `channel_subscribe` and so on, with the members in the payload, and what the server sends
// likewise; in `/realtime` they have no prefix, and the members are beside `type`. `?` marks what may be left out:
// - `subscribe {channel, epoch?, offset?, accessToken?}`: ack `{channel, epoch, offset, recovered?, reason?}`. `channel` may be a pattern.
//   A client that comes back sends the position that it has: `recovered: true` says that the publications that follow the
//   ack are exactly those that it missed, in order; `recovered: false`, with the reason, that it must read the state anew.
//   `accessToken` is a token for this channel: whatever the gate verifies (`flux::Auth`, or `on_token`), without a user or of
//   the client's own, whose permissions count instead of the client's. `read:orders:5` covers "orders:5" and "orders:5:…"
//   alone: so a backend can let a client into one private channel. When the token expires or is revoked, so does the
//   subscription; subscribing again with a new token extends it.
// - `unsubscribe {channel}`
// - `publish {channel, data, key?}`: to all subscribers, the sender included if it is one; ack `{epoch?, offset?}`, without
//   them if the channel does not exist, because nobody is subscribed to it. `key`, at most 128 bytes, names the publication:
//   if the channel's history has one of this sender with this key, it is not published again, and the ack has its position
//   and `repeat: true`. The same key with other data is refused.
// - `broadcast {channel, data, key?}`: to all but the sender.
// - `history {channel, epoch?, offset?, limit?}`: the publications after the position or, without one, the newest; oldest
//   first, 100 if there is no limit (1 to 1000); ack `{channel, epoch?, offset?, publications: [Publication…], more?}`.
// - `presence_join {channel, data?}`, `presence_update {channel, data}`, `presence_leave {channel}`: the client's entry among
//   those present in the channel; it need not be subscribed. The first two do the same: they replace the data.
// - `presence {channel, limit?, after?, counts?}`: ack `{channel, clients, users, members: [Present…], more?, after?}`; with
//   `counts: true` without the members.
// - `state_set {channel, key, value, version?, ttl?, bound?}`, `state_remove {channel, key, version?}`: change the shared state,
//   a map of JSON values; ack `{changed, version}`. With `version` only if the entry has that version (0: there is none):
//   otherwise `changed: false`, and the version that it has. `ttl`: it is removed after so many milliseconds, give or take a
//   second. `bound: true`: it is removed when this client disconnects, and other clients can't change it. Keys: 1 to 128 bytes.
// - `state {channel, limit?, after?}`: ack `{channel, epoch?, version, entries: [{key, value, version, boundTo?, expiresAt?}…],
//   more?, after?}`. `subscribe` with `state: true` has the same in its ack, as `state`; changes that follow have greater
//   versions.
// The server sends:
// - `publish`: a Publication, `{channel, data, clientId?, userId?, epoch?, offset?, timestamp}`, to subscribers of a pattern
//   with `pattern`.
// - `presence_join` and `presence_update`: a Present with `channel`; `presence_leave {channel, clientId, userId?}`. `first:
//   true` and `last: true` say that the user, who may have several connections, came with this one and went with it.
// - `state {channel, key, value, version, boundTo?, expiresAt?, clientId?}`, or `{channel, key, removed: true, version,
//   clientId?}`: an entry has changed.
// - `unsubscribed {channel, reason?, code?}`: the client may no longer read the channel, with the code of that error
//   (UNAUTHORIZED: with a new token it may), or the application ended the subscription.
// Present is `{clientId, userId?, data, joinedAt, lastSeenAt}`. Times are milliseconds since 1970. In `/realtime` every message
// of the server has a `timestamp`; an error is `{type: "error", id?, code, error, retryAfter?}`, an ack `{type: "ack", id, …}`;
// and there are `ping`, answered with `pong`, and `refresh {accessToken}`, which replaces the client's grant: ack
// `{expiresAt?}`.
//
// Server-sent events: `GET /realtime/sse?channel=a&channel=b` (1 to 100 channels or patterns) is a stream for EventSource
// (https://html.spec.whatwg.org/multipage/server-sent-events.html). The data of its events are the server's messages above;
// instead of an ack there is `{type: "subscribed", channel, epoch?, offset?, recovered?, reason?}`, and before the server ends
// the stream, `{type: "closed", code, reason}`. The id of an event is the position, of several channels all positions:
// `Last-Event-ID`, or `?lastEventId=` of a page that opens another EventSource, recovers each channel. A client that may not
// subscribe to one of the channels gets a status (401, 403; 400 for wrong names), so that EventSource does not try again.
// A comment is sent every `Limits::ping_interval`; `retry` is 1 to 5 s, different for each client.
//
// HTTP API, for other programs: `POST /realtime/api/METHOD` with a token or an API key (`Authorization: Bearer …`, or what
// else the gate reads); closed on servers that authenticate nobody. The body is an object, or an array of at most 1,000
// objects, which is answered with an array; the answer is JSON. An error is `{code, error, retryAfter?}`, with the status if
// the body was an object. `on_subscribe` is not asked. Where the application has set `on_publish`, publishing
// needs the permission `admin`, because no client is there to be asked about.
// - `publish {channel, data, key?}`: `{epoch?, offset?, reached, repeat?}`; the grant's user is the publisher
// - `broadcast {channels: […], data, key?}`: `{results: [as of publish, or an error…]}`
// - `history`, `presence`: as the requests above
// With the permission `admin`:
// - `presence_update {channel, client, data}`; `presence_leave {channel, client}`: `{left}`. See `Channels::update_presence`
// - `subscribe {channel, client}`; `unsubscribe {channel, client, reason?}`: `{unsubscribed}`
// - `disconnect {client | user, reason?}`: `{disconnected}`, the number
// - `info {client}`: `{id, protocol, ip, userId?, subscriptions, presence, permissions?}`
// - `stats {channel}`, which only needs that the channel may be read: `{channel, subscriberCount, clients, users, messageCount,
//   createdAt, lastMessageAt?}`; `stats {}`: `{channels: […], more?}`
#pragma once

#include <flux/channel_types.hpp>
#include <flux/error.hpp>
#include <flux/json.hpp>
#include <flux/server.hpp>
#include <flux/types.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux {

namespace features {
class ChannelHub;
class ChannelListener;
}  // namespace features

/// A subscription of the application, which ends with this object. A callback that has begun on another thread may still
/// run then.
/// Threading: one thread at a time; the last use may be inside its callback.
class ChannelSubscription {
 public:
  /// One that is not active.
  ChannelSubscription() = default;
  /// For flux itself.
  ChannelSubscription(std::weak_ptr<features::ChannelHub> hub, std::shared_ptr<features::ChannelListener> listener);
  ~ChannelSubscription();
  /// Afterwards the other one is not active.
  ChannelSubscription(ChannelSubscription&&) noexcept;
  /// The same; the one that this was ends.
  ChannelSubscription& operator=(ChannelSubscription&&) noexcept;
  /// Ends it now.
  void cancel();
  /// Whether it has not ended.
  bool active() const noexcept { return listener_ != nullptr; }

 private:
  std::weak_ptr<features::ChannelHub> hub_;
  std::shared_ptr<features::ChannelListener> listener_;
};

/// The channels of a server. One for each server, created before its start; the server keeps what it needs of it.
/// Threading: every method from any thread, handlers included; none blocks on I/O. Handlers are set before the start:
/// later, setting them throws `Error` (already_running). The object must not be used after the server's end.
class Channels {
 public:
  using SubscribeHandler = std::function<void(ChannelSubscribe&)>;  ///< may veto a subscription
  using PublishHandler = std::function<void(ChannelPublish&)>;      ///< may veto a publication, or change it
  using StateHandler = std::function<void(ChannelStateWrite&)>;     ///< may veto a change of state, or change it
  using Callback = std::function<void(const ChannelMessage&)>;      ///< gets publications
  /// Runs a task somewhere, one after the other: `[&](auto task) { asio::post(strand, std::move(task)); }`.
  using Executor = std::function<void(std::function<void()>)>;

  /// Errors: throws `Error`: bad_config for an option that can't be used, or if the server has channels already;
  /// already_running.
  explicit Channels(Server& server, ChannelsOptions options = {});
  ~Channels();
  Channels(const Channels&) = delete;
  Channels& operator=(const Channels&) = delete;

  /// Called before a client subscribes, once its permissions allow it.
  void on_subscribe(SubscribeHandler handler);
  /// Called before a client publishes, once its permissions and the limits allow it.
  void on_publish(PublishHandler handler);
  /// Called before a client changes shared state, once its permissions and the limits allow it: for rules, such as whose
  /// turn it is, and to react to changes.
  void on_state(StateHandler handler);

  // --- Publishing ---

  /// Publishes to all subscribers. `done`, if given, is called when the publication is stored, on an event loop, if the
  /// channel's history is kept (`ChannelsOptions::store`) by a store that may block; otherwise before this returns.
  /// Ordering: calls from one thread to one channel keep their order for every subscriber.
  /// Errors: invalid_argument (the name; the key, or a key that names other data); message_too_large above
  /// `Limits::message_bytes_max`; overloaded if `Limits::fanout_bytes_max` bytes are pending in the channel or a pattern that
  /// matches it, or too much waits for the store; limit_exceeded (`ChannelsOptions::channels_max`); the store's; stopped, if
  /// it is to be stored and the server does not run.
  /// Cost: one encoding for each wire protocol that subscribers use, then one send for each of them.
  void publish(std::string_view channel, const JsonText& data, const PublishOptions& options,
               std::function<void(Result<Published>)> done);
  /// The same without waiting for a store that may block, see `Published::is_pending`; if it fails later, that is counted
  /// and logged as for an `Outcome`.
  Outcome<Published> publish(std::string_view channel, const JsonText& data, const PublishOptions& options = {});
  /// Publishes for a client, if it is permitted; `on_publish` is not asked. `done`: called on the client's loop, or before
  /// this returns. Errors: session_not_found; forbidden, unauthorized; those of `publish`.
  void publish_from_client(const SessionId& client, std::string_view channel, JsonText data,
                           const std::function<void(Result<Published>)>& done = {});
  /// The newest `limit` publications that the channel keeps. Errors: invalid_argument.
  Result<ChannelPublications> history(std::string_view channel, std::size_t limit = 100) const;

  // --- Subscribing ---

  /// Subscribes the application to a channel or pattern. `callback` is called for each publication, one at a time and in
  /// the order of each channel: through `executor` or, without one, on an event loop, where it must not block; then
  /// publications before the server's start and after its stop are not reported.
  /// Errors: throws `Error` (invalid_argument for the name, limit_exceeded; bad_config for an empty callback).
  [[nodiscard]] ChannelSubscription subscribe(std::string_view pattern, Callback callback, Executor executor = {});
  /// Subscribes a client to a channel or pattern, if it is permitted; `on_subscribe` is not asked. `done`: as for
  /// `publish_from_client`. Errors: session_not_found; invalid_argument; forbidden, also for a client of server-sent events;
  /// unauthorized; limit_exceeded.
  void subscribe_client(const SessionId& client, std::string_view channel,
                        const std::function<void(Result<void>)>& done = {});
  /// Ends a client's subscription and tells the client, with the reason. `done`: as above; false: it was not subscribed.
  /// Errors: session_not_found.
  void unsubscribe_client(const SessionId& client, std::string_view channel, std::string_view reason = {},
                          const std::function<void(Result<bool>)>& done = {});

  // --- Presence ---

  /// The clients present in the channel, in the order of joining.
  std::vector<ChannelMember> presence(std::string_view channel) const;
  /// Makes a client present in a channel, or replaces its data: a connected client, which leaves when it disconnects, or
  /// one with any other id, such as a device that reports over HTTP, which leaves `ChannelsOptions::presence_timeout` after
  /// its last update.
  /// Errors: invalid_argument (the channel, or an id that is not UTF-8 of 1 to 255 bytes without control characters);
  /// message_too_large above `Limits::presence_bytes_max`; forbidden if the channel has no presence; limit_exceeded.
  Outcome<void> update_presence(const SessionId& client, std::string_view channel, const JsonText& data);
  /// Returns whether the client was present.
  bool leave_presence(const SessionId& client, std::string_view channel);

  // --- Shared state ---

  /// Sets an entry of the channel's state; subscribers get the change. An entry that was bound to a client's connection no
  /// longer is. The key: 1 to 128 bytes.
  /// Errors: invalid_argument (the channel, the key, the time); message_too_large above `Limits::message_bytes_max`;
  /// forbidden if the channel has no state; limit_exceeded (`ChannelOptions::state_max`, `state_bytes_max`); overloaded.
  Outcome<ChannelStateChange> set_state(std::string_view channel, std::string_view key, const JsonText& value,
                                        const ChannelStateOptions& options = {});
  /// Removes an entry, even one that a client has bound to its connection. With `version`, only if the entry has that
  /// version. Errors: as for `set_state`.
  Outcome<ChannelStateChange> remove_state(std::string_view channel, std::string_view key,
                                           std::optional<std::uint64_t> version = std::nullopt);
  /// The whole state; empty if the channel does not exist.
  ChannelStateMap state(std::string_view channel) const;

  // --- Statistics ---

  /// Of a channel or pattern; none if it does not exist: it exists while it has subscribers, a history or somebody present.
  std::optional<ChannelStats> stats(std::string_view channel) const;
  /// Those of all channels and patterns, in no particular order. Cost: O(channels).
  std::vector<ChannelStats> stats() const;
  /// What a client does here. `done`: called on its loop, or before this returns. Errors: session_not_found.
  void client_info(const SessionId& client, const std::function<void(Result<ChannelClient>)>& done) const;

 private:
  std::shared_ptr<features::ChannelHub> hub_;
  detail::ServerState* server_ = nullptr;  // lives longer than any use
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/server/channels.ipp>
#endif
