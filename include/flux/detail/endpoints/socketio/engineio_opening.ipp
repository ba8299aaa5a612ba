#pragma once

#include <flux/detail/endpoints/socketio/engineio_opening.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace flux::detail {

namespace opening_detail {

FLUX_DECL bool begins_with(std::string_view name, std::string_view prefix) {
  return transport::equals_ignore_case(name.substr(0, prefix.size()), prefix);
}

FLUX_DECL bool is_of_handshake(std::string_view name) {
  return begins_with(name, "sec-websocket-") || transport::equals_ignore_case(name, "upgrade") ||
         transport::equals_ignore_case(name, "connection");
}

/// Whether all clients of one page and browser send the field with the same value.
FLUX_DECL bool is_common(std::string_view name) {
  static constexpr std::array<std::string_view, 6> names{"host",          "origin", "user-agent",
                                                         "cache-control", "pragma", "dnt"};
  return begins_with(name, "accept") || begins_with(name, "sec-") ||
         std::any_of(names.begin(), names.end(), [&](auto n) { return transport::equals_ignore_case(n, name); });
}

}  // namespace opening_detail

FLUX_DECL std::shared_ptr<const std::string> EngineIoCommonFields::share(std::string text) {
  const std::lock_guard lock(mutex_);
  if (const auto found = texts_.find(std::string_view(text)); found != texts_.end()) return *found;
  auto fresh = std::make_shared<const std::string>(std::move(text));
  if (fresh->size() > text_bytes_max) return fresh;
  if (texts_.size() >= texts_max) {
    std::erase_if(texts_, [](const Text& known) { return known.use_count() == 1; });  // no session uses it any more
  }
  if (texts_.size() < texts_max) texts_.insert(fresh);
  return fresh;
}

FLUX_DECL EngineIoOpening::EngineIoOpening(const transport::HttpHead& head, std::string_view remote_address,
                                           EngineIoCommonFields& common) {
  std::string shared;
  std::string own(head.query());
  query_end_ = static_cast<std::uint32_t>(own.size());
  own.append(remote_address);
  fields_begin_ = static_cast<std::uint32_t>(own.size());
  for (const auto& field : head.fields()) {  // no name or value holds NUL: the HTTP parser refuses it
    if (opening_detail::is_of_handshake(field.name)) continue;
    std::string& text = opening_detail::is_common(field.name) ? shared : own;
    text.append(field.name).push_back('\0');
    text.append(field.value).push_back('\0');
  }
  common_ = common.share(std::move(shared));
  own_ = std::make_unique<char[]>(own.size());
  std::copy(own.begin(), own.end(), own_.get());
  size_ = static_cast<std::uint32_t>(own.size());
}

template <class Visit>
void EngineIoOpening::for_each_field(const Visit& visit) const {
  for (std::string_view fields : {std::string_view(*common_), own().substr(fields_begin_)}) {
    while (!fields.empty()) {
      const std::size_t name = fields.find('\0');
      const std::size_t value = fields.find('\0', name + 1);
      visit(fields.substr(0, name), fields.substr(name + 1, value - name - 1));
      fields.remove_prefix(value + 1);
    }
  }
}

FLUX_DECL HttpFields EngineIoOpening::headers() const {
  HttpFields list;
  for_each_field([&](std::string_view name, std::string_view value) { list.emplace_back(name, value); });
  return list;
}

FLUX_DECL std::optional<std::string_view> EngineIoOpening::header(std::string_view name) const {
  std::optional<std::string_view> found;
  for_each_field([&](std::string_view field, std::string_view value) {
    if (!found && transport::equals_ignore_case(field, name)) found = value;
  });
  return found;
}

}  // namespace flux::detail
