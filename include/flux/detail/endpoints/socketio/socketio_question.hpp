// The question that a Socket.IO middleware answers.
#pragma once

#include <flux/json.hpp>

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace flux::detail {

/// A question to a middleware. The first answer counts; if it is destroyed without one, the answer is a refusal.
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
