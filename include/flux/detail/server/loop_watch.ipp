#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/server/loop_watch.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace flux::detail {

// --- One loop ---

FLUX_DECL BlockedHandler::Found BlockedHandler::look(const core::RunningHandler::Seen& seen, Time passed) {
  const bool same = seen.call != 0 && seen.call == running_.call;
  running_ = seen;
  running_time_ = same ? running_time_ + passed : Time(0);
  if (blocked_ && !same) {
    blocked_ = false;
    return Found::ended;
  }
  if (!same) return Found::nothing;
  handler_ = running_;
  time_ = running_time_;
  if (blocked_ || time_ < limit_) return Found::nothing;
  blocked_ = true;
  return Found::blocked;
}

// --- The thread ---

FLUX_DECL void LoopWatch::start(std::vector<std::shared_ptr<core::Loop>> loops) {
  if (limit_.count() == 0) return;
  stopping_ = false;
  thread_ = std::thread([this, loops = std::move(loops)] { watch(loops); });
}

FLUX_DECL void LoopWatch::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

FLUX_DECL void LoopWatch::watch(const std::vector<std::shared_ptr<core::Loop>>& loops) {
  using SteadyClock = std::chrono::steady_clock;
  const auto interval = std::max<SteadyClock::duration>(limit_ / 4, std::chrono::milliseconds(1));
  std::vector<BlockedHandler> watched(loops.size(), BlockedHandler(limit_));
  auto last = SteadyClock::now();
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, interval, [this] { return stopping_; })) {
    const auto now = SteadyClock::now();
    // If this thread was late, the process may have been stopped, and then the handlers are not to blame.
    const auto passed = now - last < 2 * interval ? now - last : SteadyClock::duration(0);
    last = now;
    lock.unlock();
    for (std::size_t i = 0; i < loops.size(); ++i) {
      report(watched[i].look(loops[i]->counters().running.seen(), passed), watched[i], i);
    }
    lock.lock();
  }
}

FLUX_DECL void LoopWatch::report(BlockedHandler::Found found, const BlockedHandler& of, std::size_t loop) {
  if (found == BlockedHandler::Found::nothing) return;
  const bool ended = found == BlockedHandler::Found::ended;
  if (!ended) count_.fetch_add(1, std::memory_order_relaxed);
  const auto& [call, what, client, subject] = of.handler();
  std::string line = std::string("the \"").append(what).append("\" handler");
  if (!subject.text().empty()) line.append(" (\"").append(core::shown(subject.text())).append("\")");
  if (const std::string address = client.text(); !address.empty()) line.append(" of the client ").append(address);
  line.append(ended ? " returned; it held event loop " : " holds event loop ").append(std::to_string(loop));
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(of.time()).count();
  line.append(ended ? " for about " : " for more than ").append(std::to_string(ms)).append(" ms");
  if (!ended) line.append(", and no other client of this loop is served meanwhile");
  log_(LogLevel::warning, line);
}

FLUX_DECL void LoopWatch::add_metrics(core::MetricSet& metrics) const {
  metrics.add(core::MetricKind::counter, "slow_handlers", "handlers that held their loop for Config::slow_handler",
              [this] { return count_.load(std::memory_order_relaxed); });
}

}  // namespace flux::detail
