// Protocol live between text and types. No I/O: what it needs is in its arguments.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/features/room_view.hpp>
#include <flux/detail/transport/deflate.hpp>
#include <flux/live.hpp>

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace flux::protocol {

enum class LiveType : std::uint8_t {
  join_room,
  leave_room,
  update_presence,
  broadcast_event,
  send_chat,
  create_room,
  share,
  get_history,
  get_presence,
  room_items,
  upload_ticket,
  public_share,
  public_history,
  public_delete_last,
  public_upload_ticket,
  call,
};

struct LiveTypeName {
  std::string_view name;
  LiveType type;
};

/// Every request of the protocol, the frequent ones first.
inline constexpr LiveTypeName live_types[] = {
    {live::request::broadcast_event, LiveType::broadcast_event},
    {live::request::update_presence, LiveType::update_presence},
    {live::request::call, LiveType::call},
    {live::request::send_chat, LiveType::send_chat},
    {live::request::join_room, LiveType::join_room},
    {live::request::leave_room, LiveType::leave_room},
    {live::request::create_room, LiveType::create_room},
    {live::request::share, LiveType::share},
    {live::request::get_history, LiveType::get_history},
    {live::request::get_presence, LiveType::get_presence},
    {live::request::room_items, LiveType::room_items},
    {live::request::upload_ticket, LiveType::upload_ticket},
    {live::request::public_share, LiveType::public_share},
    {live::request::public_history, LiveType::public_history},
    {live::request::public_delete_last, LiveType::public_delete_last},
    {live::request::public_upload_ticket, LiveType::public_upload_ticket},
};

/// A client's message. Views point into its text, or into `mended`. Members that its type does not need are not looked
/// at.
struct LiveRequest {
  LiveType type{};
  /// The text, with U+FFFD for halves of surrogate pairs that it escapes (`"\ud83d"`); null: it has none.
  std::shared_ptr<const std::string> mended;
  std::string_view id;  ///< JSON text of a string or number; empty: none
  std::optional<std::string> room_id;
  std::optional<std::string> access_token;
  std::optional<std::string> name;
  std::optional<std::string> email;
  std::string event;
  std::string method;
  std::string message;
  // JSON text, empty where absent
  std::string_view presence;  ///< an object
  std::string_view payload;
  std::string_view metadata;
  std::string_view data;  ///< `{type: "string", content}`, or `{type: "file", fileId}` with what follows
  FileId file_id;         ///< of a file that was put up before; empty: `data` is no file
  RoomOptions room_options;
  std::size_t limit = 0;  ///< 1 to 1000, or `features::no_limit`
  Offset before = 0;
  bool changes = false;  ///< of the public space, instead of lists
  std::uint64_t after = 0;
};

/// Reads a client's message in one pass. On an error `out.id` is set where the message held a usable one before the
/// fault. Half of a surrogate pair becomes U+FFFD in what is relayed (payload, presence, metadata, data, a chat message,
/// the name of a person), and is refused in what names something (room, event, email, token, id).
/// Errors: invalid_json; invalid_message and unknown_type, naming the member, what it holds and what would be right;
/// message_too_large for a member over its limit.
Result<void> read_live_request(std::string_view text, const Limits& limits, LiveRequest& out);

/// Puts messages as whole WebSocket text frames, compressed where the connection agreed on that and it helps.
/// Threading: any thread.
class LiveWriter final : public features::RoomView, public features::PublicView, public features::PublicChangesView {
 public:
  /// `deflate`: none for plain frames. `window_bits`: as for `Deflater`.
  explicit LiveWriter(const DeflateOptions* deflate, int window_bits = transport::deflate_window_bits_max);

  void event(std::string& out, const features::EventNotice& notice) const override;
  void chat(std::string& out, const ChatMessage& stored) const override;
  void data(std::string& out, std::string_view room, const SharedItem& item) const override;
  void presence(std::string& out, const features::PresenceNotice& notice) const override;
  void closed(std::string& out, std::string_view room, std::string_view reason) const override;
  void public_history(std::string& out, const features::ItemsView& items) const override;
  void public_item(std::string& out, const SharedItem& item) const override;
  void public_removed(std::string& out, Offset offset) const override;
  void room_joined(std::string& out, const features::RoomSnapshot& room,
                   const Result<features::ChatPage>& history) const;
  /// `id`: JSON text, or empty.
  void error(std::string& out, std::string_view id, const Error& error) const;
  /// `payload`: JSON text, or empty.
  void ack(std::string& out, std::string_view id, std::string_view payload = {}) const;

 private:
  class Message;
  struct Compressor {
    Compressor(const DeflateOptions& options, int window_bits)
        : deflater(options.level, window_bits), bytes_min(options.message_bytes_min) {}
    std::mutex mutex;
    transport::Deflater deflater;
    std::size_t bytes_min;
  };
  std::unique_ptr<Compressor> compressor_;
};

// Payloads of acks, as JSON text.
std::string live_room_payload(std::string_view room);
std::string live_offset_payload(Offset offset);
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
