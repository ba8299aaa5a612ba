#include "catch.hpp"

#include <flux/error.hpp>
#include <flux/live.hpp>

#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace error_test {

using namespace flux;

namespace {

constexpr Errc all_codes[] = {
    Errc::bad_config,       Errc::address_unavailable, Errc::tls_failed,     Errc::already_running,
    Errc::invalid_json,     Errc::invalid_message,     Errc::unknown_type,   Errc::message_too_large,
    Errc::invalid_argument, Errc::room_not_found,      Errc::room_exists,    Errc::room_full,
    Errc::not_in_room,      Errc::session_not_found,   Errc::limit_exceeded, Errc::wrong_mode,
    Errc::unauthorized,     Errc::forbidden,           Errc::rate_limited,   Errc::server_error,
    Errc::store_failed,     Errc::overloaded,          Errc::stopped,        Errc::chat_message_not_found};

/// The close codes after which the README's client gives up.
std::set<int> final_codes_of_readme() {
  std::ifstream readme(std::filesystem::path(__FILE__).parent_path() / "../../README.md");
  const std::string beginning = "const final = [";
  std::string line;
  while (std::getline(readme, line) && !line.starts_with(beginning)) {
  }
  REQUIRE(line.starts_with(beginning));
  std::istringstream numbers(line.substr(beginning.size()));
  std::set<int> codes;
  for (int code = 0; numbers >> code; numbers.ignore(1, ',')) codes.insert(code);
  return codes;
}

/// The codes in the table of examples/server/ERRORS.md: of each row that begins with "| `CODE` |".
std::vector<std::string> documented_codes() {
  std::ifstream document(std::filesystem::path(__FILE__).parent_path() / "../../examples/server/ERRORS.md");
  REQUIRE(document.is_open());
  const std::string beginning = "| `";
  std::vector<std::string> codes;
  std::string line;
  while (std::getline(document, line)) {
    if (line.starts_with(beginning)) codes.push_back(line.substr(beginning.size(), line.find('`', 3) - 3));
  }
  return codes;
}

}  // namespace

TEST_CASE("error: the documents have a row for every code that clients can get, and for nothing else", "[error]") {
  std::set<std::string> names;
  for (unsigned number = 0; number < 1'000; ++number) {
    const auto code = static_cast<Errc>(number);
    if (to_string(code) != "unknown") names.insert(std::string(to_wire_name(code)));
  }
  CHECK(names.size() > 20);
  const auto documented = documented_codes();
  CHECK(std::set<std::string>(documented.begin(), documented.end()) == names);
  CHECK(documented.size() == names.size());  // each once
}

TEST_CASE("error: every code has a unique name", "[error]") {
  std::set<std::string_view> names;
  for (const Errc code : all_codes) {
    INFO(static_cast<int>(code));
    CHECK(to_string(code) != "unknown");
    CHECK(names.insert(to_string(code)).second);
  }
  CHECK(to_string(static_cast<Errc>(999)) == "unknown");
}

TEST_CASE("error: on the wire a code is in upper case, and an unknown one is a server error", "[error]") {
  for (const Errc code : all_codes) {
    CHECK(to_wire_name(code).find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == std::string_view::npos);
  }
  CHECK(to_wire_name(static_cast<Errc>(999)) == "SERVER_ERROR");
  CHECK(to_wire_name(Errc::server_error) == "SERVER_ERROR");
  CHECK(to_wire_name(Errc::invalid_json) == "INVALID_JSON");
  // Clients of protocol live know a single code for every error in a message.
  for (const Errc code : {Errc::invalid_message, Errc::unknown_type, Errc::invalid_argument}) {
    CHECK(to_wire_name(code) == "INVALID_MESSAGE");
  }
  CHECK(to_wire_name(Errc::room_not_found) == "ROOM_NOT_FOUND");
  CHECK(to_wire_name(Errc::room_exists) == "ROOM_EXISTS");
  CHECK(to_wire_name(Errc::room_full) == "ROOM_FULL");
  CHECK(to_wire_name(Errc::not_in_room) == "NOT_IN_ROOM");
  CHECK(to_wire_name(Errc::limit_exceeded) == "LIMIT_EXCEEDED");
  CHECK(to_wire_name(Errc::unauthorized) == "UNAUTHORIZED");
  CHECK(to_wire_name(Errc::forbidden) == "FORBIDDEN");
  CHECK(to_wire_name(Errc::rate_limited) == "RATE_LIMITED");
  CHECK(to_wire_name(Errc::store_failed) == "STORE_FAILED");
  CHECK(to_wire_name(Errc::overloaded) == "OVERLOADED");
}

TEST_CASE("result: a value or an error, never both", "[error]") {
  const Result<int> value = 7;
  CHECK(value.ok());
  CHECK(value);
  CHECK(value.value() == 7);
  CHECK(*value == 7);
  const Result<int> error = Error(Errc::room_full, "full");
  CHECK_FALSE(error.ok());
  CHECK_FALSE(error);
  CHECK(error.error().code() == Errc::room_full);
  CHECK(error.error().message() == "full");
  CHECK(error.error().what() == std::string("full"));
  CHECK_THROWS_AS(error.value(), Error);
  CHECK(Result<void>().ok());
  CHECK_FALSE(Result<void>(Error(Errc::stopped, "")).ok());
}

TEST_CASE("result: holds move-only types", "[error]") {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  CHECK(**result == 7);
  const std::unique_ptr<int> taken = std::move(result).value();
  CHECK(*taken == 7);
}

TEST_CASE("close codes: a client reconnects unless it would only be refused again, and so does the README's",
          "[error]") {
  std::set<int> final_codes;
  for (const CloseCode code :
       {CloseCode::going_away, CloseCode::internal_error, CloseCode::try_again_later, CloseCode::timed_out,
        CloseCode::slow_reader, CloseCode::rate_limited, CloseCode::handler_failed}) {
    CHECK(should_reconnect(code));
  }
  for (const CloseCode code : {CloseCode::normal, CloseCode::protocol_error, CloseCode::invalid_data,
                               CloseCode::policy_violation, CloseCode::message_too_big, CloseCode::unauthorized}) {
    CHECK_FALSE(should_reconnect(code));
    final_codes.insert(static_cast<int>(code));
  }
  CHECK(should_reconnect(static_cast<CloseCode>(1006)));
  CHECK(final_codes_of_readme() == final_codes);
}

}  // namespace error_test
