#include "options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <vector>

namespace flux::bench {
namespace {

using Modes = std::vector<Mode>;

struct ModeInfo {
  Mode mode;
  std::string_view name;
  std::string_view help;
  Protocol protocol;
  std::string_view path;
  std::size_t connections;
  std::size_t room_size;
};

constexpr std::array<ModeInfo, 6> mode_infos{{
    {Mode::echo, "echo", "every connection keeps --window frames in flight to an echoing path", Protocol::raw, "/echo",
     100, 0},
    {Mode::fanout, "fanout", "one member of a room publishes, all others receive", Protocol::live, "/live", 1000, 0},
    {Mode::idle, "idle", "connections that do nothing: the server's memory for each", Protocol::live, "/live", 10000,
     0},
    {Mode::join_storm, "join_storm", "all connections join one room at once, until each knows all", Protocol::live,
     "/live", 1000, 0},
    {Mode::presence, "presence", "every member of one room updates its presence --rate times a second", Protocol::live,
     "/live", 200, 0},
    {Mode::rooms_echo, "rooms_echo", "many rooms; every member sends its next event once the last one is acknowledged",
     Protocol::live, "/live", 1000, 10},
}};

const ModeInfo& info_of(Mode mode) {
  return *std::find_if(mode_infos.begin(), mode_infos.end(), [&](const ModeInfo& info) { return info.mode == mode; });
}

template <class Number>
Number parse_number(std::string_view option, std::string_view text, Number least, Number most) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool in_range = error == std::errc() && end == text.data() + text.size() && value >= least && value <= most;
  if (!in_range) {
    throw UsageError(std::string(option) + " takes a number from " + std::to_string(least) + " to " +
                     std::to_string(most));
  }
  return value;
}

struct OptionInfo {
  std::string_view name;
  std::string_view value;
  std::string_view help;
  Modes modes;  ///< empty: all
  void (*set)(Options& options, std::string_view option, std::string_view text);
};

const std::vector<OptionInfo>& option_infos() {
  using Text = std::string_view;
  using Seconds = std::chrono::duration<double>;
  static const std::vector<OptionInfo> infos{
      {"--port",
       "P",
       "the server's port (required)",
       {},
       [](Options& o, Text n, Text v) { o.port = parse_number<std::uint16_t>(n, v, 1, 65535); }},
      {"--host",
       "IP",
       "the server's IPv4 address (default 127.0.0.1)",
       {},
       [](Options& o, Text, Text v) { o.host = v; }},
      {"--path",
       "PATH",
       "the path to connect to (default /echo for echo, else /live)",
       {},
       [](Options& o, Text, Text v) { o.path = v; }},
      {"--pid",
       "PID",
       "the server's process: its CPU time and memory are reported (required for idle)",
       {},
       [](Options& o, Text n, Text v) { o.server_pid = parse_number<pid_t>(n, v, 1, 1 << 30); }},
      {"--conns",
       "N",
       "connections (default 100 echo, 200 presence, 10000 idle, else 1000)",
       {},
       [](Options& o, Text n, Text v) { o.connections = parse_number<std::size_t>(n, v, 1, 1'000'000); }},
      {"--timeout",
       "S",
       "seconds that joining may take (default 30)",
       {Mode::fanout, Mode::idle, Mode::join_storm, Mode::presence, Mode::rooms_echo},
       [](Options& o, Text n, Text v) { o.timeout = Seconds(parse_number<double>(n, v, 0.1, 3600)); }},
      {"--protocol",
       "live|raw",
       "raw: the path is one room, as with flux-bench-floor (default live)",
       {Mode::fanout, Mode::idle},
       [](Options& o, Text n, Text v) {
         if (v != "live" && v != "raw") throw UsageError(std::string(n) + " takes live or raw");
         o.protocol = v == "live" ? Protocol::live : Protocol::raw;
       }},
      {"--secs",
       "S",
       "seconds to measure (default 2)",
       {Mode::echo, Mode::fanout, Mode::presence, Mode::rooms_echo},
       [](Options& o, Text n, Text v) { o.duration = Seconds(parse_number<double>(n, v, 0.01, 3600)); }},
      {"--window",
       "W",
       "messages in flight (default 1)",
       {Mode::echo, Mode::fanout, Mode::rooms_echo},
       [](Options& o, Text n, Text v) { o.window = parse_number<std::size_t>(n, v, 1, 100'000); }},
      {"--payload-bytes",
       "B",
       "echo and raw: the whole frame; live: the event's payload (default 100)",
       {Mode::echo, Mode::fanout, Mode::rooms_echo},
       [](Options& o, Text n, Text v) { o.payload_bytes = parse_number<std::size_t>(n, v, 48, 1'000'000); }},
      {"--room-size",
       "N",
       "members of a room (default 10 for rooms_echo; idle: 0, which joins no room)",
       {Mode::idle, Mode::rooms_echo},
       [](Options& o, Text n, Text v) { o.room_size = parse_number<std::size_t>(n, v, 0, 1'000'000); }},
      {"--presence-bytes",
       "B",
       "the presence object (default 60)",
       {Mode::idle, Mode::join_storm, Mode::presence},
       [](Options& o, Text n, Text v) { o.presence_bytes = parse_number<std::size_t>(n, v, 48, 100'000); }},
      {"--rate",
       "HZ",
       "presence updates a second by each member (default 10)",
       {Mode::presence},
       [](Options& o, Text n, Text v) { o.rate_hz = parse_number<double>(n, v, 0.1, 10'000); }},
  };
  return infos;
}

Options defaults_for(std::string_view mode_name) {
  const auto info = std::find_if(mode_infos.begin(), mode_infos.end(),
                                 [&](const ModeInfo& candidate) { return candidate.name == mode_name; });
  if (info == mode_infos.end()) throw UsageError("unknown mode " + std::string(mode_name));
  Options options;
  options.mode = info->mode;
  options.protocol = info->protocol;
  options.path = info->path;
  options.connections = info->connections;
  options.room_size = info->room_size;
  return options;
}

void set_option(Options& options, std::string_view name, std::string_view value) {
  const auto& infos = option_infos();
  const auto info =
      std::find_if(infos.begin(), infos.end(), [&](const OptionInfo& candidate) { return candidate.name == name; });
  if (info == infos.end()) throw UsageError("unknown option " + std::string(name));
  if (!info->modes.empty() && std::find(info->modes.begin(), info->modes.end(), options.mode) == info->modes.end()) {
    throw UsageError(std::string(name) + " has no use in mode " + std::string(name_of(options.mode)));
  }
  info->set(options, name, value);
}

void check(const Options& options) {
  if (options.port == 0) throw UsageError("--port is required");
  if (options.mode == Mode::idle && options.server_pid == 0) throw UsageError("idle needs --pid");
  if (options.protocol == Protocol::raw && options.room_size > 0) throw UsageError("--room-size needs --protocol live");
  if (options.mode == Mode::rooms_echo && options.room_size < 2) throw UsageError("--room-size must be at least 2");
  if (options.mode == Mode::fanout && options.connections < 2) throw UsageError("--conns must be at least 2");
}

}  // namespace

std::string_view name_of(Mode mode) { return info_of(mode).name; }

Options parse_options(std::span<char* const> arguments) {
  if (arguments.empty()) throw UsageError("a mode is required");
  Options options = defaults_for(arguments[0]);
  for (std::size_t i = 1; i < arguments.size(); i += 2) {
    if (i + 1 == arguments.size()) throw UsageError(std::string(arguments[i]) + " needs a value");
    set_option(options, arguments[i], arguments[i + 1]);
  }
  check(options);
  return options;
}

std::string usage() {
  std::string text =
      "usage: flux-bench-load MODE --port P [option value]...\n"
      "Loads a WebSocket server and measures it. Prints one JSON object, and a line to read on stderr.\n\nModes\n";
  const auto line = [&](std::string_view left, std::string_view right) {
    text.append("  ").append(left).append(left.size() < 22 ? 22 - left.size() : 1, ' ').append(right).append("\n");
  };
  for (const ModeInfo& mode : mode_infos) line(mode.name, mode.help);
  text.append("\nOptions\n");
  for (const OptionInfo& option : option_infos()) {
    line(std::string(option.name) + " " + std::string(option.value), option.help);
    if (option.modes.empty()) continue;
    std::string modes = "only for";
    for (const Mode mode : option.modes) modes.append(" ").append(name_of(mode));
    line("", modes);
  }
  return text;
}

}  // namespace flux::bench
