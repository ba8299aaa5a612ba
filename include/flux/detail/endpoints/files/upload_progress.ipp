#pragma once

#include <flux/detail/core/session_key.hpp>
#include <flux/detail/endpoints/files/upload_progress.hpp>
#include <flux/detail/mode.hpp>
#include <flux/json.hpp>

#include <functional>
#include <string>

namespace flux::detail {

FLUX_DECL bool UploadProgress::is_due(const FileInfo& file, Clock::TimePoint now) {
  const std::lock_guard lock(mutex_);
  if (file.state == FileState::complete) {
    told_.erase(file.id);
    return true;
  }
  const auto known = told_.find(file.id);
  if (known != told_.end() && now < known->second + interval) return false;
  // An idle upload needs no entry. Removing those is worthwhile only when there are many entries.
  constexpr std::size_t many = 256;
  if (known == told_.end() && told_.size() % many == many - 1) {
    std::erase_if(told_, [&](const auto& entry) { return entry.second + interval <= now; });
  }
  told_[file.id] = now;
  return true;
}

FLUX_DECL void UploadProgress::tell(const Hub& hub, const features::FileOrigin& origin, const FileInfo& file,
                                    Clock::TimePoint now) {
  const auto room = origin.room.lock();
  if (!room || !is_due(file, now)) return;
  const auto uploader = hub.member(origin.connection, room->id());
  if (!uploader || !room->permits(uploader->grant().get()).allow(gate::RoomAct::share)) return;
  // 64 bits of a hash do not reveal the 122 random bits of the file's id.
  const std::string name =
      origin.upload_id.empty() ? core::key_text(core::mixed(std::hash<FileId>{}(file.id))) : origin.upload_id;
  const bool done = file.state == FileState::complete;
  std::string payload =
      "{\"uploadId\":" + JsonText::string(name).text() + ",\"fileName\":" + JsonText::string(file.name).text() +
      ",\"offset\":" + std::to_string(file.size) +
      ",\"length\":" + (file.length ? std::to_string(*file.length) : "null") + ",\"done\":" + (done ? "true" : "false");
  if (done) payload += ",\"fileId\":" + JsonText::string(file.id).text();
  const auto known = uploader->identity();
  // A room that ends meanwhile need not be told.
  static_cast<void>(
      room->publish(nullptr, {room->id(), origin.connection, known ? std::string_view(known->user_id) : "",
                              "upload_progress", payload + "}"}));
}

}  // namespace flux::detail
