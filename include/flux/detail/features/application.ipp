#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/features/application.hpp>
#include <flux/detail/features/handed_in.hpp>
#include <flux/detail/mode.hpp>

#include <string>
#include <utility>

namespace flux::features {

namespace application_detail {

/// Null: all members. Ids that no session can have are left out.
FLUX_DECL std::shared_ptr<const Addressees> addressees(const Recipients& recipients) {
  if (recipients.kind() == Recipients::Kind::all) return nullptr;
  std::vector<core::SessionKey> keys;
  keys.reserve(recipients.ids().size());
  for (const SessionId& id : recipients.ids()) {
    if (const auto key = core::key_from_text(id)) keys.push_back(*key);
  }
  return std::make_shared<const Addressees>(recipients.kind() == Recipients::Kind::only, std::move(keys));
}

}  // namespace application_detail

// --- Rooms and events ---

FLUX_DECL Result<void> Application::create_room(const RoomId& room, const RoomOptions& options) const {
  return backend_.rooms.create(room, options).and_then([&](const auto& made) { return backend_.open_room(made); });
}

FLUX_DECL void Application::create_room(const RoomId& room, const RoomOptions& options, const Done<void>& done) const {
  const auto made = backend_.rooms.create(room, options);
  if (!made) return done(made.error());
  backend_.open_room(*made, done);
}

FLUX_DECL Result<void> Application::close_room(const RoomId& room, std::string_view reason) const {
  const auto ended = backend_.rooms.take_out(room, core::repaired(std::string(reason)));
  if (!ended) return no_room(room);
  backend_.clear_room(ended);
  return {};
}

FLUX_DECL Result<Position> Application::broadcast(const RoomId& room, std::string_view event, const JsonText& payload,
                                                  const Recipients& recipients, const Delivery& delivery) const {
  if (const auto checked = detail::check_event(event, payload, backend_.config.limits); !checked) {
    return checked.error();
  }
  const auto found = backend_.rooms.find(room);
  if (!found) return no_room(room);
  const detail::Relayed relayed(payload);
  const EventNotice notice{room, server_connection_id, {}, event, relayed.text()};
  auto to = application_detail::addressees(recipients);
  switch (delivery.kind()) {
    case Delivery::Kind::newest: {
      const auto checked = detail::check_key(delivery.key(), backend_.config.limits);
      if (!checked) return checked.error();
      return found->publish_newest(delivery.key(), notice, std::move(to));
    }
    case Delivery::Kind::close_slow: return found->publish_to(to.get(), notice, core::SegmentPolicy::close);
    case Delivery::Kind::all: break;
  }
  return found->publish_to(to.get(), notice);
}

// --- Sharing ---

FLUX_DECL void Application::share(const RoomId& room, const JsonText& data, const Done<Position>& done) const {
  const auto found = backend_.rooms.find(room);
  if (!found) return done(no_room(room));
  share_item(found, data, done);
}

FLUX_DECL void Application::public_share(const JsonText& data, const Done<Position>& done) const {
  share_item(nullptr, data, done);
}

FLUX_DECL void Application::share_item(const std::shared_ptr<Room>& room, const JsonText& data,
                                       const Done<Position>& done) const {
  const auto checked = detail::check_size("the data", data.text().size(), backend_.config.limits.message_bytes_max);
  if (!checked) return done(checked.error());
  backend_.share(room, nullptr, {server_connection_id, detail::relayable(data), 0}, done);
}

FLUX_DECL void Application::share_file(const RoomId& room, const FileId& file, const Done<Position>& done) const {
  if (!backend_.files) return done(no_files());
  const auto found = backend_.rooms.find(room);
  if (!found) return done(no_room(room));
  hold_and_share(found, file, done);
}

FLUX_DECL void Application::public_share_file(const FileId& file, const Done<Position>& done) const {
  if (!backend_.files) return done(no_files());
  hold_and_share(nullptr, file, done);
}

FLUX_DECL void Application::hold_and_share(const std::shared_ptr<Room>& room, const FileId& file,
                                           const Done<Position>& done) const {
  backend_.hold_file(file, {.is_application = true, .room = room},
                     [&backend = backend_, room, done](Result<FileHoldPtr> hold) {
                       if (!hold) return done(hold.error());
                       backend.share(room, nullptr, {server_connection_id, (*hold)->stored_data(), 0, *hold}, done);
                     });
}

FLUX_DECL void Application::delete_public_newest(const Done<bool>& done) const {
  backend_.remove_public_newest({}, done);
}

// --- Chat ---

FLUX_DECL void Application::chat(const RoomId& room, ChatPost post, const Done<ChatMessage>& done) const {
  if (const auto checked = backend_.rooms.check_id(room); !checked) return done(checked.error());
  if (const auto checked = detail::check_chat_text(post, backend_.config.limits); !checked) {
    return done(checked.error());
  }
  if (const auto checked = detail::check_chat_names(post); !checked) return done(checked.error());
  const Retry retry = post.id.empty() ? Retry::no : Retry::possible;
  ChatMessage message;
  message.id = post.id.empty() ? backend_.new_chat_id() : std::move(post.id);
  message.room = room;
  message.user_id = post.user_id.empty() ? user_of(post.session) : std::move(post.user_id);
  message.connection_id = std::move(post.session);
  message.message = std::move(post.message);
  if (post.metadata) message.metadata = std::move(*post.metadata).text();
  if (const auto found = backend_.rooms.find(room)) {
    if (const auto taken = found->takes_messages(); !taken) return done(taken.error());
  }
  backend_.store_chat(std::move(message), retry, nullptr, done);
}

/// Empty: it is not connected, or has no user.
FLUX_DECL std::string Application::user_of(const SessionId& session) const {
  const auto connected = backend_.member(session, {});
  const auto known = connected ? connected->identity() : nullptr;
  return known ? known->user_id : std::string();
}

FLUX_DECL void Application::edit_chat(const RoomId& room, Offset offset, std::string_view text,
                                      std::optional<JsonText> metadata, const Done<ChatMessage>& done) const {
  ChatPost edited{.message = std::string(text), .metadata = std::move(metadata)};
  if (const auto checked = detail::check_chat_text(edited, backend_.config.limits); !checked) {
    return done(checked.error());
  }
  std::string new_metadata = edited.metadata ? std::move(*edited.metadata).text() : std::string();
  backend_.change_chat(room, offset, backend_.chat_edit(std::move(edited.message), std::move(new_metadata)), done);
}

FLUX_DECL void Application::delete_chat(const RoomId& room, Offset offset, const Done<ChatMessage>& done) const {
  backend_.change_chat(room, offset, backend_.chat_deletion(), done);
}

FLUX_DECL void Application::chat_history(const RoomId& room, std::size_t limit, Offset before,
                                         const Done<std::vector<ChatMessage>>& done) const {
  if (limit < 1 || limit > 1000) {
    return done(Error(Errc::invalid_argument, "limit must be 1 to 1000, not " + std::to_string(limit)));
  }
  const auto log = backend_.running_chat();
  if (!log) return done(not_running());
  log->history(room, {limit, before}, [done](Result<ChatPage> page, const ChatLog::Turn&) {
    done(std::move(page).transform([](ChatPage read) { return std::move(read.entries); }));
  });
}

}  // namespace flux::features
