// Connections that calls share, one call at a time each.
#pragma once

#include "connection.hpp"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace flux::storage::sql {

/// Makes connections when they are needed, up to its size, and makes lost ones anew, with pauses that grow from 50 ms
/// to 1 s. Threading: any thread.
class ConnectionPool {
 public:
  /// Makes a connection, within a bound of its own. Errors: throws `Failure`.
  using Connect = std::function<std::unique_ptr<Connection>()>;

  ConnectionPool(std::size_t size, Connect connect) : size_(size), connect_(std::move(connect)) {}

  /// A connection on loan. It goes back when this ends, but one that was `drop`ped.
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

  /// A connection, whose deadline is set. Errors: throws `Failure` where there is none until `deadline`; while the
  /// database is known to be away, at once but for one caller in each pause, who tries to connect.
  Lease lease(TimePoint deadline);
  /// The same with one attempt to connect, whose failure is final. The deadline is that of waiting for a free connection,
  /// or for another caller's attempt.
  Lease lease_for_start(TimePoint deadline);
  /// A call found no database until its deadline: later calls need not wait.
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
  std::size_t lent_ = 0;  // or being made
  std::size_t connecting_ = 0;
  // Of a database that does not answer:
  std::chrono::milliseconds pause_{0};
  TimePoint next_try_{};
  bool away_ = false;
  std::string why_;
};

}  // namespace flux::storage::sql
