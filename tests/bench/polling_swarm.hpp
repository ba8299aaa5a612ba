#pragma once

#include <string>
#include <vector>

#include "swarm.hpp"

namespace flux::bench {

/// Socket.IO clients over HTTP long-polling, with two connections each, as browsers have: one holds the poll and sends
/// the next at once; the other posts queued packets, one request at a time.
class PollingSwarm final : public Swarm {
 public:
  /// `target.path` has a query that names the transport.
  PollingSwarm(Target target, std::size_t clients);

  void send(std::size_t client, std::string_view text) override;
  void flush(std::size_t client) override;

 private:
  struct Client {
    std::string session;  ///< the Engine.IO sid; empty before the first response
    std::string queue;    ///< packets waiting to be posted
    bool posting = false;
  };

  void begin(std::size_t client) override;
  std::size_t consume(std::size_t socket, std::string_view data) override;

  void poll(std::size_t client);
  void polled(std::size_t client, std::string_view payload);
  void append_request(std::string& out, std::string_view method, const Client& client) const;

  Target target_;
  std::vector<Client> states_;
};

}  // namespace flux::bench
