// Converts messages of the protocol of channels, `/realtime`, from and to text. No I/O. See flux/channels.hpp.
#pragma once

#include <flux/clock.hpp>
#include <flux/config.hpp>
#include <flux/detail/core/members.hpp>
#include <flux/detail/endpoints/message_frame.hpp>
#include <flux/detail/features/client_view.hpp>
#include <flux/detail/features/request_table.hpp>
#include <flux/detail/mode.hpp>
#include <flux/error.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace flux::protocol {

/// What precedes the names of its requests and notices in every other protocol.
inline constexpr std::string_view channel_prefix = "channel_";

/// A client's message. Views point into its text or into `members`.
struct RealtimeRequest {
  enum class Type : std::uint8_t { ping, refresh, channel };

  Type type = Type::channel;
  const features::Request* channel = nullptr;  ///< only of that type
  std::string_view id;                         ///< JSON text of a string or number; empty: none
  core::Members members;
};

/// Reads a client's message. On an error, `out.id` is set if the message had a valid one before the fault.
/// Errors: as `read_live_request`.
Result<void> read_realtime_request(std::string_view text, const Limits& limits, const features::RequestTable& table,
                                   RealtimeRequest& out);

/// Appends `{code, error, retryAfter?}`.
void append_realtime_error_object(std::string& out, const Error& error);

/// The messages of the server, as text. Each appends one JSON object to `out`; `now` is its timestamp, in milliseconds since
/// 1970.
void append_realtime_notice(std::string& out, const features::Notice& notice, std::int64_t now);
/// What the application sends to one client.
void append_realtime_event(std::string& out, std::string_view event, std::string_view payload, std::int64_t now);
/// `id`: JSON text, or empty; also of those below.
void append_realtime_error(std::string& out, std::string_view id, const Error& error, std::int64_t now);
/// An ack, or another message. `payload`: the JSON of an object, whose members are those of the message; anything else:
/// there are none.
void append_realtime_reply(std::string& out, std::string_view type, std::string_view id, std::string_view payload,
                           std::int64_t now);
/// `expires_at`: milliseconds since 1970; the largest number: never.
std::string refreshed_payload(std::int64_t expires_at);

/// The encoding of features for clients that are in no room and don't watch the public space: of these nothing is encoded.
class NoticesOnly : public features::ClientView {
 public:
  void event(std::string&, const features::EventNotice&) const override {}
  void chat(std::string&, const ChatMessage&) const override {}
  void data(std::string&, std::string_view, const SharedItem&) const override {}
  void presence(std::string&, const features::PresenceNotice&) const override {}
  void closed(std::string&, std::string_view, std::string_view) const override {}
  void public_history(std::string&, const features::ItemsView&) const override {}
};

/// Appends messages as whole WebSocket text frames. Threading: any thread.
class RealtimeWriter final : public NoticesOnly {
 public:
  /// `compressor`: null for uncompressed frames. `clock`: outlives it.
  RealtimeWriter(MessageCompressor* compressor, const Clock* clock) : compressor_(compressor), clock_(clock) {}

  FLUX_DECL void notice(std::string& out, const features::Notice& notice) const override;
  void application_event(std::string& out, std::string_view event, std::string_view payload) const;
  void error(std::string& out, std::string_view id, const Error& error) const;
  void reply(std::string& out, std::string_view type, std::string_view id, std::string_view payload = {}) const;

 private:
  MessageCompressor* const compressor_;
  const Clock* const clock_;
};

}  // namespace flux::protocol

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/realtime/realtime_codec.ipp>
#endif
