// A connected client as the gate sees it.
#pragma once

#include <flux/error.hpp>
#include <flux/grant.hpp>

#include <cstdint>
#include <memory>
#include <string_view>

namespace flux::core {

class Loop;

/// A client that is connected with a grant, which can end before the connection does.
/// Threading: `loop` and `grant` on any thread. The others are called on the loop, outside the client's own callbacks: a
/// handler that revokes its own client does not lose it while it runs.
class GrantHolder {
 public:
  virtual ~GrantHolder() = default;
  /// The client's.
  virtual const std::shared_ptr<Loop>& loop() const noexcept = 0;
  /// Null means an empty grant.
  virtual std::shared_ptr<const Grant> grant() const = 0;
  /// The grant expires soon, at `expires_at` (milliseconds since 1970). Tells the client, if it can present a new
  /// token.
  virtual void access_expiring(std::int64_t /*expires_at*/) {}
  /// The grant that ended at `expires_at` has expired: ends the access, unless the client has a new grant by then.
  virtual void access_expired(std::int64_t expires_at) = 0;
  /// The grant has ended: the client leaves its rooms and is disconnected.
  virtual void end_access(CloseCode code, std::string_view reason) = 0;
};

}  // namespace flux::core
