// The methods that clients may call: the application's, and those that modules bring.
#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/error.hpp>
#include <flux/events.hpp>

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace flux::features {

/// Every protocol that has calls speaks all of its methods.
/// Threading: set before the server starts; then any thread.
class RequestTable {
 public:
  /// A second handler for the same method replaces the first; an empty one removes it. Errors: throws `Error`:
  /// bad_config for a name that no client could send.
  void set(std::string_view method, CallHandler handler, std::size_t name_bytes_max) {
    if (method.empty() || method.size() > name_bytes_max || !core::valid_utf8(method)) {
      throw Error(Errc::bad_config, "the name of a method is UTF-8 of 1 to " + std::to_string(name_bytes_max) +
                                        " bytes, not \"" + core::shown(method) + "\"");
    }
    const auto found = handlers_.find(method);
    if (found != handlers_.end()) handlers_.erase(found);
    if (handler) handlers_.emplace(method, std::move(handler));
  }
  /// Null: there is no such method.
  const CallHandler* find(std::string_view method) const {
    const auto found = handlers_.find(method);
    return found == handlers_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::string, CallHandler, std::less<>> handlers_;
};

}  // namespace flux::features
