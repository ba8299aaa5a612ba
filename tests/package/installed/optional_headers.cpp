#include <flux/asio.hpp>
#include <flux/flux.hpp>
#include <flux/rapidjson.hpp>

int main() {
  flux::Server server;
  return server.running() ? 1 : 0;
}
