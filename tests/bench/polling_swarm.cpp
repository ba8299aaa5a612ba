#include "polling_swarm.hpp"

#include <stdexcept>

#include "http_response.hpp"

namespace flux::bench {
namespace {

constexpr char separator = '\x1e';

std::size_t poll_socket(std::size_t client) { return 2 * client; }
std::size_t post_socket(std::size_t client) { return 2 * client + 1; }

std::string_view session_of(std::string_view open_packet) {
  constexpr std::string_view opening = R"("sid":")";
  const std::size_t start = open_packet.find(opening);
  if (!open_packet.starts_with("0{") || start == std::string_view::npos) {
    throw std::runtime_error("the first packet opens no session: " + std::string(open_packet.substr(0, 100)));
  }
  open_packet.remove_prefix(start + opening.size());
  return open_packet.substr(0, open_packet.find('"'));
}

}  // namespace

PollingSwarm::PollingSwarm(Target target, std::size_t clients)
    : Swarm(clients, 2, Dialect::socketio), target_(std::move(target)), states_(clients) {}

void PollingSwarm::begin(std::size_t client) {
  sockets().connect(poll_socket(client), target_);
  sockets().connect(post_socket(client), target_);
  poll(client);
  sockets().flush(poll_socket(client));
}

void PollingSwarm::append_request(std::string& out, std::string_view method, const Client& client) const {
  out.append(method).append(" ").append(target_.path);
  if (!client.session.empty()) out.append("&sid=").append(client.session);
  out.append(" HTTP/1.1\r\nHost: ").append(target_.host).append(":").append(std::to_string(target_.port));
  out.append("\r\nAccept: */*\r\n");
}

void PollingSwarm::poll(std::size_t client) {
  std::string& output = sockets().output(poll_socket(client));
  append_request(output, "GET", states_[client]);
  output.append("\r\n");
}

void PollingSwarm::send(std::size_t client, std::string_view text) {
  std::string& queue = states_[client].queue;
  if (!queue.empty()) queue.push_back(separator);
  queue.append(text);
}

void PollingSwarm::flush(std::size_t client) {
  Client& state = states_[client];
  if (state.posting || state.queue.empty()) return;
  state.posting = true;
  std::string& output = sockets().output(post_socket(client));
  append_request(output, "POST", state);
  output.append("Content-Type: text/plain;charset=UTF-8\r\nContent-Length: ");
  output.append(std::to_string(state.queue.size())).append("\r\n\r\n").append(state.queue);
  state.queue.clear();
  sockets().flush(post_socket(client));
}

std::size_t PollingSwarm::consume(std::size_t socket, std::string_view data) {
  const std::size_t client = socket / 2;
  std::size_t used = 0;
  while (const auto head = read_response_head(data.substr(used))) {
    const std::string_view body = data.substr(used + head->head_bytes());
    if (body.size() < head->body_bytes) break;
    if (head->status != 200) {
      throw std::runtime_error("the server answered " + std::to_string(head->status) + " " +
                               std::string(body.substr(0, 200)));
    }
    if (socket == poll_socket(client)) {
      polled(client, body.substr(0, head->body_bytes));
    } else {
      states_[client].posting = false;
    }
    flush(client);
    used += head->head_bytes() + head->body_bytes;
  }
  return used;
}

void PollingSwarm::polled(std::size_t client, std::string_view payload) {
  std::string& session = states_[client].session;
  if (session.empty()) session = session_of(payload);
  poll(client);
  while (true) {
    const std::size_t end = payload.find(separator);
    received(client, payload.substr(0, end));
    if (end == std::string_view::npos) return;
    payload.remove_prefix(end + 1);
  }
}

}  // namespace flux::bench
