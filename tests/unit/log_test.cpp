#include "catch.hpp"
#include "support/child.hpp"
#include "support/temp_folder.hpp"

#include <flux/log.hpp>

#include <cstdio>
#include <string>

namespace log_test {

TEST_CASE("log to stderr: a line has the time, the level and the text; lines above the level are omitted", "[log]") {
  const TempFolder folder;
  const std::string path = folder / "stderr";
  Child([&](int) {
    if (std::freopen(path.c_str(), "w", stderr) == nullptr) return;
    const flux::LogSink sink = flux::log_to_stderr(flux::LogLevel::warning);
    sink(flux::LogLevel::error, "one\0two");
    sink(flux::LogLevel::warning, std::string_view("three four", 5));
    sink(flux::LogLevel::info, "left out");
    flux::log_to_stderr()(flux::LogLevel::debug, "five");
    std::fflush(stderr);
  }).read_all();
  const std::string time = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z ";
  CHECK_THAT(bytes_of(path),
             Catch::Matchers::Matches(time + "error one\n" + time + "warning three\n" + time + "debug five\n"));
}

}  // namespace log_test
