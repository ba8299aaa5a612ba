// The compiled mode's translation unit of the server, which puts the layers together, and of the public handles.
#include <flux/impl/asio.ipp>
#include <flux/impl/events.ipp>
#include <flux/impl/gate/origin.ipp>
#include <flux/impl/server.ipp>
#include <flux/impl/server/connect_gate.ipp>
#include <flux/impl/server/live_session.ipp>
#include <flux/impl/server/raw_websocket.ipp>
#include <flux/impl/server/server_state.ipp>
#include <flux/impl/session.ipp>
#include <flux/impl/websocket.ipp>
