// MySQL and MariaDB, through MariaDB's client library.
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

/// Our own descriptor of the client library's socket, because the library may close its descriptor at any time.
class SocketCopy {
 public:
  SocketCopy() = default;
  ~SocketCopy() { reset(); }
  SocketCopy(const SocketCopy&) = delete;
  SocketCopy& operator=(const SocketCopy&) = delete;

  /// Replaces the descriptor by a copy of `socket`. Returns false if there are no more file descriptors.
  bool copy(int socket);
  void reset();
  int number() const { return number_; }

 private:
  int number_ = -1;
};

/// The library's timeouts are in seconds and apply to each read: a server that sends a byte now and then would never
/// exceed them. So the `CallGuard` limits each call as a whole, including the login.
class MysqlConnection final : public Connection {
 public:
  /// Connects, within `timeouts.connect` after the host's address is known. Errors: throws `Failure`.
  MysqlConnection(const MysqlParameters& parameters, const MysqlTimeouts& timeouts, std::shared_ptr<CallGuard> guard);

  using Connection::run;
  Rows run(const Statement& statement, std::size_t columns) override;
  void set_deadline(TimePoint deadline) override { deadline_ = deadline; }

 private:
  struct Close {
    void operator()(MYSQL* connection) const { mysql_close(connection); }
  };

  void log_in(const MysqlParameters& parameters, TimePoint until);
  /// Without values: sent as text, because not every statement can be prepared.
  Rows query(const std::string& text, std::size_t columns);
  /// With values, which are sent separately: prepared and executed in one round trip (MySQL needs two).
  Rows execute(const Statement& statement, std::size_t columns);

  const std::shared_ptr<CallGuard> guard_;
  SocketCopy socket_;
  std::unique_ptr<MYSQL, Close> connection_;  // none: it was lost
  TimePoint deadline_ = TimePoint::max();
  std::size_t packet_bytes_max_ = std::numeric_limits<std::size_t>::max();  // until the server has reported it
};

}  // namespace flux::storage::sql
