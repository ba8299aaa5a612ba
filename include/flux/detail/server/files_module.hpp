// The parts that only a server with a file store has.
#pragma once

namespace flux::detail {

class ServerState;

/// Adds the feature, its service and its HTTP endpoint to a server whose options have a file store. Called before the
/// server's own services are added, because rooms hold files until they have stopped.
void add_files(ServerState& server);

}  // namespace flux::detail
