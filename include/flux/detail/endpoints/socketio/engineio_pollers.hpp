// Counts Engine.IO sessions that poll, by address, and knows which of them have not been used yet.
#pragma once

#include <flux/detail/core/ip_address.hpp>
#include <flux/engineio.hpp>

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace flux::detail {

class EngineIoSession;

/// A polling session has no connection of its own, so that the limits of connections do not bound it: over one
/// connection a client can open any number of sessions. They are counted by address, with the bytes that are kept of
/// their requests. A session is unused until its client has polled or posted; the oldest unused one is ended to make
/// room for a new one.
/// Threading: any thread.
class EngineIoPollers : public std::enable_shared_from_this<EngineIoPollers> {
 public:
  class Place;

  explicit EngineIoPollers(const engineio::PollingLimits& limits);

  /// Counts a session of a client at `ip`, of whose request `head_bytes` are kept, until its place is destroyed. Null
  /// if its address has too many. Sessions that must end to make room are added to `displaced` and no longer counted.
  std::unique_ptr<Place> enter(const std::shared_ptr<EngineIoSession>& session, const core::IpAddress& ip,
                               std::size_t head_bytes, std::vector<std::shared_ptr<EngineIoSession>>& displaced);

 private:
  struct Address {
    std::size_t sessions = 0;
    std::size_t head_bytes = 0;
    std::list<Place*> unused;  // the oldest first
  };
  using Addresses = std::map<core::IpAddress, Address>;
  using Displaced = std::vector<std::shared_ptr<EngineIoSession>>;

  // Under the lock
  void displace(Place& place, Displaced& displaced);
  void note_used(Place& place);
  void leave(Place& place);

  const engineio::PollingLimits limits_;  // without zeros
  std::mutex mutex_;
  Addresses addresses_;
  std::list<Place*> unused_;  // of all addresses, the oldest first
  std::size_t unused_head_bytes_ = 0;
};

/// Of one session. Threading: the session's loop.
class EngineIoPollers::Place {
 public:
  Place(std::shared_ptr<EngineIoPollers> pollers, std::weak_ptr<EngineIoSession> session, Addresses::iterator address,
        std::size_t head_bytes);
  ~Place();
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  /// The client has polled or posted.
  void use();

 private:
  friend class EngineIoPollers;

  const std::shared_ptr<EngineIoPollers> pollers_;
  const std::weak_ptr<EngineIoSession> session_;
  const std::size_t head_bytes_;
  bool used_ = false;  // the loop's own

  // Under the lock
  const Addresses::iterator address_;  // valid while `counted_`
  std::list<Place*>::iterator among_all_;
  std::list<Place*>::iterator at_address_;
  bool unused_ = true;
  bool counted_ = true;
};

}  // namespace flux::detail
