// Signals that stop a server. flux itself installs no signal handlers; a program that wants them says so:
//
//     flux::Server server;
//     flux::stop_on_signals(server);
//     server.run();  // until SIGINT or SIGTERM
#pragma once

#include <flux/server.hpp>

#include <chrono>

namespace flux {

/// What signals do to a server, see `stop_on_signals`.
struct SignalOptions {
  std::chrono::milliseconds grace{5'000};  ///< as for `Server::stop`
  bool reload_certificates = false;        ///< SIGHUP calls `Server::reload_certificates`; false: it is left alone
};

/// Has SIGINT and SIGTERM stop the server while it runs. Call it before the start.
/// The first of them begins `Server::stop`, which `Server::run` and `Server::wait` return from. From then on both have
/// their default action: a second one ends the process at once, for example while a handler hangs.
/// When the server has stopped, the process has the signal handlers again that it had at the start of the server,
/// unless the program has replaced them meanwhile.
/// Of the servers of a process only one can have the signals at a time.
/// Errors: throws `Error` (already_running) if the server runs. `run` and `start` throw `Error` (already_running) while
/// another server has the signals.
void stop_on_signals(Server& server, SignalOptions options = {});

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/server/stop_signals.ipp>
#endif
