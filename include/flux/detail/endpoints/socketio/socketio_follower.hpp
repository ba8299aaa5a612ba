// What goes along with a Socket.IO socket.
#pragma once

#include <flux/detail/endpoints/socketio/end_reason.hpp>
#include <flux/socketio.hpp>

namespace flux::detail {

/// What goes with a socket and has lanes of its own to the client: data sharing. Called on the loop.
class SocketIoFollower {
 public:
  /// An event for which the application has no handler.
  virtual void handle(socketio::Event& event) = 0;
  /// One that is not acted on; its client waits for an answer.
  virtual void refuse(socketio::Event& event, const Error& why) = 0;
  /// Sends now what waits in its lanes.
  virtual void flush() = 0;
  /// The transport is another one: its lanes are to be changed.
  virtual void transport_changed() = 0;
  /// What was too much for the client has gone out: it gets the states of now of what was held back meanwhile.
  virtual void drained() = 0;
  /// The last call: the socket has gone.
  virtual void gone(EndReason reason) = 0;

 protected:
  ~SocketIoFollower() = default;
};

}  // namespace flux::detail
