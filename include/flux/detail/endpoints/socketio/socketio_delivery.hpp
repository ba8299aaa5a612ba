// How a Socket.IO message reaches its clients: one of them, or all in a lane.
#pragma once

#include <flux/detail/endpoints/socketio/engineio_session.hpp>
#include <flux/detail/endpoints/socketio/socketio_codec.hpp>

namespace flux::detail {

/// For everybody in a lane. Attachments that are worth it are not copied: they are inserts of the lane, which for those
/// who take no binary frames become base64 at the session.
void append_socketio(core::Lane& lane, const protocol::SocketIoMessage& message, const void* view);
/// To one client, over its transport.
void send_message(EngineIoSession& session, const protocol::SocketIoMessage& message);

}  // namespace flux::detail
