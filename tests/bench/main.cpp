/// flux-bench-load: loads a server in one of seven ways and reports what that cost the server. See --help.
#include <cstdlib>
#include <exception>
#include <iostream>
#include <span>
#include <string_view>

#include "load.hpp"
#include "modes.hpp"
#include "options.hpp"

namespace flux::bench {
namespace {

void run_mode(Load& load) {
  switch (load.options().mode) {
    case Mode::echo: return run_echo(load);
    case Mode::fanout: return run_fanout(load);
    case Mode::idle: return run_idle(load);
    case Mode::join_storm: return run_join_storm(load);
    case Mode::paced: return run_paced(load);
    case Mode::presence: return run_presence(load);
    case Mode::recover: return run_recover(load);
    case Mode::rooms_echo: return run_rooms_echo(load);
  }
}

void run(const Options& options) {
  Load load(options);
  run_mode(load);
  load.report_faults();
  std::cerr << load.report().line() << '\n';
  std::cout << load.report().json() << std::endl;
}

}  // namespace
}  // namespace flux::bench

int main(int argc, char** argv) {
  const std::span<char* const> arguments(argv + 1, static_cast<std::size_t>(argc - 1));
  if (!arguments.empty() && std::string_view(arguments[0]) == "--help") {
    std::cout << flux::bench::usage();
    return EXIT_SUCCESS;
  }
  try {
    flux::bench::run(flux::bench::parse_options(arguments));
  } catch (const flux::bench::UsageError& error) {
    std::cerr << "flux-bench-load: " << error.what() << "; see --help\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "flux-bench-load: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
