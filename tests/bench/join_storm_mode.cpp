#include <string>
#include <vector>

#include "live_messages.hpp"
#include "modes.hpp"
#include "roster.hpp"

namespace flux::bench {

/// All join one room at once. The clock stops when every connection knows every member; frames are counted until
/// traffic stops, so that `frames` is everything the server sent.
void run_join_storm(Load& load) {
  Swarm& swarm = load.swarm();
  load.open();
  std::vector<std::string> joins;
  for (std::size_t i = 0; i < load.size(); ++i) {
    joins.push_back(join_room("bench", stamped_object(load.options().presence_bytes, i)));
  }
  Rosters rosters(load.size());
  swarm.on_message([&](std::size_t connection, std::string_view message) {
    if (type_of(message) == "error") load.tally().add_error(message);
    for_each_string(message, R"("connectionId":")", [&](std::string_view member) { rosters.add(connection, member); });
  });
  load.start();
  for (std::size_t i = 0; i < load.size(); ++i) {
    swarm.send(i, joins[i]);
    swarm.flush(i);
  }
  const auto deadline = after(load.started(), load.options().timeout);
  while (rosters.complete() < load.size() && swarm.closed() == 0 && Clock::now() < deadline) swarm.turn(longest_turn);
  const double seconds_to_full = Seconds(Clock::now() - load.started()).count();
  swarm.settle();
  load.stop();
  load.report().add("complete", rosters.complete());
  load.report().add("seconds_to_full", seconds_to_full);
  load.report_cost(load.received().frames);
}

}  // namespace flux::bench
