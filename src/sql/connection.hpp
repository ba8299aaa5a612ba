// A connection to a database, whichever it is.
#pragma once

#include "statement.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

namespace flux::storage::sql {

using TimePoint = std::chrono::steady_clock::time_point;

/// What a database refused. It is thrown, because a transaction is easiest to read that way; it ends in the stores'
/// calls, which give results.
class Failure : public std::runtime_error {
 public:
  enum class Kind : std::uint8_t {
    lost,       ///< the connection is gone, or was never there: try again on another one
    read_only,  ///< the server takes no writes; another connection may lead to the one that has taken its place
    conflict,   ///< somebody else was in the way: try again
    duplicate,  ///< a unique key is there already
    bad_value,  ///< one of the values is not for this column
    other,
  };
  Failure(Kind kind, const std::string& text) : std::runtime_error(text), kind_(kind) {}
  Kind kind() const noexcept { return kind_; }

 private:
  Kind kind_;
};

/// Of a column that is never NULL, but where somebody else has written it. Errors, of both: throw `Failure`.
const std::string& to_text(const std::optional<std::string>& column);
std::int64_t to_int(const std::optional<std::string>& column);

/// Threading: one thread at a time.
class Connection {
 public:
  virtual ~Connection() = default;
  /// Runs `statement`; gives its rows where it has `columns`. Errors: throws `Failure`.
  virtual Rows run(const Statement& statement, std::size_t columns = 0) = 0;
  /// What runs later than this fails, where the database could make us wait. Where it is past the usual timeout of
  /// calls the server, too, may take so long, but for waiting for others.
  virtual void set_deadline(TimePoint deadline) = 0;

  Rows run(const std::string& text, std::size_t columns = 0) { return run(Statement(text), columns); }
};

/// Ends with `commit`, or is taken back.
class Transaction {
 public:
  Transaction(Connection& connection, const std::string& begin) : connection_(connection) { connection_.run(begin); }
  ~Transaction() {
    if (done_) return;
    try {
      connection_.run("ROLLBACK");
    } catch (const Failure&) {  // it went with its connection; the failure that led here is the one to tell
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
