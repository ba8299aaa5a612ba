#include "mysql_connection.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <new>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace flux::storage::sql {

namespace {

constexpr const char* late = "the database did not answer in time";

unsigned int seconds_of(std::chrono::milliseconds time) {
  return static_cast<unsigned int>(std::chrono::ceil<std::chrono::seconds>(time).count());
}

/// Errors that the server and the client library number (mysqld_error.h, errmsg.h; the same in MySQL and MariaDB).
Failure::Kind kind_of(unsigned int number) {
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
    case 2012:                                   // broken handshake
    case 2013:                                   // lost connection
    case 2014:                                   // commands out of sync: a reply was not read to its end
    case 2020:                                   // a reply is larger than the library accepts, and was not read
    case 2026:                                   // TLS
    case 2027:                                   // malformed packet
    case 2055:                                   // lost connection, with the system's error
    case 4031:                                   // closed because it was idle
    case 5013:                                   // can't read
    case 5014: return Failure::Kind::lost;       // can't write
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

/// In one line.
Failure failure_of(unsigned int number, std::string_view message) {
  std::string words(message);
  std::replace(words.begin(), words.end(), '\n', ' ');
  while (!words.empty() && words.back() == ' ') words.pop_back();
  return {kind_of(number), words};
}

Failure failure_of(MYSQL& connection) { return failure_of(mysql_errno(&connection), mysql_error(&connection)); }
Failure failure_of(MYSQL_STMT& statement) {
  return failure_of(mysql_stmt_errno(&statement), mysql_stmt_error(&statement));
}

/// Lets a slow statement run as long as the server's machine answers probes, the first after 30 s. Sockets that are not
/// TCP refuse this; they report the end of the server anyway.
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

/// None: the library's default.
const char* value_of(const MysqlParameters& parameters, const char* name) {
  const auto found = parameters.find(name);
  return found == parameters.end() ? nullptr : found->second.c_str();
}

void set_options(MYSQL& connection, const MysqlParameters& parameters, std::chrono::milliseconds connect_timeout) {
  const auto set = [&connection](mysql_option option, const void* value) {
    if (mysql_options(&connection, option, value) != 0) throw failure_of(connection);
  };
  const unsigned int seconds = seconds_of(connect_timeout), no_files = 0;
  set(MYSQL_SET_CHARSET_NAME, "utf8mb4");
  set(MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
  set(MYSQL_OPT_LOCAL_INFILE, &no_files);  // the server may not request local files
  // Both, because the first alone continues unencrypted if the server offers no TLS. Always set, because defaults
  // differ.
  const my_bool encrypted = parameters.contains("sslca") ? 1 : 0;
  set(MYSQL_OPT_SSL_ENFORCE, &encrypted);
  set(MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &encrypted);
  if (encrypted == 0) return;
  set(MYSQL_OPT_SSL_CA, value_of(parameters, "sslca"));
  if (!parameters.contains("sslcert")) return;
  set(MYSQL_OPT_SSL_CERT, value_of(parameters, "sslcert"));
  set(MYSQL_OPT_SSL_KEY, value_of(parameters, "sslkey"));
}

/// Limits the time of a login. Before the login is over, the library reveals its socket only by calling our wait
/// function: first until TCP has connected or, on a UNIX socket, until the server's greeting. From then on the guard
/// watches the socket, and also limits waits that don't call us, such as those of TLS. (If the greeting on a UNIX
/// socket is already there, TLS has only the library's own timeout, which applies to each read.)
class Login {
 public:
  /// `socket` becomes a copy of the library's.
  Login(MYSQL& connection, CallGuard& guard, SocketCopy& socket, TimePoint until)
      : connection_(connection), guard_(guard), socket_(socket), until_(until) {
    current = this;
    wait_with(&Login::wait);
  }
  ~Login() {
    wait_with(nullptr);
    current = nullptr;
  }
  Login(const Login&) = delete;
  Login& operator=(const Login&) = delete;

 private:
  using Wait = int(my_socket, my_bool, int);
  void wait_with(Wait* ours) { mysql_options(&connection_, MARIADB_OPT_IO_WAIT, reinterpret_cast<const void*>(ours)); }

  /// Returns what the library expects: 1: ready, 0: late, -1: failed; then errno says why.
  static int wait(my_socket socket, my_bool for_reading, int) {
    return current->wait_for(static_cast<int>(socket), for_reading != 0 ? POLLIN : POLLOUT);
  }
  int wait_for(int socket, short events) {
    // A host may have several addresses: the socket may be another one than before.
    watch_.reset();
    if (!socket_.copy(socket)) return -1;
    watch_.emplace(guard_, socket_.number(), until_);
    using std::chrono::milliseconds;
    for (;;) {
      const auto left = std::chrono::ceil<milliseconds>(until_ - std::chrono::steady_clock::now());
      pollfd waiting{socket, events, 0};
      const int ready = ::poll(&waiting, 1, static_cast<int>(std::max(left, milliseconds(0)).count()));
      if (ready == 0) errno = ETIMEDOUT;
      if (ready >= 0 || errno != EINTR) return ready;
    }
  }

  static thread_local Login* current;  // the library passes no argument of ours to its callback

  MYSQL& connection_;
  CallGuard& guard_;
  SocketCopy& socket_;
  const TimePoint until_;
  std::optional<CallGuard::Watch> watch_;
};

thread_local Login* Login::current = nullptr;

/// The size of the length that precedes a text.
std::size_t length_bytes(std::size_t size) {
  if (size < 251) return 1;
  if (size < 1 << 16) return 3;
  return size < 1 << 24 ? 4 : 9;
}

/// The size of the larger of the statement's two packets (MySQL's manual: COM_STMT_PREPARE, COM_STMT_EXECUTE).
std::size_t packet_bytes(const Statement& statement) {
  const std::size_t count = statement.values().size();
  std::size_t bytes = 11 + (count + 7) / 8 + 2 * count;  // head, which values are NULL, types
  for (const Value& value : statement.values()) {
    if (std::holds_alternative<std::int64_t>(value)) bytes += 8;
    if (const auto* text = std::get_if<std::string>(&value)) bytes += length_bytes(text->size()) + text->size();
  }
  return std::max(bytes, statement.text().size() + 1);
}

/// The parameters point into `values`.
std::vector<MYSQL_BIND> bound(const std::vector<Value>& values) {
  std::vector<MYSQL_BIND> parameters(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    MYSQL_BIND& parameter = parameters[i];
    parameter.buffer_type = MYSQL_TYPE_NULL;
    if (const auto* number = std::get_if<std::int64_t>(&values[i])) {
      parameter.buffer_type = MYSQL_TYPE_LONGLONG;
      parameter.buffer = const_cast<std::int64_t*>(number);  // the library only reads it
    } else if (const auto* text = std::get_if<std::string>(&values[i])) {
      parameter.buffer_type = MYSQL_TYPE_STRING;
      parameter.buffer = const_cast<char*>(text->data());
      parameter.buffer_length = text->size();
    }
  }
  return parameters;
}

struct FreeResult {
  void operator()(MYSQL_RES* result) const { mysql_free_result(result); }
};
struct CloseStatement {
  void operator()(MYSQL_STMT* statement) const { mysql_stmt_close(statement); }
};

/// The rows of `executed`, fetched one by one, so that only the current row is in memory twice.
Rows rows_of(MYSQL_STMT& executed) {
  const unsigned int count = mysql_stmt_field_count(&executed);
  std::vector<MYSQL_BIND> fields(count);
  std::vector<unsigned long> lengths(count);
  std::vector<my_bool> nulls(count);
  for (unsigned int i = 0; i < count; ++i) {
    fields[i].buffer_type = MYSQL_TYPE_STRING;  // without a buffer: the length comes first
    fields[i].length = &lengths[i];
    fields[i].is_null = &nulls[i];
  }
  if (mysql_stmt_bind_result(&executed, fields.data()) != 0) throw failure_of(executed);
  Rows rows;
  for (;;) {
    const int fetched = mysql_stmt_fetch(&executed);
    if (fetched == MYSQL_NO_DATA) return rows;
    if (fetched != 0 && fetched != MYSQL_DATA_TRUNCATED) throw failure_of(executed);
    Row& row = rows.emplace_back(count);
    for (unsigned int i = 0; i < count; ++i) {
      if (nulls[i] != 0) continue;
      std::string& text = row[i].emplace(lengths[i], '\0');
      MYSQL_BIND whole{};
      whole.buffer_type = MYSQL_TYPE_STRING;
      whole.buffer = text.data();
      whole.buffer_length = text.size();
      if (mysql_stmt_fetch_column(&executed, &whole, i, 0) != 0) throw failure_of(executed);
    }
  }
}

Rows rows_of(MYSQL& connection, MYSQL_RES& result) {
  const unsigned int count = mysql_num_fields(&result);
  Rows rows;
  while (const MYSQL_ROW fields = mysql_fetch_row(&result)) {
    const unsigned long* lengths = mysql_fetch_lengths(&result);
    Row& row = rows.emplace_back(count);
    for (unsigned int i = 0; i < count; ++i) {
      if (fields[i] != nullptr) row[i].emplace(fields[i], lengths[i]);
    }
  }
  if (mysql_errno(&connection) != 0) throw failure_of(connection);
  return rows;
}

}  // namespace

bool SocketCopy::copy(int socket) {
  reset();
  number_ = ::fcntl(socket, F_DUPFD_CLOEXEC, 0);
  return number_ >= 0;
}

void SocketCopy::reset() {
  if (number_ >= 0) ::close(std::exchange(number_, -1));
}

MysqlConnection::MysqlConnection(const MysqlParameters& parameters, const MysqlTimeouts& timeouts,
                                 std::shared_ptr<CallGuard> guard)
    : guard_(std::move(guard)), connection_(mysql_init(nullptr)) {
  if (!connection_) throw std::bad_alloc();
  set_options(*connection_, parameters, timeouts.connect);
  set_deadline(std::chrono::steady_clock::now() + timeouts.connect);
  log_in(parameters, deadline_);
  const std::string wait = std::to_string(std::max(2U, seconds_of(timeouts.call)));
  // Strict: text that does not fit is refused, not cut. Read committed: fewer locks, and a retry sees what others
  // committed.
  run("SET SESSION autocommit = 1, sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', "
      "innodb_lock_wait_timeout = " +
      wait + ", lock_wait_timeout = " + wait);
  run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
  packet_bytes_max_ = static_cast<std::size_t>(to_int(run("SELECT @@max_allowed_packet", 1).at(0).at(0)));
}

void MysqlConnection::log_in(const MysqlParameters& parameters, TimePoint until) {
  const auto value = [&parameters](const char* name) { return value_of(parameters, name); };
  const char* port = value("port");
  const MYSQL* connected = nullptr;
  {
    const Login login(*connection_, *guard_, socket_, until);
    connected =
        mysql_real_connect(connection_.get(), value("host"), value("user"), value("password"), value("db"),
                           port == nullptr ? 0 : static_cast<unsigned int>(std::stoul(port)), value("unix_socket"), 0);
  }
  if (std::chrono::steady_clock::now() >= until) throw Failure(Failure::Kind::lost, late);
  if (connected == nullptr) throw failure_of(*connection_);
  const int socket = static_cast<int>(mysql_get_socket(connection_.get()));
  if (!socket_.copy(socket)) throw Failure(Failure::Kind::other, "no more file descriptors");
  keep_alive(socket);
}

Rows MysqlConnection::run(const Statement& statement, std::size_t columns) {
  if (!connection_) throw Failure(Failure::Kind::lost, "the connection to the database was lost");
  // The server closes a connection that sends a larger packet. That would look like a lost connection and cause a
  // retry.
  if (const std::size_t bytes = packet_bytes(statement); bytes > packet_bytes_max_) {
    throw Failure(Failure::Kind::bad_value, std::to_string(bytes) +
                                                " bytes are more than the server's max_allowed_packet, " +
                                                std::to_string(packet_bytes_max_));
  }
  const CallGuard::Watch watch(*guard_, socket_.number(), deadline_);
  try {
    return statement.values().empty() ? query(statement.text(), columns) : execute(statement, columns);
  } catch (const Failure& failure) {
    const bool was_late = watch.was_late();
    if (was_late || failure.kind() == Failure::Kind::lost) connection_.reset();
    if (was_late) throw Failure(Failure::Kind::lost, late);
    throw;
  }
}

Rows MysqlConnection::query(const std::string& text, std::size_t columns) {
  if (mysql_real_query(connection_.get(), text.data(), text.size()) != 0) throw failure_of(*connection_);
  const std::unique_ptr<MYSQL_RES, FreeResult> result(mysql_use_result(connection_.get()));
  if (!result && mysql_errno(connection_.get()) != 0) throw failure_of(*connection_);
  return result && columns != 0 ? rows_of(*connection_, *result) : Rows();
}

Rows MysqlConnection::execute(const Statement& statement, std::size_t columns) {
  const std::unique_ptr<MYSQL_STMT, CloseStatement> prepared(mysql_stmt_init(connection_.get()));
  if (!prepared) throw failure_of(*connection_);
  std::vector<MYSQL_BIND> parameters = bound(statement.values());
  const auto count = static_cast<unsigned int>(parameters.size());
  if (mysql_stmt_attr_set(prepared.get(), STMT_ATTR_PREBIND_PARAMS, &count) != 0 ||
      mysql_stmt_bind_param(prepared.get(), parameters.data()) != 0 ||
      mariadb_stmt_execute_direct(prepared.get(), statement.text().data(), statement.text().size()) != 0) {
    throw failure_of(*prepared);
  }
  return columns != 0 ? rows_of(*prepared) : Rows();
}

}  // namespace flux::storage::sql
