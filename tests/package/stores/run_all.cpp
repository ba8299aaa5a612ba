#include <cstdio>
#include <cstdlib>
#include <initializer_list>

int main() {
  for (const char* program : {PROGRAMS}) {
    if (std::system(program) == 0) continue;
    std::fprintf(stderr, "%s failed\n", program);
    return 1;
  }
}
