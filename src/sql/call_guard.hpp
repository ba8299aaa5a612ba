// A timeout for calls into libraries that have none.
#pragma once

#include "connection.hpp"

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace flux::storage::sql {

/// MariaDB's client library has a timeout for each read, but none for a call. This shuts down the socket of a call that
/// takes too long: the library then finds the connection closed. Threading: any thread.
class CallGuard {
 public:
  CallGuard() : thread_([this] { work(); }) {}
  ~CallGuard();
  CallGuard(const CallGuard&) = delete;
  CallGuard& operator=(const CallGuard&) = delete;

  /// Watches one call. `socket` must stay open meanwhile.
  class Watch {
   public:
    Watch(CallGuard& guard, int socket, TimePoint deadline);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    bool was_late() const;

   private:
    friend class CallGuard;
    CallGuard& guard_;
    const int socket_;
    std::multimap<TimePoint, Watch*>::iterator place_;
    bool late_ = false;  // guarded by the guard's mutex, as `place_`
  };

 private:
  void work();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<TimePoint, Watch*> watches_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace flux::storage::sql
