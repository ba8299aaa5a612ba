#pragma once

#include <flux/detail/core/session_key.hpp>
#include <flux/detail/core/shared_list.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/socketio/engineio_server.hpp>
#include <flux/detail/endpoints/socketio/socketio_delivery.hpp>
#include <flux/detail/endpoints/socketio/socketio_namespace.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

namespace flux::detail {

using protocol::SocketIoMessagePtr;

FLUX_DECL SocketIoNamespace::SocketIoNamespace(std::string name, std::shared_ptr<const socketio::Options> options,
                                               std::size_t pending_bytes_max,
                                               std::weak_ptr<core::CallFaults> call_faults)
    : name_(std::move(name)),
      options_(std::move(options)),
      pending_bytes_max_(pending_bytes_max),
      call_faults_(std::move(call_faults)) {}

FLUX_DECL void SocketIoNamespace::use(socketio::Middleware middleware) {
  const std::lock_guard lock(mutex_);
  add_to_list(middlewares_, std::move(middleware));
}

FLUX_DECL void SocketIoNamespace::on_connection(socketio::ConnectionHandler handler) {
  const std::lock_guard lock(mutex_);
  add_to_list(handlers_, std::move(handler));
}

FLUX_DECL void SocketIoNamespace::end() {
  List<socketio::Middleware> middlewares = std::make_shared<std::vector<socketio::Middleware>>();
  List<socketio::ConnectionHandler> handlers = std::make_shared<std::vector<socketio::ConnectionHandler>>();
  std::vector<std::deque<Emit>> pending;  // they hold their sockets, which hold this
  const std::lock_guard lock(mutex_);     // released before the handlers, which may hold this namespace, are destroyed
  middlewares.swap(middlewares_);
  handlers.swap(handlers_);
  for (auto& [loop, mine] : outgoing_) {
    outgoing_count_.fetch_sub(mine.pending.size(), std::memory_order_relaxed);
    pending.push_back(std::exchange(mine.pending, {}));
    mine.bytes = 0;
  }
  time_loop_.reset();
}

FLUX_DECL SocketIoNamespace::List<socketio::Middleware> SocketIoNamespace::middlewares() const {
  const std::lock_guard lock(mutex_);
  return middlewares_;
}

FLUX_DECL SocketIoNamespace::List<socketio::ConnectionHandler> SocketIoNamespace::handlers() const {
  const std::lock_guard lock(mutex_);
  return handlers_;
}

FLUX_DECL Result<SocketIoMessagePtr> SocketIoNamespace::encode_event(std::string_view event, const socketio::Args& args,
                                                                     std::optional<std::uint64_t> id) const {
  if (!core::valid_utf8(event)) {
    return Error(Errc::invalid_argument, "the event's name \"" + core::shown(event) + "\" is not UTF-8");
  }
  return protocol::encode_socketio_event(name_, event, args, id);
}

FLUX_DECL std::map<core::Loop*, std::vector<std::shared_ptr<SocketIoSocket>>> by_loops(
    const std::vector<std::shared_ptr<SocketIoSocket>>& sockets) {
  std::map<core::Loop*, std::vector<std::shared_ptr<SocketIoSocket>>> loops;
  for (const auto& socket : sockets) loops[socket->loop().get()].push_back(socket);
  return loops;
}

FLUX_DECL std::size_t bytes_of(const protocol::SocketIoMessage& message) {
  std::size_t bytes = message.text().size();
  for (const auto& attachment : message.attachments()) bytes += attachment->size();
  return bytes;
}

FLUX_DECL Error fanout_overloaded(std::size_t pending) {
  return Error(Errc::overloaded, std::to_string(pending) + " bytes wait to be sent to the receivers; try again later");
}

FLUX_DECL Result<Sent> SocketIoNamespace::emit(const std::vector<std::string>& rooms,
                                               const std::vector<std::string>& except, bool volatile_only,
                                               std::string_view event, const socketio::Args& args) {
  const bool keeps = recovers() && !volatile_only;
  auto message = keeps ? Result<SocketIoMessagePtr>(SocketIoMessagePtr()) : encode_event(event, args);
  std::unique_lock lock(mutex_);  // keeps the order of emits
  if (message && !keeps && !volatile_only) {
    if (const auto sent = emit_to_lanes(rooms, except, **message)) {
      lock.unlock();
      if (!*sent) return sent->error();
      return Sent::queued;
    }
  }
  auto each = by_loops(receivers(rooms, except));
  if (const auto error = overloaded(each); error && message) message = *error;
  if (message && keeps) message = encode(rooms, except, event, args);
  if (!message) {
    lock.unlock();
    return message.error();
  }
  send_by_loops(std::move(lock), std::move(each), *message, volatile_only, nullptr);
  return Sent::queued;
}

FLUX_DECL std::optional<Error> SocketIoNamespace::overloaded(const Receivers& receivers) const {
  for (const auto& [loop, sockets] : receivers) {
    const auto found = outgoing_.find(loop);
    if (found == outgoing_.end() || found->second.bytes < pending_bytes_max_) continue;
    return fanout_overloaded(found->second.bytes);
  }
  return std::nullopt;
}

FLUX_DECL void SocketIoNamespace::send_by_loops(std::unique_lock<std::mutex> lock, Receivers&& receivers,
                                                const SocketIoMessagePtr& message, bool volatile_only,
                                                const std::shared_ptr<const Question>& question) {
  std::vector<std::shared_ptr<core::Loop>> loops;
  for (auto& [loop, sockets] : receivers) {
    loops.push_back(sockets.front()->loop());
    Outgoing& outgoing = outgoing_[loop];
    // The entry itself counts, so that short messages are bounded as well.
    const std::size_t bytes =
        bytes_of(*message) + sizeof(Emit) + sockets.size() * sizeof(std::shared_ptr<SocketIoSocket>);
    outgoing.pending.push_back({message, std::move(sockets), volatile_only, question, bytes});
    outgoing.bytes += bytes;
    outgoing_count_.fetch_add(1, std::memory_order_release);
  }
  lock.unlock();
  for (const auto& loop : loops) {
    if (loop->dispatch([self = shared_from_this(), loop] { self->send_outgoing(loop, false); })) continue;
    std::deque<Emit> unsent;  // the loop has ended
    lock.lock();
    Outgoing& outgoing = outgoing_[loop.get()];
    unsent.swap(outgoing.pending);
    outgoing.bytes = 0;
    outgoing_count_.fetch_sub(unsent.size(), std::memory_order_relaxed);
    lock.unlock();
    for (const Emit& emit : unsent) {
      if (!emit.question) continue;
      for (std::size_t i = 0; i < emit.receivers.size(); ++i) {
        emit.question->answered(Error(Errc::session_not_found, "the server has ended"));
      }
    }
  }
}

FLUX_DECL void SocketIoNamespace::send_outgoing(const std::shared_ptr<core::Loop>& loop, bool all) {
  std::unique_lock lock(mutex_);
  Outgoing& mine = outgoing_[loop.get()];  // stays where it is
  if (mine.is_sending) return;
  const Outgoing::Turn turn(mine);
  for (std::size_t sent = 0; !mine.pending.empty();) {
    if (!all && sent >= core::Lane::batch_bytes_max) {
      loop->post([self = shared_from_this(), loop] { self->send_outgoing(loop, false); });
      return;
    }
    const Emit next = std::move(mine.pending.front());
    mine.pending.pop_front();
    mine.bytes -= next.bytes;
    outgoing_count_.fetch_sub(1, std::memory_order_relaxed);
    sent += next.bytes;
    lock.unlock();
    for (const auto& socket : next.receivers) {
      if (next.question) {
        const Question& asked = *next.question;
        socket->ask(*next.message, asked.id, asked.timeout, next.volatile_only, asked.answered);
      } else if (socket->connected()) {
        socket->send_shared(*next.message, next.volatile_only);
      }
    }
    lock.lock();
  }
}

/// Collects the acknowledgments of several clients.
struct SocketIoAnswers {
  explicit SocketIoAnswers(std::size_t count, socketio::AnswersHandler d) : due(count), done(std::move(d)) {}
  /// True for the last one.
  bool add(Result<socketio::Args> answer) {
    const std::lock_guard lock(mutex);
    if (answer) {
      answers.push_back(std::move(*answer));
    } else if (!missing) {
      missing = answer.error();
    }
    return --due == 0;
  }
  std::mutex mutex;
  std::size_t due;
  std::optional<Error> missing;
  std::vector<socketio::Args> answers;
  socketio::AnswersHandler done;
};

FLUX_DECL Result<Sent> SocketIoNamespace::emit(const Names& rooms, const Names& except, bool volatile_only,
                                               std::string_view event, const socketio::Args& args,
                                               std::chrono::milliseconds timeout, socketio::AnswersHandler done) {
  const std::uint64_t id = new_ack_id();
  const auto message = encode_event(event, args, id);
  if (!message) return message.error();
  std::unique_lock lock(mutex_);
  const auto each = receivers(rooms, except);
  auto loops = by_loops(each);
  if (const auto error = overloaded(loops)) {
    lock.unlock();
    return *error;
  }
  if (each.empty()) {
    lock.unlock();
    if (done) done(std::nullopt, {});
    return Sent::queued;
  }
  const auto answers = std::make_shared<SocketIoAnswers>(each.size(), std::move(done));
  const auto add = [answers](Result<socketio::Args> answer) {
    if (!answers->add(std::move(answer))) return;
    const auto last = std::move(answers->done);  // destroyed on the thread that calls it
    if (last) last(answers->missing, std::move(answers->answers));
  };
  send_by_loops(std::move(lock), std::move(loops), *message, volatile_only,
                std::make_shared<const Question>(Question{id, timeout, add}));
  return Sent::queued;
}

FLUX_DECL std::vector<std::shared_ptr<SocketIoSocket>> SocketIoNamespace::reached(const Names& rooms,
                                                                                  const Names& except) const {
  const std::lock_guard lock(mutex_);
  return receivers(rooms, except);
}

/// Handles the usual case: one room, or all sockets, except single sockets. None if it is another case.
FLUX_DECL std::optional<Result<Sent>> SocketIoNamespace::emit_to_lanes(const std::vector<std::string>& rooms,
                                                                       const std::vector<std::string>& except,
                                                                       const protocol::SocketIoMessage& message) {
  if (rooms.size() > 1 || (rooms.size() == 1 && sockets_.count(rooms[0]) != 0)) return std::nullopt;
  const bool singles = std::all_of(except.begin(), except.end(), [&](const std::string& name) {
    return sockets_.count(name) != 0 || rooms_.count(name) == 0;
  });
  if (!singles) return std::nullopt;
  std::shared_ptr<SocketIoRoom> room = everyone_;
  if (!rooms.empty()) {
    const auto found = rooms_.find(rooms[0]);
    if (found == rooms_.end()) return Result<Sent>(Sent::queued);
    room = found->second.room;
  }
  const std::lock_guard lock(room->mutex);
  if (const std::size_t pending = room->audience.pending_size(); pending >= pending_bytes_max_) {
    return Result<Sent>(fanout_overloaded(pending));
  }
  room->audience.append([&](const void* view, core::Lane& lane) { append_socketio(lane, message, view); }, room);
  for (const std::string& id : except) {
    if (const auto left_out = sockets_.find(id); left_out != sockets_.end()) {
      room->audience.exclude_from_last((*left_out)->key());
    }
  }
  return Result<Sent>(Sent::queued);
}

/// Each socket once.
FLUX_DECL std::vector<std::shared_ptr<SocketIoSocket>> SocketIoNamespace::receivers(
    const std::vector<std::string>& rooms, const std::vector<std::string>& except) const {
  using Sockets = std::vector<std::shared_ptr<SocketIoSocket>>;
  const auto in = [this](const Names& names) {
    Sockets list;
    for (const std::string& name : names) {
      if (const auto single = sockets_.find(name); single != sockets_.end()) list.push_back(*single);
      if (const auto room = rooms_.find(name); room != rooms_.end()) {
        list.insert(list.end(), room->second.sockets.begin(), room->second.sockets.end());
      }
    }
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    return list;
  };
  Sockets list = rooms.empty() ? Sockets(sockets_.begin(), sockets_.end()) : in(rooms);
  if (except.empty()) return list;
  const Sockets left_out = in(except);
  std::erase_if(list, [&](const auto& s) { return std::binary_search(left_out.begin(), left_out.end(), s); });
  return list;
}

FLUX_DECL std::vector<std::shared_ptr<SocketIoSocket>> SocketIoNamespace::sockets() const {
  const std::lock_guard lock(mutex_);
  return {sockets_.begin(), sockets_.end()};
}

FLUX_DECL std::vector<std::shared_ptr<SocketIoSocket>> SocketIoNamespace::sockets_in(const std::string& room) const {
  const std::lock_guard lock(mutex_);
  const auto found = rooms_.find(room);
  if (found == rooms_.end()) return {};
  return {found->second.sockets.begin(), found->second.sockets.end()};
}

FLUX_DECL std::shared_ptr<SocketIoSocket> SocketIoNamespace::socket(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = sockets_.find(id);
  return found == sockets_.end() ? nullptr : *found;
}

// --- Who is in a namespace ---

FLUX_DECL std::shared_ptr<SocketIoRoom> SocketIoNamespace::enter(const std::string& room,
                                                                 const std::shared_ptr<SocketIoSocket>& socket) {
  const std::lock_guard lock(mutex_);
  return enter_locked(room, socket);
}

FLUX_DECL std::shared_ptr<SocketIoRoom> SocketIoNamespace::enter_locked(const std::string& room,
                                                                        const std::shared_ptr<SocketIoSocket>& socket) {
  Members& members = rooms_[room];
  if (!members.room) members.room = std::make_shared<SocketIoRoom>(room);
  members.sockets.insert(socket);
  return members.room;
}

FLUX_DECL void SocketIoNamespace::leave(const std::string& room, const std::shared_ptr<SocketIoSocket>& socket) {
  const std::lock_guard lock(mutex_);
  const auto found = rooms_.find(room);
  if (found == rooms_.end()) return;
  found->second.sockets.erase(socket);
  if (found->second.sockets.empty()) rooms_.erase(found);
}

FLUX_DECL void SocketIoNamespace::add(const std::shared_ptr<SocketIoSocket>& socket) {
  const std::lock_guard lock(mutex_);
  if (recovers()) {
    using Recoverable = const SocketIoSocket::Recoverable;
    socket->recoverable_ = std::make_unique<Recoverable>(Recoverable{new_engineio_sid(), next_offset_});
    run_time(socket->loop());
  }
  seat(socket);
}

/// From now on it receives emits.
FLUX_DECL void SocketIoNamespace::seat(const std::shared_ptr<SocketIoSocket>& socket) {
  std::vector<std::string> rooms;
  {
    const std::lock_guard socket_lock(socket->mutex());  // middlewares may have given the socket to other threads
    if (socket->rare_) rooms = socket->rare_->rooms;
    socket->life_ = SocketIoSocket::Life::connected;
  }
  sockets_.insert(socket);
  socket->take_seat(socket->seat_, *everyone_);
  for (const std::string& room : rooms) socket->take_place(enter_locked(room, socket));
}

FLUX_DECL void SocketIoNamespace::remove(const std::shared_ptr<SocketIoSocket>& socket, bool recoverable) {
  const std::lock_guard lock(mutex_);
  sockets_.erase(socket);
  if (!recoverable || !socket->recoverable_) return;
  forget_old();
  const SocketIoSocket::Recoverable& known = *socket->recoverable_;
  const auto client = core::ClientAddress::parse(socket->handshake().remote_address());
  Lost lost{known.pid, known.first, socket->id(), {}, {}, {}, now(), {}, {}};
  if (client) lost.from = client->ip.client_network();
  {
    const std::lock_guard socket_lock(socket->mutex());
    if (socket->rare_) {
      lost.rooms = socket->rare_->rooms;
      lost.data = socket->rare_->data;
      const auto granted = socket->rare_->grant ? socket->rare_->grant->grant() : nullptr;
      if (granted) lost.user = granted->identity.user_id;
    }
  }
  note_lost(std::move(lost));
}

// --- Connection state recovery ---

/// Past a limit the oldest is dropped: the oldest of its address if that has its share, otherwise the oldest of all.
FLUX_DECL void SocketIoNamespace::note_lost(Lost lost) {
  const std::size_t of_address_max = options_->recovery_sockets_per_address_max;
  if (options_->recovery_sockets_max == 0 || of_address_max == 0) return;
  const auto same = lost_by_address_.find(lost.from);
  if (same != lost_by_address_.end() && same->second.size() >= of_address_max) take_lost(same->second.front());
  if (lost_.size() >= options_->recovery_sockets_max) take_lost(lost_.begin());
  const auto added = lost_.insert(lost_.end(), std::move(lost));
  auto& of_address = lost_by_address_[added->from];
  added->at_address = of_address.insert(of_address.end(), added);
  lost_by_pid_.emplace(added->pid, added);
}

FLUX_DECL SocketIoNamespace::Lost SocketIoNamespace::take_lost(LostList::iterator lost) {
  lost_by_pid_.erase(lost->pid);
  const auto of_address = lost_by_address_.find(lost->from);
  of_address->second.erase(lost->at_address);
  if (of_address->second.empty()) lost_by_address_.erase(of_address);
  Lost taken = std::move(*lost);
  lost_.erase(lost);
  return taken;
}

/// Encodes the event with its offset as an additional argument, and keeps it for clients that reconnect.
FLUX_DECL Result<SocketIoMessagePtr> SocketIoNamespace::encode(const std::vector<std::string>& rooms,
                                                               const std::vector<std::string>& except,
                                                               std::string_view event, const socketio::Args& args) {
  forget_old();
  const std::uint64_t number = next_offset_++;
  socketio::Args with_offset = args;
  with_offset.emplace_back(JsonText::string(core::key_text(core::mixed(number))));
  auto message = encode_event(event, with_offset);
  if (!message) return message;
  const std::size_t bytes = bytes_of(**message);
  kept_.push_back({number, now(), rooms, except, *message, bytes});
  kept_bytes_ += bytes;
  while (kept_.size() > options_->recovery_packets_max || kept_bytes_ > options_->recovery_bytes_max) {
    crowded_out_ = kept_.front().number + 1;
    crowded_out_at_ = kept_.front().at;
    forget_oldest_kept();
  }
  return message;
}

FLUX_DECL void SocketIoNamespace::forget_oldest_kept() {
  kept_bytes_ -= kept_.front().bytes;
  kept_.pop_front();
}

/// Counts the time by this loop, unless another one does so. A restarted server has new loops.
FLUX_DECL void SocketIoNamespace::run_time(const std::shared_ptr<core::Loop>& loop) {
  if (time_loop_ && !time_loop_->is_shut()) return;
  time_loop_ = loop;
  time_of_loop_ = loop->now();
  tick();
}

/// A timer that is pending also has the loop notice its pauses.
FLUX_DECL void SocketIoNamespace::tick() {
  constexpr std::chrono::milliseconds finest{10};
  constexpr std::chrono::milliseconds coarsest{1000};
  time_loop_->call_after(std::clamp(options_->recovery_max / 4, finest, coarsest), [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    const std::lock_guard lock(self->mutex_);
    if (!self->time_loop_ || !self->time_loop_->here()) return;
    self->forget_old();
    self->tick();
  });
}

/// As exact as possible on the loop whose time it is; elsewhere that of its last tick.
FLUX_DECL Clock::TimePoint SocketIoNamespace::now() {
  if (time_loop_ && time_loop_->here()) {
    const auto time = time_loop_->now();
    now_ += time - std::exchange(time_of_loop_, time);
  }
  return now_;
}

/// A client that was cut off at that time has received everything sent before this, because it answered a later ping.
FLUX_DECL Clock::TimePoint SocketIoNamespace::delivered_by(Clock::TimePoint cut_off) const {
  return cut_off - options_->ping_interval - 2 * options_->ping_timeout;
}

FLUX_DECL void SocketIoNamespace::forget_old() {
  const auto horizon = now() - options_->recovery_max;
  while (!kept_.empty() && kept_.front().at < delivered_by(horizon)) forget_oldest_kept();
  while (!lost_.empty() && lost_.front().at < horizon) take_lost(lost_.begin());
}

FLUX_DECL std::optional<SocketIoNamespace::Recovered> SocketIoNamespace::recover(
    const std::string& pid, const std::optional<std::string>& offset, const std::string& user,
    std::size_t missed_bytes_max, const MakeSocket& make) {
  const std::lock_guard lock(mutex_);
  forget_old();
  const auto known = lost_by_pid_.find(pid);
  if (known == lost_by_pid_.end()) return std::nullopt;
  const auto entry = known->second;
  if (entry->user != user) return std::nullopt;
  std::uint64_t first = entry->first;  // the first event that it may have missed
  if (offset) {
    const auto key = core::key_from_text(*offset);
    if (!key || core::unmixed(*key) >= next_offset_) return std::nullopt;
    first = std::max(first, core::unmixed(*key) + 1);
  }
  if (first < crowded_out_ && crowded_out_at_ >= delivered_by(entry->at)) return std::nullopt;
  std::vector<SocketIoMessagePtr> missed;
  std::size_t missed_bytes = 0;
  {
    const std::set<std::string_view> was_in(entry->rooms.begin(), entry->rooms.end());
    const auto in_any = [&](const std::vector<std::string>& rooms) {
      return std::any_of(rooms.begin(), rooms.end(),
                         [&](const std::string& room) { return room == entry->id || was_in.count(room) != 0; });
    };
    for (const Kept& packet : kept_) {
      const bool meant = (packet.rooms.empty() || in_any(packet.rooms)) && !in_any(packet.except);
      if (packet.number < first || !meant) continue;
      missed_bytes += packet.bytes;
      if (missed_bytes > missed_bytes_max) return std::nullopt;
      missed.push_back(packet.message);
    }
  }
  Lost lost = take_lost(entry);
  Recovered back{make(lost.id), std::move(missed)};
  using Recoverable = const SocketIoSocket::Recoverable;
  back.socket->recoverable_ = std::make_unique<Recoverable>(Recoverable{lost.pid, lost.first});
  back.socket->recovered_ = true;
  for (std::string& room : lost.rooms) {
    if (!back.socket->in_room(room)) back.socket->rare().rooms.push_back(std::move(room));
  }
  if (back.socket->data() == JsonText()) back.socket->set_data(std::move(lost.data));
  seat(back.socket);  // under the same lock, so that no event is missed or sent twice
  return back;
}

}  // namespace flux::detail
