#include "postgres_connection.hpp"

#include <flux/error.hpp>

#include <soci/postgresql/soci-postgresql.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace flux::storage::sql {

namespace {

PGconn* native(soci::session& session) {
  return static_cast<soci::postgresql_session_backend*>(session.get_backend())->conn_;
}

/// libpq counts in seconds, and takes 1 for 2.
std::string seconds_of(std::chrono::milliseconds time) {
  return std::to_string(std::max<std::int64_t>(2, (time.count() + 999) / 1000));
}

std::string percent_encoded(const std::string& text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) {
      encoded += c;
    } else {
      encoded += {'%', digits[byte >> 4], digits[byte & 15]};
    }
  }
  return encoded;
}

/// What libpq says of a connection string, without what it quotes: that may be the password. It stays where it is the
/// name of an option. Nothing stays of what libpq has translated, where the quotes may be others.
std::string without_values(std::string words) {
  while (!words.empty() && words.back() == '\n') words.pop_back();
  if (words.starts_with("invalid connection option") || words.starts_with("invalid URI query parameter")) return words;
  const bool is_ascii = std::all_of(words.begin(), words.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (!is_ascii) return "libpq can't read it";
  std::size_t quote = words.find('"');
  while (quote != std::string::npos && quote + 2 < words.size() && words[quote + 2] == '"') {
    quote = words.find('"', quote + 3);  // a character
  }
  if (quote != std::string::npos) words.replace(quote, words.rfind('"') + 1 - quote, "...");
  return words;
}

/// A "/" in a password ends the part that it is in, and libpq would tell the rest as a port or a database.
bool has_user_in_database(std::string_view connection) {
  if (!connection.starts_with("postgresql://") && !connection.starts_with("postgres://")) return false;
  const std::size_t slash = connection.find('/', connection.find("://") + 3);
  if (slash == std::string_view::npos) return false;
  const std::string_view database = connection.substr(slash);
  return database.substr(0, database.find('?')).find('@') != std::string_view::npos;
}

}  // namespace

std::string postgres_quoted(const std::string& value) {
  std::string quoted = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

std::string postgres_parameters(const std::string& connection, const PostgresTimeouts& timeouts) {
  char* words = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(PQconninfoParse(connection.c_str(), &words),
                                                                            &PQconninfoFree);
  const std::unique_ptr<char, decltype(&PQfreemem)> message(words, &PQfreemem);
  if (!parsed || connection.find('\0') != std::string::npos) {
    throw Error(Errc::bad_config, "PostgreSQL connection string: " +
                                      without_values(message ? message.get() : "it holds a NUL character"));
  }
  if (has_user_in_database(connection)) {
    throw Error(
        Errc::bad_config,
        "PostgreSQL connection string: an \"@\" stands behind a \"/\"; inside a part of a URL these are %40 and %2F");
  }
  const std::string call_ms = std::to_string(timeouts.call.count());
  std::map<std::string, std::string> parameters = {
      {"connect_timeout", seconds_of(timeouts.connect)}, {"tcp_user_timeout", call_ms}, {"application_name", "flux"}};
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) parameters[option->keyword] = option->val;
  }
  parameters["client_encoding"] = "UTF8";
  parameters["options"] =
      "-c statement_timeout=" + call_ms + " -c lock_timeout=" + call_ms + " " + parameters["options"];
  // As a URL, for SOCI drops spaces in other strings, also in values that are quoted.
  std::string url = "postgresql://";
  const char* separator = "?";
  for (const auto& [name, value] : parameters)
    url += std::exchange(separator, "&") + name + "=" + percent_encoded(value);
  return url;
}

std::unique_ptr<Connection> PostgresConnection::open(const std::string& parameters, const PostgresTimeouts& timeouts,
                                                     std::shared_ptr<CallGuard> guard) {
  try {
    return std::unique_ptr<Connection>(new PostgresConnection(parameters, timeouts, std::move(guard)));
  } catch (const soci::soci_error& error) {
    throw Failure(Failure::Kind::lost, words_of(error));
  }
}

PostgresConnection::PostgresConnection(const std::string& parameters, const PostgresTimeouts& timeouts,
                                       std::shared_ptr<CallGuard> guard)
    : SociConnection(soci::postgresql, parameters, std::move(guard)), call_timeout_(timeouts.call) {
  const char* encoding = PQparameterStatus(native(session()), "server_encoding");
  if (encoding == nullptr || std::string(encoding) != "UTF8") {
    throw Failure(Failure::Kind::other,
                  "the database's encoding must be UTF8, not " + std::string(encoding ? encoding : "unknown"));
  }
  watch_socket(PQsocket(native(session())));
}

void PostgresConnection::set_deadline(TimePoint deadline) {
  SociConnection::set_deadline(deadline);
  const bool patient = deadline - call_timeout_ > std::chrono::steady_clock::now();
  if (patient == patient_) return;
  run(patient ? "SET statement_timeout = 0" : "RESET statement_timeout");
  patient_ = patient;
}

Failure::Kind PostgresConnection::kind_of(const soci::soci_error& error) {
  if (PQstatus(native(session())) != CONNECTION_OK) return Failure::Kind::lost;
  const auto* of_postgres = dynamic_cast<const soci::postgresql_soci_error*>(&error);
  const std::string state = of_postgres == nullptr ? "" : of_postgres->sqlstate();
  const auto is = [&](const char* code) { return state.compare(0, std::char_traits<char>::length(code), code) == 0; };
  if (is("23505")) return Failure::Kind::duplicate;  // unique_violation
  if (is("40001") || is("40P01") || is("55P03"))
    return Failure::Kind::conflict;                                       // serialization, deadlock, lock_timeout
  if (is("08") || is("57P0")) return Failure::Kind::lost;                 // connection, shutdown
  if (is("22") || is("23") || is("54")) return Failure::Kind::bad_value;  // data, constraint, limit exceeded
  return Failure::Kind::other;
}

std::vector<Column> PostgresDialect::columns_of(Connection& connection, const std::string& table) const {
  Statement ask("SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = to_regclass(");
  ask.bind(quoted(table)).sql(") AND attnum > 0 AND NOT attisdropped");
  std::vector<Column> columns;
  for (const Row& row : connection.run(ask, 2)) columns.push_back({row.at(0).value_or(""), row.at(1).value_or("")});
  return columns;
}

void PostgresDialect::lock_schema(Connection& connection, const std::string& table) const {
  std::uint64_t key = 14'695'981'039'346'656'037ULL;  // FNV-1a, any stable number of the name
  for (const char c : "flux:" + table) key = (key ^ static_cast<unsigned char>(c)) * 1'099'511'628'211ULL;
  connection.run("SELECT pg_advisory_xact_lock(" + std::to_string(static_cast<std::int64_t>(key)) + ")", 1);
}

std::optional<std::string> PostgresDialect::as_ms(const Column& column) const {
  static const char* const numbers[] = {"smallint", "integer", "bigint", "numeric", "real", "double precision"};
  if (std::find(std::begin(numbers), std::end(numbers), column.type) != std::end(numbers)) {
    return "CAST(ROUND(CAST(" + column.name + " AS NUMERIC)) AS BIGINT)";
  }
  if (column.type.compare(0, 9, "timestamp") != 0) return std::nullopt;
  return "CAST(ROUND(EXTRACT(EPOCH FROM " + column.name + ") * 1000) AS BIGINT)";
}

}  // namespace flux::storage::sql
