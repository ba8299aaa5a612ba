// MySQL and MariaDB, over MariaDB's client library.
#pragma once

#include "call_guard.hpp"
#include "connection.hpp"
#include "mysql_parameters.hpp"

#include <mysql.h>

#include <chrono>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>

namespace flux::storage::sql {

struct MysqlTimeouts {
  std::chrono::milliseconds connect;
  std::chrono::milliseconds call;
};

/// A descriptor of our own for the socket of the client library, which may close its one at any time.
class SocketCopy {
 public:
  SocketCopy() = default;
  ~SocketCopy() { reset(); }
  SocketCopy(const SocketCopy&) = delete;
  SocketCopy& operator=(const SocketCopy&) = delete;

  /// Takes a copy of `socket` in place of the one it had. False: there are no more file descriptors.
  bool copy(int socket);
  void reset();
  int number() const { return number_; }

 private:
  int number_ = -1;
};

/// The library counts in seconds, and for each read by itself: a server that sends a byte now and then would never be
/// late. So the `CallGuard` bounds each call as a whole, the login included.
class MysqlConnection final : public Connection {
 public:
  /// Connects, within `timeouts.connect` from when the host's address is known. Errors: throws `Failure`.
  MysqlConnection(const MysqlParameters& parameters, const MysqlTimeouts& timeouts, std::shared_ptr<CallGuard> guard);

  using Connection::run;
  Rows run(const Statement& statement, std::size_t columns) override;
  void set_deadline(TimePoint deadline) override { deadline_ = deadline; }

 private:
  struct Close {
    void operator()(MYSQL* connection) const { mysql_close(connection); }
  };

  void log_in(const MysqlParameters& parameters, TimePoint until);
  /// Without values: as text, as not every statement can be prepared.
  Rows query(const std::string& text, std::size_t columns);
  /// With values, which travel beside the text: prepared and executed in one round trip (MySQL needs two).
  Rows execute(const Statement& statement, std::size_t columns);

  const std::shared_ptr<CallGuard> guard_;
  SocketCopy socket_;
  std::unique_ptr<MYSQL, Close> connection_;  // none: it was lost
  TimePoint deadline_ = TimePoint::max();
  std::size_t packet_bytes_max_ = std::numeric_limits<std::size_t>::max();  // until the server has told it
};

}  // namespace flux::storage::sql
