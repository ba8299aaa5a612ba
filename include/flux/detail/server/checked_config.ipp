#pragma once

#include <flux/detail/core/option_check.hpp>
#include <flux/detail/features/files_options.hpp>
#include <flux/detail/gate/origin.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/server/checked_config.hpp>
#include <flux/storage/memory_chat_store.hpp>

#include <algorithm>
#include <memory>
#include <string>

namespace flux::detail {

FLUX_DECL Config checked(Config config) {
  using core::given, core::require_at_least, core::require_option, core::require_time;
  const Limits& limits = config.limits;
  require_option(config.threads >= 1 && config.threads <= 256,
                 "Config::threads must be 1 to 256" + given(config.threads));
  require_option(config.deflate.level >= 1 && config.deflate.level <= 9,
                 "Config::deflate.level must be 1 to 9, not " + std::to_string(config.deflate.level));
  require_at_least(1, config.deflate.inflated_per_turn_max, "Config::deflate.inflated_per_turn_max");
  require_option(config.tls.certificate_file.empty() == config.tls.private_key_file.empty(),
                 "Config::tls needs both certificate_file and private_key_file, or neither");
  require_option(limits.outbox_bytes_max >= limits.outbox_bytes_congested,
                 "Limits::outbox_bytes_max must be at least outbox_bytes_congested" + given(limits.outbox_bytes_max));
  require_option(limits.fanout_bytes_max >= 0x10'0000 && limits.fanout_bytes_max <= 0x4000'0000,
                 "Limits::fanout_bytes_max must be 1 MiB to 1 GiB" + given(limits.fanout_bytes_max));
  require_at_least(1, limits.outbox_bytes_congested, "Limits::outbox_bytes_congested");
  require_at_least(4'096, limits.answer_bytes_max, "Limits::answer_bytes_max");
  require_at_least(1, limits.request_line_bytes_max, "Limits::request_line_bytes_max");
  require_at_least(1, limits.field_bytes_max, "Limits::field_bytes_max");
  require_at_least(1, limits.fields_max, "Limits::fields_max");
  require_at_least(1, limits.head_bytes_max, "Limits::head_bytes_max");
  require_at_least(1, limits.message_bytes_max, "Limits::message_bytes_max");
  require_at_least(3, limits.json_depth_max, "Limits::json_depth_max");
  require_option(limits.message_id_bytes_max >= 16 && limits.message_id_bytes_max <= 65'536,
                 "Limits::message_id_bytes_max must be 16 to 65536" + given(limits.message_id_bytes_max));
  if (limits.messages_per_second > 0) require_at_least(1, limits.message_burst, "Limits::message_burst");
  if (limits.user_messages_per_second > 0) require_at_least(1, limits.user_message_burst, "Limits::user_message_burst");
  if (limits.address_messages_per_second > 0)
    require_at_least(1, limits.address_message_burst, "Limits::address_message_burst");
  require_time(limits.handshake_timeout, "Limits::handshake_timeout");
  require_time(limits.answer_timeout, "Limits::answer_timeout");
  require_time(limits.http_idle_timeout, "Limits::http_idle_timeout");
  require_time(limits.close_timeout, "Limits::close_timeout");
  require_option(limits.output_stall_timeout.count() >= 0, "Limits::output_stall_timeout must not be negative");
  require_option(limits.input_stall_timeout.count() >= 0, "Limits::input_stall_timeout must not be negative");
  require_at_least(1, limits.frames_per_message_max, "Limits::frames_per_message_max");
  require_option(limits.ping_interval.count() >= 0, "Limits::ping_interval must not be negative");
  if (limits.ping_interval.count() > 0) require_time(limits.pong_timeout, "Limits::pong_timeout");
  require_option(config.slow_handler.count() >= 0 && config.slow_handler <= core::hundred_years,
                 "Config::slow_handler must be 0 to 100 years");
  require_option(config.expiry_notice.count() >= 0, "Config::expiry_notice must not be negative");
  features::check_options(config.files);
  config.origins = gate::normal_origins("Config::origins", config.origins);
  config.files.cors_origins = gate::normal_origins("Config::files.cors_origins", config.files.cors_origins);
  config.limits.answer_bytes_max = std::min(limits.answer_bytes_max, limits.outbox_bytes_max);
  if (!config.clock) config.clock = std::make_shared<SystemClock>();
  if (!config.chat.store) config.chat.store = std::make_shared<MemoryChatStore>();
  return config;
}

}  // namespace flux::detail
