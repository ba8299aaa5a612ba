// A small server, such as an application would have. The package tests build it in every way, and compile_time.sh
// measures it.
#include <flux/flux.hpp>

#include <chrono>
#include <cstdio>

#if defined(FLUX_PACKAGE_TEST_SECOND_UNIT)
bool second_unit_works();
#endif

int main() {
  flux::Server server({.listen = {{"127.0.0.1", 0}}});
  server.on_chat([](flux::ChatDraft& chat) {
    if (chat.message.empty()) chat.refuse("say something");
  });
  server.start();
  std::printf("flux " FLUX_VERSION_STRING " on port %d\n", static_cast<int>(server.port()));
  server.stop(std::chrono::milliseconds(100));
#if defined(FLUX_PACKAGE_TEST_SECOND_UNIT)
  if (!second_unit_works()) return 1;
#endif
  return 0;
}
