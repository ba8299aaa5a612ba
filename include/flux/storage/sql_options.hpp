// What every store in SQLite, PostgreSQL and MySQL is told.
#pragma once

#include <chrono>
#include <cstddef>

namespace flux {

struct SqlOptions {
  /// Connections to a database server, or readers of a file beside its one writer; 1 to 256. Each worker of the server
  /// needs one at a time: `worker_threads` in `Config` for chat, in `RoomsOptions` and `FilesOptions` for the others.
  std::size_t connections = 4;
  /// For a call, while which a lost connection is made anew and the call tried again; 100 ms to a day. A start, and a
  /// call that reads everything, may take 20 times as long.
  std::chrono::milliseconds call_timeout{5'000};
  /// For a new connection, from when the address of its host is known; 100 ms to a day. PostgreSQL counts in seconds, and
  /// from 2 on.
  std::chrono::milliseconds connect_timeout{3'000};
};

}  // namespace flux
