#include "postgres_connection.hpp"

#include <flux/error.hpp>

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace flux::storage::sql {

namespace {

/// libpq's timeouts are in seconds, and it treats 1 as 2.
std::string seconds_text(std::chrono::milliseconds time) {
  return std::to_string(std::max<std::int64_t>(2, std::chrono::ceil<std::chrono::seconds>(time).count()));
}

/// libpq's message about a connection string, without the text that it quotes, which may be the password. Names of
/// options are kept. A translated message is replaced as a whole, because its quotation marks may differ.
std::string without_values(std::string words) {
  while (!words.empty() && words.back() == '\n') words.pop_back();
  if (words.starts_with("invalid connection option") || words.starts_with("invalid URI query parameter")) return words;
  const bool is_ascii = std::all_of(words.begin(), words.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (!is_ascii) return "libpq can't parse it";
  std::size_t quote = words.find('"');
  while (quote != std::string::npos && quote + 2 < words.size() && words[quote + 2] == '"') {
    quote = words.find('"', quote + 3);  // a character
  }
  if (quote != std::string::npos) words.replace(quote, words.rfind('"') + 1 - quote, "...");
  return words;
}

/// A "/" in a password ends the authority, so libpq would report the rest of the password as a port or a database.
bool has_user_in_database(std::string_view connection) {
  if (!connection.starts_with("postgresql://") && !connection.starts_with("postgres://")) return false;
  const std::size_t slash = connection.find('/', connection.find("://") + 3);
  if (slash == std::string_view::npos) return false;
  const std::string_view database = connection.substr(slash);
  return database.substr(0, database.find('?')).find('@') != std::string_view::npos;
}

/// In one line.
std::string words_of(const char* message) {
  std::string words;
  for (const char c : std::string_view(message == nullptr ? "" : message)) {
    const bool is_space = c == ' ' || c == '\n' || c == '\t';
    if (!is_space) words += c;
    if (is_space && !words.empty() && words.back() != ' ') words += ' ';
  }
  while (!words.empty() && words.back() == ' ') words.pop_back();
  return words;
}

/// The server's message without its details, which may contain what users wrote. Otherwise libpq's message.
std::string words_of(const PGresult* answer) {
  const char* primary = PQresultErrorField(answer, PG_DIAG_MESSAGE_PRIMARY);
  return words_of(primary != nullptr ? primary : PQresultErrorMessage(answer));
}

/// Replaces each `?` by a numbered parameter, as libpq requires.
std::string with_numbers(const std::string& text) {
  std::string numbered;
  numbered.reserve(text.size() * 2);
  int count = 0;
  for (const char c : text) c == '?' ? numbered += '$' + std::to_string(++count) : numbered += c;
  return numbered;
}

/// Errors: throws `Failure` if `text` contains a NUL, which would end the parameter.
const char* checked(const std::string& text) {
  if (text.find('\0') == std::string::npos) return text.c_str();
  throw Failure(Failure::Kind::bad_value, "PostgreSQL can't store text with a NUL character (U+0000)");
}

/// By its SQLSTATE (PostgreSQL's manual, appendix A).
Failure::Kind kind_of(std::string_view state) {
  const auto is = [&](const char* code) { return state.starts_with(code); };
  if (is("23505")) return Failure::Kind::duplicate;  // unique_violation
  if (is("40001") || is("40P01") || is("55P03"))
    return Failure::Kind::conflict;                                       // serialization, deadlock, lock_timeout
  if (is("08") || is("57P0")) return Failure::Kind::lost;                 // connection, shutdown
  if (is("25006")) return Failure::Kind::read_only;                       // read_only_sql_transaction
  if (is("22") || is("23") || is("54")) return Failure::Kind::bad_value;  // data, constraint, limit exceeded
  return Failure::Kind::other;
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

PostgresParameters postgres_parameters(const std::string& connection, const PostgresTimeouts& timeouts) {
  char* words = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(PQconninfoParse(connection.c_str(), &words),
                                                                            &PQconninfoFree);
  const std::unique_ptr<char, decltype(&PQfreemem)> message(words, &PQfreemem);
  if (!parsed || connection.find('\0') != std::string::npos) {
    throw Error(Errc::bad_config, "PostgreSQL connection string: " +
                                      without_values(message ? message.get() : "it contains a NUL character"));
  }
  if (has_user_in_database(connection)) {
    throw Error(Errc::bad_config,
                "PostgreSQL connection string: an \"@\" follows a \"/\"; within a part of a URL, write %40 and %2F");
  }
  const std::string call_ms = std::to_string(timeouts.call.count());
  // A slow statement may run as long as the server's machine answers probes, the first after 30 s.
  PostgresParameters parameters = {{"connect_timeout", seconds_text(timeouts.connect)},
                                   {"tcp_user_timeout", call_ms},
                                   {"keepalives_idle", "30"},
                                   {"keepalives_interval", "10"},
                                   {"keepalives_count", "3"},
                                   {"application_name", "flux"}};
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) parameters[option->keyword] = option->val;
  }
  parameters["client_encoding"] = "UTF8";
  parameters["options"] =
      "-c statement_timeout=" + call_ms + " -c lock_timeout=" + call_ms + " " + parameters["options"];
  return parameters;
}

PostgresConnection::PostgresConnection(const PostgresParameters& parameters, std::chrono::milliseconds call_timeout)
    : call_timeout_(call_timeout) {
  std::vector<const char*> names, values;
  for (const auto& [name, value] : parameters) {
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  // Returns when the server is ready for a statement. connect_timeout applies to each host in turn.
  connection_.reset(PQconnectdbParams(names.data(), values.data(), 0));
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    throw Failure(Failure::Kind::lost, words_of(PQerrorMessage(connection_.get())));
  }
  const char* encoding = PQparameterStatus(connection_.get(), "server_encoding");
  if (encoding == nullptr || std::string(encoding) != "UTF8") {
    throw Failure(Failure::Kind::other,
                  "the database's encoding must be UTF8, not " + std::string(encoding ? encoding : "unknown"));
  }
  const PQnoticeReceiver silence = [](void*, const PGresult*) {};  // by default libpq writes to stderr
  PQsetNoticeReceiver(connection_.get(), silence, nullptr);
  if (PQsetnonblocking(connection_.get(), 1) != 0) lose(words_of(PQerrorMessage(connection_.get())));
}

void PostgresConnection::set_deadline(TimePoint deadline) {
  deadline_ = deadline;
  const auto now = std::chrono::steady_clock::now();
  const bool patient = deadline - call_timeout_ > now;
  if (!patient && !patient_) return;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
  deadline_ = std::min(deadline, now + call_timeout_);  // this statement itself is quick
  run(patient ? "SET statement_timeout = " + std::to_string(left.count()) : "RESET statement_timeout");
  deadline_ = deadline;
  patient_ = patient;
}

Rows PostgresConnection::run(const Statement& statement, std::size_t columns) {
  if (!connection_) throw Failure(Failure::Kind::lost, "the connection to the database was lost");
  send(statement);
  const Answer answer = next_answer();
  while (next_answer()) {  // read to the end: before that libpq accepts no other statement
  }
  check(answer);
  Rows rows;
  if (columns == 0) return rows;
  const int count = PQntuples(answer.get());
  rows.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    Row& row = rows.emplace_back();
    for (int j = 0; j < static_cast<int>(columns); ++j) {
      if (PQgetisnull(answer.get(), i, j) != 0) {
        row.emplace_back();
      } else {
        row.emplace_back(std::in_place, PQgetvalue(answer.get(), i, j),
                         static_cast<std::size_t>(PQgetlength(answer.get(), i, j)));
      }
    }
  }
  return rows;
}

void PostgresConnection::send(const Statement& statement) {
  std::vector<std::string> numbers;
  std::vector<const char*> values;             // null: NULL
  numbers.reserve(statement.values().size());  // no reallocation: `values` points to these
  values.reserve(statement.values().size());
  for (const Value& value : statement.values()) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      values.push_back(numbers.emplace_back(std::to_string(*number)).c_str());
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      values.push_back(checked(*text));
    } else {
      values.push_back(nullptr);
    }
  }
  PGconn* to = connection_.get();
  const int taken = values.empty()
                        ? PQsendQuery(to, statement.text().c_str())
                        : PQsendQueryParams(to, with_numbers(statement.text()).c_str(), static_cast<int>(values.size()),
                                            nullptr, values.data(), nullptr, nullptr, 0);
  if (taken == 0) lose(words_of(PQerrorMessage(to)));
  for (;;) {
    const int left = PQflush(to);
    if (left == 0) return;
    if (left < 0) lose(words_of(PQerrorMessage(to)));
    wait_for(POLLIN | POLLOUT);
    read_more();  // the server may have sent the reason
  }
}

PostgresConnection::Answer PostgresConnection::next_answer() {
  while (PQisBusy(connection_.get()) != 0) {
    wait_for(POLLIN);
    read_more();
  }
  return Answer(PQgetResult(connection_.get()));
}

void PostgresConnection::check(const Answer& answer) {
  const ExecStatusType status = PQresultStatus(answer.get());
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return;
  const std::string words = answer ? words_of(answer.get()) : words_of(PQerrorMessage(connection_.get()));
  if (PQstatus(connection_.get()) != CONNECTION_OK) lose(words);
  const char* state = PQresultErrorField(answer.get(), PG_DIAG_SQLSTATE);
  throw Failure(kind_of(state == nullptr ? "" : state), words);
}

void PostgresConnection::wait_for(short events) {
  using std::chrono::milliseconds;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline_ - std::chrono::steady_clock::now());
    pollfd socket{PQsocket(connection_.get()), events, 0};
    const int ready =
        ::poll(&socket, 1, static_cast<int>(std::clamp(left, milliseconds(0), milliseconds(60'000)).count()));
    if (ready > 0) return;
    if (ready < 0 && errno != EINTR) lose(std::generic_category().message(errno));
    if (ready == 0 && left <= milliseconds(60'000)) lose("the database did not answer in time");
  }
}

void PostgresConnection::read_more() {
  if (PQconsumeInput(connection_.get()) == 0) lose(words_of(PQerrorMessage(connection_.get())));
}

void PostgresConnection::lose(const std::string& why) {
  connection_.reset();
  throw Failure(Failure::Kind::lost, why);
}

std::string PostgresDialect::type_of(Content content) const {
  return content == Content::key ? "TEXT COLLATE \"C\"" : Dialect::type_of(content);
}

std::vector<Column> PostgresDialect::columns_of(Connection& connection, const std::string& table) const {
  Statement ask("SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = to_regclass(");
  ask.bind(quoted(table)).sql(") AND attnum > 0 AND NOT attisdropped");
  std::vector<Column> columns;
  for (const Row& row : connection.run(ask, 2)) columns.push_back({row.at(0).value_or(""), row.at(1).value_or("")});
  return columns;
}

std::vector<Key> PostgresDialect::keys_of(Connection& connection, const std::string& table) const {
  Statement ask(
      "SELECT indexrelid, attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey) "
      "WHERE indisunique AND indisvalid AND indimmediate AND indpred IS NULL AND indexprs IS NULL AND indrelid = "
      "to_regclass(");
  return to_keys(connection.run(ask.bind(quoted(table)).sql(") ORDER BY indexrelid"), 2));
}

std::span<const char* const> PostgresDialect::types_for(Content content) const {
  static constexpr std::array texts = {"text", "character varying"};
  static constexpr std::array numbers = {"bigint", "integer", "smallint"};
  switch (content) {
    case Content::number: return std::span(numbers).first(1);
    case Content::flag: return numbers;
    default: return texts;
  }
}

void PostgresDialect::lock_schema(Connection& connection, const std::string& table) const {
  std::uint64_t key = 14'695'981'039'346'656'037ULL;  // FNV-1a: any stable hash of the name would do
  for (const char c : "flux:" + table) key = (key ^ static_cast<unsigned char>(c)) * 1'099'511'628'211ULL;
  try {
    connection.run("SELECT pg_advisory_xact_lock(" + std::to_string(static_cast<std::int64_t>(key)) + ")", 1);
  } catch (const Failure& failure) {
    if (failure.kind() != Failure::Kind::conflict) throw;
    throw Failure(failure.kind(), "another process has been busy with the table \"" + table + "\" for too long");
  }
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
