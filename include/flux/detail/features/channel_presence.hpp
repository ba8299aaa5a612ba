// Who is present in a channel.
#pragma once

#include <flux/detail/core/secret.hpp>
#include <flux/detail/mode.hpp>
#include <flux/types.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace flux::features {

struct PresentClient {
  SessionId client_id{};
  std::string user_id{};  // empty: unknown
  std::string data{};     // JSON text
  std::int64_t joined_at = 0;
  std::int64_t last_seen_at = 0;
  bool is_connected = true;  // otherwise it leaves some time after it was last seen
};

/// In the order of joining. Threading: its channel's lock.
class ChannelPresence {
 public:
  using Clients = std::map<std::uint64_t, PresentClient>;

  struct Left {
    PresentClient client;
    bool last_of_user;
  };
  struct Entered {
    const PresentClient& client;
    bool is_new;                 // it was not present before, or as another user
    bool first_of_user;          // nor was another client of its user
    std::optional<Left> left{};  // as another user, as whom it has left
  };

  /// Puts it in, or replaces the data of one that is present.
  Entered enter(PresentClient client);
  /// None: it was not present.
  std::optional<Left> leave(std::string_view client_id);
  /// Null: it is not present.
  const PresentClient* find(std::string_view client_id) const;
  bool has(std::string_view client_id) const { return numbers_.find(client_id) != numbers_.end(); }
  /// Those without a connection that were last seen at or before this time.
  std::vector<SessionId> unseen_since(std::int64_t time) const;

  std::size_t size() const noexcept { return clients_.size(); }
  /// A client without a user counts as one.
  std::size_t users() const noexcept { return users_.size() + without_user_; }
  const Clients& clients() const noexcept { return clients_; }

 private:
  Clients clients_;  // by the order of joining
  std::uint64_t next_ = 1;
  std::unordered_map<std::string, std::uint64_t, core::SeededHash, std::equal_to<>> numbers_;
  std::unordered_map<std::string, std::size_t, core::SeededHash, std::equal_to<>> users_;  // the clients of each
  std::size_t without_user_ = 0;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/channel_presence.ipp>
#endif
