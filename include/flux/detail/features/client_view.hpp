// The messages that features send to clients, and the interfaces through which a wire protocol encodes them.
#pragma once

#include <flux/detail/features/page.hpp>
#include <flux/detail/features/presence_entry.hpp>
#include <flux/types.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux::features {

struct EventNotice {
  std::string_view room;
  std::string_view connection_id;
  std::string_view user_id;  // empty: unknown
  std::string_view event;
  std::optional<std::string_view> payload;  // JSON text
};

struct PresenceNotice {
  std::string_view room;
  std::vector<PresenceEntry> joined;
  std::vector<std::string_view> left;
  std::vector<PresenceEntry> updated;

  bool empty() const noexcept { return joined.empty() && left.empty() && updated.empty(); }
};

/// What a client finds when it joins a room, before its own changes reach the others.
struct RoomSnapshot {
  const RoomId& room;
  std::string_view connection_id;  // the joiner's
  RoomMode mode;
  Position position;
  const std::vector<PresenceEntry>& members;     // the joiner is one of them
  std::optional<std::uint64_t> members_after{};  // as in `MembersPage`, not counting the joiner
  ItemsView items{};                             // none in mode live
  std::int64_t server_time = 0;                  // milliseconds since 1970
  std::string_view application_welcome{};        // JSON text; empty: none
};

/// Encodes for one protocol. Each method appends whole frames to `out`.
/// Threading: called from any thread, also from several at once.
class RoomView {
 public:
  virtual ~RoomView() = default;
  virtual void event(std::string& out, const EventNotice& notice) const = 0;
  /// A new message; or one that was edited or deleted, which has the time of that.
  virtual void chat(std::string& out, const ChatMessage& stored) const = 0;
  virtual void data(std::string& out, std::string_view room, const SharedItem& item) const = 0;
  virtual void presence(std::string& out, const PresenceNotice& notice) const = 0;
  virtual void closed(std::string& out, std::string_view room, std::string_view reason) const = 0;
};

/// Encodes the list of the public space, as whole frames of one message.
class PublicView {
 public:
  virtual ~PublicView() = default;
  virtual void public_history(std::string& out, const ItemsView& items) const = 0;
};

/// A message of a feature that is encoded in the same way whatever it is about: in protocol live a message of type `name`
/// with this payload, in data sharing an event `name` with it as the argument.
struct Notice {
  std::string_view name;     // a literal
  std::string_view payload;  // JSON text
  /// Where the receiver is afterwards, for protocols that tell it apart from the payload. An empty epoch: where it was.
  std::string_view epoch{};
  Offset offset = 0;
};

/// Encodes notices, as one whole frame each.
class NoticeView {
 public:
  virtual ~NoticeView() = default;
  virtual void notice(std::string& out, const Notice& notice) const = 0;
};

/// The encodings that every protocol has.
class ClientView : public RoomView, public PublicView, public NoticeView {};

/// Encodes each change of the public space.
class PublicChangesView {
 public:
  virtual ~PublicChangesView() = default;
  virtual void public_item(std::string& out, const SharedItem& item) const = 0;
  virtual void public_removed(std::string& out, Offset offset) const = 0;
};

}  // namespace flux::features
