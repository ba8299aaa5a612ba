// Where large blocks of memory end.
#pragma once

#include <flux/detail/core/side_thread.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace flux::core {

/// Gives large strings back to the system on a thread of its own: for 100 MB that takes ten milliseconds and more,
/// which no event loop should spend at once. The thread begins with the first of them.
/// Threading: any thread. Ownership: by those who may have something to give it, what it has made among them.
class Reclaimer : public std::enable_shared_from_this<Reclaimer> {
 public:
  static constexpr std::size_t large_bytes = 1'000'000;

  /// Frees `bytes`: here where they are few.
  void take(std::string bytes) noexcept {
    if (bytes.capacity() < large_bytes) return;
    try {
      thread_.run([taken = std::make_shared<std::string>(std::move(bytes))] {});
    } catch (const std::exception&) {  // no memory for that: here, then
    }
  }

  /// Bytes that end there, whoever lets go of them last; where they are few, with him.
  std::shared_ptr<const std::string> share(std::string bytes) {
    if (bytes.capacity() < large_bytes) return std::make_shared<const std::string>(std::move(bytes));
    return make<std::string>(std::move(bytes));
  }

  /// A new `T`, which holds much, and ends there, whoever lets go of it last.
  template <class T, class... Arguments>
  std::shared_ptr<T> make(Arguments&&... arguments) {
    auto made = std::make_unique<T>(std::forward<Arguments>(arguments)...);
    return std::shared_ptr<T>(made.release(),
                              [self = shared_from_this()](T* last) { self->end(std::unique_ptr<T>(last)); });
  }

 private:
  template <class T>
  void end(std::unique_ptr<T> last) noexcept {
    try {
      thread_.run([ending = std::shared_ptr<T>(std::move(last))] {});
    } catch (const std::exception&) {
    }
  }

  SideThread thread_;
};

}  // namespace flux::core
