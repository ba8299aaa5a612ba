// Frees large blocks of memory outside the event loops.
#pragma once

#include <flux/detail/core/side_thread.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace flux::core {

/// Returns large strings to the system on a thread of its own: for 100 MB that takes 10 ms and more, too long for an
/// event loop. The thread starts with the first large string.
/// Threading: any thread. Ownership: shared by its users and by the objects it created.
class Reclaimer : public std::enable_shared_from_this<Reclaimer> {
 public:
  static constexpr std::size_t large_bytes = 1'000'000;

  /// Frees `bytes`; small strings at once, on the calling thread.
  void take(std::string bytes) noexcept {
    if (bytes.capacity() < large_bytes) return;
    try {
      thread_.run([taken = std::make_shared<std::string>(std::move(bytes))] {});
    } catch (const std::exception&) {  // out of memory: freed here
    }
  }

  /// Shares `bytes`, which are freed on the reclaimer's thread, whichever thread releases them last; if they are few,
  /// on that thread.
  std::shared_ptr<const std::string> share(std::string bytes) {
    if (bytes.capacity() < large_bytes) return std::make_shared<const std::string>(std::move(bytes));
    return make<std::string>(std::move(bytes));
  }

  /// Creates a `T` whose destructor runs on the reclaimer's thread, whichever thread releases it last.
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
