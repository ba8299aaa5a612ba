// What a Socket.IO middleware is asked.
#pragma once

#include <flux/json.hpp>

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace flux::detail {

/// A middleware's question. Answered once; asked in vain, it refuses.
struct SocketIoQuestion {
  using Answer = std::function<void(bool admitted, std::string message, std::optional<JsonText> data)>;
  explicit SocketIoQuestion(Answer a) : answer(std::move(a)) {}
  SocketIoQuestion(const SocketIoQuestion&) = delete;
  SocketIoQuestion& operator=(const SocketIoQuestion&) = delete;
  ~SocketIoQuestion() { give(false, "nobody answered", {}); }
  void give(bool admitted, std::string message, std::optional<JsonText> data) {
    Answer once;
    {
      const std::lock_guard lock(mutex);
      once.swap(answer);
    }
    if (once) once(admitted, std::move(message), std::move(data));
  }
  std::mutex mutex;
  Answer answer;
};

}  // namespace flux::detail
