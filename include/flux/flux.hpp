// What most applications need. By themselves: flux/asio.hpp (an io_context of one's own), flux/rapidjson.hpp
// (documents), flux/storage/memory_chat_store.hpp (the default chat store, to be given other bounds).
#pragma once

#include <flux/config.hpp>
#include <flux/error.hpp>
#include <flux/events.hpp>
#include <flux/http.hpp>
#include <flux/json.hpp>
#include <flux/live.hpp>
#include <flux/server.hpp>
#include <flux/session.hpp>
#include <flux/storage/chat_store.hpp>
#include <flux/websocket.hpp>
