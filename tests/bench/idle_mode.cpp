#include "modes.hpp"
#include "rooms.hpp"

namespace flux::bench {

/// The growth of the server's resident memory per connection, measured from before the first one opened.
void run_idle(Load& load) {
  const Options& options = load.options();
  const std::int64_t before = load.probe().resident_bytes();
  load.open();
  if (options.room_size > 0) {
    enter_rooms(
        load, [&](std::size_t i) { return std::to_string(i / options.room_size); }, options.presence_bytes);
  }
  subscribe_each(load, options.subscriptions);
  const std::int64_t grown = load.probe().resident_bytes() - before;
  load.report().add("room_size", options.room_size);
  load.report().add("resident_bytes_before", before);
  load.report().add("resident_bytes_grown", grown);
  load.report().add("resident_bytes_per_conn", static_cast<double>(grown) / static_cast<double>(load.size()));
}

}  // namespace flux::bench
