// Converts messages of protocol live from and to text. No I/O: everything it needs is in its arguments.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/endpoints/message_frame.hpp>
#include <flux/detail/endpoints/request_type.hpp>
#include <flux/detail/features/client_view.hpp>
#include <flux/detail/features/request_table.hpp>
#include <flux/detail/mode.hpp>
#include <flux/live.hpp>

#include <span>
#include <string>
#include <string_view>

namespace flux::detail {
class LiveSession;
}

namespace flux::protocol {

struct LiveRequest;

using LiveRequestType = RequestType<core::RequestShape, detail::LiveSession&, LiveRequest&>;

/// The requests that a server knows: the protocol's own, the frequent ones first, and those that were added.
struct LiveRequestTable {
  std::span<const LiveRequestType> own;
  const features::RequestTable& added;
};

/// A client's message. Views point into its text or into `members`.
struct LiveRequest {
  const LiveRequestType* type = nullptr;     ///< null: `added`
  const features::Request* added = nullptr;  ///< null: `type`
  std::string_view id;                       ///< JSON text of a string or number; empty: none
  core::Members members;
};

/// Reads a client's message, in one pass if its `type` comes before its `payload`. On an error, `out.id` is set if the
/// message had a valid one before the fault. A lone surrogate becomes U+FFFD in values that are relayed (payload,
/// presence, metadata, data, a chat message, a person's name), and is refused in values that name something (room,
/// event, email, token, id).
/// Errors: invalid_json; invalid_message and unknown_type, which name the member, its value and what is expected;
/// message_too_large for a member over its limit.
Result<void> read_live_request(std::string_view text, const Limits& limits, const LiveRequestTable& table,
                               LiveRequest& out);

/// Appends messages as whole WebSocket text frames, compressed if the connection agreed on that and it makes them
/// smaller.
/// Threading: any thread.
class LiveWriter final : public features::ClientView, public features::PublicChangesView {
 public:
  /// `compressor`: null for uncompressed frames.
  explicit LiveWriter(MessageCompressor* compressor) : compressor_(compressor) {}

  FLUX_DECL void event(std::string& out, const features::EventNotice& notice) const override;
  FLUX_DECL void chat(std::string& out, const ChatMessage& stored) const override;
  FLUX_DECL void data(std::string& out, std::string_view room, const SharedItem& item) const override;
  FLUX_DECL void presence(std::string& out, const features::PresenceNotice& notice) const override;
  FLUX_DECL void closed(std::string& out, std::string_view room, std::string_view reason) const override;
  FLUX_DECL void public_history(std::string& out, const features::ItemsView& items) const override;
  FLUX_DECL void notice(std::string& out, const features::Notice& notice) const override;
  FLUX_DECL void public_item(std::string& out, const SharedItem& item) const override;
  FLUX_DECL void public_removed(std::string& out, Offset offset) const override;
  void room_joined(std::string& out, const features::RoomSnapshot& room,
                   const Result<features::ChatPage>& history) const;
  /// The application has removed the client from the room.
  void left(std::string& out, std::string_view room, std::string_view reason) const;
  /// `id`: JSON text, or empty. `expires_at`: milliseconds since 1970; the largest number: never.
  void refreshed(std::string& out, std::string_view id, std::int64_t expires_at) const;
  /// `id`: JSON text, or empty.
  void error(std::string& out, std::string_view id, const Error& error) const;
  /// `payload`: JSON text, or empty.
  void ack(std::string& out, std::string_view id, std::string_view payload = {}) const;

 private:
  class Message;
  MessageCompressor* const compressor_;
};

// Payloads of acks, as JSON text.
std::string live_room_payload(std::string_view room);
std::string live_offset_payload(Offset offset);
/// `stored`: an offset of 0 means that the application holds it.
std::string live_stored_payload(const ChatMessage& stored);
std::string live_changed_payload(const ChatMessage& changed);
std::string live_history_payload(std::string_view room, const features::ChatPage& page);
std::string live_members_payload(std::string_view room, const features::MembersPage& page);
/// `room`: empty for the public space.
std::string live_items_payload(std::string_view room, const features::ItemsPage& page);
/// `expires_at`: milliseconds since 1970.
std::string live_ticket_payload(std::string_view ticket, std::int64_t expires_at);

}  // namespace flux::protocol

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/live/live_codec.ipp>
#endif
