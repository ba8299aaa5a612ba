// The stores that `--chat`, `--rooms`, `--channel-store` and `--file-index` name: "sqlite:PATH", "postgres:URL" or "mysql:URL"; chat also
// accepts "memory".
#pragma once

#include <flux/storage/channel_store.hpp>
#include <flux/storage/chat_store.hpp>
#include <flux/storage/file_index.hpp>
#include <flux/storage/room_store.hpp>

#include <memory>
#include <string>

/// Errors, of all: throw std::invalid_argument if `spec` names no store that this program was built with, flux::Error
/// if it can't be opened.
std::shared_ptr<flux::ChatStore> make_chat_store(const std::string& spec);
std::shared_ptr<flux::RoomStore> make_room_store(const std::string& spec);
std::shared_ptr<flux::ChannelStore> make_channel_store(const std::string& spec);
std::shared_ptr<flux::FileIndex> make_file_index(const std::string& spec);
