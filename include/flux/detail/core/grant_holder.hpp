// A connected client as the gate sees it.
#pragma once

#include <flux/error.hpp>
#include <flux/grant.hpp>

#include <cstdint>
#include <memory>
#include <string_view>

namespace flux::core {

class Loop;

/// A client that is connected with a grant, which can end before the connection does. Then it is withdrawn, leaves its
/// rooms and is disconnected, in this order: of many clients that end together, all are withdrawn before the first leaves,
/// and all leave before the first is disconnected. So none of them is told about the others.
/// Threading: `loop`, `grant`, `withdraw` and `withdrawn` on any thread. The others are called on the loop, outside the
/// client's own callbacks: a handler that revokes its own client does not lose it while it runs.
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
  /// The grant that ended at `expires_at` has expired: withdraws it. Returns false if the client has a new grant by then.
  virtual bool access_expired(std::int64_t expires_at) = 0;
  /// From now on nothing that the client sends is acted on, and its rooms send it nothing. Cost: O(1), no allocation.
  virtual void withdraw() noexcept = 0;
  /// Whether `withdraw` was called.
  virtual bool withdrawn() const noexcept = 0;
  /// The client leaves its rooms; a request in progress ends.
  virtual void leave_rooms() = 0;
  /// The client is disconnected.
  virtual void end_access(CloseCode code, std::string_view reason) = 0;
};

}  // namespace flux::core
