// A program that takes in both namespaces as a whole names every type of flux::socketio without a prefix.
#include "catch.hpp"

#include <flux/flux.hpp>
#include <flux/socketio.hpp>

#include <tuple>

namespace {

using namespace flux;
using namespace flux::socketio;

template <class... Types>
constexpr std::size_t named = sizeof...(Types);

static_assert(named<AckHandler, AnswersHandler, Args, Broadcast, ConnectionHandler, DisconnectListener, Emitted, Event,
                    EventListener, EventMiddleware, Handshake, Io, Middleware, Namespace, Next, Options, PacketLimits,
                    RefusedHandler, SharedBytes, Socket, Value> == 21);

// Those of flux that are alike.
static_assert(named<DisconnectHandler, EventHandler, EventMessage, Session, WebSocket> == 5);

}  // namespace

TEST_CASE("socket.io: a listener is declared with the names of both namespaces") {
  const EventListener listener = [](Event& event) { CHECK(event.arg(0) == Value(JsonText::number(7))); };
  Event event("news", {JsonText::number(7)}, nullptr);
  listener(event);
}
