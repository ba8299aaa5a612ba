// Everything an application needs, but for flux/asio.hpp (an io_context of its own) and flux/rapidjson.hpp (documents).
#pragma once

#include <flux/config.hpp>
#include <flux/error.hpp>
#include <flux/events.hpp>
#include <flux/http.hpp>
#include <flux/json.hpp>
#include <flux/protocol/live.hpp>
#include <flux/server.hpp>
#include <flux/session.hpp>
#include <flux/storage/memory_chat_store.hpp>
#include <flux/websocket.hpp>
