// Converts data sharing from and to Socket.IO: reads requests from the arguments of events, and writes what rooms and
// the public space report as events. No I/O.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/endpoints/request_type.hpp>
#include <flux/detail/endpoints/socketio/socketio_codec.hpp>
#include <flux/detail/features/client_view.hpp>
#include <flux/detail/mode.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flux::detail {
class SharingSession;
struct SharingAsker;
}  // namespace flux::detail

namespace flux::protocol {

// --- Reading ---

/// How the members of a request are arranged in the arguments of its event.
enum class SharingArguments : std::uint8_t {
  values,             ///< each member is an argument, in the order of declaration
  object,             ///< one object with the members
  options,            ///< the same, or no argument
  name_or_object,     ///< the same, or just the first member
  name_then_options,  ///< the first member, then an object with the others or nothing
};

struct SharingRequest;

struct SharingShape : core::RequestShape {
  constexpr SharingShape(std::string_view event, std::string_view operation_name, SharingArguments by,
                         const std::array<core::Member, core::members_max>& holds)
      : RequestShape{event, holds}, operation(operation_name), arguments(by) {}
  /// Its name in `Limits::operations`: that of protocol live's request with the same effect.
  std::string_view operation;
  SharingArguments arguments;
};

/// An event that clients may send.
using SharingRequestType =
    RequestType<SharingShape, detail::SharingSession&, const detail::SharingAsker&, const SharingRequest&>;

/// A client's request. Views point into the arguments or into `members`.
struct SharingRequest {
  core::Members members;
  std::span<const SocketIoValue> arguments;
};

/// Errors: invalid_message, which names the member, its value and what is expected; message_too_large for a member over
/// its limit. Bytes are accepted only in requests with a nested member.
Result<SharingRequest> read_sharing_request(const core::RequestShape& shape, SharingArguments layout,
                                            std::span<const SocketIoValue> arguments, const Limits& limits);

/// What is shared: a string, a file in the message, or one that was uploaded before.
struct TransferData {
  JsonText string;    ///< the whole object as received, unless it is a file
  FileId file_id;     ///< of a file that was uploaded before
  SharedBytes bytes;  ///< of a file in the message; otherwise null
  std::string file_name;
  std::string media_type;
};

/// `mimeType` of a file in a message.
inline constexpr std::size_t media_type_bytes_max = 255;
inline constexpr std::string_view media_type_unknown = "application/octet-stream";

/// Reads the nested member `data` of a request. Errors: as above. The size of a file is not checked.
Result<TransferData> read_transfer(const SharingRequest& request, const Limits& limits);

// --- Writing ---

/// Appends events as whole WebSocket frames, or as packets for a polling payload. No event has bytes, so the frames
/// also suit clients that accept no binary ones.
/// Threading: any thread.
class SharingWriter final : public features::ClientView {
 public:
  enum class Form : std::uint8_t { websocket, polling };
  explicit SharingWriter(Form form) : form_(form) {}

  FLUX_DECL void event(std::string& out, const features::EventNotice& notice) const override;
  FLUX_DECL void chat(std::string& out, const ChatMessage& stored) const override;
  FLUX_DECL void data(std::string& out, std::string_view room, const SharedItem& item) const override;
  FLUX_DECL void presence(std::string& out, const features::PresenceNotice& notice) const override;
  FLUX_DECL void closed(std::string& out, std::string_view room, std::string_view reason) const override;
  FLUX_DECL void public_history(std::string& out, const features::ItemsView& items) const override;
  FLUX_DECL void notice(std::string& out, const features::Notice& notice) const override;

 private:
  void put(std::string& out, std::string_view event, std::span<const SocketIoValue> arguments) const;
  void put(std::string& out, std::string_view event, std::string payload) const;

  const Form form_;
};

/// The object of an acknowledgment: `{success, message, …}`.
class SharingAnswer {
 public:
  SharingAnswer(bool success, std::string_view message);
  SharingAnswer& string(std::string_view name, std::string_view value);
  SharingAnswer& json(std::string_view name, std::string_view text);
  /// There is more, and the next request continues with `before`; 0: there is no more.
  SharingAnswer& more_before(Offset before);
  /// The same; `after`: JSON text.
  SharingAnswer& more_after(std::string_view after);
  JsonText take();

 private:
  std::string text_;
};

/// An array with the StoredData of each item.
std::string sharing_items(const std::vector<SharedItem>& items);
std::string sharing_items(const features::ItemsView& items);
/// At most this many bytes are needed for a room in `sharing_rooms`.
std::size_t sharing_room_bytes(const RoomInfo& room) noexcept;
/// An array with `{roomId, mode, capacity, members}` of each.
std::string sharing_rooms(std::span<const RoomInfo> rooms);
/// An array with an Entry, as in protocol live, for each.
std::string sharing_members(const std::vector<Member>& members);
/// An array with a Stored, as in protocol live, for each.
std::string sharing_chat(const std::vector<ChatMessage>& messages);

}  // namespace flux::protocol

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/sharing/sharing_codec.ipp>
#endif
