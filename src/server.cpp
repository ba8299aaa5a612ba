// The compiled mode's translation unit of the server, which puts the layers together, and of the public handles.
#include <flux/detail/endpoints/endpoint_list.ipp>
#include <flux/detail/endpoints/handshake.ipp>
#include <flux/detail/endpoints/live/live_endpoint.ipp>
#include <flux/detail/endpoints/live/live_session.ipp>
#include <flux/detail/endpoints/raw/raw_endpoint.ipp>
#include <flux/detail/endpoints/raw/raw_websocket.ipp>
#include <flux/detail/endpoints/raw/websocket.ipp>
#include <flux/detail/gate/admitted.ipp>
#include <flux/detail/gate/gate.ipp>
#include <flux/detail/gate/grant.ipp>
#include <flux/detail/gate/origin.ipp>
#include <flux/detail/server/asio.ipp>
#include <flux/detail/server/events.ipp>
#include <flux/detail/server/own_endpoints.ipp>
#include <flux/detail/server/server.ipp>
#include <flux/detail/server/server_state.ipp>
#include <flux/detail/server/session.ipp>
