// Writes a Socket.IO message to one client, or to a lane of clients.
#pragma once

#include <flux/detail/endpoints/socketio/engineio_session.hpp>
#include <flux/detail/endpoints/socketio/socketio_codec.hpp>

namespace flux::detail {

/// Appends a message to a lane. Large attachments are not copied but inserted into the lane; for clients that accept no
/// binary frames the session encodes them as base64.
void append_socketio(core::Lane& lane, const protocol::SocketIoMessage& message, const void* view);
/// Sends a message to one client, over its transport.
void send_message(EngineIoSession& session, const protocol::SocketIoMessage& message);

}  // namespace flux::detail
