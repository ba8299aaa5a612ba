// What a handler of the application was called about, for the log line about its failure.
#pragma once

#include <flux/detail/core/running_handler.hpp>
#include <flux/detail/core/utf8.hpp>

#include <string>
#include <string_view>

namespace flux::features {

/// The names in what a handler handles; null: it has none. The handler may change them: `text` has the names at its call.
struct HandledNames {
  const std::string* name = nullptr;  // of the event, the method or the channel
  const std::string* room = nullptr;

  /// " (\"move\", room \"lobby\", client 192.0.2.7:49152)", or a part of it; empty without any.
  std::string text(const core::RunningHandler::Client& client) const {
    std::string list;
    const auto add = [&list](const std::string& part) { list.append(list.empty() ? " (" : ", ").append(part); };
    if (name != nullptr) add("\"" + core::shown(*name) + "\"");
    if (room != nullptr) add("room \"" + core::shown(*room) + "\"");
    if (const std::string address = client.text(); !address.empty()) add("client " + address);
    return list.empty() ? list : list + ")";
  }
};

/// Those of an event that a handler may veto.
template <class Event>
HandledNames names_in(const Event& event) {
  HandledNames names;
  if constexpr (requires { event.event; }) names.name = &event.event;
  if constexpr (requires { event.channel; }) names.name = &event.channel;
  if constexpr (requires { event.room; }) names.room = &event.room;
  if constexpr (requires { event.stored.room; }) names.room = &event.stored.room;
  return names;
}

}  // namespace flux::features
