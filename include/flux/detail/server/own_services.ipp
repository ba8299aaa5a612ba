#pragma once

#include <flux/detail/features/chat_service.hpp>
#include <flux/detail/features/grant_service.hpp>
#include <flux/detail/features/rate_service.hpp>
#include <flux/detail/features/room_services.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/server/own_services.hpp>

namespace flux::detail {

FLUX_DECL std::vector<std::shared_ptr<features::Service>> own_services(features::Backend& backend) {
  return {
      std::make_shared<features::RateService>(backend),  std::make_shared<features::RoomLogService>(backend),
      std::make_shared<features::RoomsService>(backend),  // opens rooms in the log
      std::make_shared<features::GrantService>(backend), std::make_shared<features::ChatService>(backend),
  };
}

}  // namespace flux::detail
