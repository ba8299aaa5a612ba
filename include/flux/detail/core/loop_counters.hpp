// The metrics of one event loop, and the handler that it is in.
#pragma once

#include <flux/detail/core/metrics.hpp>
#include <flux/detail/core/running_handler.hpp>

namespace flux::core {

/// Written by the loop's thread. `flux::Stats` says what the counts mean to applications.
struct LoopCounters : MetricSet {
  Gauge connections_now{*this, "connections_now", "TCP connections of every kind"};
  Gauge sessions_now{*this, "sessions_now", "clients of protocol live, of Engine.IO and of Socket.IO"};
  Counter connections{*this, "connections", "TCP connections"};
  Counter connections_refused{*this, "connections_refused", "over a limit, wrong origin, not authorised"};
  Counter requests{*this, "requests", "HTTP requests, upgrades included"};
  Counter messages_in{*this, "messages_in", "WebSocket messages"};
  Counter messages_bad{*this, "messages_bad", "messages answered with an error"};
  Counter messages_rate_limited{*this, "messages_rate_limited", "messages over a rate limit"};
  Counter frames_out{*this, "frames_out", "WebSocket frames handed to the system or an outbox"};
  Counter bytes_in{*this, "bytes_in", "bytes received"};
  Counter bytes_out{*this, "bytes_out", "bytes sent"};
  Counter states_coalesced{*this, "states_coalesced", "states that newer ones replaced for slow readers"};
  Counter messages_dropped{*this, "messages_dropped", "messages not sent, their reader being too slow or gone"};
  Counter slow_readers_closed{*this, "slow_readers_closed", "connections closed because their reader was too slow"};
  Counter handler_errors{*this, "handler_errors", "exceptions thrown by handlers"};
  Histogram timer_lateness_us{*this,
                              "timer_lateness_us",
                              "how late the loop's timers are called, in microseconds",
                              {100, 1'000, 10'000, 100'000, 1'000'000}};
  RunningHandler running;  // no metric: what the loop's thread is doing
};

}  // namespace flux::core
