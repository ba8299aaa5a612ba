#pragma once

#include <flux/detail/endpoints/live/live_session.hpp>
#include <flux/detail/mode.hpp>

namespace flux::detail {

struct LiveSession::Requests : protocol::CommonMembers {
  using Place = features::Membership;
  using Type = protocol::LiveRequestType;

  /// `{type: "string", content}` or `{type: "file", fileId}`
  static std::string data_fault(const core::MemberValue& value) {
    const JsonText item = CheckedJson::text(std::string(value.json));
    const auto type = item.get<std::string>("/type");
    if (type == "file") {
      const bool has_id = !item.get<std::string>("/fileId").value_or(std::string()).empty();
      return has_id ? "" : ".fileId must be the id of a file that was uploaded before";
    }
    if (type != "string") return ".type must be \"string\" or \"file\"";
    return item.get<std::string>("/content") ? "" : ".content must be a string";
  }

  static constexpr Member data = Member{"data", Kind::object, &Limits::message_bytes_max, data_fault}.required();
  static constexpr Member name{"name", Kind::text, &Limits::identity_field_bytes_max};
  static constexpr Member email{"email", Kind::name, &Limits::identity_field_bytes_max};
  static constexpr Member changes{"changes", Kind::flag};
  static constexpr bool only_answers = true;

  /// The frequent ones first.
  static std::span<const Type> types() noexcept {
    static constexpr Type types[] = {
        {{live::request::broadcast_event, {room, event, payload}},
         [](LiveSession& s, Request& r, Place& place) { s.broadcast_event(r, place); }},
        {{live::request::update_presence, {room, presence.required()}},
         [](LiveSession& s, Request& r, Place& place) {
           s.update_presence(place, *r.members.copy("presence"), s.acknowledge<void>(r));
         }},
        {{live::request::call, {method, payload}, only_answers},
         [](LiveSession& s, Request& r) {
           s.call(r.members.text("method"), r.members.copy("payload").value_or(JsonText()), s.answer_json(r));
         }},
        {{live::request::send_chat, {room, message, metadata, own_id}},
         [](LiveSession& s, Request& r, Place& place) {
           s.chat(place, r.members.text("message"), r.members.copy("metadata"), r.members.text("messageId"),
                  s.answer<ChatMessage>(r, protocol::live_stored_payload));
         }},
        {{live::request::edit_chat, {room, offset, message, metadata}},
         [](LiveSession& s, Request& r, Place& place) {
           s.edit_chat(place, r.members.number("offset"), r.members.text("message"), r.members.copy("metadata"),
                       s.answer<ChatMessage>(r, protocol::live_changed_payload));
         }},
        {{live::request::delete_chat, {room, offset}},
         [](LiveSession& s, Request& r, Place& place) {
           s.delete_chat(place, r.members.number("offset"), s.answer<ChatMessage>(r, protocol::live_changed_payload));
         }},
        {{live::request::join_room, {room.required(), presence, token, name, email}},
         [](LiveSession& s, Request& r) { s.join_room(r); }},
        {{live::request::refresh, {token.required()}}, [](LiveSession& s, Request& r) { s.refresh_access(r); }},
        {{live::request::leave_room, {room}}, [](LiveSession& s, Request& r) { s.leave_named_room(r); }},
        {{live::request::create_room, {room.required(), mode, capacity}},
         [](LiveSession& s, Request& r) {
           s.create_room(
               r.members.text("roomId"), protocol::room_options(r.members),
               s.answer<RoomPtr>(r, [](const RoomPtr& made) { return protocol::live_room_payload(made->id()); }));
         }},
        {{live::request::share, {room, data}},
         [](LiveSession& s, Request& r, Place& place) { s.share_data(r, RoomPtr(place.room)); }},
        {{live::request::get_history, {room, limit, before}, only_answers},
         [](LiveSession& s, Request& r, Place& place) {
           const RoomId& in = place.room->id();
           s.chat_history(place, protocol::limit_of(r.members, protocol::hundred), r.members.number("before"),
                          s.answer<features::ChatPage>(r, [in](const features::ChatPage& page) {
                            return protocol::live_history_payload(in, page);
                          }));
         }},
        {{live::request::get_presence, {room, limit, after}, only_answers},
         [](LiveSession& s, Request& r, Place& place) {
           const auto page = s.members(place, protocol::limit_of(r.members), r.members.number("after"));
           s.ack(r.id, protocol::live_members_payload(place.room->id(), page));
         }},
        {{live::request::room_items, {room, limit, before}, only_answers},
         [](LiveSession& s, Request& r, Place& place) {
           const auto page = s.items(place, protocol::limit_of(r.members), r.members.number("before"));
           if (!page) return s.fail(r.id, page.error());
           s.ack(r.id, protocol::live_items_payload(place.room->id(), *page));
         }},
        {{live::request::upload_ticket, {room}, only_answers},
         [](LiveSession& s, Request& r, Place& place) { s.give_ticket(r.id, place.room->id()); }},
        {{live::request::public_share, {data}}, [](LiveSession& s, Request& r) { s.share_data(r, nullptr); }},
        {{live::request::public_history, {limit, before, changes}, only_answers},
         [](LiveSession& s, Request& r) {
           features::PublicSeat& seat = s.extras().public_seat;
           const Offset end = r.members.number("before");
           const auto page = r.members.flag("changes")
                                 ? s.watch_public_changes(seat, s.writer(), protocol::limit_of(r.members), end)
                                 : s.watch_public(seat, protocol::limit_of(r.members), end);
           s.ack(r.id, protocol::live_items_payload({}, page));
         }},
        {{live::request::public_delete_last, {}},
         [](LiveSession& s, Request& r) {
           s.delete_public_newest(
               s.answer<bool>(r, [](bool deleted) { return deleted ? "{\"deleted\":true}" : "{\"deleted\":false}"; }));
         }},
        {{live::request::public_upload_ticket, {}, only_answers},
         [](LiveSession& s, Request& r) { s.give_ticket(r.id, {}); }},
    };
    return types;
  }
};

FLUX_DECL std::span<const protocol::LiveRequestType> LiveSession::request_types() noexcept { return Requests::types(); }

}  // namespace flux::detail
