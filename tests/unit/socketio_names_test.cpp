// A program with using directives for both namespaces can name every type of flux::socketio without a prefix.
#include "catch.hpp"

#include <flux/flux.hpp>
#include <flux/socketio.hpp>

#include <tuple>

namespace socketio_names_test {

namespace {

using namespace flux;
using namespace flux::socketio;

template <class... Types>
constexpr std::size_t named = sizeof...(Types);

static_assert(named<AckHandler, AnswersHandler, Args, Broadcast, ConnectionHandler, DisconnectListener, Event,
                    EventListener, EventMiddleware, Handshake, Io, Middleware, Namespace, Next, Options, PacketLimits,
                    RefusedHandler, SharedBytes, Socket, Value> == 20);

// The similar names in flux.
static_assert(named<DisconnectHandler, EventHandler, EventMessage, Session, WebSocket> == 5);

}  // namespace

TEST_CASE("socket.io: a listener is declared with the names of both namespaces") {
  const EventListener listener = [](Event& event) { CHECK(event.arg(0) == Value(JsonText::number(7))); };
  Event event("news", {JsonText::number(7)}, nullptr);
  listener(event);
}

}  // namespace socketio_names_test
