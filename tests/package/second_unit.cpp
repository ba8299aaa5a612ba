// A second translation unit with its own server: in header-only mode its definitions meet those of hello.cpp.
#include <flux/flux.hpp>

#if defined(FLUX_HEADER_ONLY)
// The code that serves files, a quarter of all, comes with flux/storage/file_store.hpp only.
template <class T>
concept Defined = requires {
  sizeof(T);
};
static_assert(!Defined<flux::FileStore>);
#endif

bool second_unit_works() {
  flux::Config config;
  config.listen = {{"127.0.0.1", 0}};
  flux::Server server(config);
  server.start();
  const bool listens = server.running() && server.port() != 0;
  server.stop();
  return listens && !server.running();
}
