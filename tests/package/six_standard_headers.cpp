// The baseline that compile_time.sh compares hello.cpp with.
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

int main() {}
