// Which members of a room get a message of the application.
#pragma once

#include <flux/detail/core/lane.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace flux::features {

/// `Recipients` as the room looks them up.
class Addressees {
 public:
  /// `only`: the keys are those of the recipients, otherwise those of the others.
  Addressees(bool only, std::vector<core::SessionKey> keys) : keys_(std::move(keys)), only_(only) {
    std::sort(keys_.begin(), keys_.end());
  }
  bool only() const noexcept { return only_; }
  bool names(core::SessionKey key) const { return std::binary_search(keys_.begin(), keys_.end(), key); }
  bool include(core::SessionKey key) const { return names(key) == only_; }
  std::size_t bytes() const noexcept { return keys_.size() * sizeof(core::SessionKey); }

 private:
  std::vector<core::SessionKey> keys_;  // sorted
  const bool only_;
};

}  // namespace flux::features
