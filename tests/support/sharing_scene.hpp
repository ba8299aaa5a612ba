// A server with data sharing over Socket.IO beside protocol live.
#pragma once

#include "support/server.hpp"

#include <flux/sharing.hpp>

#include <utility>

namespace flux_test {

/// Started by its constructor.
struct SharingScene {
  explicit SharingScene(const flux::Config& config = test_config(), flux::socketio::SharingOptions sharing = {})
      : server(config) {
    flux::socketio::Io io(server);
    flux::socketio::serve_sharing(server, io, std::move(sharing));
    server.start();
  }
  flux::Server server;
};

}  // namespace flux_test
