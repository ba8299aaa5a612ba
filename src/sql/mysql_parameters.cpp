#include "mysql_parameters.hpp"

#include <flux/error.hpp>

#include <algorithm>
#include <fstream>
#include <string_view>
#include <tuple>
#include <utility>

namespace flux::storage::sql {

namespace {

[[noreturn]] void refuse(const std::string& why) {
  throw Error(Errc::bad_config, "MySQL URL: " + why + "; the format is \"mysql://user:password@host:3306/database\"");
}

std::string decoded(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) refuse("a percent sign must be followed by two hexadecimal digits");
    plain += static_cast<char>(high * 16 + low);
    i += 2;
  }
  if (plain.find('\0') != std::string::npos) refuse("%00 is a NUL character, which no part of the URL may contain");
  return plain;
}

/// Splits `text` at the first `mark`, which is removed; without one, the second part is empty.
std::pair<std::string_view, std::string_view> split(std::string_view text, char mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

/// Checks for mistakes that the client library would ignore, or report as something else.
void check_tls(const MysqlParameters& parameters) {
  const bool has_certificate = parameters.contains("sslcert");
  if (has_certificate != parameters.contains("sslkey")) refuse("sslcert and sslkey belong together");
  if (has_certificate && !parameters.contains("sslca")) refuse("sslcert needs sslca, which asks for TLS");
  for (const char* name : {"sslca", "sslcert", "sslkey"}) {
    const auto file = parameters.find(name);
    if (file == parameters.end() || std::ifstream(file->second)) continue;
    throw Error(Errc::bad_config, "MySQL URL: \"" + file->second + "\", which " + name + " names, can't be read");
  }
}

}  // namespace

MysqlParameters mysql_parameters(const std::string& url) {
  constexpr std::string_view scheme = "mysql://";
  if (url.compare(0, scheme.size(), scheme) != 0) refuse("it does not begin with \"mysql://\"");
  if (url.find('\0') != std::string::npos) refuse("it contains a NUL character");
  const auto [place, query] = split(std::string_view(url).substr(scheme.size()), '?');
  const auto [authority, database] = split(place, '/');
  // Otherwise an error about one of the parts could contain the password.
  const bool in_authority = authority.find('@') != std::string_view::npos;
  if (database.find('@') != std::string_view::npos || (!in_authority && query.find('@') != std::string_view::npos)) {
    refuse("an \"@\" follows a \"/\" or a \"?\"; within a part of the URL, write %40, %2F and %3F");
  }
  MysqlParameters parameters;
  if (database.empty()) refuse("it names no database");
  parameters["db"] = decoded(database);
  std::string_view host = authority;
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    const auto [user, password] = split(authority.substr(0, at), ':');
    parameters["user"] = decoded(user);
    if (!password.empty()) parameters["password"] = decoded(password);
    host = authority.substr(at + 1);
  }
  std::string_view port;
  if (host.substr(0, 1) == "[") {  // IPv6
    const auto [address, rest] = split(host.substr(1), ']');
    host = address;
    port = split(rest, ':').second;
  } else {
    std::tie(host, port) = split(host, ':');
  }
  if (!host.empty()) parameters["host"] = decoded(host);
  if (!port.empty()) {
    const bool digits = std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || port.size() > 5 || std::stoi(std::string(port)) > 65'535 || std::stoi(std::string(port)) == 0) {
      refuse("a port is a number from 1 to 65535, not \"" + std::string(port) + "\"");
    }
    parameters["port"] = std::string(port);
  }
  for (std::string_view rest = query; !rest.empty();) {
    const auto [pair, others] = split(rest, '&');
    const auto [name, value] = split(pair, '=');
    rest = others;
    if (name == "socket") {
      parameters["unix_socket"] = decoded(value);
    } else if (name == "sslca" || name == "sslcert" || name == "sslkey") {
      parameters[std::string(name)] = decoded(value);
    } else {
      refuse("unknown parameter \"" + std::string(name) + "\"; known are socket, sslca, sslcert and sslkey");
    }
  }
  check_tls(parameters);
  return parameters;
}

}  // namespace flux::storage::sql
