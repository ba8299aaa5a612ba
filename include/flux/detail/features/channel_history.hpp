// What a channel keeps of its publications.
#pragma once

#include <flux/detail/core/lane_output.hpp>
#include <flux/detail/core/secret.hpp>
#include <flux/detail/mode.hpp>
#include <flux/types.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace flux::features {

/// A publication as it is sent: an object in JSON, of which `data` is a part.
struct Publication {
  core::SharedBytes payload{};
  std::size_t data_begin = 0;
  std::size_t data_size = 0;
  Offset offset = 0;
  std::int64_t timestamp = 0;
  std::string client_id{}, user_id{};  // empty: none
  std::string key{};                   // `publication_key`; empty: none

  std::string_view data() const { return std::string_view(*payload).substr(data_begin, data_size); }
};

/// What identifies a publication of a sender: a user, any client without a user, or the application (both empty). Clients
/// without a user share their keys, because one that comes back has another id: their keys must be random.
std::string publication_key(std::string_view user_id, std::string_view client_id, std::string_view key);

/// How much a channel keeps.
struct HistoryBounds {
  std::size_t count_max = 0;
  std::size_t bytes_max = 0;  // of the publications as JSON
  std::chrono::milliseconds age{0};
};

/// The newest publications of a channel; their offsets have no gaps. Threading: its channel's lock.
class ChannelHistory {
 public:
  using List = std::deque<Publication>;

  /// `bounds` must outlive it.
  explicit ChannelHistory(const HistoryBounds& bounds) : bounds_(bounds) {}

  void add(Publication publication);
  /// Removes those that are too old at this time.
  void trim(std::int64_t now);
  /// Null: there is none with this key.
  const Publication* find(const std::string& key) const;
  /// Whether every publication after `offset` is here, if `newest` is the channel's.
  bool has_all_after(Offset offset, Offset newest) const noexcept {
    return offset == newest || (!list_.empty() && offset + 1 >= list_.front().offset);
  }
  /// The first after `offset`.
  List::const_iterator after(Offset offset) const noexcept;
  const List& list() const noexcept { return list_; }

 private:
  void remove_oldest();

  const HistoryBounds& bounds_;
  List list_;
  std::size_t bytes_ = 0;
  std::unordered_map<std::string, Offset, core::SeededHash, std::equal_to<>> keys_;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/channel_history.ipp>
#endif
