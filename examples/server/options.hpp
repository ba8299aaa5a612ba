// The command line of flux-server.
#pragma once

#include <flux/flux.hpp>

#include <string>
#include <vector>

struct Options {
  flux::Config config;
  std::string static_folder;  // served at "/"; empty: none
  std::string echo_path;      // a raw WebSocket endpoint that echoes; empty: none
  bool help = false;
  bool version = false;
};

/// Reads the arguments. Of an option given twice the last counts, but every --origin.
/// Errors: throws std::invalid_argument with what is wrong and what would be right.
Options read_options(const std::vector<std::string>& arguments);

/// The text of --help.
const char* usage();
