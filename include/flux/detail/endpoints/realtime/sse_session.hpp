// A client that gets the publications of channels as server-sent events.
#pragma once

#include <flux/detail/core/message_counter.hpp>
#include <flux/detail/endpoints/realtime/sse_codec.hpp>
#include <flux/detail/endpoints/stream_reader.hpp>
#include <flux/detail/features/channel_hub.hpp>
#include <flux/detail/features/participant.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/connection.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux::detail {

/// What these clients share. Threading: any thread.
struct SseClients : features::ClientGroup {
  SseClients(const std::shared_ptr<features::ChannelHub>& channels)
      : ClientGroup{channels->backend()},
        hub(channels),
        one_channel(protocol::SseWriter::Ids::of_channel, channels->backend().config.clock.get()),
        several(protocol::SseWriter::Ids::of_client, channels->backend().config.clock.get()) {}
  /// At most so many, because every event names the positions of all.
  static constexpr std::size_t channels_max = 100;

  const std::shared_ptr<features::ChannelHub> hub;
  const protocol::SseWriter one_channel;
  const protocol::SseWriter several;
};

/// Threading: its loop's thread, except for the members that SessionState lets any thread call.
class SseSession final : private core::Outlet,
                         public transport::StreamHandler,
                         public features::Participant,
                         public std::enable_shared_from_this<SseSession> {
 public:
  SseSession(const SseClients& clients, std::shared_ptr<core::Loop> loop, const core::ClientAddress& client,
             std::shared_ptr<const Grant> grant, const std::vector<std::string>& channels);
  FLUX_DECL ~SseSession() override;

  /// The connection was handed over: enters the directory, and subscribes. `last`: the event id that the client shows; none:
  /// it has none; without positions: one that can't be read.
  void opened(transport::Connection& connection, const std::vector<std::string>& channels,
              const std::optional<std::vector<Position>>& last);

  FLUX_DECL Result<Sent> send(std::string_view event, const JsonText& payload, const RoomId& room) override;
  std::string_view protocol() const noexcept override { return "sse"; }
  ClientCounts counts() const noexcept override { return messages_.counts(); }
  FLUX_DECL void close_session(CloseCode code, std::string_view reason) override;
  void withdraw() noexcept override { withdrawn_ = true; }
  bool withdrawn() const noexcept override { return withdrawn_; }

  // StreamHandler. The client says nothing more: what it sends is dropped.
  std::size_t on_data(char*, std::size_t size) override { return size; }
  FLUX_DECL void on_end() override;
  FLUX_DECL void on_drained() override;
  FLUX_DECL void on_deadline() override;
  FLUX_DECL void on_stop() override;
  FLUX_DECL void on_closed() override;

 private:
  template <class Session>
  friend struct endpoints::StreamReader;
  template <class Session>
  friend void endpoints::write_whole(Session&, const core::SharedBytes&);
  struct OwnIdReader;

  FLUX_DECL void deliver(const core::Batch& batch, std::span<const core::Listed> listed, core::LaneSeat& seat) override;
  FLUX_DECL const void* hot_memory() const noexcept override;
  std::shared_ptr<Participant> self() override { return shared_from_this(); }
  bool is_open() const override { return reaches_client(); }
  core::Outlet& outlet() override { return *this; }
  Door door() const override { return {protocol(), {}}; }  // it presents none
  const features::ClientView& view() const override { return *writer_; }
  /// Its event ids name the channels that it has asked for.
  bool takes_subscriptions() const override { return false; }
  void stop_reading() override {}
  void resume_reading() override {}
  FLUX_DECL void tell(const features::Notice& notice) override;
  void tell_left(const RoomId&, std::string_view) override {}
  FLUX_DECL void be_placed(const Placement& placement, const Done<void>& done) override;

  const SseClients& clients() const noexcept { return static_cast<const SseClients&>(group()); }
  bool reaches_client() const noexcept { return connection_ != nullptr && !closing_ && !withdrawn_; }
  transport::Connection* connection() const noexcept { return connection_; }
  core::LoopCounters& counters() { return loop()->counters(); }
  void count_sent(std::size_t messages = 1) noexcept;
  void write_frames(std::string_view frames);
  void write_frames(const core::SharedBytes& bytes, std::size_t begin, std::size_t end);
  void slow_reader();
  void close_later(CloseCode code, std::string reason);

  void subscribe(const std::string& channel, const std::optional<std::vector<Position>>& last);
  void subscribed(const std::string& channel, const std::optional<Position>& since,
                  const Result<features::ChannelEntry>& entry);
  /// An event of its own, with this id.
  void write_event(std::string_view id, std::string_view json);
  /// The same for one encoded by a writer with `Ids::of_client`.
  void write_with_own_id(std::string_view event);
  std::string own_id() const;
  std::int64_t now() const { return backend().config.clock->unix_ms(); }

  transport::Connection* connection_ = nullptr;
  const protocol::SseWriter* const writer_;
  bool closing_ = false;
  std::atomic<bool> withdrawn_{false};
  core::MessageCounter messages_;
  std::vector<Position> positions_;  // of the channels that it is subscribed to: what its next event id names
  std::vector<Position> earlier_;    // and those that it came with, until all its channels are subscribed
  std::size_t awaited_ = 0;          // channels that are not subscribed yet
  Disconnect how_{static_cast<CloseCode>(1006), {}};
};

}  // namespace flux::detail

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/realtime/sse_session.ipp>
#endif
