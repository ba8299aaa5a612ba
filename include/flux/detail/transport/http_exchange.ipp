#pragma once

#include <flux/detail/transport/http_exchange.hpp>

#include <utility>

namespace flux::detail {

FLUX_DECL HttpExchangeState::HttpExchangeState(std::shared_ptr<core::Loop> loop, std::weak_ptr<HttpExchangeOwner> owner,
                                               std::uint64_t number, transport::HttpHead head,
                                               const core::ClientAddress& client, const Limits& limits)
    : loop_(std::move(loop)),
      owner_(std::move(owner)),
      number_(number),
      head_(std::move(head)),
      client_(client),
      congested_bytes_(limits.outbox_bytes_congested),
      outbox_bytes_max_(limits.outbox_bytes_max) {}

// In a new turn: the last handle may be destroyed anywhere, even inside the connection's own code.
FLUX_DECL HttpExchangeState::~HttpExchangeState() {
  if (over_.load(std::memory_order_relaxed)) return;
  loop_->post([owner = owner_, number = number_] {
    const auto connection = owner.lock();
    if (connection && connection->serves(number)) connection->abandoned();
  });
}

FLUX_DECL std::shared_ptr<HttpExchangeOwner> HttpExchangeState::owner() const {
  auto connection = owner_.lock();
  if (connection && !connection->serves(number_)) connection.reset();
  return connection;
}

template <class Call>
void HttpExchangeState::on_owner(Call call) {
  loop_->dispatch([self = shared_from_this(), call = std::move(call)]() mutable {
    if (const auto connection = self->owner()) call(*connection);
  });
}

template <class Call>
void HttpExchangeState::guarded(Call&& call) {
  const core::RunningHandler::Call running(loop_->counters().running, "HTTP", client_, head_.path());
  try {
    call();
  } catch (...) {
    if (const auto connection = owner_.lock()) connection->handler_failed(number_, std::current_exception());
  }
}

// --- The request ---

FLUX_DECL void HttpExchangeState::on_body(BodyPiece piece, BodyDone done) {
  const auto connection = owner();
  if (!connection) {  // callbacks stored now would never be released
    loop_->post([self = shared_from_this(), done = std::move(done)] {
      if (done) self->guarded([&] { done(false); });
    });
    return;
  }
  body_piece_ = std::move(piece);
  body_done_ = std::move(done);
  reads_body_ = true;
  connection->body_wanted();
}

FLUX_DECL void HttpExchangeState::pause_body() {
  on_owner([](HttpExchangeOwner& connection) { connection.pause_body(); });
}

FLUX_DECL void HttpExchangeState::resume_body() {
  on_owner([](HttpExchangeOwner& connection) { connection.resume_body(); });
}

FLUX_DECL void HttpExchangeState::on_abort(std::function<void()> aborted) { aborted_ = std::move(aborted); }

FLUX_DECL void HttpExchangeState::body_piece(std::string_view piece) {
  if (!body_piece_) return;
  const auto self = shared_from_this();
  // Moved out during the call, because it may set another callback.
  auto reader = std::move(body_piece_);
  body_piece_ = nullptr;
  guarded([&] { reader(piece); });
  if (!body_piece_ && reads_body_) body_piece_ = std::move(reader);
}

FLUX_DECL void HttpExchangeState::body_end(bool complete) {
  const auto self = shared_from_this();
  reads_body_ = false;
  const auto piece = std::exchange(body_piece_, nullptr);
  const auto done = std::exchange(body_done_, nullptr);
  if (done) guarded([&] { done(complete); });
}

// --- The answer ---

FLUX_DECL void HttpExchangeState::respond(int status, std::string body, std::string_view content_type,
                                          transport::HttpFields fields) {
  if (loop_->here()) {
    if (const auto connection = owner()) connection->respond(status, std::move(body), content_type, std::move(fields));
    return;
  }
  on_owner([status, body = std::move(body), type = std::string(content_type),
            fields = std::move(fields)](HttpExchangeOwner& connection) mutable {
    connection.respond(status, std::move(body), type, std::move(fields));
  });
}

FLUX_DECL void HttpExchangeState::begin(int status, transport::HttpFields fields,
                                        std::optional<std::uint64_t> content_length) {
  on_owner([status, fields = std::move(fields), content_length](HttpExchangeOwner& connection) mutable {
    connection.begin(status, std::move(fields), content_length);
  });
}

FLUX_DECL Sent HttpExchangeState::write(std::string piece) {
  if (over_.load(std::memory_order_relaxed)) return Sent::dropped;
  if (loop_->here()) {
    return write_here([&](HttpExchangeOwner& connection) { return connection.write(std::move(piece)); });
  }
  const std::size_t size = piece.size();
  const std::size_t before =
      posted_bytes_.fetch_add(size, std::memory_order_relaxed) + outbox_bytes_.load(std::memory_order_relaxed);
  if (before >= outbox_bytes_max_) {  // the mailbox has the outbox's limit
    over_.store(true, std::memory_order_relaxed);
    on_owner([](HttpExchangeOwner& connection) { connection.drop(); });
    return Sent::dropped;
  }
  const bool congested = before + size >= congested_bytes_;
  if (congested) wants_drained_.store(true, std::memory_order_relaxed);
  const bool posted = loop_->post(
      [self = shared_from_this(), piece = std::move(piece)]() mutable { self->write_posted(std::move(piece)); });
  if (!posted) return Sent::dropped;
  return congested ? Sent::congested : Sent::queued;
}

FLUX_DECL Sent HttpExchangeState::write_shared(const std::shared_ptr<const std::string>& bytes, std::size_t size) {
  if (over_.load(std::memory_order_relaxed)) return Sent::dropped;
  return write_here([&](HttpExchangeOwner& connection) { return connection.write(bytes, size); });
}

template <class Write>
Sent HttpExchangeState::write_here(Write write) {
  const auto connection = owner();
  if (!connection) return Sent::dropped;
  const Sent sent = write(*connection);
  if (sent == Sent::congested) wants_drained_.store(true, std::memory_order_relaxed);
  outbox_bytes_.store(connection->outbox_bytes(), std::memory_order_relaxed);
  return sent;
}

FLUX_DECL void HttpExchangeState::write_posted(std::string piece) {
  posted_bytes_.fetch_sub(piece.size(), std::memory_order_relaxed);
  const auto connection = owner();
  if (!connection) return;
  connection->write(std::move(piece));
  outbox_bytes_.store(connection->outbox_bytes(), std::memory_order_relaxed);
  if (!wants_drained_.load(std::memory_order_relaxed) || !connection->serves(number_)) return;
  if (!connection->notify_drained()) tell_drained();
}

FLUX_DECL void HttpExchangeState::end() {
  on_owner([](HttpExchangeOwner& connection) { connection.end(); });
}

FLUX_DECL void HttpExchangeState::cut(std::string_view reason) {
  if (const auto connection = owner()) connection->cut(reason);
}

FLUX_DECL void HttpExchangeState::abort() {
  on_owner([](HttpExchangeOwner& connection) { connection.abort(); });
}

FLUX_DECL void HttpExchangeState::on_drain(std::function<void()> drained) { drained_ = std::move(drained); }

FLUX_DECL void HttpExchangeState::ask_drained() {
  const auto connection = owner();
  if (!connection) return;
  wants_drained_.store(true, std::memory_order_relaxed);
  if (connection->notify_drained()) return;
  loop_->post([self = shared_from_this()] { self->tell_drained(); });
}

FLUX_DECL void HttpExchangeState::drained() {
  outbox_bytes_.store(0, std::memory_order_relaxed);
  tell_drained();
}

FLUX_DECL void HttpExchangeState::tell_drained() {
  if (posted_bytes_.load(std::memory_order_relaxed) > 0) return;  // called after the writes on their way have arrived
  if (!wants_drained_.exchange(false, std::memory_order_relaxed) || !drained_) return;
  const auto self = shared_from_this();
  auto callback = std::move(drained_);
  drained_ = nullptr;
  guarded(callback);
  if (!drained_ && !over_.load(std::memory_order_relaxed)) drained_ = std::move(callback);
}

// --- The end ---

FLUX_DECL void HttpExchangeState::answer_over() {
  const auto self = shared_from_this();
  over_.store(true, std::memory_order_relaxed);
  const auto aborted = std::exchange(aborted_, nullptr);
  const auto drained = std::exchange(drained_, nullptr);
  const auto held = std::exchange(held_, nullptr);
}

FLUX_DECL transport::Connection* HttpExchangeState::hand_over(std::string_view response_head,
                                                              std::shared_ptr<transport::StreamHandler> next) {
  const auto connection = owner();
  return connection ? connection->hand_over(response_head, std::move(next)) : nullptr;
}

FLUX_DECL void HttpExchangeState::ignore_body() {
  const auto self = shared_from_this();
  reads_body_ = false;
  const auto piece = std::exchange(body_piece_, nullptr);
  const auto done = std::exchange(body_done_, nullptr);
}

FLUX_DECL void HttpExchangeState::release() {
  const auto self = shared_from_this();
  answer_over();
  ignore_body();
}

FLUX_DECL void HttpExchangeState::connection_closed() {
  const auto self = shared_from_this();
  over_.store(true, std::memory_order_relaxed);
  const auto drained = std::exchange(drained_, nullptr);
  const auto held = std::exchange(held_, nullptr);
  body_end(false);
  if (const auto aborted = std::exchange(aborted_, nullptr)) guarded(aborted);
}

}  // namespace flux::detail
