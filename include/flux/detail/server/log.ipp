#pragma once

#include <flux/detail/mode.hpp>
#include <flux/log.hpp>

#include <cstdio>
#include <ctime>

namespace flux {

FLUX_DECL LogSink log_to_stderr(LogLevel level) {
  return [most = level](LogLevel of_line, std::string_view message) {
    if (of_line > most) return;
    char now[32] = "";
    const std::time_t seconds = std::time(nullptr);
    std::tm utc{};
    if (gmtime_r(&seconds, &utc) != nullptr) std::strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", &utc);
    const std::string_view name = to_string(of_line);
    std::fprintf(stderr, "%s %.*s %.*s\n", now, static_cast<int>(name.size()), name.data(),
                 static_cast<int>(message.size()), message.data());
  };
}

}  // namespace flux
