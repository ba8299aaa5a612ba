#pragma once

#include <flux/types.hpp>

namespace flux {

FLUX_DECL std::string_view to_string(RoomMode mode) noexcept {
  switch (mode) {
    case RoomMode::live: return "live";
    case RoomMode::singleton: return "singleton";
    case RoomMode::history: return "history";
  }
  return "unknown";
}

}  // namespace flux
