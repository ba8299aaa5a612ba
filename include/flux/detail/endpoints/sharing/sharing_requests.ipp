#pragma once

#include <flux/detail/endpoints/sharing/sharing_session.hpp>
#include <flux/detail/mode.hpp>
#include <flux/live.hpp>

namespace flux::detail {

struct SharingSession::Requests : protocol::CommonMembers {
  using By = protocol::SharingArguments;
  using Place = features::Membership;
  using Type = protocol::SharingRequestType;

  static constexpr Member room = CommonMembers::room.required();
  static constexpr Member data = Member{"data", Kind::nested}.required();
  static constexpr Member reason{"reason", Kind::text, &Limits::event_name_bytes_max};
  static constexpr Member after_room{"after", Kind::name};

  /// The frequent ones first.
  static std::span<const Type> types() noexcept {
    static constexpr Type types[] = {
        {{"room:upload", live::request::share, By::object, {room, data}},
         [](SharingSession& s, const Asker& asker, const Request& r, Place& place) {
           s.share_data(asker, RoomPtr(place.room), r);
         }},
        {{"room:event", live::request::broadcast_event, By::object, {room, event, payload}},
         [](SharingSession& s, const Asker& asker, const Request& r, Place& place) { s.send_event(asker, place, r); }},
        {{"room:chat", live::request::send_chat, By::object, {room, message, metadata, own_id}},
         [](SharingSession& s, const Asker& asker, const Request& r, Place& place) {
           s.chat(place, r.members.text("message"), r.members.copy("metadata"), r.members.text("messageId"),
                  s.answering<ChatMessage>(asker, [](const ChatMessage& stored) {
                    if (stored.offset == 0) {
                      return std::move(Answer(true, "Message held.").string("id", stored.id).json("held", "true"));
                    }
                    return std::move(Answer(true, "Message sent.")
                                         .string("id", stored.id)
                                         .json("createdAt", std::to_string(stored.created_at))
                                         .json("offset", std::to_string(stored.offset)));
                  }));
         }},
        {{"room:editChat", live::request::edit_chat, By::object, {room, offset, message, metadata}},
         [](SharingSession& s, const Asker& asker, const Request& r, Place& place) {
           s.edit_chat(place, r.members.number("offset"), r.members.text("message"), r.members.copy("metadata"),
                       s.answering<ChatMessage>(asker, [](const ChatMessage& edited) {
                         Answer answer(true, "Message edited.");
                         return std::move(answer.json("editedAt", std::to_string(edited.edited_at)));
                       }));
         }},
        {{"room:deleteChat", live::request::delete_chat, By::object, {room, offset}},
         [](SharingSession& s, const Asker& asker, const Request& r, Place& place) {
           s.delete_chat(place, r.members.number("offset"),
                         s.answering<ChatMessage>(asker, [](const ChatMessage& deleted) {
                           Answer answer(true, "Message deleted.");
                           return std::move(answer.json("deletedAt", std::to_string(deleted.deleted_at)));
                         }));
         }},
        {{"room:presence", live::request::update_presence, By::object, {room, presence.required()}},
         [](SharingSession& s, const Asker& asker, const Request& r, Place& place) {
           s.update_presence(place, *r.members.copy("presence"), s.succeeding<void>(asker, "Presence updated."));
         }},
        {{"public:upload", live::request::public_share, By::values, {data}},
         [](SharingSession& s, const Asker& asker, const Request& r) { s.share_data(asker, nullptr, r); }},
        {{"public:deleteLast", live::request::public_delete_last, By::values, {}},
         [](SharingSession& s, const Asker& asker, const Request&) {
           s.delete_public_newest(s.answering<bool>(asker, [](bool deleted) {
             return deleted ? Answer(true, "Data deleted.") : Answer(false, "The public space is empty.");
           }));
         }},
        {{"room:join", live::request::join_room, By::values, {room}},
         [](SharingSession& s, const Asker& asker, const Request& r) { s.join_room(asker, r.members.text("roomId")); }},
        {{"room:create", live::request::create_room, By::object, {room, capacity.required(), mode}},
         [](SharingSession& s, const Asker& asker, const Request& r) {
           s.create_room(r.members.text("roomId"), protocol::room_options(r.members),
                         [self = s.this_session(), asker](const Result<RoomPtr>& made) {
                           if (!made) return self->fail(asker, made.error());
                           Answer created(true, "Room created.");
                           self->answer(asker, std::move(created.string("roomId", (*made)->id())));
                         });
         }},
        {{"room:history", live::request::room_items, By::name_then_options, {room, limit, before}},
         [](SharingSession& s, const Asker& asker, const Request& r, Place& place) {
           s.room_history(asker, place, protocol::limit_of(r.members), r.members.number("before"));
         }},
        {{"room:leave", live::request::leave_room, By::name_or_object, {room}},
         [](SharingSession& s, const Asker& asker, const Request&, Place& place) {
           s.leave_room(RoomPtr(place.room));
           s.answer(asker, Answer(true, "Left the room."));
         }},
        {{"room:close", "close_room", By::name_or_object, {room, reason}},
         [](SharingSession& s, const Asker& asker, const Request& r) {
           s.succeeding<void>(asker, "Room closed.")(s.close_room(r.members.text("roomId"), r.members.text("reason")));
         }},
        {{"room:list", "list_rooms", By::options, {limit, after_room}},
         [](SharingSession& s, const Asker& asker, const Request& r) {
           s.list_rooms(asker, r.members.text("after"), protocol::limit_of(r.members, protocol::hundred));
         }},
        {{"room:members", live::request::get_presence, By::name_or_object, {room, limit, after}},
         [](SharingSession& s, const Asker& asker, const Request& r, Place& place) {
           s.list_members(asker, place, protocol::limit_of(r.members), r.members.number("after"));
         }},
        {{"room:chatHistory", live::request::get_history, By::name_or_object, {room, limit, before}},
         [](SharingSession& s, const Asker& asker, const Request& r, Place& place) {
           s.chat_history(
               place, protocol::limit_of(r.members, protocol::hundred), r.members.number("before"),
               s.answering<features::ChatPage>(asker, [](const features::ChatPage& page) {
                 Answer list(true, "Chat history.");
                 return std::move(list.json("messages", protocol::sharing_chat(page.entries)).more_before(page.before));
               }));
         }},
        {{"public:items", live::request::public_history, By::options, {limit, before}},
         [](SharingSession& s, const Asker& asker, const Request& r) {
           s.answer_items(asker, "Public history.",
                          s.public_items(protocol::limit_of(r.members), r.members.number("before")));
         }},
        {{"room:uploadTicket", live::request::upload_ticket, By::name_or_object, {room}},
         [](SharingSession& s, const Asker& asker, const Request& r, Place&) {
           s.give_ticket(asker, r.members.text("roomId"));
         }},
        {{"public:uploadTicket", live::request::public_upload_ticket, By::values, {}},
         [](SharingSession& s, const Asker& asker, const Request&) { s.give_ticket(asker, {}); }},
        {{"call", live::request::call, By::values, {method, payload}},
         [](SharingSession& s, const Asker& asker, const Request& r) {
           s.call(r.members.text("method"), r.members.copy("payload").value_or(JsonText()), s.answering_json(asker));
         }},
        {{"refresh", live::request::refresh, By::object, {token.required()}},
         [](SharingSession& s, const Asker& asker, const Request& r) {
           s.refresh_access(asker, r.members.text("accessToken"));
         }},
    };
    return types;
  }
};

FLUX_DECL std::span<const protocol::SharingRequestType> SharingSession::request_types() noexcept {
  return Requests::types();
}

}  // namespace flux::detail
