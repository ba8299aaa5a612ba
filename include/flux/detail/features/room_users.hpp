// The users in a room, for a capacity that counts users.
#pragma once

#include <flux/detail/core/secret.hpp>
#include <flux/types.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace flux::features {

/// Counts each user once, however many members it is. A member without a user id is a user of its own. `who`: null if
/// unknown. Threading: every method under the room's lock.
class RoomUsers {
 public:
  void add(const Identity* who) {
    if (!is_user(who)) {
      ++unknown_;
    } else {
      ++members_[who->user_id];
    }
  }
  /// `who` must have been added.
  void remove(const Identity* who) {
    if (!is_user(who)) {
      --unknown_;
      return;
    }
    const auto found = members_.find(who->user_id);
    if (--found->second == 0) members_.erase(found);
  }
  bool has(const Identity* who) const { return is_user(who) && members_.contains(who->user_id); }
  std::size_t size() const noexcept { return members_.size() + unknown_; }

 private:
  static bool is_user(const Identity* who) noexcept { return who != nullptr && !who->user_id.empty(); }

  std::unordered_map<std::string, std::size_t, core::SeededHash, std::equal_to<>> members_;  // by user, at least 1
  std::size_t unknown_ = 0;
};

}  // namespace flux::features
