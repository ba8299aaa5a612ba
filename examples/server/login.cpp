#include "login.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace {

std::vector<flux::jwt::Key> secrets(const Login& login) {
  using flux::jwt::Algorithm;
  using flux::jwt::Key;
  if (!login.secret_file.empty()) return {Key::read_file(Algorithm::hs256, login.secret_file)};
  const char* secret = std::getenv("FLUX_JWT_SECRET");
  if (secret == nullptr || *secret == '\0') return {};
  return {Key::secret(Algorithm::hs256, secret)};
}

bool read_number(std::string_view text, std::uint32_t& number) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  return ec == std::errc() && end == text.data() + text.size() && number != 0;
}

}  // namespace

std::optional<flux::AuthOptions> auth_options(const Login& login) {
  flux::AuthOptions options;
  options.keys = secrets(login);
  options.jwks = login.jwks;
  options.jwks_ca_file = login.jwks_ca_file;
  options.tokens.issuers = login.issuers;
  options.tokens.audiences = login.audiences;
  options.required = login.required;
  if (!login.api_keys_file.empty()) {
    options.api_keys = flux::ApiKeysOptions{.store = std::make_shared<flux::FileKeyStore>(login.api_keys_file)};
  }
  const bool takes_tokens = !options.keys.empty() || !options.jwks.empty();
  if (!takes_tokens && (!login.issuers.empty() || !login.audiences.empty())) {
    throw std::invalid_argument("--jwt-issuer and --jwt-audience require --jwt-secret-file or --jwks");
  }
  if (login.jwks.empty() && !login.jwks_ca_file.empty()) {
    throw std::invalid_argument("--jwks-ca requires --jwks, the URL of the keys");
  }
  if (takes_tokens || options.api_keys) return options;
  if (login.required) {
    throw std::invalid_argument("--require-auth requires a way to log in: --jwt-secret-file, --jwks or --api-keys");
  }
  return std::nullopt;
}

void add_demand(flux::Config& config, const std::string& text) {
  flux::Demands& rooms = config.rooms.demands;
  flux::FileDemands& files = config.files.demands;
  const std::pair<std::string_view, std::string&> all[] = {
      {"join", rooms.join},     {"events", rooms.events},    {"presence", rooms.presence}, {"chat", rooms.chat},
      {"share", rooms.share},   {"history", rooms.history},  {"upload", files.upload},     {"download", files.download},
      {"remove", files.remove}, {"share-file", files.share},
  };
  const std::size_t equals = std::min(text.find('='), text.size());
  for (const auto& [what, operation] : all) {
    if (text.compare(0, equals, what) != 0 || equals + 1 >= text.size()) continue;
    operation = text.substr(equals + 1);
    return;
  }
  std::string known;
  for (const auto& [what, operation] : all) known.append(known.empty() ? "" : ", ").append(what);
  throw std::invalid_argument("--demand takes WHAT=OPERATION, such as chat=write, not \"" + text +
                              "\"; WHAT is one of " + known);
}

void add_rate_limit(flux::Limits& limits, const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::size_t slash = text.find('/', equals == std::string::npos ? 0 : equals);
  std::uint32_t count = 0, seconds = 0;
  const bool is_read = equals != 0 && equals != std::string::npos && slash != std::string::npos &&
                       read_number(std::string_view(text).substr(equals + 1, slash - equals - 1), count) &&
                       read_number(std::string_view(text).substr(slash + 1), seconds) && seconds <= 86'400;
  if (!is_read) {
    throw std::invalid_argument("--rate-limit takes OPERATION=COUNT/SECONDS, such as send_chat=5/10, not \"" + text +
                                "\"");
  }
  const flux::Rate rate{count, std::chrono::seconds(seconds)};
  const std::string operation = text.substr(0, equals);
  flux::OperationRates& rates = limits.operations[operation];
  (operation.starts_with("file_") ? rates.address : rates.connection) = rate;
}
