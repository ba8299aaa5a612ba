// A database as a store uses it.
#pragma once

#include "connection_pool.hpp"
#include "dialect.hpp"

#include <flux/error.hpp>
#include <flux/storage/sql_options.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

namespace flux::storage::sql {

/// How errors call a store, and what is in it.
struct StoreName {
  const char* store;
  const char* content;
};

/// Throws `Error` (bad_config) with `text` behind the store's name.
void require(bool good, const StoreName& name, const std::string& text);
/// Both throw `Error` (bad_config) where an option is out of its range.
void check_timeout(const StoreName& name, const char* option, std::chrono::milliseconds timeout);
void check_options(const StoreName& name, const std::string& table, const SqlOptions& options);

/// Connections to a database, its SQL, and calls that are tried again. Threading: any thread.
class Database {
 public:
  /// `address`: as errors call the database. `readers` may be `writers`. Nothing is connected yet.
  Database(const StoreName& name, std::string address, std::unique_ptr<Dialect> dialect,
           std::shared_ptr<ConnectionPool> writers, std::shared_ptr<ConnectionPool> readers,
           std::chrono::milliseconds call_timeout)
      : name_(name),
        address_(std::move(address)),
        call_timeout_(call_timeout),
        dialect_(std::move(dialect)),
        writers_(std::move(writers)),
        readers_(std::move(readers)) {}

  const Dialect& dialect() const { return *dialect_; }
  /// Of a call that begins now.
  TimePoint deadline() const { return std::chrono::steady_clock::now() + call_timeout_; }
  /// Of a start, and of a call that reads everything.
  TimePoint late_deadline() const { return std::chrono::steady_clock::now() + 20 * call_timeout_; }
  Error failed(const std::exception& failure) const;

  /// Has `work(connection)` prepare the database, once. Connecting has its bound, the rest has until `late_deadline()`.
  /// Errors: throws `Error` (store_failed).
  template <class Work>
  void prepare(const Work& work);

  /// What `work(connection, tries)` gives. A lost connection and a conflict are tried again until the deadline, and
  /// `work` is told how often it was tried. A connection to a server that takes no writes (any more) is given up, and
  /// another one is tried once. Errors: throws `Failure`.
  template <class Work>
  auto write(TimePoint until, const Work& work) {
    return with_connection(*writers_, until, work);
  }
  template <class Work>
  auto read(TimePoint until, const Work& work) {
    return with_connection(*readers_, until, work);
  }

 private:
  template <class Work>
  static auto with_connection(ConnectionPool& pool, TimePoint deadline, const Work& work);
  /// Whether what failed is to be tried again, at once.
  static bool again(ConnectionPool& pool, TimePoint deadline, const Failure& failure, int tries);

  const StoreName name_;
  const std::string address_;
  const std::chrono::milliseconds call_timeout_;
  const std::unique_ptr<Dialect> dialect_;
  const std::shared_ptr<ConnectionPool> writers_, readers_;
};

template <class Work>
void Database::prepare(const Work& work) {
  try {
    const auto lease = writers_->lease(std::chrono::steady_clock::now());
    (*lease).set_deadline(late_deadline());
    work(*lease);
  } catch (const Failure& failure) {
    throw failed(failure);
  }
}

template <class Work>
auto Database::with_connection(ConnectionPool& pool, TimePoint deadline, const Work& work) {
  for (int tries = 0;; ++tries) {
    try {
      auto lease = pool.lease(deadline);
      try {
        return work(*lease, tries);
      } catch (const Failure& failure) {
        if (failure.kind() == Failure::Kind::lost || failure.kind() == Failure::Kind::read_only) lease.drop();
        throw;
      }
    } catch (const Failure& failure) {
      if (!again(pool, deadline, failure, tries)) throw;
    }
  }
}

}  // namespace flux::storage::sql
