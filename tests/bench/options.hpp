#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace flux::bench {

enum class Mode { echo, fanout, idle, join_storm, paced, presence, recover, rooms_echo };

enum class Protocol {
  live,
  raw,       ///< WebSocket; the path is one room, or an echo endpoint
  channels,  ///< `/realtime`; a room is a channel
  events,    ///< the same, where all but the sender have server-sent events; only for fanout
  socketio,  ///< data sharing over Socket.IO, over WebSocket
  polling    ///< the same over HTTP long-polling
};

std::string_view name_of(Mode mode);
std::string_view name_of(Protocol protocol);

/// What the command line asks for; the mode's own defaults are filled in.
struct Options {
  Mode mode = Mode::echo;
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::string path;
  pid_t server_pid = 0;
  Protocol protocol = Protocol::live;
  std::size_t connections = 0;
  std::size_t window = 1;
  bool browser = false;           ///< handshakes have Chromium's header fields
  std::size_t room_size = 0;      ///< idle: 0 joins no room
  std::size_t subscriptions = 0;  ///< of each connection, to channels; idle: of its own
  std::size_t senders = 1;        ///< in each room
  std::size_t payload_bytes = 100;
  std::size_t presence_bytes = 60;
  double rate_hz = 0;
  std::chrono::duration<double> duration{2};
  std::chrono::duration<double> timeout{30};
};

struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Errors: throws UsageError for an unknown mode or option, one that the mode has no use for, or a value out of range.
Options parse_options(std::span<char* const> arguments);

std::string usage();

}  // namespace flux::bench
