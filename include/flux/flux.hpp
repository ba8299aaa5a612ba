// What most applications need. Include separately: flux/asio.hpp (the application's own io_context), flux/rapidjson.hpp
// (documents), flux/storage/memory_chat_store.hpp (the default chat store, to set other bounds).
#pragma once

#include <flux/config.hpp>
#include <flux/error.hpp>
#include <flux/events.hpp>
#include <flux/http.hpp>
#include <flux/json.hpp>
#include <flux/live.hpp>
#include <flux/random.hpp>
#include <flux/server.hpp>
#include <flux/session.hpp>
#include <flux/storage/chat_store.hpp>
#include <flux/websocket.hpp>
