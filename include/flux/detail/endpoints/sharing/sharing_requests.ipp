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
        {{"room:upload", By::object, {room, data}},
         [](SharingSession& s, const Asker& asker, const Request& r, Place& place) {
           s.share_data(asker, RoomPtr(place.room), r);
         }},
        {{"room:event", By::object, {room, event, payload}},
         [](SharingSession& s, const Asker& asker, const Request& r, Place& place) { s.send_event(asker, place, r); }},
        {{"room:chat", By::object, {room, message, metadata, own_id}},
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
        {{"room:editChat", By::object, {room, offset, message, metadata}},
         [](SharingSession& s, const Asker& asker, const Request& r, Place& place) {
           s.edit_chat(place, r.members.number("offset"), r.members.text("message"), r.members.copy("metadata"),
                       s.answering<ChatMessage>(asker, [](const ChatMessage& edited) {
                         Answer answer(true, "Message edited.");
                         return std::move(answer.json("editedAt", std::to_string(edited.edited_at)));
                       }));
         }},
        {{"room:deleteChat", By::object, {room, offset}},
         [](SharingSession& s, const Asker& asker, const Request& r, Place& place) {
           s.delete_chat(place, r.members.number("offset"),
                         s.answering<ChatMessage>(asker, [](const ChatMessage& deleted) {
                           Answer answer(true, "Message deleted.");
                           return std::move(answer.json("deletedAt", std::to_string(deleted.deleted_at)));
                         }));
         }},
        {{"room:presence", By::object, {room, presence.required()}},
         [](SharingSession& s, const Asker& asker, const Request& r, Place& place) {
           s.update_presence(place, *r.members.copy("presence"), s.succeeding<void>(asker, "Presence updated."));
         }},
        {{"public:upload", By::values, {data}},
         [](SharingSession& s, const Asker& asker, const Request& r) { s.share_data(asker, nullptr, r); }},
        {{"public:deleteLast", By::values, {}},
         [](SharingSession& s, const Asker& asker, const Request&) {
           s.delete_public_newest(s.answering<bool>(asker, [](bool deleted) {
             return deleted ? Answer(true, "Data deleted.") : Answer(false, "The public space is empty.");
           }));
         }},
        {{"room:join", By::values, {room}},
         [](SharingSession& s, const Asker& asker, const Request& r) { s.join_room(asker, r.members.text("roomId")); }},
        {{"room:create", By::object, {room, capacity.required(), mode}},
         [](SharingSession& s, const Asker& asker, const Request& r) {
           s.create_room(r.members.text("roomId"), protocol::room_options(r.members),
                         [self = s.this_session(), asker](const Result<RoomPtr>& made) {
                           if (!made) return self->fail(asker, made.error());
                           Answer created(true, "Room created.");
                           self->answer(asker, std::move(created.string("roomId", (*made)->id())));
                         });
         }},
        {{"room:history", By::name_then_options, {room, limit, before}},
         [](SharingSession& s, const Asker& asker, const Request& r, Place& place) {
           s.room_history(asker, place, protocol::limit_of(r.members), r.members.number("before"));
         }},
        {{"room:leave", By::name_or_object, {room}},
         [](SharingSession& s, const Asker& asker, const Request&, Place& place) {
           s.leave_room(RoomPtr(place.room));
           s.answer(asker, Answer(true, "Left the room."));
         }},
        {{"room:close", By::name_or_object, {room, reason}},
         [](SharingSession& s, const Asker& asker, const Request& r) {
           s.succeeding<void>(asker, "Room closed.")(s.close_room(r.members.text("roomId"), r.members.text("reason")));
         }},
        {{"room:list", By::options, {limit, after_room}},
         [](SharingSession& s, const Asker& asker, const Request& r) {
           s.list_rooms(asker, r.members.text("after"), protocol::limit_of(r.members, protocol::hundred));
         }},
        {{"room:members", By::name_or_object, {room, limit, after}},
         [](SharingSession& s, const Asker& asker, const Request& r, Place& place) {
           s.list_members(asker, place, protocol::limit_of(r.members), r.members.number("after"));
         }},
        {{"room:chatHistory", By::name_or_object, {room, limit, before}},
         [](SharingSession& s, const Asker& asker, const Request& r, Place& place) {
           s.chat_history(
               place, protocol::limit_of(r.members, protocol::hundred), r.members.number("before"),
               s.answering<features::ChatPage>(asker, [](const features::ChatPage& page) {
                 Answer list(true, "Chat history.");
                 return std::move(list.json("messages", protocol::sharing_chat(page.entries)).more_before(page.before));
               }));
         }},
        {{"public:items", By::options, {limit, before}},
         [](SharingSession& s, const Asker& asker, const Request& r) {
           s.answer_items(asker, "Public history.",
                          s.public_items(protocol::limit_of(r.members), r.members.number("before")));
         }},
        {{"room:uploadTicket", By::name_or_object, {room}},
         [](SharingSession& s, const Asker& asker, const Request& r, Place&) {
           s.give_ticket(asker, r.members.text("roomId"));
         }},
        {{"public:uploadTicket", By::values, {}},
         [](SharingSession& s, const Asker& asker, const Request&) { s.give_ticket(asker, {}); }},
        {{"call", By::values, {method, payload}},
         [](SharingSession& s, const Asker& asker, const Request& r) {
           s.call(r.members.text("method"), r.members.copy("payload").value_or(JsonText()), s.answering_json(asker));
         }},
        {{"refresh", By::object, {token.required()}},
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

FLUX_DECL std::string_view sharing_operation(std::string_view request) noexcept {
  using namespace live::request;
  struct Name {
    std::string_view request, operation;
  };
  static constexpr Name names[] = {
      {"room:upload", share},
      {"room:event", broadcast_event},
      {"room:chat", send_chat},
      {"room:editChat", edit_chat},
      {"room:deleteChat", delete_chat},
      {"room:presence", update_presence},
      {"public:upload", public_share},
      {"public:deleteLast", public_delete_last},
      {"room:join", join_room},
      {"room:create", create_room},
      {"room:history", room_items},
      {"room:leave", leave_room},
      {"room:close", "close_room"},
      {"room:list", "list_rooms"},
      {"room:members", get_presence},
      {"room:chatHistory", get_history},
      {"public:items", public_history},
      {"room:uploadTicket", upload_ticket},
      {"public:uploadTicket", public_upload_ticket},
      {"call", call},
      {"refresh", refresh},
  };
  for (const Name& name : names) {
    if (name.request == request) return name.operation;
  }
  return {};
}

}  // namespace flux::detail
