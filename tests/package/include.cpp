// What every unit of an application pays: compile_time.sh measures it.
#include <flux/flux.hpp>

int main() {}
