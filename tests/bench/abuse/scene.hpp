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

inline constexpr const char* full_room = "full";  ///< keeps as much as a room may: items and chat
inline constexpr const char* static_file = "page.html";
inline constexpr const char* unknown_file = "00000000-0000-4000-8000-000000000000";

/// A server on its defaults that has all it may keep: rooms, items, chat, the public space. It runs on the calling
/// thread, so that each turn of its loop can be timed.
class Scene {
 public:
  /// `folder`: for its files; there, and empty.
  explicit Scene(const std::string& folder);
  ~Scene();

  std::uint16_t port() const { return server_->port(); }
  Stats stats() const { return server_->stats(); }

  /// Runs one turn, or waits at most `most` for one. Returns the CPU time that it took of this thread.
  std::chrono::nanoseconds turn(std::chrono::milliseconds most);

 private:
  void fill();

  asio::io_context context_{1};
  std::unique_ptr<Server> server_;
  std::unique_ptr<socketio::Io> io_;
};

/// What the process has allocated and not given back: exact, where the resident set keeps what was freed.
std::int64_t allocated_bytes();

}  // namespace flux::bench
