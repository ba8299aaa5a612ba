// The compiled mode's translation unit of Engine.IO and Socket.IO. Programs that use neither don't link it.
#include <flux/detail/endpoints/socketio/end_reason.ipp>
#include <flux/detail/endpoints/socketio/engineio.ipp>
#include <flux/detail/endpoints/socketio/engineio_codec.ipp>
#include <flux/detail/endpoints/socketio/engineio_opening.ipp>
#include <flux/detail/endpoints/socketio/engineio_pollers.ipp>
#include <flux/detail/endpoints/socketio/engineio_polling.ipp>
#include <flux/detail/endpoints/socketio/engineio_server.ipp>
#include <flux/detail/endpoints/socketio/engineio_session.ipp>
#include <flux/detail/endpoints/socketio/engineio_websocket.ipp>
#include <flux/detail/endpoints/socketio/socketio.ipp>
#include <flux/detail/endpoints/socketio/socketio_client.ipp>
#include <flux/detail/endpoints/socketio/socketio_codec.ipp>
#include <flux/detail/endpoints/socketio/socketio_delivery.ipp>
#include <flux/detail/endpoints/socketio/socketio_namespace.ipp>
#include <flux/detail/endpoints/socketio/socketio_server.ipp>
#include <flux/detail/endpoints/socketio/socketio_socket.ipp>
