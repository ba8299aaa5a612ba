// A connection to a database of any kind.
#pragma once

#include "statement.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

namespace flux::storage::sql {

using TimePoint = std::chrono::steady_clock::time_point;

/// An error of a database. It is thrown, because transactions are easiest to read that way, and caught in the stores'
/// calls, which return results.
class Failure : public std::runtime_error {
 public:
  enum class Kind : std::uint8_t {
    lost,       ///< the connection was lost or not established: retry on another one
    read_only,  ///< the server accepts no writes; another connection may lead to its successor
    conflict,   ///< another transaction was in the way: retry
    duplicate,  ///< a unique key exists already
    bad_value,  ///< a value does not suit its column
    other,
  };
  Failure(Kind kind, const std::string& text) : std::runtime_error(text), kind_(kind) {}
  Kind kind() const noexcept { return kind_; }

 private:
  Kind kind_;
};

/// The value of a column that is NULL or malformed only if another program wrote it. Errors: both throw `Failure`.
const std::string& to_text(const std::optional<std::string>& column);
std::int64_t to_int(const std::optional<std::string>& column);

/// Threading: one thread at a time.
class Connection {
 public:
  virtual ~Connection() = default;
  /// Runs `statement`; returns its rows if it has `columns`. Errors: throws `Failure`.
  virtual Rows run(const Statement& statement, std::size_t columns = 0) = 0;
  /// Statements fail after this time, if the database could make us wait. If it is later than the usual timeout of calls,
  /// the server's own timeout is extended as well, except the one for locks.
  virtual void set_deadline(TimePoint deadline) = 0;

  Rows run(const std::string& text, std::size_t columns = 0) { return run(Statement(text), columns); }
};

/// Ended by `commit`, or rolled back.
class Transaction {
 public:
  Transaction(Connection& connection, const std::string& begin) : connection_(connection) { connection_.run(begin); }
  ~Transaction() {
    if (done_) return;
    try {
      connection_.run("ROLLBACK");
    } catch (const Failure&) {  // lost with its connection; the failure that led here is the one to report
    }
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void commit() {
    connection_.run("COMMIT");
    done_ = true;
  }

 private:
  Connection& connection_;
  bool done_ = false;
};

}  // namespace flux::storage::sql
