#include <cstdlib>

int main() { return std::system(COMPILED) == 0 && std::system(HEADER_ONLY) == 0 ? 0 : 1; }
