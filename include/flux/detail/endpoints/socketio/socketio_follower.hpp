// The interface of a feature that is attached to a Socket.IO socket.
#pragma once

#include <flux/detail/endpoints/socketio/end_reason.hpp>
#include <flux/socketio.hpp>

namespace flux::detail {

/// A feature that is attached to a socket and has lanes of its own to the client: data sharing. Called on the loop.
class SocketIoFollower {
 public:
  /// The socket has a new grant.
  virtual void grant_changed() = 0;
  /// An event for which the application has no handler.
  virtual void handle(socketio::Event& event) = 0;
  /// An event that is not acted on; the client waits for an acknowledgment.
  virtual void refuse(socketio::Event& event, const Error& why) = 0;
  /// Sends what is pending in its lanes now.
  virtual void flush() = 0;
  /// The client has another transport: moves to other lanes.
  virtual void transport_changed() = 0;
  /// The client is no longer congested: sends it the current states instead of those that were held back.
  virtual void drained() = 0;
  /// The socket is disconnected. The last call.
  virtual void gone(EndReason reason) = 0;

 protected:
  ~SocketIoFollower() = default;
};

}  // namespace flux::detail
