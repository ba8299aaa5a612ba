#include <stdexcept>
#include <string>
#include <vector>

#include "channel_messages.hpp"
#include "modes.hpp"
#include "websocket_swarm.hpp"

namespace flux::bench {
namespace {

/// Publishes once in each of `count` new channels, so that a client with the position 0 has missed one publication. Returns their
/// epochs.
std::vector<std::string> publish_in_each(const Options& options, std::size_t count) {
  WebSocketSwarm publisher(Target{options.host, options.port, options.path, {}}, 1, Dialect::plain);
  std::vector<std::string> epochs;
  std::string data(options.payload_bytes, 'x');
  data.front() = data.back() = '"';
  publisher.on_message([&](std::size_t, std::string_view message) {
    constexpr std::string_view before = R"("epoch":")";
    const std::size_t at = message.find(before);
    if (message.find(R"("type":"ack")") == std::string_view::npos || at == std::string_view::npos) {
      throw std::runtime_error("could not publish in a channel: " + std::string(message));
    }
    const std::size_t begin = at + before.size();
    epochs.emplace_back(message.substr(begin, message.find('"', begin) - begin));
  });
  publisher.open();
  for (std::size_t i = 0; i < count; ++i) {
    publisher.send(0, publish_channel(std::to_string(i), data, i + 1));
    publisher.flush(0);
  }
  const auto deadline = after(Clock::now(), options.timeout);
  while (epochs.size() < count && Clock::now() < deadline) publisher.turn(longest_turn);
  if (epochs.size() < count) throw std::runtime_error("the server needs a history: --channel-history 10");
  return epochs;
}

}  // namespace

/// All clients reconnect at once, each with the positions of some channels. In each channel it has missed one publication. The
/// clock runs from the first connect until all clients have received what they missed.
void run_recover(Load& load) {
  constexpr std::size_t channels = 1'000;
  const Options& options = load.options();
  const auto epochs = publish_in_each(options, channels);
  Swarm& swarm = load.swarm();
  std::size_t recovered = 0, missed = 0;
  swarm.on_message([&](std::size_t, std::string_view message) {
    if (message.find(R"("recovered":true)") != std::string_view::npos) {
      ++recovered;
    } else if (message.find(R"("type":"publish")") != std::string_view::npos) {
      ++missed;
    } else {
      load.tally().add_error(message);
    }
  });
  load.start();
  swarm.open();
  for (std::size_t i = 0; i < load.size(); ++i) {
    for (std::size_t n = 0; n < options.subscriptions; ++n) {
      const std::size_t channel = (i * options.subscriptions + n) % channels;
      swarm.send(i, subscribe_channel(std::to_string(channel), n + 1, epochs[channel], 0));
    }
    swarm.flush(i);
    if (i % 32 == 31) swarm.turn(std::chrono::milliseconds(0));
  }
  const std::size_t all = load.size() * options.subscriptions;
  const auto deadline = after(load.started(), options.timeout);
  while ((recovered < all || missed < all) && swarm.closed() == 0 && Clock::now() < deadline) swarm.turn(longest_turn);
  load.stop();
  load.report().add("recovered", recovered);
  load.report().add("missed", missed);
  load.report().add("seconds_to_all", load.elapsed().count());
  load.report_cost(load.received().frames);
}

}  // namespace flux::bench
