// A connected client as the gate sees it.
#pragma once

#include <flux/error.hpp>
#include <flux/grant.hpp>

#include <memory>
#include <string_view>

namespace flux::core {

/// A client that is connected with a grant, which can end before the connection does. Threading: any thread.
class GrantHolder {
 public:
  virtual ~GrantHolder() = default;
  /// Null: an empty one.
  virtual std::shared_ptr<const Grant> grant() const = 0;
  /// The grant has ended: the client leaves its rooms and is disconnected.
  virtual void end_access(CloseCode code, std::string_view reason) = 0;
};

}  // namespace flux::core
