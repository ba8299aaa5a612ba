// What most tests include, compiled once for a sanitizer's build.
#pragma once

#include "support/server.hpp"

#include <flux/sharing.hpp>
#include <flux/socketio.hpp>
