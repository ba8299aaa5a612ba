#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace flux::bench {

/// Which members of one room each connection knows. A server may name a member twice, so these are sets.
class Rosters {
 public:
  explicit Rosters(std::size_t members) : members_(members), known_(members * members), known_count_(members) {}

  /// Errors: throws std::runtime_error if more members are named than exist.
  void add(std::size_t connection, std::string_view member) {
    const std::size_t number = number_of(member);
    const std::size_t at = connection * members_ + number;
    if (known_[at]) return;
    known_[at] = true;
    if (++known_count_[connection] == members_) ++complete_;
  }

  /// Connections that know every member.
  std::size_t complete() const { return complete_; }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  std::size_t number_of(std::string_view member) {
    const auto known = numbers_.find(member);
    if (known != numbers_.end()) return known->second;
    if (numbers_.size() == members_) throw std::runtime_error("the room has more members than have joined");
    return numbers_.emplace(member, numbers_.size()).first->second;
  }

  std::size_t members_;
  std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> numbers_;
  std::vector<bool> known_;
  std::vector<std::size_t> known_count_;
  std::size_t complete_ = 0;
};

}  // namespace flux::bench
