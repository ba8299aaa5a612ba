// The requests that clients may send besides those of each protocol: calls of the application's methods, and those that
// features and modules add.
#pragma once

#include <flux/detail/core/members.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/error.hpp>
#include <flux/events.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace flux::features {

/// A request of every protocol that has requests: in protocol live a message of this type, in data sharing an event
/// with this name whose argument is an object with the members. `name` and the members' names outlive the server.
struct Request : core::RequestShape {
  using Done = std::function<void(Result<JsonText>)>;
  /// Acts for the client and passes the answer to `done`, once: immediately, or later on the client's loop. The members
  /// are valid only during the call.
  using Act = std::function<void(Participant&, const core::Members&, const Done& done)>;

  Request(core::RequestShape shape, Act does) : RequestShape(shape), act(std::move(does)) {}
  Act act;
};

/// Threading: changed only before the server starts; after that, any thread may read it.
class RequestTable {
 public:
  /// Adds a request. Errors: throws `Error`: bad_config if the name is empty or taken.
  void add(Request request) {
    const std::string name(request.name);
    if (name.empty() || taken_.count(name) != 0 || !requests_.emplace(name, std::move(request)).second) {
      throw Error(Errc::bad_config, "a request may not be called \"" + core::shown(name) + "\": the name is taken");
    }
  }
  /// Reserves the name of a protocol's own request. Errors: throws `Error`: bad_config if a request was added under it.
  void reserve(std::string_view name) {
    if (request(name) != nullptr) {
      throw Error(Errc::bad_config, "the request \"" + core::shown(name) + "\" was added under a protocol's own name");
    }
    taken_.emplace(name);
  }
  /// Null: no request was added under this name.
  const Request* request(std::string_view name) const {
    const auto found = requests_.find(name);
    return found == requests_.end() ? nullptr : &found->second;
  }

  /// A method of the application: its handler, and what the client's grant must allow.
  struct Method {
    CallHandler handler;
    std::string operation{};  // empty: nothing
    std::string name{};
  };

  /// Sets the handler of a method, which clients reach with the request `call`; it must not be empty. A second handler for
  /// the same method replaces the first. Errors: throws `Error`: bad_config for a name that no client could send, and for a
  /// permission that is not "operation:name".
  void set(std::string_view method, CallHandler handler, std::size_t name_bytes_max, const CallOptions& options = {}) {
    if (method.empty() || method.size() > name_bytes_max || !core::valid_utf8(method)) {
      throw Error(Errc::bad_config, "the name of a method must be UTF-8 of 1 to " + std::to_string(name_bytes_max) +
                                        " bytes, not \"" + core::shown(method) + "\"");
    }
    Method made{std::move(handler)};
    if (const std::string& permission = options.permission; !permission.empty()) {
      const std::size_t colon = std::min(permission.find(':'), permission.size());
      made.operation = permission.substr(0, colon);
      made.name = permission.substr(std::min(colon + 1, permission.size()));
      if (made.operation.empty() || made.name.empty() || permission.find('*') != std::string::npos) {
        throw Error(Errc::bad_config, "CallOptions::permission of the method \"" + core::shown(method) +
                                          "\" must be \"operation:name\" without *, such as \"run:reports\", not \"" +
                                          core::shown(permission) + "\"");
      }
    }
    const auto found = methods_.find(method);
    if (found != methods_.end()) methods_.erase(found);
    methods_.emplace(method, std::move(made));
  }
  /// Null: there is no such method.
  const Method* find(std::string_view method) const {
    const auto found = methods_.find(method);
    return found == methods_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::string, Request, std::less<>> requests_;
  std::set<std::string, std::less<>> taken_;
  std::map<std::string, Method, std::less<>> methods_;
};

}  // namespace flux::features
