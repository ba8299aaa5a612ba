// The counts of a client's messages.
#include "catch.hpp"

#include <flux/detail/core/message_counter.hpp>

#include <cstddef>
#include <limits>

namespace message_counter_test {

using flux::ClientCounts;
using flux::core::MessageCounter;

TEST_CASE("message counter: received and sent are counted apart, several sent at once") {
  MessageCounter counter;
  CHECK(counter.counts() == ClientCounts{0, 0});
  counter.add_received();
  counter.add_sent();
  counter.add_sent(5);
  counter.add_sent(0);
  CHECK(counter.counts() == ClientCounts{1, 6});
}

TEST_CASE("message counter: at its largest value it stays there") {
  constexpr std::uint32_t most = std::numeric_limits<std::uint32_t>::max();
  MessageCounter counter;
  counter.add_sent(most - 1);
  CHECK(counter.counts().sent == most - 1);
  counter.add_sent(3);
  CHECK(counter.counts().sent == most);
  counter.add_sent();
  CHECK(counter.counts().sent == most);
  MessageCounter another;
  another.add_sent(std::numeric_limits<std::size_t>::max());
  CHECK(another.counts() == ClientCounts{0, most});
}

TEST_CASE("message counter: takes eight bytes") { CHECK(sizeof(MessageCounter) == 8); }

}  // namespace message_counter_test
