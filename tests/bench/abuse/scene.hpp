#pragma once

#include <asio.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <flux/flux.hpp>
#include <flux/socketio.hpp>

namespace flux::bench {

inline constexpr const char* full_room = "full";  ///< holds as many items and as much chat as a room may
inline constexpr const char* static_file = "page.html";
inline constexpr const char* unknown_file = "00000000-0000-4000-8000-000000000000";

/// A server with default settings, filled to its limits: rooms, items, chat, the public space. It runs on the calling
/// thread, so that each turn of its loop can be timed.
class Scene {
 public:
  /// `folder`: for its files; must exist and be empty. `deflate`: whether WebSocket messages may be compressed.
  Scene(const std::string& folder, bool deflate);
  ~Scene();

  std::uint16_t port() const { return server_->port(); }
  Stats stats() const { return server_->stats(); }

  /// Runs one turn, or waits at most `most` for one. Returns the CPU time that this thread spent on it.
  std::chrono::nanoseconds turn(std::chrono::milliseconds most);

 private:
  void fill();

  asio::io_context context_{1};
  std::unique_ptr<Server> server_;
  std::unique_ptr<socketio::Io> io_;
};

/// The bytes that the process has allocated and not freed. Exact, whereas the resident set also counts freed memory.
std::int64_t allocated_bytes();

}  // namespace flux::bench
