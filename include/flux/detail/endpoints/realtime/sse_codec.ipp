#pragma once

#include <flux/detail/core/session_key.hpp>
#include <flux/detail/endpoints/realtime/sse_codec.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <charconv>

namespace flux::protocol {

FLUX_DECL std::string event_id(const std::vector<Position>& positions) {
  std::string id;
  for (const Position& position : positions) {
    if (!id.empty()) id += ',';
    id.append(position.epoch).append(1, '.').append(std::to_string(position.offset));
  }
  return id;
}

FLUX_DECL std::optional<std::vector<Position>> read_event_id(std::string_view id) {
  std::vector<Position> positions;
  while (!id.empty()) {
    const std::string_view part = id.substr(0, id.find(','));
    id.remove_prefix(std::min(part.size() + 1, id.size()));
    const std::size_t point = std::min(part.find('.'), part.size());
    const std::string_view epoch = part.substr(0, point);
    const std::string_view digits = part.substr(std::min(point + 1, part.size()));
    Offset offset = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), offset);
    const bool is_number = error == std::errc() && end == digits.data() + digits.size() && !digits.empty();
    if (!is_number || !core::key_from_text(epoch)) return std::nullopt;
    positions.push_back({std::string(epoch), offset});
  }
  return positions;
}

/// JSON may have line ends between its values: each begins another line of data.
FLUX_DECL void append_sse_event(std::string& out, std::string_view id, std::string_view json) {
  if (!id.empty()) out.append("id: ").append(id).append(1, '\n');
  out += "data: ";
  for (;;) {
    const std::size_t end = std::min(json.find_first_of("\r\n"), json.size());
    out.append(json.substr(0, end));
    if (end == json.size()) break;
    out += "\ndata: ";
    json.remove_prefix(end + 1);
  }
  out += "\n\n";
}

FLUX_DECL void SseWriter::notice(std::string& out, const features::Notice& notice) const {
  std::string json;
  append_realtime_notice(json, notice, clock_->unix_ms());
  std::string position;
  if (!notice.epoch.empty()) position.append(notice.epoch).append(1, '.').append(std::to_string(notice.offset));
  if (ids_ == Ids::of_channel) return append_sse_event(out, position, json);
  out.append(position).append(1, '\n');
  append_sse_event(out, {}, json);
}

}  // namespace flux::protocol
