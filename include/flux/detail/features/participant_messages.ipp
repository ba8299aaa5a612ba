#pragma once

#include <flux/detail/features/call.hpp>
#include <flux/detail/features/participant.hpp>
#include <flux/detail/features/participant.ipp>
#include <flux/detail/mode.hpp>

#include <utility>

namespace flux::features {

// --- Events, chat, presence ---

namespace participant_detail {

FLUX_DECL std::string_view text_of(const std::optional<JsonText>& json) {
  return json ? std::string_view(json->text()) : std::string_view();
}

}  // namespace participant_detail

FLUX_DECL void Participant::publish(const Membership& membership, std::string event, std::optional<JsonText> payload,
                                    const Done<JsonText>& done) {
  if (const auto allowed = may(membership, gate::RoomAct::events); !allowed) return done(allowed.error());
  if (const auto allowed = may_write(event, participant_detail::text_of(payload)); !allowed) {
    return done(allowed.error());
  }
  EventMessage message(session_handle(), membership.room->id(), std::move(event), std::move(payload));
  permitted("event", backend().handlers.event, message, done,
            [this, room = membership.room, done](EventMessage& permitted) {
              if (permitted.consumed()) return await_reply(*permitted.reply_, "event handler", done);
              const auto sender = member_of(room, gate::RoomAct::events);
              if (!sender) return done(sender.error());
              std::optional<std::string_view> text;
              if (permitted.payload) text = permitted.payload->text();
              done(send_event(**sender, permitted.event, text).transform([](const Position&) { return JsonText(); }));
            });
}

FLUX_DECL Result<Position> Participant::publish_unasked(const Membership& membership, std::string_view event,
                                                        std::optional<std::string_view> payload) {
  if (const auto allowed = may(membership, gate::RoomAct::events); !allowed) return allowed.error();
  if (const auto allowed = may_write(event, payload.value_or("")); !allowed) return allowed.error();
  return send_event(membership, event, payload);
}

FLUX_DECL Result<Position> Participant::send_event(const Membership& membership, std::string_view event,
                                                   std::optional<std::string_view> payload) {
  const auto known = identity();
  const SessionId sender = id();
  return membership.room->publish(
      &membership,
      {membership.room->id(), sender, known ? std::string_view(known->user_id) : std::string_view(), event, payload});
}

/// The id with which a message that has an id of the client's own is stored. It contains the author, so that no other one
/// can have the same: the user, or the connection of a client without one. As the author's length comes first, author
/// and own id can't be confused.
FLUX_DECL std::string Participant::chat_id_of(std::string_view own_id) const {
  const auto known = identity();
  const bool is_user = known && !known->user_id.empty();
  const std::string author = is_user ? known->user_id : id();
  return (is_user ? "u" : "c") + std::to_string(author.size()) + ":" + author + ":" + std::string(own_id);
}

FLUX_DECL void Participant::chat(Membership& membership, std::string message, std::optional<JsonText> metadata,
                                 std::string_view own_id, const Done<ChatMessage>& done) {
  if (const auto allowed = may(membership, gate::RoomAct::chat); !allowed) return done(allowed.error());
  if (const auto allowed = may_write(message, participant_detail::text_of(metadata)); !allowed) {
    return done(allowed.error());
  }
  const Retry retry = own_id.empty() ? Retry::no : Retry::possible;
  const std::string chat_id = own_id.empty() ? backend().new_chat_id() : chat_id_of(own_id);
  if (chat_id.size() > detail::chat_id_bytes_max) {
    return done(Error(Errc::invalid_message, "messageId is too long for a user whose id is as long as this one's"));
  }
  ChatDraft draft(session_handle(), membership.room->id(), chat_id, std::move(message), std::move(metadata));
  permitted("chat", backend().handlers.chat, draft, done,
            [this, room = membership.room, chat_id, retry, done](ChatDraft& permitted) {
              if (const auto member = member_of(room, gate::RoomAct::chat); !member) return done(member.error());
              const auto known = identity();
              ChatMessage sent;
              sent.id = chat_id;
              if (permitted.held_) return done(std::move(sent));
              sent.room = room->id();
              sent.connection_id = id();
              if (known) sent.user_id = known->user_id;
              sent.message = std::move(permitted.message);
              if (permitted.metadata) sent.metadata = std::move(*permitted.metadata).text();
              backend().store_chat(std::move(sent), retry, room, on_loop(done));
            });
}

/// An unverified user is nobody's author.
FLUX_DECL bool Participant::wrote(const ChatMessage& message) const {
  if (message.user_id.empty()) return message.connection_id == id();
  const auto known = identity();
  return known && known->verified && known->user_id == message.user_id;
}

FLUX_DECL void Participant::find_chat(const RoomPtr& room, Offset offset, Done<ChatMessage> done) {
  if (!backend().chat->can_edit()) return done(chat_not_editable());
  auto found = [this, room, offset, done = std::move(done)](const Result<std::optional<ChatMessage>>& message) {
    if (!is_open()) return;
    if (!message) return done(message.error());
    if (!*message) return done(no_chat_message(offset));
    done(**message);
  };
  backend().chat->find(room->id(), offset, on_loop<std::optional<ChatMessage>>(std::move(found)));
}

/// Asks the application, then has the message changed.
template <class Event>
void Participant::change_chat(const char* what, const std::function<void(Event&)>& handler, Event& event,
                              const RoomPtr& room, const std::function<ChatLog::Change(Event&)>& change,
                              const Done<ChatMessage>& done) {
  if (const auto member = member_of(room, gate::RoomAct::chat); !member) return done(member.error());
  permitted(what, handler, event, done, [this, room, change, offset = event.stored.offset, done](Event& permitted) {
    if (const auto member = member_of(room, gate::RoomAct::chat); !member) return done(member.error());
    if (!permitted.allowed) return done(Error(Errc::forbidden, "only its author may change this message"));
    backend().change_chat(room->id(), offset, change(permitted), on_loop(done));
  });
}

FLUX_DECL void Participant::edit_chat(Membership& membership, Offset offset, std::string message,
                                      std::optional<JsonText> metadata, const Done<ChatMessage>& done) {
  if (const auto allowed = may(membership, gate::RoomAct::chat); !allowed) return done(allowed.error());
  if (const auto allowed = may_write(message, participant_detail::text_of(metadata)); !allowed) {
    return done(allowed.error());
  }
  const RoomPtr room = membership.room;
  const auto finish = holding_requests(done);
  find_chat(room, offset,
            [this, room, message = std::move(message), metadata = std::move(metadata),
             finish](const Result<ChatMessage>& found) {
              if (!found) return finish(found.error());
              ChatEdit edit(session_handle(), *found, message, metadata, wrote(*found));
              change_chat<ChatEdit>(
                  "chat edit", backend().handlers.chat_edit, edit, room,
                  [this](ChatEdit& permitted) {
                    std::string text = permitted.metadata ? std::move(*permitted.metadata).text() : std::string();
                    return backend().chat_edit(std::move(permitted.message), std::move(text));
                  },
                  finish);
            });
}

FLUX_DECL void Participant::delete_chat(Membership& membership, Offset offset, const Done<ChatMessage>& done) {
  if (const auto allowed = may(membership, gate::RoomAct::chat); !allowed) return done(allowed.error());
  const RoomPtr room = membership.room;
  const auto finish = holding_requests(done);
  find_chat(room, offset, [this, room, finish](const Result<ChatMessage>& found) {
    if (!found) return finish(found.error());
    ChatDelete deletion(session_handle(), *found, wrote(*found));
    change_chat<ChatDelete>(
        "chat delete", backend().handlers.chat_delete, deletion, room,
        [this](ChatDelete&) { return backend().chat_deletion(); }, finish);
  });
}

/// A client that leaves the room while the page is read gets it, one that loses the permission does not.
FLUX_DECL void Participant::chat_history(const Membership& membership, std::size_t limit, Offset before,
                                         const Done<ChatPage>& done) {
  if (const auto allowed = may(membership, gate::RoomAct::history); !allowed) return done(allowed.error());
  auto read = [this, room = membership.room, done](Result<ChatPage> chat) {
    if (chat && room->demands() != nullptr) {
      const auto granted = grant();
      if (!room->permits(granted.get()).allow(gate::RoomAct::history)) {
        return done(gate::insufficient(granted.get(), "room", room->id()));
      }
    }
    done(std::move(chat));
  };
  backend().chat->history(membership.room->id(), page(limit, before),
                          [read = on_loop<ChatPage>(std::move(read))](Result<ChatPage> chat, const ChatLog::Turn&) {
                            read(std::move(chat));
                          });
}

FLUX_DECL void Participant::update_presence(Membership& membership, JsonText presence, const Done<void>& done) {
  if (const auto allowed = may(membership, gate::RoomAct::presence); !allowed) return done(allowed.error());
  if (const auto allowed = may_write({}, presence.text()); !allowed) return done(allowed.error());
  PresenceChange change(session_handle(), membership.room->id(), std::move(presence));
  permitted("presence", backend().handlers.presence, change, done,
            [this, room = membership.room, done](PresenceChange& permitted) {
              const auto member = member_of(room, gate::RoomAct::presence);
              if (!member) return done(member.error());
              done({});
              const auto interval = backend().config.presence_throttle;
              const auto now = loop()->clock().now();
              PresenceThrottle& throttle = extras().throttle;
              std::string text = std::move(permitted.presence).text();
              if (throttle.pass(now, interval)) return room->update_presence(**member, std::move(text));
              if (!throttle.hold({room, std::move(text)})) return;
              loop()->call_after(throttle.ready() - now, [weak = std::weak_ptr<Participant>(self())] {
                if (const auto held = weak.lock()) held->release_held_presence();
              });
            });
}

FLUX_DECL void Participant::release_held_presence() {
  if (!extras_ || !is_open()) return;
  for (auto& update : extras_->throttle.take(loop()->clock().now(), backend().config.presence_throttle)) {
    if (const auto member = member_of(update.room, gate::RoomAct::presence)) {
      update.room->update_presence(**member, std::move(update.presence));
    }
  }
}

// --- The application's own requests ---

FLUX_DECL void Participant::call(const std::string& method, const JsonText& payload, const Done<JsonText>& done) {
  const RequestTable::Method* const found = backend().requests.find(method);
  if (found == nullptr) return done(Error(Errc::unknown_type, "unknown method \"" + core::shown(method) + "\""));
  const auto permitted = [this, found] { return gate::meets(grant().get(), found->operation, found->name); };
  const auto insufficient = [this, method] { return gate::insufficient(grant().get(), "method", method); };
  if (!found->operation.empty() && !permitted()) return done(insufficient());
  const auto owed =
      std::make_shared<core::OwedAnswer<JsonText>>(Error(Errc::server_error, "the server gave no answer"));
  ClientCall question(session_handle(), method, payload, *owed);
  const bool returned =
      backend().guarded(loop()->counters(), "call", [&] { found->handler(question); }, remote(), {.name = &method});
  if (!connected()) return;  // the handler has closed it
  if (!returned) return done(Error(Errc::server_error, "the server failed to handle this message"));
  if (!question.left_for_later()) owed->give(JsonText());
  const std::string handler = "call handler of \"" + core::shown(method) + "\"";
  if (found->operation.empty()) return await_reply(*owed, handler, done);
  await_reply(*owed, handler, [permitted, insufficient, done](Result<JsonText> answer) {
    if (answer && !permitted()) answer = insufficient();
    done(std::move(answer));
  });
}

FLUX_DECL void Participant::await_reply(core::OwedAnswer<JsonText>& owed, const std::string& handler,
                                        const Done<JsonText>& done) {
  hold_until<JsonText>(
      owed, "the application took too long to answer; try again",
      [this, handler, done](Result<JsonText> answer) { done(checked_reply(handler, std::move(answer))); });
}

FLUX_DECL Result<JsonText> Participant::checked_reply(const std::string& handler, Result<JsonText> answer) {
  if (!answer) return answer;
  JsonText result = detail::relayable(std::move(*answer));
  const std::size_t most = backend().config.limits.answer_bytes_max;
  if (result.text().size() <= most) return result;
  loop()->counters().handler_errors.add();
  backend().log(LogLevel::error, handler + ": the result has " + std::to_string(result.text().size()) +
                                     " bytes; at most " + std::to_string(most) + " are allowed");
  return Error(Errc::server_error, "the server's answer is too large");
}

}  // namespace flux::features
