// Connections shared by calls, one call at a time each.
#pragma once

#include "connection.hpp"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace flux::storage::sql {

/// Opens connections on demand, up to its size, and replaces lost ones, with pauses that grow from 50 ms to 1 s.
/// Threading: any thread.
class ConnectionPool {
 public:
  /// Opens a connection, with a timeout of its own. Errors: throws `Failure`.
  using Connect = std::function<std::unique_ptr<Connection>()>;

  ConnectionPool(std::size_t size, Connect connect) : size_(size), connect_(std::move(connect)) {}

  /// A borrowed connection. The destructor returns it, unless it was `drop`ped.
  class Lease {
   public:
    Lease(ConnectionPool& pool, std::unique_ptr<Connection> connection)
        : pool_(pool), connection_(std::move(connection)) {}
    ~Lease() { pool_.give_back(std::move(connection_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Connection& operator*() const { return *connection_; }
    void drop() { connection_.reset(); }

   private:
    ConnectionPool& pool_;
    std::unique_ptr<Connection> connection_;
  };

  /// Returns a connection with this deadline. Errors: throws `Failure` if there is none by then; at once while the database
  /// is known to be unreachable, except for one caller per pause, which tries to connect.
  Lease lease(TimePoint deadline);
  /// The same with one attempt to connect, whose failure is final. The deadline is that of waiting for a free connection,
  /// or for another caller's attempt.
  Lease lease_for_start(TimePoint deadline);
  /// Notes that a call could not reach the database until its deadline: later calls need not wait.
  void found_away();
  bool is_away();

 private:
  struct Idle {
    std::unique_ptr<Connection> connection;
    TimePoint since;
  };

  Lease lease(TimePoint deadline, TimePoint attempts_until);
  std::unique_ptr<Connection> take(TimePoint deadline);
  std::unique_ptr<Connection> make(TimePoint deadline, TimePoint attempts_until);
  void give_back(std::unique_ptr<Connection> connection);

  const std::size_t size_;
  const Connect connect_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Idle> idle_;
  std::size_t lent_ = 0;  // or being opened
  std::size_t connecting_ = 0;
  // While the database does not answer:
  std::chrono::milliseconds pause_{0};
  TimePoint next_try_{};
  bool away_ = false;
  std::string why_;
};

}  // namespace flux::storage::sql
