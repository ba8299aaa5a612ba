// Pages: the part of a list that one answer holds, and where the next one begins.
#pragma once

#include <flux/detail/features/presence_entry.hpp>
#include <flux/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <limits>
#include <optional>
#include <vector>

namespace flux::features {

inline constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

/// A part of a list that is read from its newest entry back.
struct PageRequest {
  std::size_t limit = no_limit;  ///< entries
  Offset before = 0;             ///< only those below this offset; 0: from the newest on
  /// Size of the entries as JSON. An entry that alone exceeds it is sent alone.
  std::size_t bytes_max = no_limit;
};

/// The newest of the requested entries, oldest first.
template <class Entry>
struct Page {
  std::vector<Entry> entries;
  Offset before = 0;  ///< the `before` of a request for the older ones; 0: there are none
};
using ItemsPage = Page<SharedItem>;
using ChatPage = Page<ChatMessage>;

/// A part of a room's members, in the order of joining.
struct MembersRequest {
  std::size_t limit = no_limit;
  std::uint64_t after = 0;  ///< where the previous page ended; 0: from the first on
  std::size_t bytes_max = no_limit;
};
struct MembersPage {
  std::vector<Member> members;
  std::optional<std::uint64_t> after{};  ///< the `after` of a request for the next ones; none: there are none
};

/// The size of an entry as JSON, in the protocol in which it is largest.
std::size_t json_bytes(const SharedItem& item) noexcept;
std::size_t json_bytes(const ChatMessage& message) noexcept;
std::size_t json_bytes(const PresenceEntry& entry) noexcept;

/// The items of a page, without copies: valid until their list changes.
struct ItemsView {
  using Iterator = std::deque<SharedItem>::const_iterator;
  Iterator first{}, last{};
  Offset before = 0;  ///< as in `Page`

  Iterator begin() const { return first; }
  Iterator end() const { return last; }
  bool empty() const { return first == last; }
  const SharedItem& back() const { return *std::prev(last); }
  ItemsPage copy() const { return {{first, last}, before}; }
};

/// Whether the first entry of a page is sent even if it alone is too large.
enum class First : std::uint8_t { always, if_it_fits };

ItemsView newest_items(const std::deque<SharedItem>& items, const PageRequest& asked, First first = First::always);

/// Adds up the sizes of the entries of a page.
class PageSize {
 public:
  explicit PageSize(std::size_t bytes_max, First first = First::always) : bytes_left_(bytes_max), first_(first) {}

  /// Counts one more entry, if it fits.
  bool takes(std::size_t bytes) noexcept {
    if (bytes > bytes_left_ && (first_ == First::if_it_fits || taken_ > 0)) return false;
    bytes_left_ -= std::min(bytes, bytes_left_);
    ++taken_;
    return true;
  }

 private:
  std::size_t bytes_left_;
  std::size_t taken_ = 0;
  First first_;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/page.ipp>
#endif
