#pragma once

#include <flux/detail/endpoints/socketio/engineio_session.hpp>
#include <flux/detail/endpoints/socketio/engineio_websocket.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/websocket_frame.hpp>

#include <utility>

namespace flux::detail {

FLUX_DECL EngineIoWebSocket::EngineIoWebSocket(std::shared_ptr<EngineIoSession> session,
                                               transport::Connection& connection, transport::WebSocketService& service,
                                               std::size_t message_bytes_max)
    : WebSocketStream(connection, service, message_bytes_max, 0), session_(std::move(session)) {}

FLUX_DECL void EngineIoWebSocket::on_message(std::string_view message, MessageType type) {
  const bool may_be_kept = type == MessageType::binary || message.size() >= engineio_long_text_bytes;
  auto owner = may_be_kept ? take_message() : std::nullopt;
  session_->from_websocket(*this, owner ? std::string_view(*owner) : message, type, owner ? &*owner : nullptr);
  if (owner) session_->reclaimer()->take(std::move(*owner));  // empty if it was moved from
}

FLUX_DECL void EngineIoWebSocket::on_disconnect(const Disconnect& how) {
  late_.reset();
  session_->websocket_gone(*this, how.code);
}

FLUX_DECL void EngineIoWebSocket::send_packet(protocol::EngineIoType type, std::string_view data) {
  std::string frame;
  protocol::append_engineio_frame(frame, type, data);
  send_frames(frame, 1);
}

FLUX_DECL void EngineIoWebSocket::send_binary(std::string_view message) {
  std::string frame;
  if (session_->base64()) {
    protocol::append_engineio_base64_frame(frame, message);
  } else {
    protocol::append_engineio_binary_frame(frame, message);
  }
  send_frames(frame, 1);
}

FLUX_DECL void EngineIoWebSocket::send_long(transport::SharedBytes message) {
  session_->loop()->counters().frames_out.add();
  if (session_->base64()) return send_base64(std::move(message));
  char header[transport::frame_header_bytes_max];
  const std::size_t size = transport::write_frame_header(header, transport::Opcode::binary, message->size());
  write_frames({header, size});
  write_frames(message, 0, message->size());
}

FLUX_DECL void EngineIoWebSocket::send_frames(std::string_view frames, std::size_t count) {
  session_->loop()->counters().frames_out.add(count);
  write_behind(frames);
}

FLUX_DECL void EngineIoWebSocket::send_frames(std::span<const transport::SharedBytes> pieces, std::size_t count) {
  session_->loop()->counters().frames_out.add(count);
  for (const transport::SharedBytes& piece : pieces) write_behind(piece, 0, piece->size());
}

FLUX_DECL void EngineIoWebSocket::send_run(const core::Batch& batch, const core::Run& run) {
  core::for_each_part(
      batch, run, [&](std::size_t begin, std::size_t end) { write_behind(batch.bytes, begin, end); },
      [&](const core::Insert& insert) {
        if (insert.is_attachment && session_->base64()) return send_long(insert.bytes);
        if (insert.is_attachment) session_->loop()->counters().frames_out.add();
        write_behind(insert.bytes, 0, insert.bytes->size());
      });
}

// --- A long message as base64 ---

/// Sends whole frames, after what is pending here.
FLUX_DECL void EngineIoWebSocket::write_behind(std::string_view frames) {
  if (!late_) {
    write_frames(frames);
  } else {
    add_late({std::make_shared<const std::string>(frames), 0, frames.size(), false});
  }
}

FLUX_DECL void EngineIoWebSocket::write_behind(const transport::SharedBytes& bytes, std::size_t begin,
                                               std::size_t end) {
  if (!late_) {
    write_frames(bytes, begin, end);
  } else {
    add_late({bytes, begin, end, false});
  }
}

/// One message: `b` and the bytes as base64, which are encoded as fast as the client takes them.
FLUX_DECL void EngineIoWebSocket::send_base64(transport::SharedBytes bytes) {
  if (!open()) return;
  const std::size_t size = bytes->size();
  const bool first = !late_;
  if (first) late_ = std::make_unique<Late>();
  add_late({std::move(bytes), 0, size, true});
  // Each portion has a turn of its own, the first one too.
  if (first) connection()->loop().post([self = shared_from_this(), this] { send_late(); });
}

/// The first piece does not count for the limit, as in a connection's outbox: that a message is long says nothing about
/// the speed of its reader.
FLUX_DECL void EngineIoWebSocket::add_late(Late::Piece piece) {
  if (!open()) return;
  if (late_->bytes >= service().limits->outbox_bytes_max) {
    counters().messages_dropped.add();
    counters().slow_readers_closed.add();
    late_.reset();
    return close(CloseCode::slow_reader, "too slow: the output pending for this client exceeded its limit");
  }
  if (!late_->pieces.empty()) late_->bytes += piece.end - piece.begin;
  late_->pieces.push_back(std::move(piece));
}

FLUX_DECL void EngineIoWebSocket::on_drained() {
  if (late_) return send_late();
  session_->websocket_drained();
}

FLUX_DECL void EngineIoWebSocket::send_late() {
  if (!late_ || !open()) return late_.reset();
  while (!late_->pieces.empty()) {
    Late::Piece& piece = late_->pieces.front();
    if (piece.base64) {
      const bool was_sent = send_portion(piece);
      if (!open()) return late_.reset();
      if (piece.begin < piece.end) {
        if (was_sent) connection()->loop().post([self = shared_from_this(), this] { send_late(); });
        return;
      }
    } else {
      write_frames(piece.bytes, piece.begin, piece.end);
      if (!open()) return late_.reset();
    }
    late_->pieces.pop_front();
    if (!late_->pieces.empty()) late_->bytes -= late_->pieces.front().end - late_->pieces.front().begin;
  }
  const auto done = std::exchange(late_, nullptr);
  if (done->close) return close(*done->close, {});
  session_->websocket_drained();
}

/// True if the system has taken all of it, so that `on_drained` will not be called.
FLUX_DECL bool EngineIoWebSocket::send_portion(Late::Piece& piece) {
  const std::string_view rest = std::string_view(*piece.bytes).substr(piece.begin);
  const std::string_view portion = rest.substr(0, engineio_portion_bytes / 4 * 3);
  const auto frame = std::make_shared<std::string>();
  frame->reserve(engineio_portion_bytes + 16);
  protocol::append_engineio_base64_portion(*frame, portion, piece.begin == 0, portion.size() == rest.size());
  piece.begin += portion.size();
  write_frames(frame, 0, frame->size());
  return open() && !connection()->notify_drained();
}

FLUX_DECL void EngineIoWebSocket::close_behind(CloseCode code) {
  if (!late_ || !open()) return close(code, {});
  late_->close = code;
  connection()->loop().call_after(service().limits->close_timeout, [weak = weak_from_this(), this, code] {
    const auto self = weak.lock();
    if (self && late_) close(code, {});
  });
}

}  // namespace flux::detail
