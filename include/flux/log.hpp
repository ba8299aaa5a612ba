// A log on the standard error stream. flux itself prints nothing; a program that wants lines there says so:
//
//     flux::Server server({.log = flux::log_to_stderr()});
#pragma once

#include <flux/config.hpp>

namespace flux {

/// Returns a sink for `Config::log` that writes each line to stderr, with the time (UTC) and the level:
/// "2026-03-14T09:26:53Z warning ...". It gets the lines up to `Config::log_level`, and leaves out those above `level`, for
/// a program with several sinks.
/// Threading: any thread; a line is written by one call.
LogSink log_to_stderr(LogLevel level = LogLevel::debug);

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/server/log.ipp>
#endif
