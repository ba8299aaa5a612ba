// The compiled mode's translation unit of Engine.IO and Socket.IO.
#include <flux/impl/engineio.ipp>
#include <flux/impl/server/engineio_opening.ipp>
#include <flux/impl/server/engineio_pollers.ipp>
#include <flux/impl/server/engineio_server.ipp>
#include <flux/impl/server/engineio_session.ipp>
#include <flux/impl/server/socketio_client.ipp>
#include <flux/impl/server/socketio_delivery.ipp>
#include <flux/impl/server/socketio_namespace.ipp>
#include <flux/impl/server/socketio_server.ipp>
#include <flux/impl/server/socketio_socket.ipp>
#include <flux/impl/socketio.ipp>
