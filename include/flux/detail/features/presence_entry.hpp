// A member as its room shows it to the others.
#pragma once

#include <flux/types.hpp>

#include <string_view>

namespace flux::features {

struct PresenceEntry {
  std::string_view connection_id;
  const Identity* identity;   // null: unknown
  std::string_view presence;  // JSON text
};

}  // namespace flux::features
