// A second translation unit with its own server: in header-only mode its definitions meet those of hello.cpp, and in a
// program that mixes the modes it is the compiled one.
#include <flux/flux.hpp>

bool second_unit_works() {
  flux::Config config;
  config.listen = {{"127.0.0.1", 0}};
  flux::Server server(config);
  server.start();
  const bool listens = server.running() && server.port() != 0;
  server.stop();
  return listens && !server.running();
}
