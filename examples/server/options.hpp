// The command line of flux-server.
#pragma once

#include "login.hpp"

#include <flux/channel_types.hpp>
#include <flux/flux.hpp>
#include <flux/storage/disk_file_store.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct Options {
  flux::Config config;
  std::map<std::string, std::string> static_folders;  // by the prefix at which each is served
  std::string files_folder;                           // for uploads; empty: uploads are off
  flux::DiskFileStoreOptions file_store;              // its quotas and index
  std::string socketio_client;                        // the file served at /socket.io/socket.io.js; empty: none
  bool room_list = false;                             // Socket.IO clients may list the rooms
  flux::ChannelsOptions channels;                     // their namespaces
  std::optional<flux::AuthOptions> auth;              // who may log in, and how; none: clients need not
  std::string echo_path;                              // a raw WebSocket endpoint that echoes; empty: none
  bool help = false;
  bool version = false;
};

/// Reads the arguments. If an option is given twice, the last one counts; --origin, and --static with different
/// prefixes, accumulate, and so do --jwt-issuer, --jwt-audience and --rate-limit. Errors: throws std::invalid_argument that says what is wrong and what would be right.
Options read_options(const std::vector<std::string>& arguments);

/// The text of --help.
const char* usage();
