#include "connection_pool.hpp"

#include <algorithm>

namespace flux::storage::sql {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {
constexpr std::chrono::milliseconds first_pause = 50ms;
constexpr std::chrono::milliseconds last_pause = 1s;
/// Routers and servers drop silent connections: one that was idle for longer is checked first.
constexpr std::chrono::milliseconds trusted_for = 30s;
}  // namespace

ConnectionPool::Lease ConnectionPool::lease(TimePoint deadline) { return lease(deadline, deadline); }

ConnectionPool::Lease ConnectionPool::lease_for_start(TimePoint deadline) { return lease(deadline, Clock::now()); }

ConnectionPool::Lease ConnectionPool::lease(TimePoint deadline, TimePoint attempts_until) {
  auto connection = take(deadline);
  try {
    if (!connection) connection = make(deadline, attempts_until);
    connection->set_deadline(deadline);  // which may send a statement
  } catch (...) {
    give_back(nullptr);
    throw;
  }
  return {*this, std::move(connection)};
}

/// Returns an idle connection, or null if a new one may be opened.
std::unique_ptr<Connection> ConnectionPool::take(TimePoint deadline) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_until(lock, deadline, [this] { return lent_ < size_; })) {
    throw Failure(Failure::Kind::other,
                  "all " + std::to_string(size_) + " connections to the database were in use for too long");
  }
  ++lent_;
  if (idle_.empty()) return nullptr;
  Idle idle = std::move(idle_.back());
  idle_.pop_back();
  lock.unlock();
  if (Clock::now() - idle.since < trusted_for) return std::move(idle.connection);
  try {
    idle.connection->set_deadline(deadline);
    idle.connection->run("SELECT 1", 1);
    return std::move(idle.connection);
  } catch (const Failure&) {
    return nullptr;
  }
}

/// After `attempts_until` a failed attempt is not repeated.
std::unique_ptr<Connection> ConnectionPool::make(TimePoint deadline, TimePoint attempts_until) {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      const bool pausing = Clock::now() < next_try_;
      const TimePoint until = connecting_ > 0 ? deadline : attempts_until;
      if (pausing && (away_ || next_try_ > until)) throw Failure(Failure::Kind::lost, why_);
      if (pausing) {
        changed_.wait_until(lock, next_try_);
        continue;
      }
      // Others wait during this attempt.
      pause_ = std::clamp(pause_ * 2, first_pause, last_pause);
      next_try_ = Clock::now() + pause_;
      ++connecting_;
    }
    try {
      auto connection = connect_();
      const std::lock_guard lock(mutex_);
      --connecting_;
      pause_ = 0ms;
      next_try_ = {};
      away_ = false;
      changed_.notify_all();
      return connection;
    } catch (const Failure& failure) {
      const std::lock_guard lock(mutex_);
      --connecting_;
      why_ = failure.what();
      next_try_ = Clock::now() + pause_;
      if (failure.kind() != Failure::Kind::lost || away_ || next_try_ > attempts_until) throw;
    }
  }
}

void ConnectionPool::found_away() {
  const std::lock_guard lock(mutex_);
  away_ = true;
}

bool ConnectionPool::is_away() {
  const std::lock_guard lock(mutex_);
  return away_;
}

void ConnectionPool::give_back(std::unique_ptr<Connection> connection) {
  std::vector<Idle> doubtful;
  const std::lock_guard lock(mutex_);
  --lent_;
  if (connection) {
    idle_.push_back({std::move(connection), Clock::now()});
  } else {
    doubtful.swap(idle_);  // what happened to one has probably happened to all
  }
  changed_.notify_all();
}

}  // namespace flux::storage::sql
