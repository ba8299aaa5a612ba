#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/stream_reader.hpp>
#include <flux/detail/endpoints/websocket_client.hpp>
#include <flux/detail/mode.hpp>

#include <utility>

namespace flux::detail {

FLUX_DECL WebSocketClient::WebSocketClient(const features::ClientGroup& group, transport::Connection& connection,
                                           const core::ClientAddress& client, transport::WebSocketService& service,
                                           int deflate_window_bits, std::shared_ptr<const Grant> grant)
    : WebSocketStream(connection, service, service.limits->message_bytes_max, deflate_window_bits),
      Participant(group, group.backend.new_key(), connection.shared_loop(), client, std::move(grant)) {}

FLUX_DECL WebSocketClient::~WebSocketClient() = default;

FLUX_DECL void WebSocketClient::opened() {
  start();
  loop()->counters().sessions_now.add();
  enter_directory();
}

FLUX_DECL void WebSocketClient::on_disconnect(const Disconnect& how) {
  if (!connected()) return;
  const auto keep = self();
  leave_everything();
  loop()->counters().sessions_now.subtract();
  leave_directory(how);
}

// --- Called by others, from any thread ---

FLUX_DECL void WebSocketClient::close_session(CloseCode code, std::string_view reason) {
  loop()->dispatch([self = this_client(), code, reason = core::repaired(std::string(reason))]() mutable {
    self->close_soon(code, std::move(reason));
  });
}

FLUX_DECL Result<Sent> WebSocketClient::write_from_anywhere(std::unique_lock<std::mutex> lock, std::string frame) {
  lock.unlock();
  const auto write = [self = this_client(), frame = std::move(frame)] {
    if (!self->open()) return Sent::dropped;
    self->count_sent();
    return self->write_frames(frame);
  };
  if (loop()->here()) return write();
  if (!loop()->post(write)) return session_gone();
  return Sent::queued;
}

// --- Out ---

FLUX_DECL void WebSocketClient::deliver(const core::Batch& batch, std::span<const core::Listed> listed,
                                        core::LaneSeat& seat) {
  core::deliver_to(endpoints::StreamReader<WebSocketClient>{*this}, batch, listed, seat);
}

FLUX_DECL const void* WebSocketClient::hot_memory() const noexcept { return connection()->hot_memory(); }

FLUX_DECL void WebSocketClient::on_drained() {
  const auto stopped = [this] { return !is_open() || connection()->congested(); };
  const auto write = [this](const core::SharedBytes& frame) { endpoints::write_whole(*this, frame); };
  if (catch_up(stopped, write)) return;
  counters().slow_readers_closed.add();
  close(CloseCode::slow_reader, "too slow: what it missed is no longer known");
}

// --- In ---

FLUX_DECL std::optional<Error> WebSocketClient::over_limits() {
  auto excess = over_rate(rate_limit_);
  if (!excess) return std::nullopt;
  if (excess->closes) close(CloseCode::rate_limited, "too many messages");
  return std::move(excess->error);
}

FLUX_DECL std::string_view WebSocketClient::beginning(std::string_view text) noexcept {
  constexpr std::size_t read_bytes_max = 4096;
  if (text.size() <= read_bytes_max) return text;
  return text.substr(0, text.find_last_of(',', read_bytes_max - 1) + 1);
}

}  // namespace flux::detail
