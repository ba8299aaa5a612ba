#include "mysql_connection.hpp"

#include <flux/error.hpp>

#include <soci/mysql/soci-mysql.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <string_view>
#include <tuple>
#include <utility>

namespace flux::storage::sql {

namespace {

MYSQL* native(soci::session& session) {
  return static_cast<soci::mysql_session_backend*>(session.get_backend())->conn_;
}

/// MySQL's own client library has no function for it, and MariaDB's has no member that is sure to be it.
int socket_of(MYSQL& connection) {
#if defined(LIBMARIADB)
  return static_cast<int>(mysql_get_socket(&connection));
#else
  return static_cast<int>(connection.net.fd);
#endif
}

std::string seconds_of(std::chrono::milliseconds time) {
  return std::to_string(std::max<std::int64_t>(2, (time.count() + 999) / 1000));
}

/// Errors that the server and the client library number (mysqld_error.h, errmsg.h; the same in MySQL and MariaDB).
Failure::Kind kind_of_number(unsigned int number) {
  switch (number) {
    case 1022:  // duplicate key on write
    case 1062: return Failure::Kind::duplicate;
    case 1205:                                   // lock wait timeout
    case 1213: return Failure::Kind::conflict;   // deadlock
    case 1040:                                   // too many connections
    case 1053:                                   // server shutdown in progress
    case 1077:                                   // normal shutdown
    case 1079:                                   // shutdown complete
    case 1927:                                   // connection was killed
    case 2002:                                   // can't connect, by socket
    case 2003:                                   // can't connect, by TCP
    case 2006:                                   // server has gone away
    case 2013:                                   // lost connection
    case 2026:                                   // TLS
    case 2055:                                   // lost connection, with the system's error
    case 4031: return Failure::Kind::lost;       // ended because it was silent
    case 1290:                                   // the server runs with --read-only
    case 1792:                                   // the transaction is read-only
    case 1836: return Failure::Kind::read_only;  // the server is
    case 1048:                                   // must not be NULL
    case 1153:                                   // packet too large
    case 1264:                                   // out of range
    case 1292:                                   // incorrect value
    case 1366:                                   // incorrect text
    case 1406: return Failure::Kind::bad_value;  // too long
    default: return Failure::Kind::other;
  }
}

/// A statement that may take its time is waited for while the server's machine answers: it is asked after 30 s. Sockets
/// that are not TCP refuse this, and tell anyway when the server is gone.
void keep_alive(int socket) {
  const auto set = [socket](int level, int option, int value) {
    ::setsockopt(socket, level, option, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
#if defined(TCP_KEEPIDLE) && defined(TCP_KEEPINTVL) && defined(TCP_KEEPCNT)
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
#endif
}

[[noreturn]] void refuse(const std::string& why) {
  throw Error(Errc::bad_config, "MySQL URL: " + why + "; it is \"mysql://user:password@host:3306/database\"");
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
    if (high < 0 || low < 0) refuse("a percent sign needs two hexadecimal digits behind it");
    plain += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return plain;
}

/// Of a statement with its values in it; `bytes_of_text`: of a text, escaped.
template <class BytesOfText>
std::size_t bytes_of(const Statement& statement, const BytesOfText& bytes_of_text) {
  constexpr std::size_t number_bytes = 20;
  std::size_t bytes = statement.text().size() + 1;  // the command
  for (const Value& value : statement.values()) {
    const auto* text = std::get_if<std::string>(&value);
    bytes += text == nullptr ? number_bytes : bytes_of_text(*text) + 2;
  }
  return bytes;
}

std::size_t bytes_at_most(const std::string& text) { return 2 * text.size(); }

/// As the client library escapes it.
std::size_t bytes_escaped(const std::string& text) {
  constexpr std::string_view escaped("\0\n\r\x1A\\'\"", 7);
  const auto is_two = [&](char c) { return escaped.find(c) != std::string_view::npos; };
  return text.size() + static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_two));
}

/// Splits `text` at the first `mark`, which goes; without one, all of it is before.
std::pair<std::string_view, std::string_view> split(std::string_view text, char mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

/// What the client library would overlook, or tell as something else.
void check_tls(const MysqlParameters& parameters) {
  const bool has_certificate = parameters.contains("sslcert");
  if (has_certificate != parameters.contains("sslkey")) refuse("sslcert and sslkey belong together");
  if (has_certificate && !parameters.contains("sslca")) refuse("sslcert needs sslca, which asks for TLS");
  for (const char* name : {"sslca", "sslcert", "sslkey"}) {
    const auto file = parameters.find(name);
    if (file == parameters.end() || std::ifstream(file->second)) continue;
    throw Error(Errc::bad_config,
                "MySQL URL: \"" + file->second + "\", which " + name + " names, is no file that can be read");
  }
}

std::string to_soci(const MysqlParameters& parameters) {
  std::string text;
  for (const auto& [name, value] : parameters) {
    text += name + "='";
    for (const char c : value) {
      if (c == '\'' || c == '\\') text += '\\';
      text += c;
    }
    text += "' ";
  }
  return text;
}

}  // namespace

MysqlParameters mysql_parameters(const std::string& url) {
  constexpr std::string_view scheme = "mysql://";
  if (url.compare(0, scheme.size(), scheme) != 0) refuse("it has no \"mysql://\" in front");
  if (url.find('\0') != std::string::npos) refuse("it holds a NUL character");
  const auto [place, query] = split(std::string_view(url).substr(scheme.size()), '?');
  const auto [authority, database] = split(place, '/');
  // Else what is told of its parts would tell the password.
  const bool in_authority = authority.find('@') != std::string_view::npos;
  if (database.find('@') != std::string_view::npos || (!in_authority && query.find('@') != std::string_view::npos)) {
    refuse("an \"@\" stands behind a \"/\" or a \"?\"; inside a part of the URL these are %40, %2F and %3F");
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
      refuse("there is no parameter \"" + std::string(name) + "\"; there are socket, sslca, sslcert and sslkey");
    }
  }
  check_tls(parameters);
  return parameters;
}

std::unique_ptr<Connection> MysqlConnection::open(const MysqlParameters& parameters, const MysqlTimeouts& timeouts,
                                                  std::shared_ptr<CallGuard> guard) {
  MysqlParameters own = parameters;
  own["charset"] = "utf8mb4";
  own["connect_timeout"] = seconds_of(timeouts.connect);
  own["local_infile"] = "0";
  try {
    return std::unique_ptr<Connection>(new MysqlConnection(own, timeouts, std::move(guard)));
  } catch (const soci::mysql_soci_error& error) {
    throw Failure(kind_of_number(error.err_num_), words_of(error));
  } catch (const soci::soci_error& error) {
    throw Failure(Failure::Kind::other, words_of(error));
  }
}

MysqlConnection::MysqlConnection(const MysqlParameters& parameters, const MysqlTimeouts& timeouts,
                                 std::shared_ptr<CallGuard> guard)
    : SociConnection(soci::mysql, to_soci(parameters), std::move(guard)) {
  const int socket = socket_of(*native(session()));
  watch_socket(socket);
  keep_alive(socket);
  set_deadline(std::chrono::steady_clock::now() + timeouts.connect);
  // Without a word the client library goes on unencrypted.
  if (parameters.contains("sslca") && mysql_get_ssl_cipher(native(session())) == nullptr) {
    throw Failure(Failure::Kind::other, "the server offers no TLS, which sslca asks for");
  }
  const std::string wait = seconds_of(timeouts.call);
  // Strict: text that does not fit is refused and not cut. Read committed: fewer locks, and a retry sees what is there.
  run("SET SESSION autocommit = 1, sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', "
      "innodb_lock_wait_timeout = " +
      wait + ", lock_wait_timeout = " + wait);
  run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
  statement_bytes_max_ = static_cast<std::size_t>(to_int(run("SELECT @@max_allowed_packet", 1).at(0).at(0)));
}

/// The server ends a connection that sends more than it takes: that would look like a lost one, and be tried again.
Rows MysqlConnection::run(const Statement& statement, std::size_t columns) {
  if (bytes_of(statement, bytes_at_most) <= statement_bytes_max_) return SociConnection::run(statement, columns);
  if (const std::size_t bytes = bytes_of(statement, bytes_escaped); bytes > statement_bytes_max_) {
    throw Failure(Failure::Kind::bad_value, std::to_string(bytes) +
                                                " bytes are more than the server's max_allowed_packet, " +
                                                std::to_string(statement_bytes_max_));
  }
  return SociConnection::run(statement, columns);
}

Failure::Kind MysqlConnection::kind_of(const soci::soci_error& error) {
  const auto* of_mysql = dynamic_cast<const soci::mysql_soci_error*>(&error);
  // Some errors of SOCI have no number of their own; the library keeps it.
  return kind_of_number(of_mysql != nullptr ? of_mysql->err_num_ : mysql_errno(native(session())));
}

/// Keys are bytes: collations of text ignore spaces at the end, or differ between MySQL and MariaDB.
std::string MysqlDialect::type_of(Content content) const {
  if (content == Content::key) return "VARBINARY(1024)";
  return content == Content::text ? "LONGTEXT" : Dialect::type_of(content);
}

std::vector<Column> MysqlDialect::columns_of(Connection& connection, const std::string& table) const {
  Statement ask(
      "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name "
      "= ");
  std::vector<Column> columns;
  for (const Row& row : connection.run(ask.bind(table), 2)) {
    columns.push_back({row.at(0).value_or(""), row.at(1).value_or("")});
  }
  return columns;
}

/// A column that a key has only the beginning of is none of the key's columns, as it stands here.
std::vector<Key> MysqlDialect::keys_of(Connection& connection, const std::string& table) const {
  Statement ask(
      "SELECT index_name, CONCAT(column_name, IF(sub_part IS NULL, '', '(')) FROM information_schema.statistics WHERE "
      "non_unique = 0 AND table_schema = DATABASE() AND table_name = ");
  return to_keys(connection.run(ask.bind(table).sql(" ORDER BY index_name"), 2));
}

std::span<const char* const> MysqlDialect::types_for(Content content) const {
  static constexpr std::array keys = {"varbinary"};
  static constexpr std::array texts = {"longtext", "mediumtext", "text", "varchar"};
  static constexpr std::array numbers = {"bigint", "int", "mediumint", "smallint", "tinyint"};
  switch (content) {
    case Content::key: return keys;
    case Content::number: return std::span(numbers).first(1);
    case Content::flag: return numbers;
    default: return texts;
  }
}

/// Tables are made at once here, whatever the transaction: a lock with a name, of the server.
void MysqlDialect::lock_schema(Connection& connection, const std::string& table) const {
  const Rows got = connection.run("SELECT GET_LOCK(MD5(CONCAT('flux/', DATABASE(), '/" + table + "')), 30)", 1);
  if (got.empty() || got[0].at(0) != "1") {
    throw Failure(Failure::Kind::other,
                  "another process has been busy with the table \"" + table + "\" for 30 seconds");
  }
}

void MysqlDialect::unlock_schema(Connection& connection, const std::string& table) const {
  connection.run("SELECT RELEASE_LOCK(MD5(CONCAT('flux/', DATABASE(), '/" + table + "')))", 1);
}

void MysqlDialect::swap_in(Connection& connection, const std::string& table, const std::string& fresh,
                           const std::string& kept) const {
  connection.run("RENAME TABLE " + quoted(table) + " TO " + quoted(kept) + ", " + quoted(fresh) + " TO " +
                 quoted(table));
}

std::optional<std::string> MysqlDialect::as_ms(const Column& column) const {
  static const char* const numbers[] = {"tinyint", "smallint", "mediumint", "int",
                                        "bigint",  "decimal",  "float",     "double"};
  if (std::find(std::begin(numbers), std::end(numbers), column.type) != std::end(numbers)) {
    return "CAST(" + column.name + " AS SIGNED)";
  }
  if (column.type != "datetime" && column.type != "timestamp") return std::nullopt;
  return "CAST(ROUND(UNIX_TIMESTAMP(" + column.name + ") * 1000) AS SIGNED)";
}

std::string MysqlDialect::or_replace(const std::string&, std::span<const Field> columns) const {
  std::string text = " ON DUPLICATE KEY UPDATE ";
  const char* separator = "";
  for (const Field& column : columns) {
    text.append(std::exchange(separator, ", "))
        .append(column.name)
        .append(" = VALUES(")
        .append(column.name)
        .append(")");
  }
  return text;
}

/// MySQL has no RETURNING: what was written is read again, under the lock.
std::map<std::string, std::int64_t> MysqlDialect::add_to_counters(
    Connection& connection, const std::string& counters, const std::map<std::string, std::int64_t>& added) const {
  Statement upsert("INSERT INTO " + counters + " (room_id, last_offset) VALUES ");
  Statement read("SELECT room_id, last_offset FROM " + counters + " WHERE room_id IN ");
  const char* separator = "(";
  const char* read_separator = "(";
  for (const auto& [room, count] : added) {
    upsert.sql(separator).bind(room).sql(", " + std::to_string(count) + ")");
    read.sql(read_separator).bind(room);
    separator = ", (";
    read_separator = ", ";
  }
  connection.run(upsert.sql(" ON DUPLICATE KEY UPDATE last_offset = last_offset + VALUES(last_offset)"));
  return to_counters(connection.run(read.sql(")"), 2));
}

}  // namespace flux::storage::sql
