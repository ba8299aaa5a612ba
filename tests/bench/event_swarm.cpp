#include "event_swarm.hpp"

#include <stdexcept>

namespace flux::bench {

EventSwarm::EventSwarm(const Target& target, std::size_t clients, std::string_view channel)
    : WebSocketSwarm(target, clients, Dialect::plain), events_(target), opened_(clients) {
  events_.path.append("/sse?channel=").append(channel);
}

void EventSwarm::begin(std::size_t client) {
  if (client == 0) return WebSocketSwarm::begin(client);
  sockets().connect(client, events_);
  std::string& request = sockets().output(client);
  request.append("GET ").append(events_.path).append(" HTTP/1.1\r\nHost: ").append(events_.host);
  request.append("\r\nAccept: text/event-stream\r\n\r\n");
  flush(client);
}

std::size_t EventSwarm::consume(std::size_t client, std::string_view data) {
  if (client == 0) return WebSocketSwarm::consume(client, data);
  std::size_t used = 0;
  if (!opened_[client]) {
    const std::size_t end = data.find("\r\n\r\n");
    if (end == std::string_view::npos) return 0;
    if (!data.starts_with("HTTP/1.1 200 ") || data.substr(0, end).find("chunked") != std::string_view::npos) {
      throw std::runtime_error("no plain stream of events: " + std::string(data.substr(0, end)));
    }
    opened_[client] = true;
    connected();
    used = end + 4;
  }
  for (std::size_t end = 0; (end = data.find("\n\n", used)) != std::string_view::npos; used = end + 2) {
    constexpr std::string_view field = "data: ";
    const std::string_view event = data.substr(used, end - used);
    const std::size_t begin = event.find(field);
    if (begin != std::string_view::npos) received(client, event.substr(begin + field.size()));
  }
  return used;
}

}  // namespace flux::bench
