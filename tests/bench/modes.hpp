#pragma once

#include "load.hpp"

/// The ways to load a server, as --help describes them. Each writes its results into the load's report.
namespace flux::bench {

void run_echo(Load& load);
void run_fanout(Load& load);
void run_idle(Load& load);
void run_join_storm(Load& load);
void run_presence(Load& load);
void run_recover(Load& load);
void run_rooms_echo(Load& load);
void run_paced(Load& load);

}  // namespace flux::bench
