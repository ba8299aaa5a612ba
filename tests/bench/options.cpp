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
  std::size_t connections;
  std::size_t room_size;
  double rate_hz;
};

constexpr std::array<ModeInfo, 8> mode_infos{{
    {Mode::echo, "echo", "every connection keeps --window frames in flight to an echoing path", Protocol::raw, 100, 0,
     0},
    {Mode::fanout, "fanout", "one member of a room publishes, all others receive", Protocol::live, 1000, 0, 0},
    {Mode::idle, "idle", "connections that do nothing: the server's memory for each", Protocol::live, 10000, 0, 0},
    {Mode::join_storm, "join_storm", "all connections join one room at once, until each knows all", Protocol::live,
     1000, 0, 0},
    {Mode::paced, "paced", "many rooms; --senders members of each send --rate events a second", Protocol::polling, 1000,
     10, 1},
    {Mode::presence, "presence", "every member of one room updates its presence --rate times a second", Protocol::live,
     200, 0, 10},
    {Mode::recover, "recover", "all connect at once and recover what they missed in --subscriptions channels",
     Protocol::channels, 10000, 0, 0},
    {Mode::rooms_echo, "rooms_echo", "many rooms; every member sends its next event once the last one is acknowledged",
     Protocol::live, 1000, 10, 0},
}};

struct ProtocolInfo {
  Protocol protocol;
  std::string_view name;
  std::string_view path;
};

constexpr std::array<ProtocolInfo, 6> protocol_infos{{
    {Protocol::live, "live", "/live"},
    {Protocol::raw, "raw", "/live"},
    {Protocol::channels, "channels", "/realtime"},
    {Protocol::events, "events", "/realtime"},
    {Protocol::socketio, "socketio", "/socket.io/?EIO=4&transport=websocket"},
    {Protocol::polling, "polling", "/socket.io/?EIO=4&transport=polling"},
}};

const ModeInfo& info_of(Mode mode) {
  return *std::find_if(mode_infos.begin(), mode_infos.end(), [&](const ModeInfo& info) { return info.mode == mode; });
}

const ProtocolInfo& info_of(Protocol protocol) {
  return *std::find_if(protocol_infos.begin(), protocol_infos.end(),
                       [&](const ProtocolInfo& info) { return info.protocol == protocol; });
}

Protocol parse_protocol(std::string_view option, std::string_view text) {
  for (const ProtocolInfo& info : protocol_infos) {
    if (info.name == text) return info.protocol;
  }
  throw UsageError(std::string(option) + " takes live, raw, channels, events, socketio or polling");
}

bool parse_headers(std::string_view option, std::string_view text) {
  if (text != "bare" && text != "chromium") throw UsageError(std::string(option) + " takes bare or chromium");
  return text == "chromium";
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
       "the path to connect to (default /echo for echo, otherwise the protocol's)",
       {},
       [](Options& o, Text, Text v) { o.path = v; }},
      {"--pid",
       "PID",
       "the server's process: its CPU time and memory are reported (required for idle)",
       {},
       [](Options& o, Text n, Text v) { o.server_pid = parse_number<pid_t>(n, v, 1, 1 << 30); }},
      {"--conns",
       "N",
       "connections (default 100 echo, 200 presence, 10000 idle, otherwise 1000)",
       {},
       [](Options& o, Text n, Text v) { o.connections = parse_number<std::size_t>(n, v, 1, 1'000'000); }},
      {"--timeout",
       "S",
       "seconds that joining may take (default 30)",
       {Mode::fanout, Mode::idle, Mode::join_storm, Mode::paced, Mode::presence, Mode::rooms_echo},
       [](Options& o, Text n, Text v) { o.timeout = Seconds(parse_number<double>(n, v, 0.1, 3600)); }},
      {"--protocol",
       "NAME",
       "live, raw (the path is one room, as with flux-bench-floor), channels, socketio or polling (default polling for "
       "paced, else live)",
       {Mode::fanout, Mode::idle, Mode::paced},
       [](Options& o, Text n, Text v) { o.protocol = parse_protocol(n, v); }},
      {"--headers",
       "NAME",
       "bare, or chromium: handshakes with the header fields of Chromium (default bare)",
       {Mode::idle},
       [](Options& o, Text n, Text v) { o.browser = parse_headers(n, v); }},
      {"--secs",
       "S",
       "seconds to measure (default 2)",
       {Mode::echo, Mode::fanout, Mode::paced, Mode::presence, Mode::rooms_echo},
       [](Options& o, Text n, Text v) { o.duration = Seconds(parse_number<double>(n, v, 0.01, 3600)); }},
      {"--window",
       "W",
       "messages in flight (default 1)",
       {Mode::echo, Mode::fanout, Mode::rooms_echo},
       [](Options& o, Text n, Text v) { o.window = parse_number<std::size_t>(n, v, 1, 100'000); }},
      {"--payload-bytes",
       "B",
       "echo and raw: the whole frame; live: the event's payload; else the string that is shared (default 100)",
       {Mode::echo, Mode::fanout, Mode::paced, Mode::rooms_echo},
       [](Options& o, Text n, Text v) { o.payload_bytes = parse_number<std::size_t>(n, v, 48, 1'000'000); }},
      {"--room-size",
       "N",
       "members of a room (default 10 for paced and rooms_echo; idle: 0, which joins no room)",
       {Mode::idle, Mode::paced, Mode::rooms_echo},
       [](Options& o, Text n, Text v) { o.room_size = parse_number<std::size_t>(n, v, 0, 1'000'000); }},
      {"--subscriptions",
       "N",
       "channels that each connection subscribes to, when idle of its own; needs --protocol channels (default 0, "
       "recover 10)",
       {Mode::idle, Mode::recover},
       [](Options& o, Text n, Text v) { o.subscriptions = parse_number<std::size_t>(n, v, 0, 1'000); }},
      {"--senders",
       "N",
       "members of each room that send (default 1)",
       {Mode::paced},
       [](Options& o, Text n, Text v) { o.senders = parse_number<std::size_t>(n, v, 1, 1'000'000); }},
      {"--presence-bytes",
       "B",
       "the presence object (default 60)",
       {Mode::idle, Mode::join_storm, Mode::presence},
       [](Options& o, Text n, Text v) { o.presence_bytes = parse_number<std::size_t>(n, v, 48, 100'000); }},
      {"--rate",
       "HZ",
       "events or presence updates a second by each sender (default 1 paced, 10 presence)",
       {Mode::paced, Mode::presence},
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
  if (options.mode == Mode::recover) options.subscriptions = 10;
  options.connections = info->connections;
  options.room_size = info->room_size;
  options.rate_hz = info->rate_hz;
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

void check_rooms(const Options& options) {
  const std::size_t members = options.room_size;
  if (options.mode == Mode::rooms_echo && members < 2) throw UsageError("--room-size must be at least 2");
  if (options.mode == Mode::idle && members > 0 && options.protocol != Protocol::live) {
    throw UsageError("--room-size needs --protocol live");
  }
  const bool on_channels = options.protocol == Protocol::channels;
  if (options.subscriptions > 0 && !on_channels) throw UsageError("--subscriptions needs --protocol channels");
  if (options.protocol == Protocol::events && options.mode != Mode::fanout) {
    throw UsageError("--protocol events is for fanout");
  }
  if (options.mode == Mode::recover && !on_channels) throw UsageError("recover needs --protocol channels");
  if (options.browser && options.protocol == Protocol::polling) {
    throw UsageError("--headers needs a protocol over WebSocket");
  }
  if (options.mode != Mode::paced) return;
  if (options.protocol == Protocol::raw || options.protocol == Protocol::channels)
    throw UsageError("paced takes --protocol live, socketio or polling");
  if (members < 2 || options.connections % members != 0) {
    throw UsageError("--room-size must be at least 2, and --conns a multiple of it");
  }
  if (options.senders > members) throw UsageError("--senders must be at most --room-size");
}

void check(const Options& options) {
  if (options.port == 0) throw UsageError("--port is required");
  if (options.mode == Mode::idle && options.server_pid == 0) throw UsageError("idle needs --pid");
  if (options.mode == Mode::fanout && options.connections < 2) throw UsageError("--conns must be at least 2");
  check_rooms(options);
}

std::string default_path(const Options& options) {
  return std::string(options.mode == Mode::echo ? "/echo" : info_of(options.protocol).path);
}

}  // namespace

std::string_view name_of(Mode mode) { return info_of(mode).name; }

std::string_view name_of(Protocol protocol) { return info_of(protocol).name; }

Options parse_options(std::span<char* const> arguments) {
  if (arguments.empty()) throw UsageError("a mode is required");
  Options options = defaults_for(arguments[0]);
  for (std::size_t i = 1; i < arguments.size(); i += 2) {
    if (i + 1 == arguments.size()) throw UsageError(std::string(arguments[i]) + " needs a value");
    set_option(options, arguments[i], arguments[i + 1]);
  }
  check(options);
  if (options.path.empty()) options.path = default_path(options);
  return options;
}

std::string usage() {
  std::string text =
      "usage: flux-bench-load MODE --port P [option value]...\n"
      "Loads a server and measures it. Prints one JSON object, and a line to read on stderr.\n\nModes\n";
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
