// The options of channels, and the values that their functions and handlers take. Include <flux/channels.hpp>, which
// explains them.
#pragma once

#include <flux/config.hpp>
#include <flux/events.hpp>
#include <flux/json.hpp>
#include <flux/session.hpp>
#include <flux/storage/channel_store.hpp>
#include <flux/types.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace flux {

/// What a client that comes back with its position is sent.
enum class ChannelRecovery : std::uint8_t {
  none,    ///< nothing: `recovered` is true only if it has missed nothing
  missed,  ///< every publication that it has missed, or `recovered: false`
  latest,  ///< the newest publication, if it has missed any: for channels whose publications are states
};

/// What happens to subscribers that read too slowly: those with at least `Limits::outbox_bytes_congested` bytes pending.
/// Subscribers of patterns are treated as by `all` instead of `newest`.
enum class ChannelSlowReaders : std::uint8_t {
  all,     ///< publications are queued for them; beyond `Limits::outbox_bytes_max` they are disconnected
  newest,  ///< when their output has drained they get the newest publication only: for states
  close,   ///< they are disconnected, and can come back with their position
};

/// Which operations a grant must allow on a channel, see `permission_matches`; an empty one demands nothing. Channels of
/// the scope `system` always demand `admin`. The others demand nothing on a server that authenticates nobody: one with
/// neither `Auth`, nor a connect handler, nor a token verifier.
struct ChannelDemands {
  std::string subscribe = "read";  ///< and to stay subscribed: a subscription ends when the grant no longer allows it
  std::string publish = "write";   ///< to publish
  std::string history = "read";    ///< and to recover
  std::string presence = "read";   ///< to be present, and to list who is
  std::string state = "write";     ///< to change the shared state; to read it: `subscribe`
  friend bool operator==(const ChannelDemands&, const ChannelDemands&) = default;
};

/// The options of the channels of one namespace.
struct ChannelOptions {
  std::size_t history_max = 0;                     ///< publications that are kept; 0: none. At most 1,000,000
  std::size_t history_bytes_max = 1'048'576;       ///< of those together, as JSON
  std::chrono::milliseconds history_age{300'000};  ///< how long one is kept: 1 ms to 100 years
  /// `missed` and `latest` need a history. A channel with one keeps its position for `history_age` after its newest
  /// publication and its last subscriber; a client that comes back later is told `recovered: false`. Of a client's missed
  /// publications at most `Limits::answer_bytes_max` bytes are sent; if it has missed more, it is told `recovered: false`.
  ChannelRecovery recovery = ChannelRecovery::missed;
  bool stored = true;  ///< whether the history is kept in `ChannelsOptions::store`, if there is one
  /// Entries of the shared state; 0: there is none. A channel with state exists until the last entry is removed, so give it
  /// to clients that you trust, or have them bind entries to their connection.
  std::size_t state_max = 0;
  std::size_t state_bytes_max = 1'048'576;  ///< of its keys and values together
  bool presence = true;                     ///< whether clients can be present
  bool presence_notices = true;             ///< whether subscribers are told who comes, changes and goes
  ChannelDemands demands{};                 ///< which permissions clients need
  ContentRules content{};                   ///< what clients may publish
  OperationRates publish_rate{};  ///< how often clients may publish, or change presence or state, in the namespace
  ChannelSlowReaders slow_readers = ChannelSlowReaders::all;  ///< what happens to them
};

/// The channels whose name is `prefix`, or begins with it and a ":". Of several that match a name the longest counts.
struct ChannelNamespace {
  std::string prefix{};      ///< a name
  ChannelOptions options{};  ///< of its channels
};

/// Options of `Channels`.
struct ChannelsOptions {
  ChannelOptions defaults{};                           ///< of channels in none of the namespaces
  std::vector<ChannelNamespace> namespaces{};          ///< with options of their own
  std::string path = "/realtime";                      ///< of the WebSocket protocol; empty: not served
  std::size_t subscriptions_per_client_max = 1'000;    ///< 1 to 1,000,000
  std::size_t patterns_per_client_max = 100;           ///< of those subscriptions; 0: none may be a pattern
  std::size_t channels_max = 1'000'000;                ///< that exist at the same time, patterns included; at least 1
  std::size_t name_bytes_max = 255;                    ///< of a channel or pattern: 1 to 65,535
  std::size_t presence_max = 100'000;                  ///< clients present in one channel; at least 1
  std::chrono::milliseconds presence_timeout{60'000};  ///< of those without a connection (`Channels::update_presence`)
  /// Keeps the histories of channels over a restart, so that clients recover after it; none: they end with the process. A
  /// publication in such a channel is sent and acknowledged once it is stored. The server loads all histories when it starts
  /// and keeps them in memory, too; the time for which a channel keeps its position begins anew.
  std::shared_ptr<ChannelStore> store{};
  std::size_t worker_threads = 2;  ///< for a store that may block, 1 to 256; with 1 a slow call delays every channel
  /// Bytes of publications pending for a store that may block. A channel that has some may use a quarter of it. One
  /// publication of any size is accepted when none is pending. Those beyond it are answered with overloaded.
  std::size_t waiting_bytes_max = 67'108'864;
};

/// What became of a publication.
struct Published {
  std::size_t reached = 0;  ///< subscriptions that it was sent to, those of the application included
  /// Its place in the channel. An empty epoch: the channel does not exist, because nobody is subscribed and it keeps no
  /// history.
  Position position{};
  bool is_repeat = false;  ///< the history already had it (`PublishOptions::key`): it was not sent again
  /// It waits for a store that may block (`ChannelsOptions::store`): the other members are not known yet. Only the
  /// `Channels::publish` without `done` returns it.
  bool is_pending = false;
};

/// Options of one publication.
struct PublishOptions {
  /// Names it, so that publishing it again does nothing while the channel's history has it; 1 to 128 bytes, or empty: none.
  /// Each user and the application have keys of their own; clients that are not logged in share theirs, which should be
  /// random. A channel without a history ignores it.
  std::string key{};
  std::vector<SessionId> except_clients{};  ///< clients that do not get it
};

/// A publication, as subscriptions of the application and `Channels::history` get it.
struct ChannelMessage {
  std::string channel{};       ///< where it was published
  JsonText data{};             ///< any JSON
  SessionId client_id{};       ///< of the client that published it; empty: the application
  std::string user_id{};       ///< of that client; empty: unknown
  Position position{};         ///< its place in the channel
  std::int64_t timestamp = 0;  ///< milliseconds since 1970
};

/// Part of a channel's history.
struct ChannelPublications {
  std::vector<ChannelMessage> messages{};  ///< oldest first
  Position position{};                     ///< of the newest publication; an empty epoch: the channel does not exist
};

/// A client that is present in a channel.
struct ChannelMember {
  SessionId client_id{};          ///< its id
  std::string user_id{};          ///< empty: unknown
  JsonText data{};                ///< any JSON
  std::int64_t joined_at = 0;     ///< milliseconds since 1970
  std::int64_t last_seen_at = 0;  ///< when it last joined or updated its presence
};

/// An entry of the shared state of a channel.
struct ChannelStateEntry {
  std::string key{};            ///< 1 to 128 bytes
  JsonText value{};             ///< any JSON
  std::uint64_t version = 0;    ///< greater than that of every earlier change in the channel
  SessionId client_id{};        ///< of the client with whose connection it ends; empty: none
  std::int64_t expires_at = 0;  ///< milliseconds since 1970; 0: never
};

/// The shared state of a channel.
struct ChannelStateMap {
  std::vector<ChannelStateEntry> entries{};  ///< in the order of their keys
  std::uint64_t version = 0;                 ///< of the newest change; 0: there was none
};

/// Options of one change of a channel's state.
struct ChannelStateOptions {
  std::optional<std::uint64_t> version{};  ///< changes the entry only if this is its version; 0: only if there is none
  std::chrono::milliseconds ttl{0};  ///< the entry is removed this long afterwards, give or take a second; 0: never
};

/// What became of a change of a channel's state.
struct ChannelStateChange {
  bool changed = false;       ///< false: the version was another one, or there was nothing to remove
  std::uint64_t version = 0;  ///< of the entry as it is now; 0: there is none
};

/// What is known of a channel or pattern.
struct ChannelStats {
  std::string channel{};            ///< its name
  std::size_t subscribers = 0;      ///< clients and subscriptions of the application; those of patterns are not counted
  std::size_t present_clients = 0;  ///< clients
  std::size_t present_users = 0;    ///< users; a client without a user counts as one
  std::uint64_t messages = 0;       ///< published since it exists
  std::int64_t created_at = 0;      ///< milliseconds since 1970
  std::int64_t last_message_at = 0;  ///< 0: none was published
};

/// What a client does in channels.
struct ChannelClient {
  SessionId id{};                            ///< its id
  std::vector<std::string> subscriptions{};  ///< channels and patterns, in no particular order
  std::vector<std::string> present_in{};     ///< channels, in the order of joining
};

/// A client wants to subscribe to a channel or pattern. May be vetoed, now or later.
struct ChannelSubscribe : Vetoable {
  Session session;            ///< the client
  const std::string channel;  ///< the channel or pattern
  /// For flux itself.
  ChannelSubscribe(Session s, std::string c) : session(std::move(s)), channel(std::move(c)) {}
};

/// A client wants to publish. May be vetoed, now or later; the data may be changed.
struct ChannelPublish : Vetoable {
  Session session;            ///< the client
  const std::string channel;  ///< the channel
  JsonText data;              ///< at most `Limits::message_bytes_max`
  /// For flux itself.
  ChannelPublish(Session s, std::string c, JsonText d)
      : session(std::move(s)), channel(std::move(c)), data(std::move(d)) {}
};

/// A client wants to set or remove an entry of the shared state. May be vetoed, now or later; the value may be changed.
/// What ends by itself, with its time or its client's connection, is not asked about.
struct ChannelStateWrite : Vetoable {
  Session session;                ///< the client
  const std::string channel;      ///< the channel
  const std::string key;          ///< of the entry
  std::optional<JsonText> value;  ///< at most `Limits::message_bytes_max`; none: the entry is removed
  /// For flux itself.
  ChannelStateWrite(Session s, std::string c, std::string k, std::optional<JsonText> v)
      : session(std::move(s)), channel(std::move(c)), key(std::move(k)), value(std::move(v)) {}
};

}  // namespace flux
