#include "load.hpp"

#include "event_swarm.hpp"
#include "polling_swarm.hpp"
#include "websocket_swarm.hpp"

namespace flux::bench {
namespace {

/// The header fields that Chromium 156 sends when it opens a session: in socket.io-client's first poll, and in the
/// WebSocket handshake. A handshake also has the fields that WebSocketSwarm writes, and Sec-WebSocket-Extensions.
constexpr std::string_view chromium_fields =
    "Pragma: no-cache\r\n"
    "Cache-Control: no-cache\r\n"
    "sec-ch-ua-platform: \"Linux\"\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 "
    "Safari/537.36\r\n"
    "sec-ch-ua: \"Not:A-Brand\";v=\"8\", \"Chromium\";v=\"156\"\r\n"
    "sec-ch-ua-mobile: ?0\r\n"
    "Accept: */*\r\n"
    "Origin: http://127.0.0.1:8080\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-Mode: cors\r\n"
    "Sec-Fetch-Dest: empty\r\n"
    "Referer: http://127.0.0.1:8080/\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-US,en;q=0.9\r\n";

std::unique_ptr<Swarm> make_swarm(const Options& options) {
  Target target{options.host, options.port, options.path};
  if (options.browser) target.fields = chromium_fields;
  if (options.protocol == Protocol::polling) return std::make_unique<PollingSwarm>(target, options.connections);
  if (options.protocol == Protocol::events) return std::make_unique<EventSwarm>(target, options.connections, "bench");
  const Dialect dialect = options.protocol == Protocol::socketio ? Dialect::socketio : Dialect::plain;
  return std::make_unique<WebSocketSwarm>(target, options.connections, dialect);
}

}  // namespace

Load::Load(const Options& options) : options_(options), swarm_(make_swarm(options)) {
  if (options.server_pid != 0) probe_.emplace(options.server_pid);
  report_.add("mode", name_of(options.mode));
  report_.add("protocol", name_of(options.protocol));
  report_.add("conns", options.connections);
}

void Load::open() {
  swarm_->open();
  swarm_->settle();
}

void Load::start() {
  tally_ = Tally();
  counters_at_start_ = swarm_->counters();
  if (probe_) {
    cpu_at_start_ = probe_->cpu_seconds();
    kernel_cpu_at_start_ = probe_->kernel_cpu_seconds();
  }
  started_ = Clock::now();
}

void Load::stop() {
  elapsed_ = Clock::now() - started_;
  if (probe_) {
    cpu_ = probe_->cpu_seconds() - cpu_at_start_;
    kernel_cpu_ = probe_->kernel_cpu_seconds() - kernel_cpu_at_start_;
  }
  const Swarm::Counters now = swarm_->counters();
  received_ = {now.frames - counters_at_start_.frames, now.payload_bytes - counters_at_start_.payload_bytes};
}

void Load::report_cost(std::uint64_t frames) {
  report_.add("secs", elapsed_.count());
  report_.add("frames", frames);
  report_.add("frames_per_s", static_cast<double>(frames) / elapsed_.count());
  report_.add("mb_per_s", static_cast<double>(received_.payload_bytes) / elapsed_.count() / 1e6);
  if (!probe_) return;
  report_.add("server_cpu_s", cpu_);
  report_.add("server_cpu_percent", 100 * cpu_ / elapsed_.count());
  report_.add("server_kernel_percent", 100 * kernel_cpu_ / elapsed_.count());
  if (frames > 0) report_.add("server_us_per_frame", cpu_ * 1e6 / static_cast<double>(frames));
}

void Load::report_tally() {
  const auto mean =
      tally_.stamped == 0 ? 0.0 : static_cast<double>(tally_.stamped_bytes) / static_cast<double>(tally_.stamped);
  report_.add("payload_bytes", mean);
  report_latency();
}

void Load::report_latency() {
  report_.add("p50_us", tally_.latency.percentile_us(0.5));
  report_.add("p99_us", tally_.latency.percentile_us(0.99));
  report_.add("p999_us", tally_.latency.percentile_us(0.999));
}

void Load::report_faults() {
  report_.add("closed", swarm_->closed());
  if (swarm_->closed() > 0) report_.add("close_reason", swarm_->close_reason());
  report_.add("errors", tally_.errors);
  if (tally_.errors > 0) report_.add("first_error", tally_.first_error);
}

}  // namespace flux::bench
