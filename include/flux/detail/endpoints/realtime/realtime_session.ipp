#pragma once

#include <flux/detail/endpoints/realtime/realtime_session.hpp>
#include <flux/detail/mode.hpp>

#include <utility>

namespace flux::detail {

// --- Out ---

FLUX_DECL Result<Sent> RealtimeSession::send(std::string_view event, const JsonText& payload, const RoomId&) {
  // A handle may outlive the server. As long as this session is connected the server exists, and the lock keeps it
  // connected.
  std::unique_lock lock(loop()->sessions_mutex());
  if (!connected()) return session_gone();
  if (const auto checked = check_event(event, payload, backend().config.limits); !checked) return checked.error();
  std::string frame;
  writer().application_event(frame, event, Relayed(payload).text());
  return write_from_anywhere(std::move(lock), std::move(frame));
}

FLUX_DECL void RealtimeSession::tell(const features::Notice& notice) {
  if (!reaches_client()) return;
  std::string frame;
  writer().notice(frame, notice);
  write_message(frame);
}

FLUX_DECL void RealtimeSession::fail(std::string_view id, const Error& error) {
  if (!reaches_client()) return;
  counters().messages_bad.add();
  std::string frame;
  writer().error(frame, id, error);
  write_message(frame);
}

/// Its clients can't show that they are in a room.
FLUX_DECL void RealtimeSession::be_placed(const Placement&, const Done<void>& done) {
  done(Error(Errc::forbidden, "clients of " + clients().path + " can't be in rooms"));
}

// --- In ---

FLUX_DECL void RealtimeSession::on_message(std::string_view text, MessageType) {
  const auto over = over_limits();
  protocol::RealtimeRequest request;
  const auto read = protocol::read_realtime_request(over ? beginning(text) : text, backend().config.limits,
                                                    backend().requests, request);
  if (over) return fail(request.id, *over);
  if (!read) return fail(request.id, read.error());
  act(request);
}

FLUX_DECL void RealtimeSession::act(const protocol::RealtimeRequest& request) {
  using Type = protocol::RealtimeRequest::Type;
  if (request.type == Type::ping) {
    std::string frame;
    writer().reply(frame, "pong", request.id);
    return write_message(frame);
  }
  const std::string_view operation = request.type == Type::refresh ? "refresh" : request.channel->name;
  if (auto* const rate = backend().client_limits.operations.find(operation)) {
    if (const auto allowed = within(*rate); !allowed) return fail(request.id, allowed.error());
  }
  if (request.type == Type::refresh) return refresh_access(request);
  request.channel->act(*this, request.members,
                       [self = this_session(), id = std::string(request.id)](const Result<JsonText>& answer) {
                         if (!answer) return self->fail(id, answer.error());
                         if (id.empty() || !self->reaches_client()) return;
                         std::string frame;
                         self->writer().reply(frame, "ack", id, answer->text());
                         self->write_message(frame);
                       });
}

FLUX_DECL void RealtimeSession::refresh_access(const protocol::RealtimeRequest& request) {
  refresh(request.members.text("accessToken"),
          [self = this_session(), id = std::string(request.id)](const Result<Grant>& granted) {
            if (!granted) return self->fail(id, granted.error());
            if (id.empty()) return;
            std::string frame;
            self->writer().reply(frame, "ack", id, protocol::refreshed_payload(gate::end_of(*granted)));
            self->write_message(frame);
          });
}

}  // namespace flux::detail
