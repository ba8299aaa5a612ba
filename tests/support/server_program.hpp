// Shared by the server programs that the JavaScript tests drive: their command line, start and stop.
#pragma once

#include "support/later.hpp"

#include <flux/server.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

/// Pairs of `--name value`.
class Arguments {
 public:
  Arguments(int argc, char** argv) {
    for (int i = 1; i + 1 < argc; i += 2) values_[argv[i]] = argv[i + 1];
  }
  bool has(const std::string& name) const { return values_.count(name) != 0; }
  /// Empty if it was not given.
  std::string text(const std::string& name) const { return has(name) ? values_.at(name) : std::string(); }
  template <class Number>
  Number number(const std::string& name, Number fallback) const {
    return has(name) ? static_cast<Number>(std::strtoull(values_.at(name).c_str(), nullptr, 10)) : fallback;
  }
  std::chrono::milliseconds ms(const std::string& name, std::chrono::milliseconds fallback) const {
    return std::chrono::milliseconds(number(name, fallback.count()));
  }

 private:
  std::map<std::string, std::string> values_;
};

/// On loopback at `--port` or a free port, with `--threads` loops; presence is sent at once.
inline flux::Config config_of(const Arguments& arguments) {
  flux::Config config;
  config.listen = {{"127.0.0.1", arguments.number<std::uint16_t>("--port", 0)}};
  config.threads = arguments.number<std::size_t>("--threads", 1);
  config.presence_interval = std::chrono::milliseconds(0);
  return config;
}

/// Starts the server, prints where it listens, and stops it on SIGTERM.
inline void run_server(flux::Server& server, Later& main_thread, const char* scheme = "http") {
  server.start();
  std::printf("listening on %s://127.0.0.1:%u/\n", scheme, static_cast<unsigned>(server.port()));
  std::fflush(stdout);
  main_thread.run();
  server.stop(std::chrono::milliseconds(100));
}
