// A database as a store uses it.
#pragma once

#include "connection_pool.hpp"
#include "dialect.hpp"

#include <flux/error.hpp>
#include <flux/storage/sql.hpp>

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <thread>

namespace flux::storage::sql {

/// What errors call a store and its content.
struct StoreName {
  const char* store;
  const char* content;
};

/// Unless `good`, throws `Error` (bad_config) with `text` after the store's name.
void require(bool good, const StoreName& name, const std::string& text);
/// These throw `Error` (bad_config) if an option is out of its range.
void check_timeout(const StoreName& name, const char* option, std::chrono::milliseconds timeout);
void check_table(const StoreName& name, const std::string& table);
void check_options(const SqlOptions& options);

/// What the stores in one database share. Threading: any thread.
struct Access {
  std::string address;  ///< what errors call the database
  std::unique_ptr<Dialect> dialect;
  std::shared_ptr<ConnectionPool> writers;
  std::shared_ptr<ConnectionPool> readers;  ///< may be `writers`
  std::chrono::milliseconds call_timeout{0};
};

/// A database as one store uses it: its SQL, and calls that are retried. Threading: any thread.
class Database {
 public:
  /// Does not connect yet.
  Database(const StoreName& name, std::shared_ptr<const Access> access) : name_(name), access_(std::move(access)) {}

  const Dialect& dialect() const { return *access_->dialect; }
  /// The deadline of a call that begins now.
  TimePoint deadline() const { return std::chrono::steady_clock::now() + access_->call_timeout; }
  /// The deadline of a start, and of a call that reads everything.
  TimePoint late_deadline() const { return std::chrono::steady_clock::now() + 20 * access_->call_timeout; }
  /// The error of a call: invalid_argument if a value does not suit its column, else store_failed.
  Error failed(const Failure& failure) const;

  /// Has `work(connection)` prepare the database. Waits for a free connection until `deadline()`, tries to connect once,
  /// and gives the rest until `late_deadline()`.
  /// Errors: throws `Error` (store_failed).
  template <class Work>
  void prepare(const Work& work);

  /// Returns the result of `work(connection, tries)`. After a lost connection or a conflict it is retried until the
  /// deadline; `tries` counts the earlier attempts. A connection to a server that accepts no writes is closed, and another
  /// one is tried once. Errors: throws `Failure`.
  template <class Work>
  auto write(TimePoint until, const Work& work) {
    return with_connection(*access_->writers, until, work);
  }
  /// Runs `work(connection)` in a transaction, until `deadline()`. Also for a single statement: if the connection is lost,
  /// only a pending commit can still take effect. Errors: as `failed`.
  template <class Work>
  Result<void> transact(const Work& work);
  /// Runs `work(connection, batch)` in a transaction, and sets the `result` of each in the batch. If a value does not suit
  /// its column, it runs for each alone, so that one does not fail the others.
  template <class Pending, class Work>
  void transact_all(std::span<const Pending> batch, TimePoint until, const Work& work);
  template <class Work>
  auto read(TimePoint until, const Work& work) {
    return with_connection(*access_->readers, until, work);
  }

 private:
  template <class Work>
  void write_transaction(TimePoint until, const Work& work);
  template <class Work>
  static auto with_connection(ConnectionPool& pool, TimePoint deadline, const Work& work);
  /// Whether to retry after this failure, at once.
  static bool again(ConnectionPool& pool, TimePoint deadline, const Failure& failure, int tries);
  std::string text_of(const Failure& failure) const;

  const StoreName name_;
  const std::shared_ptr<const Access> access_;
};

template <class Work>
void Database::prepare(const Work& work) {
  try {
    const auto lease = access_->writers->lease_for_start(deadline());
    (*lease).set_deadline(late_deadline());
    work(*lease);
  } catch (const Failure& failure) {
    throw Error(Errc::store_failed, text_of(failure));
  }
}

template <class Work>
Result<void> Database::transact(const Work& work) {
  try {
    write_transaction(deadline(), work);
    return {};
  } catch (const Failure& failure) {
    return failed(failure);
  }
}

template <class Pending, class Work>
void Database::transact_all(std::span<const Pending> batch, TimePoint until, const Work& work) {
  try {
    write_transaction(until, [&](Connection& connection) { work(connection, batch); });
  } catch (const Failure& failure) {
    if (failure.kind() == Failure::Kind::bad_value && batch.size() > 1) {
      for (std::size_t i = 0; i < batch.size(); ++i) transact_all(batch.subspan(i, 1), until, work);
      return;
    }
    for (const Pending& pending : batch) *pending.result = failed(failure);
  }
}

template <class Work>
void Database::write_transaction(TimePoint until, const Work& work) {
  write(until, [&](Connection& connection, int) {
    Transaction transaction(connection, dialect().begin());
    work(connection);
    transaction.commit();
  });
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
