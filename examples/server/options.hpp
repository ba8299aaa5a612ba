// The command line of flux-server.
#pragma once

#include <flux/flux.hpp>
#include <flux/storage/disk_file_store.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

struct Options {
  flux::Config config;
  std::map<std::string, std::string> static_folders;  // by the prefix at which each is served
  std::string files_folder;                           // of uploads; empty: none are taken
  flux::DiskFileStoreOptions file_store;              // its quotas and index
  std::string socketio_client;                        // the file served at /socket.io/socket.io.js; empty: none
  bool room_list = false;                             // clients of Socket.IO may ask which rooms there are
  std::string echo_path;                              // a raw WebSocket endpoint that echoes; empty: none
  bool help = false;
  bool version = false;
};

/// Reads the arguments. Of an option given twice the last counts, but every --origin, and every --static that has a
/// prefix of its own. Errors: throws std::invalid_argument with what is wrong and what would be right.
Options read_options(const std::vector<std::string>& arguments);

/// The text of --help.
const char* usage();
