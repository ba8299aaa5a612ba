#pragma once

#include <flux/detail/core/owed_answer.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/transport/http_message.hpp>
#include <flux/events.hpp>

#include <algorithm>

namespace flux {

namespace access_detail {

FLUX_DECL Error refusal(std::string_view reason, Errc code) {
  return {code == Errc::unauthorized ? code : Errc::forbidden, core::repaired(std::string(reason))};
}

}  // namespace access_detail

FLUX_DECL void LaterAnswer::accept(Identity identity) const { give(Grant(std::move(identity))); }
FLUX_DECL void LaterAnswer::give(Result<Grant> answer) const { target_->give(std::move(answer)); }
FLUX_DECL void LaterAnswer::refuse(std::string_view reason, Errc code) const {
  give(access_detail::refusal(reason, code));
}

FLUX_DECL void LaterReply::reply(JsonText result) const { target_->give(std::move(result)); }
FLUX_DECL void LaterReply::refuse(std::string message, Errc code) const {
  target_->give(Error(code, core::repaired(std::move(message))));
}

FLUX_DECL void Vetoable::refuse(std::string message, Errc code) {
  refused_.emplace(code, core::repaired(std::move(message)));
}
FLUX_DECL LaterVerdict Vetoable::later() {
  if (!verdict_) {
    verdict_ = std::make_shared<core::OwedAnswer<void>>(Error(Errc::forbidden, "the application gave no verdict"));
  }
  return LaterVerdict(verdict_->target());
}

FLUX_DECL JoinRequest::JoinRequest(Session s, RoomId r, JsonText p)
    : session(std::move(s)), room(std::move(r)), presence(std::move(p)) {}

FLUX_DECL RoomCreation::RoomCreation(Session s, RoomId r, const RoomOptions& o)
    : session(std::move(s)), room(std::move(r)), options(o) {}

FLUX_DECL ChatDraft::ChatDraft(Session s, RoomId r, std::string i, std::string m, std::optional<JsonText> meta)
    : session(std::move(s)), room(std::move(r)), id(std::move(i)), message(std::move(m)), metadata(std::move(meta)) {}

FLUX_DECL ChatEdit::ChatEdit(Session s, ChatMessage old, std::string m, std::optional<JsonText> meta, bool by_author)
    : session(std::move(s)),
      stored(std::move(old)),
      message(std::move(m)),
      metadata(std::move(meta)),
      allowed(by_author) {}

FLUX_DECL ChatDelete::ChatDelete(Session s, ChatMessage old, bool by_author)
    : session(std::move(s)), stored(std::move(old)), allowed(by_author) {}

FLUX_DECL ShareDraft::ShareDraft(Session s, RoomId r, JsonText d)
    : session(std::move(s)), room(std::move(r)), data(std::move(d)) {}

FLUX_DECL PublicDelete::PublicDelete(Session s, SharedItem i) : session(std::move(s)), item(std::move(i)) {}

FLUX_DECL PresenceChange::PresenceChange(Session s, RoomId r, JsonText p)
    : session(std::move(s)), room(std::move(r)), presence(std::move(p)) {}

FLUX_DECL EventMessage::EventMessage(Session s, RoomId r, std::string e, std::optional<JsonText> p)
    : session(std::move(s)), room(std::move(r)), event(std::move(e)), payload(std::move(p)) {}

FLUX_DECL void LaterVerdict::accept() const { target_->give({}); }
FLUX_DECL void LaterVerdict::refuse(std::string message, Errc code) const {
  target_->give(Error(code, core::repaired(std::move(message))));
}

// --- EventMessage ---

FLUX_DECL core::OwedAnswer<JsonText>& EventMessage::owed_reply() {
  if (!reply_) {
    reply_ = std::make_shared<core::OwedAnswer<JsonText>>(Error(Errc::server_error, "the server gave no answer"));
  }
  return *reply_;
}
FLUX_DECL void EventMessage::consume(JsonText reply) { owed_reply().give(std::move(reply)); }
FLUX_DECL LaterReply EventMessage::consume_later() { return LaterReply(owed_reply().target()); }

// --- ChatDraft ---

FLUX_DECL ChatPost ChatDraft::hold() {
  held_ = true;
  return {message, metadata, session.identity().user_id, session.id(), id};
}

// --- AccessRequest ---

FLUX_DECL void AccessRequest::accept(Identity identity) { give(Grant(std::move(identity))); }
FLUX_DECL void AccessRequest::refuse(std::string_view reason, Errc code) { give(access_detail::refusal(reason, code)); }

FLUX_DECL std::string AccessRequest::token() const {
  for (const char* member : {"/accessToken", "/token"}) {
    if (auto shown = payload().get<std::string>(member); shown && !shown->empty()) return std::move(*shown);
  }
  if (auto from_query = query("access_token"); from_query && !from_query->empty()) return std::move(*from_query);
  return transport::bearer_token(header("authorization"));
}

FLUX_DECL std::string AccessRequest::api_key() const {
  if (auto shown = payload().get<std::string>("/apiKey"); shown && !shown->empty()) return std::move(*shown);
  if (const auto field = header("x-api-key"); field && !field->empty()) return std::string(*field);
  return query("api_key").value_or(std::string());
}

FLUX_DECL std::optional<std::string> AccessRequest::cookie(std::string_view name) const {
  return transport::cookie_value(header("cookie"), name);
}

FLUX_DECL std::vector<std::string> AccessRequest::subprotocols() const {
  std::vector<std::string> offered;
  std::string_view rest = header("sec-websocket-protocol").value_or(std::string_view());
  while (!rest.empty()) {
    if (const auto name = transport::take_part(rest, ','); !name.empty()) offered.emplace_back(name);
  }
  return offered;
}

}  // namespace flux
