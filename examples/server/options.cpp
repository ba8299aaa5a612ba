#include "options.hpp"

#include "channels.hpp"
#include "stores.hpp"

#include <flux/storage/memory_chat_store.hpp>

#include <algorithm>
#include <charconv>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>

namespace {

std::uint64_t number(const std::string& option, const std::string& text, std::uint64_t least, std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    throw std::invalid_argument(option + " takes a number from " + std::to_string(least) + " to " +
                                std::to_string(most) + ", not \"" + text + "\"");
  }
  return value;
}

flux::LogLevel log_level(const std::string& text) {
  for (const auto level : {flux::LogLevel::off, flux::LogLevel::error, flux::LogLevel::warning, flux::LogLevel::info,
                           flux::LogLevel::debug}) {
    if (text == flux::to_string(level)) return level;
  }
  throw std::invalid_argument("--log takes off, error, warning, info or debug, not \"" + text + "\"");
}

/// FOLDER is served at "/", PREFIX=FOLDER at the prefix, which begins with "/".
void add_static_folder(Options& options, const std::string& text) {
  const std::size_t equals = text.starts_with('/') ? text.find('=') : std::string::npos;
  const std::string prefix = equals == std::string::npos ? "/" : text.substr(0, equals);
  const std::string folder = equals == std::string::npos ? text : text.substr(equals + 1);
  if (folder.empty()) throw std::invalid_argument("--static takes FOLDER or PREFIX=FOLDER, not \"" + text + "\"");
  options.static_folders[prefix] = folder;
}

/// Refuses options that have no effect without another option that is missing.
void check_pairs(const Options& options, const std::set<std::string>& given) {
  if (given.contains("--files") && options.files_folder.empty()) {
    throw std::invalid_argument("--files takes the folder of the files, not \"\"");
  }
  for (const char* option :
       {"--file-index", "--max-file-size", "--file-quota", "--file-quota-per-owner", "--unfinished-per-address",
        "--unfinished-bytes-per-address", "--upload-expires", "--unstarted-expires", "--unshared-expires"}) {
    if (given.contains(option) && options.files_folder.empty()) {
      throw std::invalid_argument(std::string(option) + " requires --files, the folder of the files");
    }
  }
  const flux::TlsOptions& tls = options.config.tls;
  if (tls.certificate_file.empty() != tls.private_key_file.empty()) {
    throw std::invalid_argument("--tls-cert and --tls-key must be given together: the chain and its private key");
  }
}

}  // namespace

Options read_options(const std::vector<std::string>& arguments) {
  Options options;
  flux::Config& config = options.config;
  config.log_level = flux::LogLevel::info;
  std::string chat_store = "memory";
  std::optional<std::string> room_store, channel_store, file_index;
  std::optional<std::size_t> chat_history, channel_history;
  std::set<std::string> given;
  Login login;
  constexpr std::uint64_t any = std::numeric_limits<std::uint32_t>::max();
  constexpr std::uint64_t any_text = 1'073'741'824;
  constexpr std::uint64_t any_file = std::numeric_limits<std::int64_t>::max();

  using Setter = std::function<void(const std::string&, const std::string&)>;
  const auto count = [&config](std::uint32_t flux::Limits::*limit, std::uint64_t least) -> Setter {
    return [&config, limit, least](const std::string& option, const std::string& text) {
      config.limits.*limit = static_cast<std::uint32_t>(number(option, text, least, any));
    };
  };
  const std::map<std::string, Setter> with_value = {
      {"--host", [&](auto&, auto& v) { config.listen[0].host = v; }},
      {"--port", [&](auto& o, auto& v) { config.listen[0].port = static_cast<std::uint16_t>(number(o, v, 0, 65535)); }},
      {"--threads", [&](auto& o, auto& v) { config.threads = number(o, v, 1, 256); }},
      {"--static", [&](auto&, auto& v) { add_static_folder(options, v); }},
      {"--files", [&](auto&, auto& v) { options.files_folder = v; }},
      {"--file-index", [&](auto&, auto& v) { file_index = v; }},
      {"--max-file-size", [&](auto& o, auto& v) { config.files.file_bytes_max = number(o, v, 1, any_file); }},
      {"--file-quota", [&](auto& o, auto& v) { options.file_store.bytes_max = number(o, v, 0, any_file); }},
      {"--file-quota-per-owner",
       [&](auto& o, auto& v) { options.file_store.bytes_per_owner_max = number(o, v, 0, any_file); }},
      {"--unfinished-per-address",
       [&](auto& o, auto& v) { config.files.unfinished_uploads_per_address_max = number(o, v, 0, any); }},
      {"--unfinished-bytes-per-address",
       [&](auto& o, auto& v) { config.files.unfinished_bytes_per_address_max = number(o, v, 0, any_file); }},
      {"--unstarted-expires",
       [&](auto& o, auto& v) { config.files.unstarted_upload_expires = std::chrono::seconds(number(o, v, 0, any)); }},
      {"--unshared-expires",
       [&](auto& o, auto& v) { config.files.unshared_expires = std::chrono::seconds(number(o, v, 0, any)); }},
      {"--upload-expires",
       [&](auto& o, auto& v) { config.files.upload_expires = std::chrono::seconds(number(o, v, 0, any)); }},
      {"--socketio-client", [&](auto&, auto& v) { options.socketio_client = v; }},
      {"--chat", [&](auto&, auto& v) { chat_store = v; }},
      {"--chat-history", [&](auto& o, auto& v) { chat_history = number(o, v, 0, 1'000'000); }},
      {"--rooms", [&](auto&, auto& v) { room_store = v; }},
      {"--channels", [&](auto&, auto& v) { options.channels = read_channels(v); }},
      {"--channel-store", [&](auto&, auto& v) { channel_store = v; }},
      {"--channel-history", [&](auto& o, auto& v) { channel_history = number(o, v, 0, 1'000'000); }},
      {"--public-history",
       [&](auto& o, auto& v) { config.limits.public_history_items_max = number(o, v, 0, 1'000'000); }},
      {"--max-message", [&](auto& o, auto& v) { config.limits.message_bytes_max = number(o, v, 1, any); }},
      {"--max-frames", count(&flux::Limits::frames_per_message_max, 1)},
      {"--messages-per-second", count(&flux::Limits::messages_per_second, 0)},
      {"--message-burst", count(&flux::Limits::message_burst, 1)},
      {"--user-messages-per-second", count(&flux::Limits::user_messages_per_second, 0)},
      {"--user-message-burst", count(&flux::Limits::user_message_burst, 1)},
      {"--address-messages-per-second", count(&flux::Limits::address_messages_per_second, 0)},
      {"--address-message-burst", count(&flux::Limits::address_message_burst, 1)},
      {"--rate-limit-strikes", count(&flux::Limits::rate_limit_strikes_max, 0)},
      {"--max-chat", [&](auto& o, auto& v) { config.limits.chat_bytes_max = number(o, v, 1, any_text); }},
      {"--max-presence", [&](auto& o, auto& v) { config.limits.presence_bytes_max = number(o, v, 2, any_text); }},
      {"--max-room-id", [&](auto& o, auto& v) { config.limits.room_id_bytes_max = number(o, v, 1, 65'536); }},
      {"--origin", [&](auto&, auto& v) { config.origins.push_back(v); }},
      {"--connections-per-address",
       [&](auto& o, auto& v) { config.limits.connections_per_address_max = number(o, v, 0, any); }},
      {"--trusted-proxy", [&](auto&, auto& v) { config.trusted_proxies.push_back(v); }},
      {"--presence-interval",
       [&](auto& o, auto& v) { config.presence_interval = std::chrono::milliseconds(number(o, v, 0, 60'000)); }},
      {"--tls-cert", [&](auto&, auto& v) { config.tls.certificate_file = v; }},
      {"--tls-key", [&](auto&, auto& v) { config.tls.private_key_file = v; }},
      {"--jwt-secret-file", [&](auto&, auto& v) { login.secret_file = v; }},
      {"--jwks", [&](auto&, auto& v) { login.jwks = v; }},
      {"--jwks-ca", [&](auto&, auto& v) { login.jwks_ca_file = v; }},
      {"--jwt-issuer", [&](auto&, auto& v) { login.issuers.push_back(v); }},
      {"--jwt-audience", [&](auto&, auto& v) { login.audiences.push_back(v); }},
      {"--api-keys", [&](auto&, auto& v) { login.api_keys_file = v; }},
      {"--demand", [&](auto&, auto& v) { add_demand(config, v); }},
      {"--rate-limit", [&](auto&, auto& v) { add_rate_limit(config.limits, v); }},
      {"--echo", [&](auto&, auto& v) { options.echo_path = v; }},
      {"--log", [&](auto&, auto& v) { config.log_level = log_level(v); }},
  };
  const std::map<std::string, std::function<void()>> without_value = {
      {"--deflate", [&] { config.deflate.enabled = true; }}, {"--room-list", [&] { options.room_list = true; }},
      {"--require-auth", [&] { login.required = true; }},    {"--help", [&] { options.help = true; }},
      {"--version", [&] { options.version = true; }},
  };

  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string name = arguments[i];
    std::string value;
    const std::size_t equals = name.find('=');
    if (equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    }
    if (const auto flag = without_value.find(name); flag != without_value.end() && equals == std::string::npos) {
      flag->second();
      continue;
    }
    if (without_value.contains(name)) throw std::invalid_argument(name + " takes no value, not \"" + value + "\"");
    const auto option = with_value.find(name);
    if (option == with_value.end()) throw std::invalid_argument("unknown option \"" + arguments[i] + "\"; see --help");
    if (equals == std::string::npos) {
      if (i + 1 == arguments.size()) throw std::invalid_argument(name + " needs a value; see --help");
      value = arguments[++i];
    }
    given.insert(name);
    option->second(name, value);
  }
  if (options.help || options.version) return options;
  if (chat_history && chat_store != "memory") {
    throw std::invalid_argument("--chat-history requires --chat memory, not a database");
  }
  check_pairs(options, given);
  options.auth = auth_options(login);
  if (given.contains("--demand") && !options.auth) {
    throw std::invalid_argument("--demand requires a way to log in: --jwt-secret-file, --jwks or --api-keys");
  }
  if (channel_history) options.channels.defaults.history_max = *channel_history;
  if (chat_history) {
    config.chat.store = std::make_shared<flux::MemoryChatStore>(*chat_history);
    config.chat.join_history = std::min<std::size_t>(*chat_history, 100);
  } else {
    config.chat.store = make_chat_store(chat_store);
  }
  if (channel_store) options.channels.store = make_channel_store(*channel_store);
  if (room_store) config.rooms.store = make_room_store(*room_store);
  if (file_index) options.file_store.index = make_file_index(*file_index);
  return options;
}

const char* usage() {
  return "flux-server: rooms, presence, events, chat, files and channels over WebSocket, Socket.IO and HTTP\n"
         "\n"
         "  --host ADDRESS            listen on this IPv4 or IPv6 address; ::, on all of both (127.0.0.1)\n"
         "  --port PORT               listen on this port; 0: any free port (8080)\n"
         "  --threads N               event loops, 1 to 256 (1)\n"
         "  --static [PREFIX=]FOLDER  serve the files of this folder at /, or at PREFIX (/x/); may be repeated\n"
         "  --files FOLDER            accept uploads at /files and keep them in this folder; created if missing\n"
         "  --file-index STORE        keep their metadata in sqlite:PATH, postgres:URL or mysql:URL\n"
         "                            (a file in the folder)\n"
         "  --max-file-size BYTES     the largest file, over HTTP and in a Socket.IO message over a WebSocket\n"
         "                            (100000000)\n"
         "  --file-quota BYTES        of all files, counting unfinished uploads in full; 0: any (10737418240)\n"
         "  --file-quota-per-owner BYTES\n"
         "                            of the files of one user, and of all files without a known user together;\n"
         "                            0: any (2147483648)\n"
         "  --unfinished-per-address N\n"
         "                            the most unfinished uploads without a known user from one IPv4 address or\n"
         "                            IPv6 /64; 0: unlimited (64)\n"
         "  --unfinished-bytes-per-address BYTES\n"
         "                            the most bytes of these, counting each in full; 0: unlimited (268435456)\n"
         "  --upload-expires SECONDS  remove an upload that has received nothing for this long; 0: never (86400)\n"
         "  --unstarted-expires SECONDS\n"
         "                            remove an upload that has received no byte by then; 0: as any other (3600)\n"
         "  --unshared-expires SECONDS\n"
         "                            delete a file that has not been shared by then; 0: never (86400)\n"
         "  --socketio-client FILE    the client bundle to serve at /socket.io/socket.io.js\n"
         "  --chat STORE              keep chat in memory, or in sqlite:PATH, postgres:URL or mysql:URL (memory)\n"
         "  --chat-history N          in memory: keep the newest N chat messages of a room, of which a new member\n"
         "                            gets up to 100 (1000)\n"
         "  --rooms STORE             keep the items of rooms and of the public space across restarts, in\n"
         "                            sqlite:PATH, postgres:URL or mysql:URL (they end with the server)\n"
         "  --channels FILE           the namespaces of channels and their options, as examples/server/channels.json\n"
         "  --channel-history N       keep the newest N publications of a channel in no namespace (0)\n"
         "  --channel-store STORE     keep the histories of channels across restarts, in sqlite:PATH, postgres:URL or\n"
         "                            mysql:URL (they end with the server)\n"
         "  --public-history N        keep the newest N items of the public space (50)\n"
         "  --max-message BYTES       the largest message of a client, not counting a file in it (1048576)\n"
         "  --max-frames N            the most frames of one WebSocket message (65536)\n"
         "  --max-chat BYTES          the longest chat message (65536)\n"
         "  --max-presence BYTES      the longest presence object (16384)\n"
         "  --max-room-id BYTES       the longest room id (256)\n"
         "  --room-list               let Socket.IO clients request the list of rooms\n"
         "  --origin ORIGIN           allow pages of this origin, such as https://app.example.com, to connect;\n"
         "                            *: any; may be repeated (pages of the same origin)\n"
         "  --connections-per-address N\n"
         "                            the most from one IPv4 address or IPv6 /64, except this machine; 0: any (1000)\n"
         "  --messages-per-second N, --message-burst N\n"
         "                            the most messages of one connection, on average and at once; 0 a second: any\n"
         "                            (0, 100)\n"
         "  --user-messages-per-second N, --user-message-burst N\n"
         "                            the same for all connections of one user (0, 200)\n"
         "  --address-messages-per-second N, --address-message-burst N\n"
         "                            the same for one IPv4 address or IPv6 /64, except this machine (0, 1000)\n"
         "  --rate-limit-strikes N    close a connection that exceeded these with so many messages in a row; 0: never\n"
         "                            (1000)\n"
         "  --rate-limit OPERATION=COUNT/SECONDS\n"
         "                            the most requests of this kind, such as send_chat or join_room, of one\n"
         "                            connection; file_upload, file_download and file_remove of one address; may be\n"
         "                            repeated (any)\n"
         "  --jwt-secret-file FILE    let clients log in with tokens that are signed with this secret (HS256), at\n"
         "                            least 32 bytes; or with that in FLUX_JWT_SECRET in the environment\n"
         "  --jwks URL|FILE           let clients log in with tokens of an issuer with these keys; an https URL, or\n"
         "                            a file\n"
         "  --jwks-ca FILE            trust these authorities (PEM) for the URL (the system's)\n"
         "  --jwt-issuer ISSUER       accept tokens of this issuer only; may be repeated (any)\n"
         "  --jwt-audience NAME       accept tokens for this audience only; may be repeated (tokens without one)\n"
         "  --api-keys FILE           let clients log in with the API keys in this file; created if missing\n"
         "  --require-auth            refuse clients that show neither a token nor an API key\n"
         "  --demand WHAT=OPERATION   demand a permission of clients: with events=write those who send events to\n"
         "                            the room lobby need write:lobby or write:*. WHAT is join, events, presence,\n"
         "                            chat, share or history; of files upload, download, remove or share-file;\n"
         "                            may be repeated (nothing)\n"
         "  --trusted-proxy ADDRESS   believe this proxy, or those in this range (10.0.0.0/8), about a client's\n"
         "                            address; may be repeated (none)\n"
         "  --presence-interval MS    coalesce presence changes for this long; 0: send at once (25)\n"
         "  --tls-cert FILE           serve HTTPS and WSS with this certificate chain (PEM)\n"
         "  --tls-key FILE            and this private key (PEM); SIGHUP reloads both\n"
         "  --deflate                 agree to permessage-deflate with clients that offer it\n"
         "  --echo PATH               a raw WebSocket endpoint that echoes what it receives, for measurements\n"
         "  --log LEVEL               off, error, warning, info or debug, to standard error (info)\n"
         "  --help, --version\n"
         "\n"
         "Clients connect to /live, with socket.io-client to /socket.io/ for data sharing, or to /realtime for "
         "channels.\n"
         "SIGTERM and SIGINT end the server, after at most five seconds.\n";
}
