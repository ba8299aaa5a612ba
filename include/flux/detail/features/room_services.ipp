#pragma once

#include <flux/detail/core/option_check.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/features/handed_in.hpp>
#include <flux/detail/features/room_restore.hpp>
#include <flux/detail/features/room_services.hpp>
#include <flux/detail/mode.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace flux::features {

FLUX_DECL void RoomLogService::check() const {
  using core::given, core::require_option;
  const RoomsOptions& options = backend_.config.rooms;
  require_option(options.worker_threads >= 1 && options.worker_threads <= 256,
                 "Config::rooms.worker_threads must be 1 to 256" + given(options.worker_threads));
  require_option(options.rejoin_time.count() >= 0 && options.rejoin_time <= core::hundred_years,
                 "Config::rooms.rejoin_time must be 0 to 100 years");
}

/// Restores what the store keeps: once, because later runs of the server still have it in memory. Takes holds on files
/// here, before `FilesService` starts and removes files without holds.
FLUX_DECL void RoomLogService::prepare() {
  if (!backend_.room_log || is_restored_) return;
  auto rooms = restore_rooms(backend_.room_log->store(), backend_.files.get(), backend_.config.limits,
                             [this](std::string_view what) { backend_.log(LogLevel::warning, what); });
  if (!rooms) throw Error(rooms.error());
  for (RestoredRoom& room : *rooms) restore(std::move(room));
  is_restored_ = true;
}

FLUX_DECL void RoomLogService::restore(RestoredRoom room) {
  if (room.room.id.empty()) {
    if (!backend_.kept_public_space()) return backend_.room_log->close(room.room);
    return backend_.public_space->keep_in_store(std::move(room.room), std::move(room.numbers), std::move(room.items),
                                                InStore::yes);
  }
  if (const auto checked = backend_.rooms.check_id(room.room.id); !checked) {
    return backend_.log(LogLevel::warning, "a room of Config::rooms.store is left out: " + checked.error().message());
  }
  backend_.rooms.restore(std::move(room));
}

FLUX_DECL void RoomLogService::start(core::Loop& loop) {
  if (!backend_.room_log) return;
  backend_.room_log->start();
  loop.post([this, &loop] { retry_closes(loop); });
}

/// Repeats for as long as the loop runs.
FLUX_DECL void RoomLogService::retry_closes(core::Loop& loop) {
  backend_.room_log->retry_closes();
  loop.call_after(std::chrono::seconds(10), [this, &loop] { retry_closes(loop); });
}

FLUX_DECL void RoomLogService::stop() {
  if (backend_.room_log) backend_.room_log->stop();
}

FLUX_DECL void RoomsService::add_metrics(core::MetricSet& metrics) const {
  metrics.add(core::MetricKind::gauge, "rooms_now", "rooms",
              [&rooms = backend_.rooms] { return std::uint64_t{rooms.size()}; });
}

FLUX_DECL void RoomsService::check() const {
  using core::require_at_least, core::require_option;
  const Config& config = backend_.config;
  const Limits& limits = config.limits;
  const auto checked = detail::check_demands(config.rooms.demands);
  require_option(checked.ok(), "Config::rooms.demands: " + (checked ? std::string() : checked.error().message()));
  require_option(config.rooms.create_demand.find(':') == std::string::npos,
                 "Config::rooms.create_demand must be an operation without scope, such as \"create\", not \"" +
                     core::shown(config.rooms.create_demand) + "\"");
  require_option(config.presence_interval.count() >= 0, "Config::presence_interval must not be negative");
  require_option(config.presence_throttle.count() >= 0, "Config::presence_throttle must not be negative");
  require_option(config.room_linger.count() >= 0, "Config::room_linger must not be negative");
  require_at_least(1, limits.rooms_per_connection, "Limits::rooms_per_connection");
  require_at_least(1, limits.room_members_max, "Limits::room_members_max");
  require_at_least(1, limits.room_id_bytes_max, "Limits::room_id_bytes_max");
  require_at_least(1, limits.room_newest_keys_max, "Limits::room_newest_keys_max");
  require_at_least(1, limits.event_name_bytes_max, "Limits::event_name_bytes_max");
  require_at_least(2, limits.presence_bytes_max, "Limits::presence_bytes_max");
  require_at_least(1, limits.store_queue_per_room_max, "Limits::store_queue_per_room_max");
  require_at_least(1, limits.store_queue_max, "Limits::store_queue_max");
}

}  // namespace flux::features
