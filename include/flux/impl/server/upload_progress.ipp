#pragma once

#include <flux/core/session_key.hpp>
#include <flux/detail/mode.hpp>
#include <flux/json.hpp>
#include <flux/server/detail/upload_progress.hpp>

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
  // An upload that rests needs no entry. Looking through them is worth it when there are many new ones.
  constexpr std::size_t many = 256;
  if (known == told_.end() && told_.size() % many == many - 1) {
    std::erase_if(told_, [&](const auto& entry) { return entry.second + interval <= now; });
  }
  told_[file.id] = now;
  return true;
}

FLUX_DECL void UploadProgress::tell(const features::Rooms& rooms, const ProgressTarget& target, const FileInfo& file,
                                    Clock::TimePoint now) {
  const auto found = target.room.empty() ? nullptr : rooms.find(target.room);
  if (!found || !is_due(file, now)) return;
  // 64 bits of a hash do not lead back to the 122 random ones of the file's id.
  const std::string name =
      target.upload_id.empty() ? core::key_text(core::mixed(std::hash<FileId>{}(file.id))) : target.upload_id;
  const bool done = file.state == FileState::complete;
  std::string payload =
      "{\"uploadId\":" + JsonText::string(name).text() + ",\"fileName\":" + JsonText::string(file.name).text() +
      ",\"offset\":" + std::to_string(file.size) +
      ",\"length\":" + (file.length ? std::to_string(*file.length) : "null") + ",\"done\":" + (done ? "true" : "false");
  if (done) payload += ",\"fileId\":" + JsonText::string(file.id).text();
  // A room that ends meanwhile needs to hear nothing.
  static_cast<void>(found->publish(nullptr, {target.room, server_connection_id, {}, "upload_progress", payload + "}"}));
}

}  // namespace flux::detail
