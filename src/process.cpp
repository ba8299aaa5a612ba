// Translation unit of the compiled mode for what affects the whole process: a log on stderr, and signals. Programs that
// use neither don't link it.
#include <flux/detail/server/log.ipp>
#include <flux/detail/server/stop_signals.ipp>
